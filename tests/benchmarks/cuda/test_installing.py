"""Whole networks of the kernels, against the same networks of XLA's forms."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.cuda import BuildError, installed
from sfe_jax.core.trees import apply
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.training.alias_free import AliasFreeOptions
from tests.benchmarks.cuda.comparing import assert_same, normal
from tests.benchmarks.cuda.conftest import KERNELS
from tests.compiling import jit

WHOLE_NETWORK = 2e-5
"""Of the largest value: a slope of a slope through some dozens of float32 operations."""

STYLEGAN2 = Generator(channels=(6, 4), z_dim=4, w_dim=4, mapping_layers=1)
STYLEGAN3 = AliasFreeOptions(num_layers=2, num_critical=1, margin=1).build(
    resolution=16, base=32, maximum=4, z_dim=4, w_dim=4
)


def lively(network, *inputs):
    """Variables of which none is zero, so that every slope counts; single numbers are positive."""
    shapes, structure = jax.tree.flatten(jax.eval_shape(network.init, jax.random.key(0), *inputs))
    drawn = [normal(*leaf.shape, seed=i) for i, leaf in enumerate(shapes)]
    drawn = [leaf if leaf.ndim else jnp.abs(leaf) for leaf in drawn]
    return jax.tree.unflatten(structure, drawn)


def path_lengths(generator, variables):
    """The picture, and the slopes of the sum of its path lengths by the parameters."""
    codes = normal(2, generator.num_ws, generator.w_dim)
    weights = normal(2, generator.resolution, generator.resolution, 3, seed=1)
    rest = {name: value for name, value in variables.items() if name != "params"}

    def draw(params, ws):
        return apply(generator, {"params": params, **rest}, ws, method="synthesize")["image"]

    def lengths(params):
        slopes = jax.grad(lambda ws: jnp.sum(draw(params, ws) * weights))(codes)
        return jnp.sum(jnp.sqrt(jnp.sum(jnp.square(slopes), axis=(1, 2))))

    program = jit(lambda params: (draw(params, codes), jax.grad(lengths)(params)))
    return program(variables["params"])


def compare(generator):
    variables = lively(generator, normal(1, generator.z_dim))
    expected = path_lengths(generator, variables)
    with installed("host", KERNELS):
        found = path_lengths(generator, variables)
    assert_same(found, expected, tolerance=WHOLE_NETWORK)


def test_stylegan2_and_its_path_length_slopes_equal_xla(kernels):
    compare(STYLEGAN2)


def test_stylegan3_and_its_path_length_slopes_equal_xla(kernels):
    compare(STYLEGAN3)


def test_discriminator_and_its_r1_slopes_equal_xla(kernels):
    network = Discriminator(channels=(6, 4))
    images = normal(2, 8, 8, 3)
    variables = lively(network, images)

    def slopes():
        def scores(variables, images):
            return jnp.sum(apply(network, variables, images))

        def penalty(variables):
            return jnp.sum(jnp.square(jax.grad(scores, 1)(variables, images)))

        return jit(jax.grad(penalty))(variables)

    expected = slopes()
    with installed("host", KERNELS):
        found = slopes()
    assert_same(found, expected, tolerance=WHOLE_NETWORK)


def test_installed_puts_the_fused_epilogue_into_styled_layers(kernels):
    variables = jax.eval_shape(STYLEGAN2.init, jax.random.key(0), normal(1, 4))
    ws = jax.ShapeDtypeStruct((1, STYLEGAN2.num_ws, 4), jnp.float32)

    def draw(variables, ws):
        return apply(STYLEGAN2, variables, ws, method="synthesize")["image"]

    with installed("host", KERNELS):
        program = jax.jit(draw).lower(variables, ws).as_text()
    layers = [layer for layer in STYLEGAN2.layers if layer.kind == "conv"]
    epilogues = [line for line in program.splitlines() if "@sfe_pointwise(" in line]
    with_demodulation = [line for line in epilogues if "tensor<1x6xf32>" in line]
    with_demodulation += [line for line in epilogues if "tensor<1x4xf32>" in line]
    assert len(with_demodulation) == len(layers)


def test_installed_leaves_the_library_as_it_was(kernels):
    from sfe_jax.ops import filtered_lrelu, upfirdn2d

    before = upfirdn2d.upfirdn2d, filtered_lrelu.filtered_lrelu
    with installed("host", KERNELS):
        assert upfirdn2d.upfirdn2d is not before[0]
    assert (upfirdn2d.upfirdn2d, filtered_lrelu.filtered_lrelu) == before


def test_installed_refuses_where_the_kernels_cannot_run():
    with pytest.raises(BuildError, match="need JAX to run on gpu"), installed("cuda"):
        pass
