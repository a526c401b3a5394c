"""PPL of a generator: paths between the codes of seeds, and steps on them.

Source: stylegan2-ada-pytorch, metrics/perceptual_path_length.py.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.pair_metrics import perceptual_metric
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.seeds import number_batches, seeded
from sfe_jax.evaluation.sets import batch_count
from sfe_jax.metrics import path_length
from sfe_jax.metrics.merging import merge_processes, merged
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.rows import Rows, rows_of
from sfe_jax.pipelines.bundle import Network

PATH_KINDS = ("z_full", "z_end", "w_full", "w_end")
"""Where paths run, and where on them steps are taken."""


def path_ends(kind: str, seeds: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes z [N, size] at both ends of paths, and how far along a step lies [N].

    Args:
        kind: Ends in "full" or "end".
        seeds: [N].
        size: Z.
    """
    draws = seeded(seeds, 2 * size)
    far = np.array([np.random.RandomState(seed).uniform() for seed in seeds], np.float32)
    full = kind.endswith("full")
    return draws[:, :size], draws[:, size:], far if full else np.zeros_like(far)


def _path_lengths(module: Any, kind: str, distance: Callable) -> Callable[..., Array]:
    """The program behind PPL: ({"generator", "eyes"}, start, end, t) -> lengths [N]."""
    in_w = kind.startswith("w")

    def lengths(variables: Any, start: Array, end: Array, t: Array) -> Array:
        weights = variables["generator"]

        def codes(z: Array) -> Array:
            return apply(module, weights, z, method="map")

        def picture(code: Array) -> Array:
            ws = code if in_w else codes(code)
            return apply(module, weights, ws, method="synthesize")["image"]

        def difference(x: Array, y: Array) -> Array:
            return distance(variables["eyes"], path_length.shrink(x), path_length.shrink(y))

        ends = (codes(start), codes(end)) if in_w else (start, end)
        return path_length.step_lengths(
            picture,
            difference,
            interpolate=path_length.lerp if in_w else path_length.slerp,
            start=ends[0],
            end=ends[1],
            t=t,
        )

    return lengths


def measure_paths(setup: Setup, network: Network, kind: str) -> Result:
    """PPL of one kind, without a crop.

    Args:
        setup: Of the run.
        network: A generator without labels.
        kind: Of `PATH_KINDS`.

    Raises:
        OptionError: If the kind is unknown, or the generator has labels.
        WeightsError: If the network that judges is missing, or of another kind.
    """
    options, module = setup.recipe.generation, network.module
    if kind not in PATH_KINDS or module.c_dim:  # pyright: ignore
        raise OptionError(
            f"`generation.path_lengths` holds {kind!r}; required are some of "
            f"{', '.join(PATH_KINDS)}, and none for a generator of classes"
        )
    eyes = perceptual_metric(setup.bundle, options.path_network, size=0)
    variables = {"generator": network.variables, "eyes": eyes.variables}
    program = Program(_path_lengths(module, kind, eyes.compare), variables, setup.mesh)
    began, rows = time.perf_counter(), []
    total = batch_count(options.path_count, setup.recipe.batch_size)
    batches = number_batches(options.path_count, setup)
    for numbers in progress(batches, f"paths {kind}", total=total):
        seeds = np.maximum(numbers, 0) + setup.recipe.seed
        ends = path_ends(kind, seeds, module.z_dim)  # pyright: ignore
        rows.append(rows_of(numbers, program(*ends)))
    lengths: Rows = merge_processes(merged(rows))
    name = "PPL" if eyes.name.startswith("LPIPS") else "path length of features"
    return Result(
        metric=f"{name} ({kind.replace('_', ', ')})",
        value=path_length.perceptual_path_length(lengths.values),
        count=len(lengths),
        dtype="float32",
        seconds=time.perf_counter() - began,
        weights=digest_arrays(network.variables),
        network=eyes.network,
        resize=f"means of blocks, below {2 * path_length.SIZE} pixels",
        enough=path_length.ENOUGH,
    )
