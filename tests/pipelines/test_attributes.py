"""A generator and a reader that are linear, so that the truth is known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.pipelines.attributes import measure_slopes
from sfe_jax.pipelines.bundle import Network

ROWS, SIZE, SIDE = 2, 3, 4


@dataclasses.dataclass(frozen=True)
class Linear:
    """A generator or a reader that multiplies by its weights."""

    attribute_names = ("a", "b", "c", "d", "e")

    def apply(self, variables, x, method=None):
        if method == "synthesize":
            flat = x.reshape(len(x), -1) @ variables["weights"]
            return {"image": flat.reshape(-1, SIDE, SIDE, 1)}
        return {"attributes": x.reshape(len(x), -1) @ variables["weights"]}


def weights(seed, *shape):
    return {"weights": 0.01 * jax.random.normal(jax.random.key(seed), shape)}


def test_slopes_of_linear_networks_are_their_weights():
    generator = Network(Linear(), weights(0, ROWS * SIZE, SIDE * SIDE))
    reader = Network(Linear(), weights(1, SIDE * SIDE, 5))
    ws = np.asarray(jax.random.normal(jax.random.key(2), (4_000, ROWS, SIZE)))
    slopes = measure_slopes(
        generator, reader, ws, names="db", key=jax.random.key(3), batch_size=500
    )
    made, read = generator.variables["weights"], reader.variables["weights"]
    through = jnp.matmul(made, read)[:, jnp.array([3, 1])].T
    np.testing.assert_allclose(slopes.scores.reshape(2, -1), through, rtol=1e-4)
    exact = jnp.matmul(made, made.T) / SIDE**2
    np.testing.assert_allclose(slopes.pictures, exact, atol=0.05 * float(jnp.max(exact)))
