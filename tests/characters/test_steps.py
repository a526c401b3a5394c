"""Regions that crops take, and states without a code."""

from types import SimpleNamespace

import numpy as np
import pytest

from sfe_jax.characters.steps import Cropping, State, face_region, fixed_region
from sfe_jax.core.errors import OptionError
from sfe_jax.pipelines.face_detection import Face
from tests.cli.running import noise


def detector_of(box):
    """A detector that finds a face in a box whose corner pixels are inside."""
    face = Face(np.array(box, float), np.zeros((5, 2)), 1.0)
    return SimpleNamespace(detect_main=lambda picture, name: face)


def test_a_face_region_is_the_square_about_the_face():
    region = face_region(detector_of((10, 10, 13, 17)), margin=0)
    assert region(noise(30, 20, 3), 0) == (8, 10, 16, 18)


def test_a_fixed_region_is_the_same_share_of_every_picture():
    region = fixed_region((0, 0.5, 1, 1))
    assert region(noise(30, 20, 3), 0) == (0, 15, 20, 30)


def test_a_crop_without_a_search_keeps_the_height():
    before = State(noise(16, 16, 3), np.ones((6, 5)), None, {})
    after = Cropping(fixed_region((0.5, 0, 1, 0.5)), "nearest", None)(before, 0, lambda *_: None)
    expected = before.picture[:8, 8:].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(after.picture, expected)
    assert after.facts == {"pixels": [8, 0, 16, 8]}


def test_a_cropped_picture_has_no_code_to_change():
    with pytest.raises(OptionError, match="project it before"):
        State(noise(16, 16, 3), None, None, {}).own_code  # noqa: B018
