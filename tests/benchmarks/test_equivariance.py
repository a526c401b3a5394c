import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.equivariance import (
    SHIFTS,
    Row,
    follow_errors,
    inner_mask,
    page,
    read_generator,
    shift_waves,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.models import stylegan3
from sfe_jax.weights import faces64

SIZE = 32


def waves(transform):
    """Two slow waves, wherever a transform of coordinates moves them; pictures of 32x32."""
    place = (np.arange(SIZE) + 0.5) / SIZE
    x, y = place[None] + transform[0, 2], place[:, None] + transform[1, 2]
    image = np.sin(2 * np.pi * x) * np.cos(2 * np.pi * y)
    return jnp.asarray(image[None, :, :, None], jnp.float32)


def test_waves_shifted_by_whole_cells_are_rolled():
    samples = np.random.default_rng(0).standard_normal((4, 6, 2)).astype(np.float32)
    moved = shift_waves(samples, (2, 1))
    np.testing.assert_allclose(moved, np.roll(samples, (1, 2), (0, 1)), atol=1e-6)


def test_wave_shifted_by_half_a_cell_is_that_wave_elsewhere():
    cells = np.arange(8.0)
    wave = lambda at: np.sin(2 * np.pi * at / 8)[None, :, None] * np.ones((4, 1, 1))  # noqa: E731
    np.testing.assert_allclose(shift_waves(wave(cells), (0.5, 0)), wave(cells - 0.5), atol=1e-6)


def test_picture_that_follows_its_input_has_small_errors():
    known, inner = follow_errors(waves, waves(np.eye(3)), np.array([2.5, -1.0]), border=4)
    assert min(known.decibels, inner.decibels) > 40
    assert inner.count < known.count


def test_picture_that_stays_where_it_is_has_large_errors():
    stay = lambda _: waves(np.eye(3))  # noqa: E731
    errors = follow_errors(stay, stay(None), np.array([8.0, 0.0]), border=4)
    assert max(error.decibels for error in errors) < 15


def test_inner_mask_leaves_the_border_out():
    assert float(jnp.sum(inner_mask(10, 3))) == 4 * 4


def test_page_has_a_column_for_every_shift():
    rows = [Row("R", shift, 50.04, 60.0) for shift in (*SHIFTS, None)]
    lines = page(rows).splitlines()
    assert lines[2].split(" | ")[1:] == ["all", *["50.0"] * len(SHIFTS), "50.0 |"]
    assert len({line.count("|") for line in lines}) == 1


def test_generator_of_another_kind_is_refused():
    with pytest.raises(WeightsError, match=r"no sfe_jax\.models\.stylegan3"):
        read_generator(faces64(), stylegan3.Generator)
