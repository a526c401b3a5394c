import pathlib

import numpy as np
import pytest
from PIL import Image

from convert_weights.convert import convert_source
from sfe_jax.core.errors import ImageError, ShapeError, WeightsError
from sfe_jax.core.images import load_image
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.face_detection import (
    CERTAINTIES,
    MIN_FACE,
    OVERLAP,
    PYRAMID_FACTOR,
    SCALE_OVERLAP,
    FaceDetector,
    build_pyramid,
    correct,
    cut_boxes,
    make_square,
    normalise_levels,
    over_smaller,
    propose_at,
    pyramid_scales,
    shared_areas,
    suppress,
    window_certainties,
)

# Boxes. Both corner pixels are inside: [0, 0, 9, 4] is 10 wide and 5 high.


def boxes(*rows):
    return np.array(rows, np.float64)


def test_correction_is_in_widths_and_heights():
    moved = correct(boxes([0, 0, 9, 4]), boxes([0.1, -0.2, 0.5, 1]))
    np.testing.assert_allclose(moved, [[1, -1, 14, 9]])


@pytest.mark.parametrize(
    ("box", "square"), [([0, 0, 9, 3], [0, -3, 9, 6]), ([2, 0, 5, 9], [-1, 0, 8, 9])]
)
def test_square_has_the_longer_side_about_the_same_centre(box, square):
    np.testing.assert_array_equal(make_square(boxes(box)), [square])


def test_square_has_whole_pixels():
    np.testing.assert_array_equal(make_square(boxes([0.3, 0.4, 9.3, 9.4])), [[0, 0, 9, 9]])


def test_shared_area_counts_both_corner_pixels():
    box = np.array([0.0, 0, 9, 4])
    others = boxes([9, 4, 20, 20], [0, 0, 9, 4], [10, 0, 12, 4])
    np.testing.assert_array_equal(shared_areas(box, others), [1, 50, 0])


def test_suppression_keeps_the_most_certain_of_boxes_on_each_other():
    """The first two share 90 of 110 pixels; the third lies apart."""
    rows = boxes([0, 0, 9, 9], [1, 0, 10, 9], [30, 30, 39, 39])
    kept = suppress(rows, np.array([0.5, 0.9, 0.7]), limit=0.7)
    np.testing.assert_array_equal(kept, [1, 2])


def test_suppression_keeps_boxes_that_share_no_more_than_the_limit():
    rows = boxes([0, 0, 9, 9], [1, 0, 10, 9])
    assert len(suppress(rows, np.array([0.5, 0.9]), limit=90 / 110)) == 2


@pytest.mark.parametrize(("options", "count"), [({}, 2), ({"overlap": over_smaller}, 1)])
def test_suppression_by_the_smaller_box_drops_one_inside_another(options, count):
    rows = boxes([0, 0, 19, 19], [5, 5, 9, 9])
    assert len(suppress(rows, np.array([0.9, 0.5]), limit=0.7, **options)) == count


def test_suppression_of_nothing_is_nothing():
    assert len(suppress(np.zeros((0, 4)), np.zeros(0), limit=0.7)) == 0


# Pictures.


def test_scales_end_where_no_window_fits():
    """40 pixels at 0.6 and 0.4242 have 24 and 17; at 0.29991 they have 11.99."""
    np.testing.assert_allclose(pyramid_scales(40, 90), [0.6, 0.4242])


def test_levels_are_between_minus_one_and_one():
    levels = normalise_levels(np.array([0, 127, 255], np.uint8))
    np.testing.assert_allclose(levels, [-127.5 / 128, -0.5 / 128, 127.5 / 128])


def picture(height, width, seed=0):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(levels)


def test_box_of_the_wanted_size_is_cut_pixel_by_pixel():
    image = picture(40, 50)
    crop = cut_boxes(image, boxes([5, 7, 28, 30]), 24)[0]
    np.testing.assert_array_equal(crop, np.asarray(image)[7:31, 5:29])


def test_box_over_the_border_is_black_outside():
    crop = cut_boxes(picture(40, 50), boxes([-10, 0, 13, 23]), 24)[0]
    assert not crop[:, :10].any()


def test_pieces_of_a_pyramid_are_the_resized_pictures():
    image = picture(41, 53)
    pyramid = build_pyramid(image)
    for scale, top, height, width in pyramid.pieces:
        smaller = image.resize((width, height), Image.Resampling.BILINEAR)
        assert (width, height) == (np.ceil(53 * scale), np.ceil(41 * scale))
        np.testing.assert_array_equal(pyramid.canvas[top : top + height, :width], smaller)


