import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.edits.operands import Operands, apply_to_styles, apply_to_ws, identity, stack

CHANNELS = {"b4.conv1": 5, "b4.torgb": 4}


@pytest.fixture
def ws():
    return jax.random.normal(jax.random.key(0), (3, 4, 6))


@pytest.fixture
def styles():
    keys = jax.random.split(jax.random.key(1), len(CHANNELS))
    sizes = zip(keys, CHANNELS.items(), strict=True)
    return {name: jax.random.normal(key, (3, size)) for key, (name, size) in sizes}


def _random_edit(seed):
    still = identity(4, 6, style_channels=CHANNELS)
    leaves, tree = jax.tree.flatten(still)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def test_identity_returns_codes_bit_for_bit_at_any_strength(ws):
    edited = apply_to_ws(ws, identity(4, 6, style_channels=CHANNELS), jnp.full(3, 7.0))
    np.testing.assert_array_equal(edited, ws)


def test_identity_returns_styles_bit_for_bit_at_any_strength(styles):
    edited = apply_to_styles(styles, identity(4, 6, style_channels=CHANNELS), jnp.full(3, 7.0))
    jax.tree.map(np.testing.assert_array_equal, edited, styles)


def test_shift_is_scaled_by_each_sample_s_strength():
    still = identity(2, 3, style_channels={})
    edit = dataclasses.replace(still, shift=jnp.ones((1, 2, 3)))
    edited = apply_to_ws(jnp.zeros((2, 2, 3)), edit, jnp.array([2.0, -5.0]))
    np.testing.assert_array_equal(edited[:, 1, 2], [2.0, -5.0])


def test_coordinate_is_read_from_row_0_alone():
    edit = Operands(
        shift=jnp.zeros((1, 2, 2)),
        centre=jnp.array([[1.0, 0.0]]),
        probe=jnp.array([[2.0, 0.0]]),
        back=jnp.array([[[0.0, 0.0], [0.0, 1.0]]]),
        offsets={},
    )
    edited = apply_to_ws(jnp.array([[[4.0, 9.0], [50.0, 60.0]]]), edit, jnp.zeros(1))
    np.testing.assert_array_equal(edited, [[[4.0, 9.0], [50.0, 54.0]]])  # 60 - (4 - 1) * 2.


def test_offsets_are_scaled_by_each_sample_s_strength():
    edit = identity(2, 3, style_channels={"b4.conv1": 2})
    edit = dataclasses.replace(edit, offsets={"b4.conv1": jnp.array([[0.0, 3.0]])})
    edited = apply_to_styles({"b4.conv1": jnp.ones((2, 2))}, edit, jnp.array([1.0, -2.0]))
    np.testing.assert_array_equal(edited["b4.conv1"], [[1.0, 4.0], [1.0, -5.0]])


def test_stack_equals_each_edit_alone_for_codes(ws):
    edits, strength = [_random_edit(seed) for seed in range(3)], jnp.array([1.0, -2.0, 3.0])
    together = apply_to_ws(ws, stack(edits), strength)
    alone = [apply_to_ws(ws[n : n + 1], edits[n], strength[n : n + 1]) for n in range(3)]
    np.testing.assert_allclose(together, jnp.concatenate(alone), rtol=1e-6, atol=1e-6)


def test_stack_equals_each_edit_alone_for_styles(styles):
    edits, strength = [_random_edit(seed) for seed in range(3)], jnp.array([1.0, -2.0, 3.0])
    together = apply_to_styles(styles, stack(edits), strength)
    for n, edit in enumerate(edits):
        sample = {name: style[n : n + 1] for name, style in styles.items()}
        alone = apply_to_styles(sample, edit, strength[n : n + 1])
        for name in CHANNELS:
            np.testing.assert_array_equal(together[name][n : n + 1], alone[name])


def test_one_program_serves_every_edit_and_strength(ws):
    traces = []

    @jax.jit
    def apply(codes, edit, strength):
        traces.append(None)
        return apply_to_ws(codes, edit, strength)

    for seed in range(3):
        apply(ws, _random_edit(seed), jnp.full(3, float(seed)))
    assert len(traces) == 1


def test_gradient_reaches_the_strength(ws):
    edit = _random_edit(0)
    gradient = jax.grad(lambda strength: apply_to_ws(ws, edit, strength).sum())(jnp.ones(3))
    np.testing.assert_allclose(gradient, jnp.full(3, edit.shift.sum()), rtol=1e-5)


def test_codes_of_another_size_are_refused(ws):
    with pytest.raises(ShapeError, match="`ws` has shape"):
        apply_to_ws(ws[:, :3], _random_edit(0), jnp.ones(3))


def test_strengths_of_another_number_are_refused(ws):
    with pytest.raises(ShapeError, match="`strength` has shape"):
        apply_to_ws(ws, _random_edit(0), jnp.ones(2))


def test_edits_of_another_number_are_refused(ws):
    with pytest.raises(ShapeError, match="holds 2 edits; required is 1 or one per sample, 3"):
        apply_to_ws(ws, stack([_random_edit(0), _random_edit(1)]), jnp.ones(3))


def test_styles_of_other_layers_are_refused(styles):
    del styles["b4.torgb"]
    with pytest.raises(ShapeError, match=r"differ in the layers b4\.torgb"):
        apply_to_styles(styles, _random_edit(0), jnp.ones(3))


def test_styles_of_another_size_are_refused(styles):
    styles["b4.torgb"] = styles["b4.torgb"][:, :3]
    with pytest.raises(ShapeError, match=r"`styles of b4\.torgb` has shape"):
        apply_to_styles(styles, _random_edit(0), jnp.ones(3))
