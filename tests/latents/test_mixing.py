"""Mixed rows, against the definition."""

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.latents.mixing import change_maps, cross, mix, row_by_row

BASES, DONORS = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
WEIGHTS = np.array([0, 1, 0.25, -0.5], np.float32)


def test_rows_lie_between_base_and_donor_by_their_weights():
    expected = (1 - WEIGHTS[:, None]) * BASES + WEIGHTS[:, None] * DONORS
    # Two orders of three roundings of float32.
    np.testing.assert_allclose(mix(BASES, DONORS, WEIGHTS), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("row", "source"), [(0, BASES), (1, DONORS)])
def test_rows_of_weight_0_and_1_are_exact(row, source):
    mixed = mix(1e3 * BASES, 1e3 * DONORS, WEIGHTS)
    np.testing.assert_array_equal(mixed[:, row], np.float32(1e3) * source[:, row])


def test_mixed_codes_keep_their_type():
    assert mix(BASES, DONORS, WEIGHTS).dtype == np.float32


def test_every_base_is_crossed_with_every_donor():
    crossed = cross(BASES, DONORS[:2], WEIGHTS)
    assert crossed.shape == (3, 2, 4, 5)
    np.testing.assert_array_equal(crossed[2, 1], mix(BASES[2], DONORS[1], WEIGHTS))


def test_weights_of_another_number_are_refused():
    with pytest.raises(ShapeError, match=r"`weights` has shape \(3,\); required is \(4\)"):
        mix(BASES, DONORS, WEIGHTS[:3])


def test_one_row_at_a_time_comes_from_the_donor():
    sheet = row_by_row(BASES[0], DONORS)
    assert sheet.shape == (3, 4, 4, 5)
    expected = BASES[0].copy()
    expected[1] = DONORS[2, 1]
    np.testing.assert_array_equal(sheet[2, 1], expected)


def test_maps_are_the_mean_change():
    base = np.full((1, 2, 3), 10, np.uint8)
    table = np.stack([base[None], base[None] + np.uint8(30)])  # Two donors, one row.
    np.testing.assert_allclose(change_maps(base, table), np.full((1, 1, 2), 15))