def test_pieces_of_a_pyramid_begin_at_even_rows():
    assert all(top % 2 == 0 for _, top, *_ in build_pyramid(picture(41, 53)).pieces)


def test_pixels_around_the_pieces_are_not_inside():
    pyramid = build_pyramid(picture(41, 53))
    inside = sum((height - 2) * (width - 2) for *_, height, width in pyramid.pieces)
    assert pyramid.inside.sum() == inside


def test_certainties_of_a_row_have_the_sum_one():
    logits = np.random.default_rng(0).standard_normal((3, 5, 2))
    np.testing.assert_allclose(window_certainties(logits).sum(axis=1), 1)


def test_certainties_are_of_the_second_logit():
    logits = np.zeros((1, 2, 2))
    logits[0, 0, 1] = np.log(3)
    np.testing.assert_allclose(window_certainties(logits), [[0.75, 0.25]])


def test_proposal_is_the_window_in_pixels_of_the_picture():
    """Window of row 3 and column 5 at half the size: x from 11 to 23, y from 7 to 19, doubled."""
    logits = np.zeros((9, 12, 2))
    logits[3, 5, 1] = 9
    found = propose_at(0.5, logits, np.zeros((9, 12, 4)))
    np.testing.assert_array_equal(found.boxes, [[22, 14, 46, 38]])


def test_constants_are_those_of_the_reference():
    """StyleFeatureEditor models/mtcnn/mtcnn.py; they decide which faces a metric counts."""
    assert (CERTAINTIES, SCALE_OVERLAP, OVERLAP) == ((0.15, 0.25, 0.35), 0.5, 0.7)
    assert (PYRAMID_FACTOR, MIN_FACE) == (0.707, 20)


def test_a_face_inside_another_is_dropped_at_the_end():
    """The inner box lies in the outer, of which it is a ninth."""
    detector = object.__new__(FaceDetector)
    logits = np.array([[0, 5], [0, 4]], np.float32)
    reading = {"logits": logits, "offsets": np.zeros((2, 4)), "points": np.zeros((2, 10))}
    detector._output = lambda crops: reading
    nested = boxes([10, 10, 39, 39], [20, 20, 29, 29])
    (face,) = detector._outputs(picture(50, 50), nested)
    np.testing.assert_array_equal(face.box, nested[0])


# Faces, by the published weights.


@pytest.fixture(scope="module")
def shared():
    from tests.conftest import _shared

    return _shared("checkpoints").parent


@pytest.fixture(scope="module")
def detector(shared):
    networks = {}
    for name in ("pnet", "rnet", "onet"):
        _, converted = convert_source(shared / "checkpoints" / "mtcnn" / f"{name}.npy")
        networks |= converted.networks
    return FaceDetector(Bundle(networks))


@pytest.fixture(scope="module")
def portrait(shared):
    """A man in front of a blurred street, 300 x 200."""
    image = load_image(pathlib.Path(shared / "data" / "photos" / "photo3.png"))
    return np.asarray(Image.fromarray(image).resize((300, 200), Image.Resampling.BILINEAR))


POINTS = np.array([[524, 252], [637, 238], [588, 298], [543, 358], [651, 345]]) / 4
"""Of the portrait, by eye; the face is 85 pixels high."""


def test_face_of_a_portrait_is_found(detector, portrait):
    face = detector.detect_main(portrait, "portrait.png")
    np.testing.assert_allclose(face.points, POINTS, atol=5)


def test_box_of_a_face_holds_its_points(detector, portrait):
    face = detector.detect_main(portrait, "portrait.png")
    assert (face.points > face.box[:2]).all()
    assert (face.points < face.box[2:]).all()


def test_face_is_found_where_it_moved(detector, portrait):
    """By 16 pixels: nothing else of the picture changes but its right border."""
    moved = np.roll(portrait, -16, axis=1)
    face = detector.detect_main(moved, "moved.png")
    np.testing.assert_allclose(face.points, POINTS - np.array([16, 0]), atol=5)


@pytest.mark.parametrize("size", [(100, 150), (18, 100)])
def test_picture_without_a_face_is_named(detector, size):
    grey = np.full((*size, 3), 128, np.uint8)
    with pytest.raises(ImageError, match=r"grey\.png: no face is found; required is .* 20 pixels"):
        detector.detect_main(grey, "grey.png")


def test_picture_without_colours_is_refused(detector):
    with pytest.raises(ShapeError, match=r"`image` has shape \(40, 40\)"):
        detector.detect(np.zeros((40, 40), np.uint8))


def test_bundle_without_the_networks_is_refused():
    with pytest.raises(WeightsError, match="no 'mtcnn_pnet' in this bundle"):
        FaceDetector(Bundle({}))
