import numpy as np
import pytest

from sfe_jax.evaluation.drawn_faces.comparing import take_rows
from sfe_jax.evaluation.drawn_faces.judging import Judge, JudgedMethod
from tests.evaluation.stubs import EYES, Dimmer, faces

IMAGES = faces(5)

RED = np.zeros((16, 16, 3), np.float32)
RED[..., 0] = 1


@pytest.fixture(scope="module")
def judge():
    return Judge(EYES, batch_size=2)


def dimmer(judge, gain):
    return JudgedMethod(Dimmer(), {"gain": np.float32(gain)}, judge)


@pytest.fixture(scope="module")
def half(judge):
    """A method that shows half of the contrast."""
    return dimmer(judge, 0.5)


@pytest.fixture(scope="module")
def inverted(half):
    return half.invert(IMAGES)


def test_an_inversion_is_compared_with_its_face(inverted):
    expected = np.mean(np.square(0.5 * IMAGES), axis=(1, 2, 3))
    np.testing.assert_allclose(inverted.comparison.l2, expected, rtol=1e-4)


def test_attributes_are_read_from_what_is_shown(inverted):
    expected = 0.5 * IMAGES.mean(axis=(1, 2))
    np.testing.assert_allclose(inverted.attributes, expected, atol=1e-6)


def test_inversions_beyond_white_are_clipped(judge):
    shown = dimmer(judge, 10.0).invert(IMAGES).shown
    np.testing.assert_allclose(shown, np.clip(10 * IMAGES, -1, 1), rtol=1e-5)


def edit(half, inverted, *, strength, images=IMAGES, target=None):
    strengths = np.full(len(images), strength, np.float32)
    target = images if target is None else target
    return half.edit(inverted, RED, strengths, images=images, target=target)


def test_changes_are_against_the_own_inversion(half, inverted):
    changes = edit(half, inverted, strength=0.25).changes
    np.testing.assert_allclose(changes, np.tile([0.25, 0, 0], (5, 1)), atol=1e-6)


def test_edits_beyond_white_are_clipped(half, inverted):
    changes = edit(half, inverted, strength=9.0).changes
    np.testing.assert_allclose(changes[:, 0], 1 - inverted.attributes[:, 0], rtol=1e-5)


def test_distance_to_the_true_edit_holds_the_error_of_the_inversion(half, inverted):
    found = edit(half, inverted, strength=0.25, target=IMAGES + np.float32(0.25) * RED)
    np.testing.assert_allclose(found.comparison.l2, inverted.comparison.l2, rtol=1e-4)


def test_the_true_change_has_no_error_whatever_the_inversion(half, inverted):
    found = edit(half, inverted, strength=0.25, target=IMAGES + np.float32(0.25) * RED)
    np.testing.assert_allclose(found.change_l2, 0, atol=1e-10)


def test_error_of_a_change_is_its_mean_square(half, inverted):
    """Red, a third of the numbers, is 0.1 too high."""
    found = edit(half, inverted, strength=0.25, target=IMAGES + np.float32(0.15) * RED)
    np.testing.assert_allclose(found.change_l2, 0.01 / 3, rtol=1e-4)


def test_some_faces_can_be_edited_in_another_order(half, inverted):
    rows = np.array([4, 0, 1])
    images, chosen = IMAGES[rows], take_rows(inverted, rows)
    found = edit(half, chosen, strength=0.0, images=images)
    np.testing.assert_allclose(found.comparison.l2, inverted.comparison.l2[rows], rtol=1e-4)


def test_pictures_of_no_method_are_compared(judge):
    after = IMAGES + np.float32(0.2) * RED
    found = judge.compare(IMAGES, after, IMAGES)
    np.testing.assert_allclose(found.changes, np.tile([0.2, 0, 0], (5, 1)), atol=1e-6)
    np.testing.assert_allclose(found.comparison.l2, 0.04 / 3, rtol=1e-4)


def test_an_unedited_face_errs_by_the_whole_true_change(judge):
    target = IMAGES + np.float32(0.2) * RED
    found = judge.compare(IMAGES, IMAGES, target)
    np.testing.assert_allclose(found.change_l2, 0.04 / 3, rtol=1e-4)
