import numpy as np
import pytest

from convert_weights.convert import convert_source
from sfe_jax.alignment.quads import quad_of_points, quad_side
from sfe_jax.core.errors import ImageError, WeightsError
from sfe_jax.core.images import load_image
from sfe_jax.pipelines.alignment import agreed_faces, find_faces, mirror_face, open_detector
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.face_detection import Face

POINTS = np.array([[20, 30], [40, 31], [30, 42], [22, 50], [38, 51]], np.float64)


def face(left, top, *, side=40, certainty=0.99):
    """A square face with `POINTS` in its box of 60."""
    box = np.array([left, top, left + side - 1, top + side - 1], np.float64)
    return Face(box, POINTS * side / 60 + [left, top], certainty)


class Seer:
    """Sees given faces in pictures, and in mirrored ones their mirror images."""

    def __init__(self, *faces, width, unseen=()):
        self._answers = [[face for face in faces if face not in unseen]]
        self._answers.insert(0, [mirror_face(face, width) for face in faces])
        self.shapes = []

    def detect(self, image):
        self.shapes.append(image.shape)
        return self._answers.pop(0)


def grey(height, width):
    return np.full((height, width, 3), 128, np.uint8)


# Mirror images.


def test_mirrored_twice_is_the_same_face():
    again = mirror_face(mirror_face(face(7, 9), 100), 100)
    np.testing.assert_allclose(again.box, face(7, 9).box)
    np.testing.assert_allclose(again.points, face(7, 9).points)


def test_left_of_a_mirrored_face_is_left():
    points = mirror_face(Face(np.array([10, 20, 49, 79]), POINTS, 1.0), 100).points
    np.testing.assert_allclose(points, [[59, 31], [79, 30], [69, 42], [61, 51], [77, 50]])


def test_face_seen_twice_is_the_mean_of_both():
    (found,) = agreed_faces([face(10, 20)], [face(2, 90), face(12, 20, certainty=0.95)])
    np.testing.assert_allclose(found.points, face(11, 20).points)
    assert found.certainty == 0.95


@pytest.mark.parametrize(
    "mirrored", [[], [face(70, 20)], [face(30, 20)], [face(10, 20, certainty=0.8)]]
)
def test_face_that_its_mirror_image_does_not_confirm_is_none(mirrored):
    assert agreed_faces([face(10, 20)], mirrored) == []


# Photographs.


def test_largest_face_comes_first():
    small, large = face(100, 50, certainty=1.0), face(10, 20, side=60, certainty=0.95)
    found = find_faces(Seer(small, large, width=200), grey(150, 200))
    np.testing.assert_allclose([x.box for x in found], [large.box, small.box])


def test_large_photograph_is_shrunk_and_its_faces_are_in_its_pixels():
    seer = Seer(face(100, 50), width=1024)
    (found,) = find_faces(seer, grey(1024, 2048))
    np.testing.assert_allclose(found.box, [200, 100, 279, 179])
    np.testing.assert_allclose(found.points, 2 * face(100, 50).points + 0.5)
    assert seer.shapes == [(512, 1024, 3)] * 2


def test_photograph_without_a_face_is_named_with_the_remedy():
    with pytest.raises(ImageError, match=r"street\.jpg: no face is found; .*`points`"):
        find_faces(Seer(width=200), grey(150, 200), "street.jpg")


def test_bundle_without_mtcnn_is_refused_with_the_command_that_adds_it():
    command = r"my\.safetensors: no 'mtcnn_pnet' .*convert_weights my\.safetensors pnet\.npy"
    with pytest.raises(WeightsError, match=command):
        open_detector(Bundle({}, path="my.safetensors"))


# By the published weights.


@pytest.fixture(scope="module")
def detector():
    from tests.conftest import _shared

    networks = {}
    for name in ("pnet", "rnet", "onet"):
        _, converted = convert_source(_shared("checkpoints") / "mtcnn" / f"{name}.npy")
        networks |= converted.networks
    return open_detector(Bundle(networks))


def test_photograph_of_one_person_has_one_face(detector, data_folder):
    """MTCNN alone sees six, one of certainty 0.97 in the jacket."""
    assert len(find_faces(detector, load_image(data_folder / "photos" / "photo1.jpg"))) == 1


@pytest.mark.parametrize("index", [0, 3])
def test_square_of_an_aligned_picture_is_nearly_the_picture(detector, data_folder, index):
    """Aligned by dlib's 68 points, which differ from MTCNN's five by some percent of a side."""
    image = load_image(data_folder / "aligned" / f"face{index}.jpg")
    quad = quad_of_points(find_faces(detector, image)[0].points)
    assert quad_side(quad) == pytest.approx(1024, rel=0.05)
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * 1024 - 0.5
    assert np.abs(quad - corners).max() <= 0.03 * 1024
