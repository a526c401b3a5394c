import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.data import faces
from sfe_jax.data.faces import shapes

render = jax.jit(faces.render_faces, static_argnums=1)

EDITS = [(row.name, row.low, row.high) for row in faces.ATTRIBUTES]


def plain_faces(count=8, seed=0):
    """Faces that look straight ahead, open-eyed, with nothing in front of the face."""
    drawn = faces.sample_faces(jax.random.key(seed), count)
    straight = {"yaw": 0.0, "eye_opening": 0.9, "glasses": 0.0, "smile": 0.0, "makeup": 0.0}
    for name, value in straight.items():
        drawn = faces.with_attribute(drawn, name, value)
    nothing = {name: jnp.zeros(count) for name in ("freckles", "face_paint", "hat", "earrings")}
    return drawn._replace(details=drawn.details._replace(**nothing))


@functools.cache
def picture(name=None, value=None):
    drawn = plain_faces()
    edited = drawn if name is None else faces.with_attribute(drawn, name, value)
    return np.asarray(render(edited, 64))


def change(name, low, high):
    """Largest change of each pixel over faces and channels, [64, 64]; a level is 2 / 255."""
    return np.abs(picture(name, high) - picture(name, low)).max(axis=(0, 3))


def brightness(image, places):
    """Mean channel of the pixel at each (x, y) in [0, 1]."""
    column, row = np.floor(np.asarray(places) * len(image)).astype(int).T
    return image[row, column].mean(axis=-1)


def test_faces_have_one_float_per_parameter():
    drawn = faces.sample_faces(jax.random.key(0), 5)
    assert all(leaf.shape == (5,) and leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(drawn))


def test_attribute_table_names_every_field_in_order():
    assert tuple(row.name for row in faces.ATTRIBUTES) == faces.Attributes._fields


@pytest.mark.parametrize(("name", "low", "high"), EDITS)
def test_sampled_attributes_lie_in_range(name, low, high):
    values = getattr(faces.sample_faces(jax.random.key(1), 4096).attributes, name)
    assert low <= values.min() <= values.max() <= high


@pytest.mark.parametrize(("name", "low", "high"), EDITS)
def test_sampled_attributes_reach_both_ends(name, low, high):
    values = getattr(faces.sample_faces(jax.random.key(1), 4096).attributes, name)
    margin = 0.05 * (high - low)
    assert values.min() < low + margin
    assert values.max() > high - margin


@pytest.mark.parametrize("name", ["freckles", "face_paint", "hat", "earrings"])
@pytest.mark.parametrize(("split", "low", "high"), [("plain", 0.02, 0.06), ("detailed", 0.4, 0.6)])
def test_details_are_as_frequent_as_the_split_says(name, split, low, high):
    # With 8192 faces the standard deviation of a frequency is below 0.006.
    details = faces.sample_faces(jax.random.key(2), 8192, split=split).details
    assert low < float((getattr(details, name) > 0).mean()) < high


def test_attributes_are_uncorrelated():
    attributes = faces.sample_faces(jax.random.key(3), 8192).attributes
    correlation = np.corrcoef(np.stack(attributes))
    # Five standard deviations of a sample correlation, 1 / sqrt(8192).
    assert np.abs(correlation - np.eye(len(correlation))).max() < 5 / np.sqrt(8192)


def test_sampling_refuses_unknown_split():
    with pytest.raises(OptionError, match="required is one of plain, detailed"):
        faces.sample_faces(jax.random.key(0), 1, split="rare")


def test_edit_refuses_unknown_attribute():
    with pytest.raises(OptionError, match="required is one of smile"):
        faces.with_attribute(plain_faces(1), "grin", 1.0)


@pytest.mark.parametrize("name", faces.Attributes._fields)
def test_edit_sets_one_parameter_alone(name):
    drawn = plain_faces(2)
    edited = faces.with_attribute(drawn, name, 0.25)
    restored = edited.attributes._replace(**{name: getattr(drawn.attributes, name)})
    assert np.all(getattr(edited.attributes, name) == 0.25)
    assert jax.tree.all(jax.tree.map(np.array_equal, edited._replace(attributes=restored), drawn))


