from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.losses.latent import (
    LatentPool,
    delta_loss,
    empty_pool,
    latent_adversarial_loss,
    pick_rows,
    query_pool,
    w_norm,
)
from tests.compiling import jit

ROWS, SIZE = 5, 4
WS = np.random.default_rng(0).standard_normal((3, ROWS, SIZE)).astype(np.float32)
AVERAGE = np.random.default_rng(1).standard_normal((ROWS, SIZE)).astype(np.float32)


# Distance from the average.


def test_w_norm_is_mean_of_frobenius_norms():
    expected = np.mean([np.linalg.norm(ws - AVERAGE) for ws in WS])
    np.testing.assert_allclose(w_norm(WS, AVERAGE), expected, rtol=1e-6)


def test_w_norm_repeats_an_average_of_one_row():
    rows = np.tile(AVERAGE[0], (ROWS, 1))
    np.testing.assert_allclose(w_norm(WS, AVERAGE[0]), w_norm(WS, rows), rtol=1e-6)


def test_slope_of_w_norm_is_zero_at_the_average():
    np.testing.assert_array_equal(jit(jax.grad(w_norm))(AVERAGE[None], AVERAGE), 0)


# Offsets from row 0.


def expected_deltas(stage):
    norms = np.linalg.norm(WS - WS[:, :1], axis=2)
    return sum(norms[:, row].mean() for row in range(1, stage + 1))


@pytest.mark.parametrize("stage", range(ROWS))
def test_delta_loss_sums_rows_up_to_stage(stage):
    np.testing.assert_allclose(delta_loss(WS, stage=stage), expected_deltas(stage), rtol=1e-6)


def test_delta_loss_takes_a_traced_stage():
    program = jit(lambda stage: delta_loss(WS, stage=stage))
    found = [program(jnp.int32(stage)) for stage in (1, 3)]
    np.testing.assert_allclose(found, [expected_deltas(1), expected_deltas(3)], rtol=1e-6)


def test_slope_of_delta_loss_is_zero_where_rows_repeat_row_0():
    repeated = np.repeat(WS[:, :1], ROWS, axis=1)
    slope = jit(jax.grad(partial(delta_loss, stage=ROWS - 1)))(repeated)
    np.testing.assert_array_equal(slope, 0)


def test_delta_loss_gives_no_slope_to_rows_beyond_stage():
    slope = jit(jax.grad(partial(delta_loss, stage=2)))(WS)
    np.testing.assert_array_equal(slope[:, 3:], 0)
    assert np.abs(slope[:, :3]).min(axis=2).all()


def test_delta_loss_does_not_change_when_all_rows_move():
    moved = WS + AVERAGE[:1][None]
    np.testing.assert_allclose(delta_loss(moved, stage=3), delta_loss(WS, stage=3), rtol=1e-5)


# Adversarial loss.

LOGITS = WS[:, :, 0]


@pytest.mark.parametrize("stage", range(ROWS))
def test_adversarial_loss_is_mean_over_rows_up_to_stage(stage):
    expected = np.log1p(np.exp(-LOGITS[:, : stage + 1].astype(np.float64))).mean()
    found = latent_adversarial_loss(LOGITS, stage=stage)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_adversarial_loss_takes_logits_as_the_discriminator_gives_them():
    found = latent_adversarial_loss(LOGITS[..., None], stage=2)
    np.testing.assert_allclose(found, latent_adversarial_loss(LOGITS, stage=2), rtol=1e-6)


def test_adversarial_loss_gives_no_slope_to_rows_beyond_stage():
    slope = jit(jax.grad(lambda x, stage: latent_adversarial_loss(x, stage=stage)))(LOGITS, 1)
    np.testing.assert_array_equal(slope[:, 2:], 0)
    assert np.abs(slope[:, :2]).all()


# Rows for the discriminator.


def numbered(count):
    """Codes [count, ROWS, 1] that say their sample and row: sample + row / 10."""
    numbers = np.arange(count)[:, None] + np.arange(ROWS) / 10
    return numbers[..., None].astype(np.float32)


