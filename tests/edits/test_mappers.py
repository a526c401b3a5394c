import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.edits.direction import Direction, Linear, Mapper
from sfe_jax.edits.files import mapper_arrays
from sfe_jax.edits.mappers import map_codes
from sfe_jax.edits.operands import apply_to_ws, select, stack
from sfe_jax.edits.prepare import operands_for
from tests.compiling import jit
from tests.edits.mapper_files import LEVELS, official
from tests.reference.mappers import levels_mapper

N, L, W = 3, 10, 8
FORM = ("coarse", "medium")
ALL = (*FORM, "fine")
STRENGTH = jnp.array([1.0, -0.5, 1.2])


@pytest.fixture(scope="module")
def files():
    """Two mappers, of two levels and of three."""
    return official(LEVELS[:2], size=W, seed=1), official(size=W, seed=2)


@pytest.fixture(scope="module")
def edits(files):
    """A mapper of two levels, a vector, a mapper of three."""
    two, three = (mapper_arrays(content, "file") for content in files)
    arrays = {f"mapper/two/{name}": value for name, value in two.items()}
    arrays |= {f"mapper/three/{name}": value for name, value in three.items()}
    arrays["own/v"] = np.random.default_rng(3).standard_normal(W).astype(np.float32)
    rules = (Mapper("mapper/two", FORM), Linear("own/v", 1.0), Mapper("mapper/three", ALL))
    return [
        operands_for(
            Direction("edit", "", rule, None, None, "", ""),
            arrays,
            num_ws=L,
            w_dim=W,
            style_channels={"b4.conv1": 5},
        )
        for rule in rules
    ]


@pytest.fixture(scope="module")
def ws():
    return np.random.default_rng(0).standard_normal((N, L, W)).astype(np.float32)


@pytest.fixture(scope="module")
def apply():
    return jit(apply_to_ws)


@pytest.fixture(scope="module")
def alone(apply, edits, ws):
    """All codes under each edit."""
    return np.stack([apply(ws, edit, STRENGTH) for edit in edits])


@pytest.mark.parametrize(("edit", "file"), [(0, 0), (2, 1)], ids=["two levels", "three levels"])
def test_codes_move_by_strength_times_what_the_reference_makes_of_them(
    edit, file, alone, files, ws
):
    shift = levels_mapper(ws, files[file]["state_dict"])
    expected = ws + STRENGTH[:, None, None] * shift
    np.testing.assert_allclose(alone[edit], expected, rtol=2e-6, atol=2e-6)


def test_level_that_stays_keeps_its_rows_bit_for_bit(alone, ws):
    np.testing.assert_array_equal(alone[0][:, 8:], ws[:, 8:])


def test_mixed_edits_in_one_program_equal_each_alone(apply, alone, edits, ws):
    together = apply(ws, stack(edits), STRENGTH)
    expected = alone[np.arange(N), np.arange(N)]
    np.testing.assert_allclose(together, expected, rtol=2e-6, atol=2e-6)


def test_selected_edits_are_those_of_their_numbers(apply, alone, edits, ws):
    numbers = np.array([2, 0, 1])
    found = apply(ws, select(stack(edits), jnp.asarray(numbers)), STRENGTH)
    np.testing.assert_allclose(found, alone[numbers, np.arange(N)], rtol=2e-6, atol=2e-6)


def test_edit_without_mapper_is_the_same_bit_for_bit_beside_one(apply, alone, edits, ws):
    found = apply(ws, stack([edits[1], edits[1], edits[0]]), STRENGTH)
    np.testing.assert_array_equal(found[:2], alone[1][:2])


def test_edits_without_mapper_have_no_table_when_joined(edits):
    assert stack([edits[1], edits[1]]).mappers is None


def test_selected_edits_share_the_table(edits):
    joined = stack(edits)
    chosen = select(joined, jnp.array([2, 0, 2, 1, 2]))
    assert chosen.mappers.kernel is joined.mappers.kernel


def test_gradient_by_the_codes_passes_through_the_mapper(edits, files, ws):
    """Along one direction it is the reference's difference quotient in float64."""
    step = np.random.default_rng(5).standard_normal(ws.shape)
    weights = np.random.default_rng(6).standard_normal(ws.shape).astype(np.float32)
    slope = jit(jax.grad(lambda codes, mappers: jnp.sum(weights * map_codes(codes, mappers))))
    ahead, behind = (
        levels_mapper(ws + side * step, files[1]["state_dict"]) for side in (1e-7, -1e-7)
    )
    expected = np.sum(weights * (ahead - behind)) / 2e-7
    found = np.sum(slope(ws, edits[2].mappers) * step)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