def test_edit_takes_one_value_per_face():
    edited = faces.with_attribute(plain_faces(2), "smile", jnp.array([-1.0, 1.0]))
    np.testing.assert_array_equal(edited.attributes.smile, [-1.0, 1.0])


def test_picture_has_batch_resolution_and_three_channels():
    drawn = jax.eval_shape(functools.partial(faces.sample_faces, count=3), jax.random.key(0))
    shape = jax.eval_shape(functools.partial(faces.render_faces, resolution=1024), drawn)
    assert (shape.shape, shape.dtype) == ((3, 1024, 1024, 3), jnp.float32)


@pytest.mark.parametrize("split", ["plain", "detailed"])
def test_pictures_are_finite_and_in_range(split):
    image = np.asarray(render(faces.sample_faces(jax.random.key(4), 8, split=split), 64))
    assert np.all(np.abs(image) <= 1.0)


@pytest.mark.parametrize("end", ["low", "high"])
def test_pictures_are_finite_at_the_ends_of_all_attributes(end):
    drawn = plain_faces()
    for row in faces.ATTRIBUTES:
        drawn = faces.with_attribute(drawn, row.name, getattr(row, end))
    assert np.isfinite(render(drawn, 64)).all()


def test_same_key_gives_same_bytes():
    first, second = (
        np.asarray(render(faces.sample_faces(jax.random.key(5), 8), 64)).tobytes() for _ in "ab"
    )
    assert first == second


def test_compiled_equals_eager():
    drawn = faces.sample_faces(jax.random.key(6), 1, split="detailed")
    # Fused arithmetic rounds differently, and steep edges and the power magnify it.
    np.testing.assert_allclose(render(drawn, 16), faces.render_faces(drawn, 16), atol=2e-3)


