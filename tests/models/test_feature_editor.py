"""The fuser of features."""

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.models.feature_editor import FeatureFuser, linear_start


def test_linear_start_computes_the_weighted_sum():
    fuser = FeatureFuser(features=4, num_units=2)
    first, second = jax.random.normal(jax.random.key(0), (2, 1, 5, 5, 4))
    variables = fuser.init(jax.random.key(1), first, second)
    params = linear_start(variables["params"], first=1.0, second=-0.5)
    out = fuser.apply({**variables, "params": params}, first, second)
    np.testing.assert_allclose(out, first - 0.5 * second, atol=1e-6)


def test_linear_start_lets_every_unit_learn():
    fuser = FeatureFuser(features=4, num_units=2)
    first, second = jax.random.normal(jax.random.key(0), (2, 3, 5, 5, 4))
    variables = fuser.init(jax.random.key(1), first, second)
    params = linear_start(variables["params"], first=1.0, second=-1.0)

    def loss(params):
        out, _ = fuser.apply(
            {**variables, "params": params}, first, second, train=True, mutable=["batch_stats"]
        )
        return jnp.mean(jnp.square(out - second))

    slopes = jax.grad(loss)(params)
    for unit in ("unit0", "unit1"):
        assert np.all(np.abs(slopes[unit]["branch"]["norm3"]["scale"]) > 0)
