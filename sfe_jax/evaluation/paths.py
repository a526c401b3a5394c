"""PPL of a generator: paths between the codes of seeds, and steps on them.

Noise is drawn for every pair, and is the same at both ends of a step.

Source: stylegan2-ada-pytorch, metrics/perceptual_path_length.py.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.pair_metrics import perceptual_metric
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.seeds import fresh_noise, number_batches, seeded
from sfe_jax.evaluation.sets import batch_count
from sfe_jax.metrics import path_length
from sfe_jax.metrics.merging import merge_processes, merged
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.rows import Rows, rows_of
from sfe_jax.pipelines.bundle import Network

PATH_KINDS = ("z_full", "z_end", "w_full", "w_end", "w_end_whole")
"""Where paths run, where on them steps are taken, and what is seen: the originals' ppl_zfull,
ppl_zend, ppl_wfull and ppl_wend of the face alone, and ppl2_wend of the whole picture."""


def _is_whole(kind: str) -> bool:
    """Whether pictures of a kind are seen whole."""
    return kind.endswith("whole")


def path_ends(kind: str, seeds: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes z [N, size] at both ends of paths, and how far along a step lies [N].

    Args:
        kind: Of `PATH_KINDS`.
        seeds: [N].
        size: Z.
    """
    draws = seeded(seeds, 2 * size)
    # A stream beside that of the codes: t must not depend on where a path begins.
    far = np.array([np.random.RandomState([seed, 1]).uniform() for seed in seeds], np.float32)
    full = kind.endswith("full")
    return draws[:, :size], draws[:, size:], far if full else np.zeros_like(far)


def _path_lengths(module: Any, kind: str, distance: Callable) -> Callable[..., Array]:
    """The program behind PPL: ({"generator", "eyes"}, start, end, t, seeds) -> lengths [N]."""
    in_w = kind.startswith("w")
    view = path_length.view_whole if _is_whole(kind) else path_length.view_face

    def lengths(variables: Any, start: Array, end: Array, t: Array, seeds: Array) -> Array:
        weights, noise = variables["generator"], fresh_noise(module, seeds[0])

        def codes(z: Array) -> Array:
            return apply(module, weights, z, method="map")

        def picture(code: Array) -> Array:
            ws = code if in_w else codes(code)
            seen = view(apply(module, weights, ws, **noise, method="synthesize")["image"])
            return jnp.broadcast_to(seen, (*seen.shape[:3], 3))  # Grey pictures too.

        ends = (codes(start), codes(end)) if in_w else (start, end)
        return path_length.step_lengths(
            picture,
            partial(distance, variables["eyes"]),
            interpolate=path_length.lerp if in_w else path_length.slerp,
            start=ends[0],
            end=ends[1],
            t=t,
        )

    return lengths


def measure_paths(setup: Setup, network: Network, kind: str) -> Result:
    """PPL of one kind.

    Args:
        setup: Of the run.
        network: A generator without labels.
        kind: Of `PATH_KINDS`.

    Raises:
        OptionError: If the network that judges cannot see what the kind shows, or the generator
            has labels.
        WeightsError: If the network that judges is missing, or of another kind.
    """
    options, whole = setup.recipe.generation, _is_whole(kind)
    module: Any = network.module
    eyes = perceptual_metric(setup.bundle, options.path_network, size=0)
    photographs = eyes.name.startswith("LPIPS")
    known = PATH_KINDS if photographs else PATH_KINDS[-1:]  # Others read whole pictures alone.
    if kind not in known or module.c_dim:
        raise OptionError(
            f"`generation.path_lengths` holds {kind!r}; required for {options.path_network!r} are "
            f"some of {', '.join(known)}, and none for a generator of classes"
        )
    variables = {"generator": network.variables, "eyes": eyes.variables}
    program = Program(_path_lengths(module, kind, eyes.compare), variables, setup.mesh)
    began, rows = time.perf_counter(), []
    total = batch_count(options.path_count, setup.recipe.batch_size)
    batches = number_batches(options.path_count, setup)
    for numbers in progress(batches, f"paths {kind}", total=total):
        seeds = np.maximum(numbers, 0) + setup.recipe.seed
        ends = path_ends(kind, seeds, module.z_dim)
        rows.append(rows_of(numbers, program(*ends, seeds.astype(np.uint32))))
    lengths: Rows = merge_processes(merged(rows))
    name = "PPL" if photographs else "path length of features"
    block = path_length.block_side(module.resolution)
    return Result(
        metric=f"{name} ({kind.replace('_', ', ')})",
        value=path_length.perceptual_path_length(lengths.values),
        count=len(lengths),
        dtype="float32",
        seconds=time.perf_counter() - began,
        weights=digest_arrays(network.variables),
        network=eyes.network,
        resize=f"{'whole' if whole else 'face'}, means of {block}x{block} pixels",
        enough=path_length.ENOUGH,
    )
