import jax
import numpy as np
import pytest

from sfe_jax.pipelines.random_bundle import random_variables, small_modules


def kernels(role):
    variables = random_variables(small_modules()[role], np.random.default_rng(0))
    flat, _ = jax.tree_util.tree_flatten_with_path(variables["params"])
    return {jax.tree_util.keystr(path): np.asarray(x) for path, x in flat if "kernel" in str(path)}


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_kernels_have_unit_variance_where_the_layer_scales_them(role):
    wide = [kernel.std() for kernel in kernels(role).values() if kernel.size >= 1000]
    np.testing.assert_allclose(wide, 1, atol=0.1)  # Four standard errors of 1,000 draws.


@pytest.mark.parametrize("role", ["inverter", "feature_editor"])
def test_kernels_have_unit_gain_where_the_layer_does_not(role):
    gains = [
        kernel.std() * np.sqrt(np.prod(kernel.shape[:-1]))
        for kernel in kernels(role).values()
        if kernel.size >= 1000
    ]
    np.testing.assert_allclose(gains, 1, atol=0.1)
