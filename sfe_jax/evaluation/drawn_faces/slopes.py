"""How pictures, and the attributes that a network reads from them, follow the codes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.precision import product_precision
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.edits.fitting.least_change import Slopes
from sfe_jax.pipelines.bundle import Network

PROBES = 4
"""Random directions of picture space per sample, by which its slopes are measured."""


def measure_slopes(
    generator: Network,
    features: Network,
    ws: np.ndarray,
    *,
    columns: list[int],
    key: Array,
    batch_size: int,
) -> Slopes:
    """Mean slopes of attributes and pictures by the codes, under a progress bar.

    With random signs v, the mean of (J^T v)(J^T v)^T is J^T J: whole slopes are never made.

    Args:
        generator: Of pictures with P numbers.
        features: Reads attributes from them.
        ws: [N, L, W], of samples.
        columns: Which attributes, in their order.
        key: Of the random signs.
        batch_size: Samples computed together; a last batch that is not full is left out, unless it
            is the only one.

    Returns:
        Of the chosen attributes, and of the pictures per number.
    """
    batch_size = min(batch_size, len(ws))
    module, reader = generator.module, features.module

    def picture(variables: Variables, w: Array) -> Array:
        return apply(module, variables, w[None], method="synthesize")["image"][0]

    def read(w: Array, weights: Variables, variables: Variables) -> Array:
        shown = jnp.clip(picture(weights, w), -1, 1)
        return apply(reader, variables, shown[None])["attributes"][0][jnp.asarray(columns)]

    def pull(w: Array, key: Array, weights: Variables) -> Array:
        image, back = jax.vjp(lambda w: picture(weights, w), w)
        signs = jax.random.rademacher(key, (PROBES, *image.shape), image.dtype)
        return jax.vmap(lambda v: back(v / np.sqrt(image.size).astype(v.dtype))[0])(signs)

    @jax.jit
    def slopes(weights: Variables, variables: Variables, ws: Array, key: Array) -> Any:
        scores = jax.vmap(jax.jacrev(read), (0, None, None))(ws, weights, variables)
        pulls = jax.vmap(pull, (0, 0, None))(ws, jax.random.split(key, len(ws)), weights)
        pulls = pulls.reshape(-1, ws.shape[1] * ws.shape[2])
        squares = jnp.matmul(pulls.T, pulls, precision=product_precision(pulls.dtype))
        return jnp.mean(scores, axis=0), squares / len(pulls)

    starts = range(0, len(ws) - batch_size + 1, batch_size)
    scores, pictures = 0.0, 0.0
    for start in progress(starts, "measuring slopes", total=len(starts)):
        batch = jnp.asarray(ws[start : start + batch_size])
        part = slopes(
            generator.variables, features.variables, batch, jax.random.fold_in(key, start)
        )
        scores, pictures = scores + np.asarray(part[0]), pictures + np.asarray(part[1])
    return Slopes(np.asarray(scores) / len(starts), np.asarray(pictures) / len(starts))
