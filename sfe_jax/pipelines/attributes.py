"""Attributes that a network reads from a generator's pictures, and how they follow the codes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.console import Bar, unseen
from sfe_jax.core.precision import product_precision
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.edits.fitting.least_change import Slopes
from sfe_jax.edits.fitting.strengths import Score
from sfe_jax.pipelines.batching import compute_rows
from sfe_jax.pipelines.bundle import Network

PROBES = 4
"""Random directions of picture space per sample, by which its slopes are measured."""


def _columns(features: Network, names: Sequence[str]) -> list[int]:
    """Where attributes stand among those that the network reads."""
    known: Any = features.module
    return [known.attribute_names.index(name) for name in names]


def attribute_score(
    generator: Network, features: Network, *, names: Sequence[str] | None = None, batch_size: int
) -> Score:
    """Codes ws [N, L, W] -> attributes [N, A], by default all, that the network reads."""
    columns = slice(None) if names is None else _columns(features, names)

    @jax.jit
    def score(weights: Variables, variables: Variables, ws: Array) -> Array:
        pictures = apply(generator.module, weights, ws, method="synthesize")["image"]
        return apply(features.module, variables, jnp.clip(pictures, -1, 1))["attributes"]

    run = partial(score, generator.variables, features.variables)
    return lambda ws: compute_rows(run, batch_size, ws)[:, columns]


def measure_slopes(
    generator: Network,
    features: Network,
    ws: np.ndarray,
    *,
    names: Sequence[str],
    key: Array,
    batch_size: int,
    bar: Bar = unseen,
) -> Slopes:
    """Mean slopes of attributes and pictures by the codes.

    With random signs v, the mean of (J^T v)(J^T v)^T is J^T J: whole slopes are never made.

    Args:
        generator: Of pictures with P numbers.
        features: Reads attributes from them.
        ws: [N, L, W], of samples.
        names: Of the A attributes, in their order.
        key: Of the random signs.
        batch_size: Samples computed together; a last batch that is not full is left out, unless it
            is the only one.
        bar: Sees the batches pass.

    Returns:
        Of the chosen attributes, and of the pictures per number.
    """
    batch_size = min(batch_size, len(ws))
    module, reader = generator.module, features.module
    columns = jnp.asarray(_columns(features, names))

    def picture(variables: Variables, w: Array) -> Array:
        return apply(module, variables, w[None], method="synthesize")["image"][0]

    def read(w: Array, weights: Variables, variables: Variables) -> Array:
        shown = jnp.clip(picture(weights, w), -1, 1)
        return apply(reader, variables, shown[None])["attributes"][0][columns]

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
    for start in bar(starts, "measuring slopes"):
        batch = jnp.asarray(ws[start : start + batch_size])
        part = slopes(
            generator.variables, features.variables, batch, jax.random.fold_in(key, start)
        )
        scores, pictures = scores + np.asarray(part[0]), pictures + np.asarray(part[1])
    return Slopes(np.asarray(scores) / len(starts), np.asarray(pictures) / len(starts))
