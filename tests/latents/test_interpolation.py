"""Paths through key frames: closed forms, and the original's spline."""

import numpy as np
import pytest
from scipy.interpolate import interp1d

from sfe_jax.core.errors import ShapeError
from sfe_jax.latents.interpolation import (
    ease,
    eased_path,
    frame_times,
    linear_path,
    smooth_path,
    spherical,
    spherical_path,
)

KEYS = np.random.default_rng(0).standard_normal((5, 3, 4))
PATHS = (linear_path, eased_path, spherical_path, smooth_path)


def test_times_of_a_loop_leave_out_the_end():
    np.testing.assert_allclose(frame_times(2, 2, loop=True), [0, 0.25, 0.5, 0.75])


def test_times_end_at_the_last_key_frame_without_a_loop():
    np.testing.assert_allclose(frame_times(2, 2, loop=False), [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("loop", [True, False])
def test_paths_pass_through_their_key_frames(path, loop):
    legs = 5 if loop else 4
    found = path(KEYS, frame_times(legs, 3, loop=loop), loop=loop)[::3]
    np.testing.assert_allclose(found, KEYS, atol=1e-12)


@pytest.mark.parametrize("path", PATHS)
def test_a_loop_ends_where_it_begins(path):
    found = path(KEYS, np.array([1 - 1e-9]), loop=True)
    np.testing.assert_allclose(found[0], KEYS[0], atol=1e-6)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("loop", [True, False])
def test_one_key_frame_stands_still(path, loop):
    found = path(KEYS[:1], frame_times(1, 4, loop=loop), loop=loop)
    np.testing.assert_allclose(found, np.broadcast_to(KEYS[:1], found.shape), atol=1e-12)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("loop", [True, False])
def test_two_key_frames_are_enough(path, loop):
    found = path(KEYS[:2], frame_times(2 if loop else 1, 4, loop=loop), loop=loop)
    np.testing.assert_allclose(found[4], KEYS[1], atol=1e-12)


def test_a_straight_path_is_half_way_in_the_middle():
    found = linear_path(KEYS, np.array([0.9]), loop=True)  # Between the last and the first.
    np.testing.assert_allclose(found[0], (KEYS[4] + KEYS[0]) / 2)


def test_an_eased_path_rests_at_key_frames():
    step = 1e-4
    found = eased_path(KEYS, np.array([0.2, 0.2 + step]), loop=True)
    share = 5 * step  # Of the leg from the second key frame; eased it is 3 share^2.
    allowed = 3 * share**2 * np.abs(KEYS[2] - KEYS[1])
    assert (np.abs(found[1] - found[0]) <= allowed).all()


def test_easing_is_half_way_in_the_middle():
    np.testing.assert_allclose(ease(np.array([0, 0.5, 1])), [0, 0.5, 1])


def test_an_arc_keeps_the_length_of_its_vectors():
    unit = KEYS / np.linalg.norm(KEYS, axis=-1, keepdims=True)
    found = spherical_path(unit, frame_times(5, 7, loop=True), loop=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=1e-12)


def test_an_arc_turns_at_even_speed():
    found = spherical(np.array([1.0, 0]), np.array([0, 1.0]), 1 / 3)
    np.testing.assert_allclose(found, [np.cos(np.pi / 6), np.sin(np.pi / 6)])


@pytest.mark.parametrize("end", [[2.0, 1e-4], [-2.0, 1e-4]])
def test_an_arc_of_parallel_or_opposite_vectors_is_straight(end):
    found = spherical(np.array([1.0, 0]), np.array(end), 0.25)
    np.testing.assert_allclose(found, 0.75 * np.array([1.0, 0]) + 0.25 * np.array(end))


def test_an_arc_from_nowhere_is_straight():
    found = spherical(np.zeros(2), np.array([1.0, 0]), 0.25)
    assert np.isfinite(found).all()


def test_a_smooth_loop_is_that_of_the_original_within_a_percent():
    # gen_video.py: cubic spline through the key frames, repeated twice on either side.
    places = np.arange(-10, 15)
    original = interp1d(places, np.tile(KEYS, (5, 1, 1)), kind="cubic", axis=0)
    times = frame_times(5, 8, loop=True)
    found = smooth_path(KEYS, times, loop=True)
    np.testing.assert_allclose(found, original(times * 5), atol=0.01 * np.abs(KEYS).max())


def test_a_smooth_loop_has_no_corner_at_its_seam():
    step = 1e-5
    before, at, after = smooth_path(KEYS, np.array([1 - step, 0, step]), loop=True)
    np.testing.assert_allclose((at - before) / step, (after - at) / step, atol=1e-2)


@pytest.mark.parametrize("path", PATHS)
def test_no_key_frame_is_refused(path):
    with pytest.raises(ShapeError, match="required is at least 1"):
        path(KEYS[:0], np.zeros(1), loop=True)
