"""EQ-T, EQ-T_frac and EQ-R of a StyleGAN3 generator: do its pictures move with its input?

Source: StyleGAN3 (arXiv:2106.12423), appendix E; stylegan3 metrics/equivariance.py.
"""

import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.seeds import number_batches, seeded
from sfe_jax.evaluation.sets import batch_count
from sfe_jax.metrics.equivariance import (
    LARGEST_SHIFT,
    MaskedError,
    fractional_shift_error,
    rotation_error,
    whole_shift_error,
)
from sfe_jax.metrics.merging import merge_processes, merged
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.rows import PADDING
from sfe_jax.pipelines.bundle import Network


def _movements(
    generate: Callable, original: Array, rng: np.random.Generator
) -> dict[str, MaskedError]:
    """The three errors of a batch, under one shift and one turn."""
    shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
    return {
        "EQ-T": whole_shift_error(generate, original, shift),
        "EQ-T_frac": fractional_shift_error(generate, original, shift),
        "EQ-R": rotation_error(generate, original, rng.uniform(-np.pi, np.pi)),
    }


def measure_equivariance(setup: Setup, network: Network) -> list[Result]:
    """EQ-T, EQ-T_frac and EQ-R of a StyleGAN3 generator, in decibels.

    Pictures of a batch are moved alike.
    """
    module: Any = network.module
    count, psi = setup.recipe.generation.equivariance_count, setup.recipe.generation.psi

    def synthesize(variables: Variables, transform: Array, z: Array) -> Array:
        ws = apply(module, variables, z, psi=psi, method="map")
        return apply(module, variables, ws, transform=transform, method="synthesize")["image"]

    program = Program(synthesize, network.variables, setup.mesh)
    rng, began = np.random.default_rng(setup.recipe.seed), time.perf_counter()
    errors: dict[str, list[MaskedError]] = {}
    total = batch_count(count, setup.recipe.batch_size)
    for numbers in progress(number_batches(count, setup), "moving pictures", total=total):
        z = seeded(np.maximum(numbers, 0) + setup.recipe.seed, module.z_dim)
        kept = numbers != PADDING

        def moved(transform: np.ndarray, z: np.ndarray = z, kept: np.ndarray = kept) -> Array:
            matrix = np.asarray(transform, np.float32)
            return jnp.asarray(program(z, shared=(matrix,))[kept])

        for name, error in _movements(moved, moved(np.eye(3)), rng).items():
            errors.setdefault(name, []).append(error)
    seconds = time.perf_counter() - began
    weights = digest_arrays(network.variables)
    about: dict[str, Any] = {"count": count, "dtype": "float32", "seconds": seconds}
    return [
        Result(
            metric=f"{name} (dB)",
            value=merge_processes(merged(parts)).decibels,
            **about,
            weights=weights,
            network="",
            resize="none",
        )
        for name, parts in errors.items()
    ]
