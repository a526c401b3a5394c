"""What generators follow in training, on small ones of both kinds."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.models import stylegan2, stylegan3
from sfe_jax.training.tracking import synthesize_tracking
from tests.compiling import jit

W, KEY = 6, jax.random.key(0)
SHARED = {"z_dim": W, "w_dim": W, "mapping_layers": 1}
GENERATORS = {
    "stylegan2": stylegan2.Generator(channels=(4, 4), **SHARED),
    "stylegan3": stylegan3.Generator(
        channels=(6, 4), resolution=16, num_critical=1, margin=2, **SHARED
    ),
}


@cache
def tracked(kind):
    """Variables, codes, pictures, and the buffers after."""
    module = GENERATORS[kind]
    variables = jit(lambda: module.init(KEY, jnp.zeros((1, W))))()
    variables["buffers"]["mapping"]["w_avg"] = jnp.arange(float(W))
    ws = jax.random.normal(jax.random.key(1), (3, module.num_ws, W))
    run = partial(synthesize_tracking, module, w_decay=0.75, magnitude_decay=0.5)
    return variables, ws, *jit(run)(variables, ws, KEY)


@pytest.mark.parametrize("kind", GENERATORS)
def test_average_code_moves_by_its_decay(kind):
    variables, ws, _, buffers = tracked(kind)
    expected = 0.75 * variables["buffers"]["mapping"]["w_avg"] + 0.25 * np.mean(ws[:, 0], axis=0)
    np.testing.assert_allclose(buffers["mapping"]["w_avg"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", GENERATORS)
def test_other_buffers_stay(kind):
    variables, _, _, buffers = tracked(kind)
    old, new = flatten(variables["buffers"]), flatten(buffers)
    assert old.keys() == new.keys()
    moved = {name for name in old if (old[name] != new[name]).any()}
    names = {"mapping/w_avg"} | {name for name in old if name.endswith("/magnitude_ema")}
    assert moved == names


def test_pictures_are_divided_by_the_moved_magnitudes():
    variables, ws, images, buffers = tracked("stylegan3")
    moved = {**variables, "buffers": buffers}
    draw = lambda v: GENERATORS["stylegan3"].apply(v, ws, method="synthesize")["image"]  # noqa: E731
    np.testing.assert_allclose(jit(draw)(moved), images, rtol=1e-4, atol=1e-6)


def test_noise_is_fresh():
    module = GENERATORS["stylegan2"]
    variables, ws, _, _ = tracked("stylegan2")
    loud = {n: jnp.ones(()) for n in flatten(variables) if n.endswith("/noise_strength")}
    variables = unflatten({**flatten(variables), **loud})
    run = partial(synthesize_tracking, module, w_decay=0.75, magnitude_decay=0.5)
    one, other = (jit(run)(variables, ws, key)[0] for key in jax.random.split(KEY))
    assert (one != other).any()
