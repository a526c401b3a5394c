"""Parity of StyleGAN3 with plain PyTorch; skipped where torch is not installed."""

import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.training.alias_free import AliasFreeOptions
from tests.compiling import jit

torch = pytest.importorskip("torch", reason="torch is not installed; parity needs its CPU build")

from benchmarks.rivals.torch_networks import generator  # noqa: E402

TOLERANCE = 2e-5  # Of the maximum: float32 roundings in another order, over fifteen layers.
T = AliasFreeOptions(num_layers=4, margin=2)
R = AliasFreeOptions(num_layers=4, margin=2, kernel_size=1, radial=True, widening=2)
CODE = [0.8, 0.6, 0.1, -0.2]  # Cosine, sine, shifts within the picture.


def build(options):
    """Our generator, with random weights and an input that is turned and shifted."""
    sizes = {"z_dim": 12, "w_dim": 8, "mapping_layers": 2}
    module = options.build(resolution=32, base=256, maximum=12, **sizes)
    arrays = flatten(random_variables(module, np.random.default_rng(0)))
    arrays["params/synthesis/input/affine_bias"] = jnp.asarray(CODE)
    arrays["params/synthesis/input/affine_kernel"] *= 0.1 / 0.05
    return module, unflatten(arrays)


@pytest.mark.parametrize("options", [T, R], ids=["T", "R"])
def test_generator_equals_torch(options):
    module, variables = build(options)
    z = np.random.default_rng(1).standard_normal((2, 12)).astype(np.float32)
    ours = np.asarray(jit(module.apply)(variables, z))
    with torch.no_grad():
        theirs = generator(module, variables)(torch.empty(()))(torch.tensor(z)).numpy()
    largest = np.abs(ours).max()
    np.testing.assert_allclose(theirs.transpose(0, 2, 3, 1), ours, rtol=0, atol=TOLERANCE * largest)


def test_bfloat16_leaves_the_waves_in_float32():
    module, variables = build(T)
    network = generator(module, variables)(torch.empty((), dtype=torch.bfloat16))
    types = {name: child.weight.dtype for name, child in network.synthesis.named_children()}
    assert types.pop("input") == torch.float32
    assert set(types.values()) == {torch.bfloat16}
