import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.nn.pooling import max_pool_over


@pytest.mark.parametrize(
    ("size", "expected"), [(5, [2, 4]), (6, [2, 4, 5]), (7, [2, 4, 6]), (2, [1])]
)
def test_a_pool_of_three_lets_last_window_stand_over_the_border(size, expected):
    ramp = jnp.arange(float(size))[None, :, None, None]
    x = jnp.broadcast_to(ramp, (1, size, size, 1))
    np.testing.assert_array_equal(max_pool_over(x, 3)[0, :, 0, 0], expected)


def test_last_window_of_a_pool_stands_over_the_border():
    x = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1) - 9
    x = np.concatenate([x, x - 10], axis=1)
    np.testing.assert_array_equal(np.asarray(max_pool_over(x, 2))[0, 0, :, 0], [-8, -6, -5])


@pytest.mark.parametrize(("size", "window", "pooled"), [(46, 3, 23), (21, 3, 10), (8, 2, 4)])
def test_pool_has_the_size_of_the_paper(size, window, pooled):
    x = jax.ShapeDtypeStruct((1, size, size, 1), np.float32)
    outputs = jax.eval_shape(lambda x: max_pool_over(x, window), x)
    assert outputs.shape == (1, pooled, pooled, 1)
