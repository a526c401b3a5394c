import math
from functools import cache
from itertools import pairwise

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.core.trees import flatten
from sfe_jax.models.stylegan3 import Generator, picture_transform
from tests.compiling import jit
from tests.models.networks import assert_near, draw, part
from tests.reference import stylegan3 as reference

W, Z, NUM_WS, SIZE = 8, 7, 6, 32
WS = draw(2, NUM_WS, W)
R = {"kernel_size": 1, "radial": True}


@cache
def generator(**fields):
    """A 32x32 generator of five layers, whose parameters all matter."""
    options = {"channels": (6, 5, 4, 4), "resolution": SIZE, "z_dim": Z, "w_dim": W, "margin": 6}
    module = Generator(**{**options, "num_critical": 1, **fields})
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, Z))))
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        name = path[-1].key
        x = rng.standard_normal(leaf.shape)
        if name == "magnitude_ema":
            x = np.exp(x / 5)
        elif name == "transform":
            x = picture_transform(x=0.1, y=-0.05, degrees=20)
        elif name == "freqs":
            x = x * 1.5
        elif name.endswith("bias"):
            x = x / 5 + (path[-2].key == "affine") + (name == "affine_bias")
        elif name == "affine_kernel":
            x = x / 5
        return jnp.asarray(x, jnp.float32)

    return module, jax.tree_util.tree_map_with_path(fill, shapes)


@cache
def program(fields):
    module, variables = generator(**dict(fields))
    return jit(lambda ws, arrays: module.apply(variables, ws, **arrays, method="synthesize"))


def synthesize(ws=WS, fields=(), **arrays):
    return program(tuple(dict(fields).items()))(ws, arrays)


# The whole.


@pytest.mark.parametrize("fields", [{}, R], ids=["T", "R"])
def test_picture_equals_definition(fields):
    module, variables = generator(**fields)
    expected = reference.synthesis(
        WS.astype(np.float64), part(variables, "synthesis"), module.layers
    )
    assert_near(synthesize(fields=fields)["image"], expected)


def test_generator_equals_mapping_then_synthesis():
    module, variables = generator()
    ws = module.apply(variables, draw(2, Z), psi=0.7, cutoff=3, method="map")
    image = jit(lambda: module.apply(variables, draw(2, Z), psi=0.7, cutoff=3))()
    assert_near(image, synthesize(ws)["image"])


def test_styles_give_same_picture_as_their_codes():
    module, variables = generator()
    styles = module.apply(variables, WS, method="styles")
    assert_near(synthesize(None, styles=styles)["image"], synthesize()["image"])


def test_features_have_shapes_of_layer_table():
    layers = generator()[0].layers[:-1]
    shapes = {x.name: (2, x.resolution, x.resolution, x.channels) for x in layers}
    assert {name: x.shape for name, x in synthesize()["features"].items()} == shapes


def test_sample_does_not_depend_on_its_batch():
    alone = synthesize(np.stack([WS[0], 9 * WS[1]]))["image"][0]
    assert_near(alone, synthesize()["image"][0])


def test_bfloat16_picture_is_near_float32():
    image = synthesize(fields={"precision": "bfloat16"})["image"]
    assert image.dtype == jnp.float32
    assert_near(image, synthesize()["image"], tolerance=0.05)  # Eight bits, five layers.


# How pictures move.


def still(fields):
    """Pictures of unmoved coordinates, [2, 32, 32, 3]."""
    return synthesize(WS, fields, transform=jnp.eye(3))["image"]


def moved(fields, **movement):
    """The same codes under a movement."""
    return synthesize(WS, fields, transform=jnp.asarray(picture_transform(**movement)))["image"]


def decibels(images, targets):
    """Power of the targets over that of the error."""
    error = np.mean(np.square(np.asarray(images) - np.asarray(targets)))
    return -10 * math.log10(error / np.mean(np.square(np.asarray(targets))))


def test_rotation_by_quarter_turn_is_exact_in_configuration_r():
    assert_near(moved(R, degrees=90), np.rot90(still(R), axes=(1, 2)))


def test_rotation_by_quarter_turn_changes_more_in_configuration_t():
    assert decibels(moved({}, degrees=90), np.rot90(still({}), axes=(1, 2))) < 20


@pytest.mark.parametrize("fields", [{}, R], ids=["T", "R"])
def test_shift_by_whole_pixels_moves_picture_to_the_right(fields):
    """Away from the borders, as far as these few layers' margin does not reach."""
    shifted, unmoved = moved(fields, x=4 / SIZE), still(fields)
    assert_near(shifted[:, 8:-8, 12:-8], unmoved[:, 8:-8, 8:-12], tolerance=2e-5)


