"""What is done to each sample: drawn in two or three stacked calls, at a traced probability.

`draw_variates` draws plain uniform and normal numbers, `parameters_from` turns them into angles,
factors and shifts. Between the two, a test can put numbers of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.augment.pipeline import Pipeline
from sfe_jax.augment.wavelets import BANDS
from sfe_jax.core.types import Array

SHIFT_MAX = 0.125  # Of the size.
SHIFT_STD = 0.125  # Of the size.
SCALE_STD = 0.2  # Octaves.
BRIGHTNESS_STD = 0.2
CONTRAST_STD = 0.5  # Octaves.
SATURATION_STD = 1.0  # Octaves.
BAND_STD = 1.0  # Octaves.
NOISE_STD = 0.1
CUTOUT_SIZE = 0.5  # Of the size.

BAND_NAMES = tuple(f"imgfilter{band}" for band in range(BANDS))

GATES = (
    *("xflip", "rotate90", "xint", "scale", "rotate_before", "aniso", "rotate_after", "xfrac"),
    *("brightness", "contrast", "lumaflip", "hue", "saturation"),
    *BAND_NAMES,
    *("noise", "cutout"),
)
"""Decisions of a sample, each made by one uniform number."""

UNIFORMS = (
    *("xflip", "rotate90", "xint_x", "xint_y", "rotate_before", "rotate_after"),
    *("lumaflip", "hue", "cutout_x", "cutout_y"),
)
"""Values of a sample that are uniform."""

NORMALS = (
    *("scale", "aniso", "xfrac_x", "xfrac_y"),
    *("brightness", "contrast", "saturation"),
    *BAND_NAMES,
    "noise",
)
"""Values of a sample that are normal."""


class Variates(NamedTuple):
    """Random numbers of a batch, before they have a meaning."""

    gates: Array  # [N, len(GATES)], in [0, 1); a transform is applied if below its probability.
    uniforms: Array  # [N, len(UNIFORMS)], in [0, 1).
    normals: Array  # [N, len(NORMALS)], of mean 0 and deviation 1.


class Parameters(NamedTuple):
    """What is done to each sample. Every field has a neutral value, which changes nothing."""

    flip: Array  # [N], 1 mirrors; neutral 0.
    quarter_turns: Array  # [N], 0 to 3; neutral 0.
    shift: Array  # [N, 2], (x, y), fractions of the size, rounded to pixels later; neutral 0.
    scale: Array  # [N], factor; neutral 1.
    rotation_before: Array  # [N], radians, before `stretch`; neutral 0.
    stretch: Array  # [N], factor of x, 1 over that of y; neutral 1.
    rotation_after: Array  # [N], radians; neutral 0.
    fractional_shift: Array  # [N, 2], (x, y), fractions of the size; neutral 0.
    brightness: Array  # [N], summand; neutral 0.
    contrast: Array  # [N], factor; neutral 1.
    luma_flip: Array  # [N], 1 negates luma; neutral 0.
    hue: Array  # [N], radians; neutral 0.
    saturation: Array  # [N], factor; neutral 1.
    bands: Array  # [N, 4], factors of the frequency bands, lowest first; neutral 1.
    noise: Array | None  # [N, H, W, C], summand; None if the pipeline has no noise.
    cutout_size: Array  # [N], side of the grey square, fraction of the size; neutral 0.
    cutout_center: Array  # [N, 2], (x, y), fractions of the size.


def draw_variates(key: Array, count: int) -> Variates:
    """Draws the numbers of `count` samples.

    Args:
        key: Random key.
        count: Samples.

    Returns:
        Numbers for all transforms, so that a sample's numbers do not depend on the pipeline.
    """
    key_uniform, key_normal = jax.random.split(key)
    uniform = jax.random.uniform(key_uniform, (count, len(GATES) + len(UNIFORMS)))
    gates, uniforms = jnp.split(uniform, [len(GATES)], axis=1)
    return Variates(gates, uniforms, jax.random.normal(key_normal, (count, len(NORMALS))))


def _columns(x: Array, names: Sequence[str]) -> dict[str, Array]:
    """[N, len(names)] -> one [N] per name."""
    return {name: x[:, i] for i, name in enumerate(names)}


def _probabilities(p: Array, pipeline: Pipeline) -> dict[str, Array]:
    """Probability of every gate, each []."""
    by_transform: dict[str, Array] = {
        name: multiplier * p for name, multiplier in asdict(pipeline).items()
    }
    # Two rotations, of which at least one happens with the probability asked for.
    rotate = 1 - jnp.sqrt(jnp.clip(1 - pipeline.rotate * p, 0, 1))
    bands = dict.fromkeys(BAND_NAMES, by_transform["imgfilter"])
    return by_transform | bands | {"rotate_before": rotate, "rotate_after": rotate}


def parameters_from(
    variates: Variates, p: Array | float, *, pipeline: Pipeline, noise: Array | None = None
) -> Parameters:
    """Gives random numbers their meaning.

    Args:
        variates: Of N samples.
        p: [], probability of each transform whose multiplier is 1; above 1 counts as 1.
        pipeline: Multipliers of `p`.
        noise: [N, H, W, C], standard normal; None if the pipeline has no noise.

    Returns:
        Parameters of N samples.

    Source: arXiv:2006.06676, appendix B, table 3; stylegan2-ada-pytorch, training/augment.py.
    """
    u, n = _columns(variates.uniforms, UNIFORMS), _columns(variates.normals, NORMALS)
    probabilities = _probabilities(jnp.asarray(p, jnp.float32), pipeline)
    gates = _columns(variates.gates, GATES)
    fires = {name: gates[name] < probabilities[name] for name in GATES}

    def gated(name: str, value: Array, neutral: float = 0.0) -> Array:
        return jnp.where(fires[name], value, neutral)

    def octaves(name: str, std: float) -> Array:
        return gated(name, jnp.exp2(n[name] * std), 1.0)

    def angle(name: str) -> Array:
        return gated(name, (2 * u[name] - 1) * math.pi)

    def pair(x: Array, y: Array) -> Array:
        return jnp.stack([x, y], axis=1)

    deviation = gated("noise", jnp.abs(n["noise"]) * NOISE_STD)
    return Parameters(
        flip=gated("xflip", jnp.floor(2 * u["xflip"])),
        quarter_turns=gated("rotate90", jnp.floor(4 * u["rotate90"])),
        shift=pair(*(gated("xint", (2 * u[k] - 1) * SHIFT_MAX) for k in ("xint_x", "xint_y"))),
        scale=octaves("scale", SCALE_STD),
        rotation_before=angle("rotate_before"),
        stretch=octaves("aniso", SCALE_STD),
        rotation_after=angle("rotate_after"),
        fractional_shift=pair(*(gated("xfrac", n[k] * SHIFT_STD) for k in ("xfrac_x", "xfrac_y"))),
        brightness=gated("brightness", n["brightness"] * BRIGHTNESS_STD),
        contrast=octaves("contrast", CONTRAST_STD),
        luma_flip=gated("lumaflip", jnp.floor(2 * u["lumaflip"])),
        hue=angle("hue"),
        saturation=octaves("saturation", SATURATION_STD),
        bands=jnp.stack([octaves(name, BAND_STD) for name in BAND_NAMES], axis=1),
        noise=None if noise is None else noise * deviation[:, None, None, None],
        cutout_size=gated("cutout", jnp.full_like(u["cutout_x"], CUTOUT_SIZE)),
        cutout_center=pair(u["cutout_x"], u["cutout_y"]),
    )


def draw_parameters(
    key: Array, p: Array | float, *, shape: tuple[int, ...], pipeline: Pipeline
) -> Parameters:
    """Draws what is done to each sample of a batch.

    Args:
        key: Random key.
        p: [], probability of each transform whose multiplier is 1; above 1 counts as 1. A traced
            value: another one needs no new compilation.
        shape: (N, H, W, C) of the images.
        pipeline: Multipliers of `p`.

    Returns:
        Parameters of N samples, all neutral where `p` is 0.
    """
    key_variates, key_noise = jax.random.split(key)
    noise = jax.random.normal(key_noise, shape) if pipeline.noise else None
    variates = draw_variates(key_variates, shape[0])
    return parameters_from(variates, p, pipeline=pipeline, noise=noise)