def test_face_is_the_same_at_two_resolutions():
    drawn = faces.sample_faces(jax.random.key(7), 8, split="detailed")
    fine = np.asarray(render(drawn, 128)).reshape(8, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    # Two percent of the range: averages of thin lines pass through the tone curve.
    assert np.abs(fine - np.asarray(render(drawn, 64))).mean() < 0.02


@pytest.mark.parametrize(("name", "low", "high"), EDITS)
def test_every_attribute_changes_the_picture(name, low, high):
    assert change(name, low, high).max() > 0.2


@pytest.mark.parametrize("name", ["smile", "eye_opening", "makeup", "age", "glasses"])
def test_edits_of_the_face_leave_the_surroundings_unchanged(name):
    low, high = next((low, high) for known, low, high in EDITS if known == name)
    # The outer sixth on the left and right, and the top eighth, are hair, backdrop and clothes.
    surroundings = np.ones((64, 64), bool)
    surroundings[8:, 10:54] = False
    # The soft shadow of the rims has a Gaussian tail, far below one level of 255.
    assert np.all(change(name, low, high)[surroundings] < 1e-3)


def test_smile_leaves_the_eyes_and_above_unchanged():
    assert np.all(change("smile", -1.0, 1.0)[:28] < 0.02)


def test_eye_opening_leaves_the_mouth_and_below_unchanged():
    assert np.all(change("eye_opening", 0.0, 1.0)[42:] == 0.0)


def test_background_leaves_the_face_unchanged():
    # Blending under full coverage, a + (b - a), keeps a rounding error of the layer below.
    assert np.all(change("background", 0.0, 1.0)[26:44, 26:38] < 1e-5)


def test_skin_tone_leaves_the_backdrop_unchanged():
    assert np.all(change("skin_tone", 0.0, 1.0)[:4] == 0.0)


def test_landmarks_order_is_eyes_nose_mouth():
    left, right, nose, mouth_left, mouth_right = np.asarray(faces.landmarks(plain_faces(1)))[0]
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert left[1] < nose[1] < mouth_left[1]


def test_landmarks_of_a_frontal_face_are_symmetric_about_the_gaze():
    drawn = plain_faces(4)
    points = np.asarray(faces.landmarks(drawn))
    # x = (1 + gaze reach * gaze) / 2 in the middle between the pupils, but for the cylinder.
    expected = 0.5 + 0.5 * 0.014 * np.asarray(drawn.identity.gaze)
    np.testing.assert_allclose(points[:, :2, 0].mean(axis=1), expected, atol=1e-5)


def test_pupils_are_darker_than_the_whites_beside_them():
    drawn = faces.with_attribute(plain_faces(), "skin_tone", 0.2)
    drawn = faces.with_attribute(drawn, "lighting", 0.0)
    images, points = np.asarray(render(drawn, 256)), np.asarray(faces.landmarks(drawn))[:, :2]
    # Half an iris below the middle of the pupil, where no glint lies, and in the white.
    below, beside = np.array([0.0, 0.005]), np.array([0.032, 0.0])
    for image, eyes in zip(images, points, strict=True):
        pupil, white = brightness(image, eyes + below), brightness(image, eyes - beside)
        assert np.all(pupil < white - 0.3)


def test_mouth_corners_are_darker_than_the_cheek_beside_them():
    drawn = faces.with_attribute(faces.with_attribute(plain_faces(), "beard", 0.0), "age", 0.0)
    images, points = np.asarray(render(drawn, 256)), np.asarray(faces.landmarks(drawn))[:, 3:]
    outward = np.array([[-0.03, 0.0], [0.03, 0.0]])
    for image, corners in zip(images, points, strict=True):
        assert np.all(brightness(image, corners) < brightness(image, corners + outward) - 0.05)


def test_turned_head_carries_its_landmarks():
    turned = faces.with_attribute(plain_faces(3), "yaw", 1.0)
    shift = np.asarray(faces.landmarks(turned) - faces.landmarks(plain_faces(3)))[:, 2, 0]
    # The tip of the nose: (radius + height) sin(32 degrees), in units of the picture's side.
    np.testing.assert_allclose(shift, 0.5 * (0.56 + 0.11) * np.sin(np.radians(32)), atol=1e-6)


def test_ellipse_distance_is_exact_for_a_circle():
    x = jnp.linspace(-2.0, 2.0, 10).reshape(1, 1, 10)
    y = jnp.full_like(x, 0.3)
    expected = np.hypot(np.asarray(x), 0.3) - 0.8
    np.testing.assert_allclose(shapes.ellipse(x, y, 0.8, 0.8), expected, atol=1e-6)


def test_coverage_is_half_at_the_edge():
    assert shapes.coverage(jnp.zeros((1, 1, 1)), 0.1) == 0.5


def test_stroke_keeps_its_area_under_a_wide_pixel():
    distance = jnp.linspace(-1.0, 1.0, 2001)
    thin, wide = (shapes.stroke(distance, 0.02, pixel).sum() for pixel in (0.0, 0.2))
    np.testing.assert_allclose(thin, wide, rtol=1e-4)


def test_value_noise_takes_the_hash_at_lattice_points():
    seed, column = jnp.uint32(3), jnp.arange(8, dtype=jnp.int32)
    row = jnp.full_like(column, 5)
    noise = shapes.value_noise(column.astype(jnp.float32), row.astype(jnp.float32), seed)
    np.testing.assert_allclose(noise, 2 * shapes.hash_unit(column, row, seed) - 1, atol=1e-6)


def test_hash_is_uniform():
    cells = jnp.arange(256, dtype=jnp.int32)
    column, row = jnp.meshgrid(cells, cells)
    counts, _ = np.histogram(shapes.hash_unit(column, row, jnp.uint32(1)), 16, (0.0, 1.0))
    # 4096 are expected in each of 16 bins, with a standard deviation of 62.
    assert np.abs(counts - 4096).max() < 5 * 62