@pytest.mark.parametrize("stage", [0, 2, ROWS - 1])
def test_picked_rows_are_those_up_to_stage(stage):
    picked = jit(lambda s: pick_rows(jax.random.key(0), numbered(200), stage=s))(stage)
    rows = np.rint((np.asarray(picked)[:, 0] - np.arange(200)) * 10)
    assert set(rows) == set(range(stage + 1))


def test_picked_rows_are_uniform():
    picked = pick_rows(jax.random.key(0), np.tile(numbered(1), (4000, 1, 1)), stage=3)
    rows = np.rint(np.asarray(picked)[:, 0] * 10)
    counts = np.bincount(rows.astype(int), minlength=4)
    np.testing.assert_allclose(counts, 1000, atol=110)  # Four standard deviations of a binomial.


# Pool. Codes are numbers, [N, 1], so that they can be told apart.


def codes(*numbers):
    return np.array(numbers, np.float32)[:, None]


QUERY = jit(query_pool)


def filled(*numbers):
    return LatentPool(jnp.asarray(codes(*numbers)), jnp.int32(len(numbers)))


def reference_query(key, pool, new):
    """One code after the other, as in the reference, with the draws of `query_pool`."""
    swap_key, slot_key = jax.random.split(key)
    swaps = np.asarray(jax.random.bernoulli(swap_key, shape=(len(new),)))
    slots = np.asarray(jax.random.randint(slot_key, (len(new),), 0, len(pool.codes)))
    held, given = list(np.asarray(pool.codes)[: int(pool.count), 0]), []
    for code, swap, slot in zip(new[:, 0], swaps, slots, strict=True):
        if len(held) < len(pool.codes):
            held.append(code)
            given.append(code)
        elif swap:
            given.append(held[slot])
            held[slot] = code
        else:
            given.append(code)
    return given, held


@pytest.mark.parametrize("count", [2, 20])
def test_query_equals_one_code_after_the_other(count):
    pool, key = filled(-1, -2, 0, 0)._replace(count=jnp.int32(2)), jax.random.key(count)
    new = codes(*range(1, count + 1))
    given, after = QUERY(key, pool, new)
    expected, held = reference_query(key, pool, new)
    np.testing.assert_array_equal(given[:, 0], expected)
    np.testing.assert_array_equal(np.asarray(after.codes)[: int(after.count), 0], held)


def test_query_gives_codes_back_until_the_pool_is_full():
    given, after = QUERY(jax.random.key(0), empty_pool(1, size=8), codes(1, 2, 3))
    np.testing.assert_array_equal(given, codes(1, 2, 3))
    np.testing.assert_array_equal(after.codes[:3], codes(1, 2, 3))
    assert after.count == 3


def test_query_loses_no_code():
    given, after = QUERY(jax.random.key(0), filled(1, 2, 3, 4), codes(5, 6, 7, 8, 9, 10))
    seen = np.concatenate([given[:, 0], after.codes[:, 0]])
    assert set(range(5, 11)) <= set(seen)
    assert len(after.codes) == 4


def test_query_swaps_half_of_the_codes_when_the_pool_is_full():
    new = np.arange(1, 4001, dtype=np.float32)[:, None]
    given, _ = QUERY(jax.random.key(0), filled(*range(-50, 0)), new)
    swapped = np.mean(np.asarray(given) != new)
    np.testing.assert_allclose(swapped, 0.5, atol=0.032)  # Four standard deviations.


def test_query_is_the_same_for_the_same_key():
    results = [query(jax.random.key(3), filled(1, 2), codes(3, 4, 5)) for query in (QUERY,) * 2]
    jax.tree.map(np.testing.assert_array_equal, *results)


def test_query_ends_slopes():
    pool = empty_pool(1, size=2)
    total = jit(jax.grad(lambda x: jnp.sum(query_pool(jax.random.key(0), pool, x)[0])))
    np.testing.assert_array_equal(total(codes(1, 2, 3)), 0)


def test_pool_of_e4e_holds_fifty_codes():
    pool = empty_pool(512)
    assert pool.codes.shape == (50, 512)
    assert pool.count == 0