def test_transform_per_sample_equals_that_of_each():
    transforms = np.stack([picture_transform(y=0.1), picture_transform(degrees=30)])
    both = synthesize(transform=jnp.asarray(transforms))["image"]
    assert_near(both[1], synthesize(transform=jnp.asarray(transforms[1]))["image"][1])


def test_picture_transform_is_the_inverse_of_the_movement():
    """stylegan3 gen_images.py: [[c, s, x], [-s, c, y], [0, 0, 1]], inverted."""
    transform = picture_transform(x=0.25, y=-0.5, degrees=90)
    movement = [[0, 1, 0.25], [-1, 0, -0.5], [0, 0, 1]]
    np.testing.assert_allclose(transform @ movement, np.eye(3), atol=1e-6)


# What is tracked.


def test_tracking_moves_magnitudes_before_they_are_used():
    """With a decay of 0 every layer divides by its own input's power, whatever was tracked."""
    module, variables = generator()
    options = {"magnitude_decay": 0.0, "mutable": ["buffers"], "method": "synthesize"}
    output, new = jit(lambda: module.apply(variables, WS, **options))()
    names = [layer.name for layer in module.layers]
    for before, name in pairwise(names):
        power = jnp.mean(jnp.square(output["features"][before]))
        tracked = new["buffers"]["synthesis"][name]["magnitude_ema"]
        assert tracked == pytest.approx(float(power), rel=1e-5)


def test_tracking_refuses_to_move_what_is_not_mutable():
    module, variables = generator()
    with pytest.raises(flax.errors.ModifyScopeVariableError, match="magnitude_ema"):
        jax.eval_shape(
            lambda: module.apply(variables, WS, magnitude_decay=0.9, method="synthesize")
        )


@cache
def tracked():
    module, variables = generator()
    options = {"magnitude_decay": 0.75, "mutable": ["buffers"], "method": "synthesize"}
    _, moved = jit(lambda v: module.apply(v, WS, **options))(variables)
    return variables["buffers"], moved["buffers"]


def test_tracking_moves_magnitude_by_its_decay():
    module, variables = generator()
    first = module.layers[0]
    params, buffers = (part(variables, "synthesis")[k]["input"] for k in ("params", "buffers"))
    x = reference.fourier_input(WS[:, 0].astype(np.float64), params, buffers, first.source)
    old, new = (b["synthesis"][first.name]["magnitude_ema"] for b in tracked())
    np.testing.assert_allclose(new, 0.75 * old + 0.25 * np.mean(x**2), rtol=1e-5)


def test_tracking_leaves_everything_else():
    old, new = (flatten(buffers) for buffers in tracked())
    moved = {name for name in old if (old[name] != new[name]).any()}
    assert old.keys() == new.keys()
    assert moved == {name for name in old if name.endswith("/magnitude_ema")}


# How it begins.


@cache
def initial():
    module = Generator(channels=(64, 4, 4, 4), resolution=SIZE, z_dim=Z, w_dim=W, num_critical=1)
    return jit(lambda: module.init(jax.random.key(0), jnp.zeros((1, Z))))()


def test_first_frequencies_fill_the_band():
    """Radii exp(-|v|^2 / 4) of normal v are those of a disc: a quarter lies within half of it."""
    radii = np.linalg.norm(initial()["buffers"]["synthesis"]["input"]["freqs"], axis=1) / 2
    assert (radii.max() <= 1, abs(np.mean(radii < 0.5) - 0.25) < 0.15) == (True, True)


def test_first_code_leaves_the_plane_unmoved():
    params = initial()["params"]["synthesis"]["input"]
    np.testing.assert_array_equal(params["affine_bias"], [1, 0, 0, 0])
    assert not params["affine_kernel"].any()


# Refusals.


def refuse(match, ws=WS, **options):
    module, variables = generator()
    with pytest.raises(ShapeError, match=match):
        jax.eval_shape(lambda: module.apply(variables, ws, **options, method="synthesize"))


def test_synthesis_refuses_codes_of_other_shape():
    refuse(r"`ws` has shape \(2, 5, 8\); required is \(any, 6, 8\)", ws=WS[:, 1:])


def test_synthesis_refuses_neither_codes_nor_styles():
    refuse("`ws` is None; required is W\\+ or `styles`", ws=None)


def test_synthesis_refuses_styles_without_the_input():
    refuse("`styles` lacks 'input'; required are input, L0", ws=None, styles={})
