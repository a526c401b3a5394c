import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.ops.packing import (
    elementwise,
    is_picture,
    is_thin,
    join_planes,
    pack,
    split_planes,
    unpack,
)
from tests.compiling import jit
from tests.lowering import lowered, pretend


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def test_pack_sets_four_pixels_side_by_side():
    x = draw(1, 4, 6, 3)
    pixels = [x[0, 2, 4], x[0, 2, 5], x[0, 3, 4], x[0, 3, 5]]
    np.testing.assert_array_equal(pack(x)[0, 1, 2], jnp.concatenate(pixels))


def test_unpack_undoes_pack():
    x = draw(2, 4, 6, 3)
    np.testing.assert_array_equal(unpack(pack(x)), x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_split_planes_takes_every_second_pixel_exactly(dtype):
    x = draw(2, 4, 6, 3).astype(dtype)
    planes = jit(split_planes)(x)
    np.testing.assert_array_equal(planes[:, 1, 0], x[:, 1::2, ::2].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_join_planes_undoes_split_planes_exactly(dtype):
    x = draw(2, 4, 6, 3).astype(dtype)
    np.testing.assert_array_equal(jit(lambda x: join_planes(split_planes(x)))(x), x)


@pytest.mark.parametrize(
    ("shape", "thin"),
    [
        ((8, 64, 64, 32), True),
        ((8, 64, 64, 128), False),
        ((8, 64, 64, 3), False),
        ((8, 65, 64, 32), False),
        ((8, 32, 32, 32), False),
        ((4096, 32), False),
    ],
    ids=["thin", "wide", "picture", "odd", "small", "vectors"],
)
def test_map_is_thin_if_large_even_and_its_rows_are_half_empty(shape, thin):
    assert is_thin(shape) == thin


@pytest.mark.parametrize(
    ("shape", "picture"),
    [((1, 64, 64, 3), True), ((1, 32, 64, 3), False), ((1, 64, 64, 16), False)],
    ids=["picture", "small", "map"],
)
def test_picture_is_large_and_has_few_channels(shape, picture):
    assert is_picture(shape) == picture


PARTS = {
    "channels": (1, 1, 1, 16),
    "samples": (2, 1, 1, 16),
    "noise": (1, 64, 66, 1),
    "noises": (2, 64, 66, 1),
    "map": (2, 64, 66, 16),
    "number": (1, 1, 1, 1),
}


@pytest.mark.parametrize("part", PARTS)
def test_elementwise_gives_the_same_packed(part, monkeypatch):
    x, other = draw(2, 64, 66, 16), draw(*PARTS[part], seed=1)
    pretend(monkeypatch, "tpu")
    np.testing.assert_array_equal(jit(lambda *a: elementwise(jnp.add, *a))(x, other), x + other)


def test_elementwise_works_on_packed_map_on_tpu():
    x = jax.ShapeDtypeStruct((1, 64, 64, 32), jnp.float32)
    text = lowered(lambda x: elementwise(jnp.tanh, x), x, platform="tpu")
    assert "tanh" in text
    assert "tensor<1x32x32x128xf32>" in text


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_elementwise_leaves_map_elsewhere(platform):
    x = jax.ShapeDtypeStruct((1, 64, 64, 32), jnp.float32)
    assert "transpose" not in lowered(lambda x: elementwise(jnp.tanh, x), x, platform=platform)
