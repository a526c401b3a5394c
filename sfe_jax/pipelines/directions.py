"""Fits editing directions on a generator: the front door for Python users.

Example:
    bundle = load_bundle("faces64.safetensors")        # A generator, and `features` that score.
    fitted = fit_directions(bundle, FitOptions(attributes=("smile", "age")))
    save_bundle("own.safetensors", as_bundle(fitted))  # For `sfe edit --directions FILE`.
"""

import pathlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.console import Bar, unseen
from sfe_jax.edits.fitting.attributes import fit_boundary, fit_regression
from sfe_jax.edits.fitting.directions import (
    Fitted,
    Samples,
    attribute_directions,
    ganspace_directions,
    least_change_directions,
    sefa_directions,
    with_range,
)
from sfe_jax.edits.fitting.ganspace import principal_components
from sfe_jax.edits.fitting.least_change import Slopes
from sfe_jax.edits.fitting.options import CURVE_STEP, FitOptions
from sfe_jax.edits.fitting.sefa import affine_kernels, factorise
from sfe_jax.edits.fitting.strengths import Score, measure_curve
from sfe_jax.edits.prepare import operands_for
from sfe_jax.latents.sampling import map_to_w, one_hot
from sfe_jax.pipelines.attributes import attribute_score, measure_slopes
from sfe_jax.pipelines.batching import compute_rows
from sfe_jax.pipelines.bundle import Bundle, Network, Source

CURVE_CODES = 64
"""Codes whose mean score is a point of a curve."""

SLOPE_CODES = 512
"""Codes whose slopes are averaged."""

MAP_BATCH = 1024
"""Codes mapped together; they are small."""


def draw_codes(network: Network, options: FitOptions) -> np.ndarray:
    """Codes [N, W] of normally distributed z."""
    generator: Any = network.module
    rng, count = np.random.default_rng(options.seed), options.samples
    z = rng.standard_normal((count, generator.z_dim), np.float32)
    labels = one_hot(options.class_index, generator.c_dim, count)
    return compute_rows(partial(map_to_w, generator, network.variables), MAP_BATCH, z, labels)


def _on_rows(codes: np.ndarray, generator: Any) -> Any:
    """Codes [N, W] as [N, L, W]."""
    return codes[:, None].repeat(generator.num_ws, axis=1)


def _scored(bundle: Bundle) -> tuple[str, ...]:
    """Attributes that the bundle's network `features` reads; none without it."""
    features: Any = bundle.networks.get("features")
    return features.module.attribute_names if features else ()


def _judge(bundle: Bundle, names: Sequence[str], *, options: FitOptions) -> Score:
    """The generator in its precision, and behind it the network that reads `names`."""
    generator, features = bundle.network("generator"), bundle.network("features")
    module = generator.module.clone(precision=options.precision)
    made = Network(module, generator.variables)
    return attribute_score(made, features, names=names, batch_size=options.batch_size)


def _score(codes: np.ndarray, generator: Any, *, judge: Score, size: int, bar: Bar) -> np.ndarray:
    """Scores [N, A] of codes [N, W], `size` of them at a time."""
    starts = bar(range(0, len(codes), size), "scoring pictures")
    batches = (_on_rows(codes[start : start + size], generator) for start in starts)
    return np.concatenate([judge(ws) for ws in batches])


def _slopes(bundle: Bundle, samples: Samples, *, options: FitOptions, bar: Bar) -> Slopes:
    """How pictures and attributes follow the first codes."""
    network = bundle.network("generator")
    return measure_slopes(
        network,
        bundle.network("features"),
        _on_rows(samples.codes[:SLOPE_CODES], network.module),
        names=samples.names,
        key=jax.random.key(options.seed),
        batch_size=options.batch_size,
        bar=bar,
    )


def _fit(bundle: Bundle, samples: Samples, *, options: FitOptions, bar: Bar) -> list[Fitted]:
    """The directions of the chosen method."""
    network = bundle.network("generator")
    generator: Any = network.module
    rows = options.choose_rows(generator.num_ws)
    moved: Any = {"rows": rows, "num_ws": generator.num_ws}
    match options.method:
        case "least-change":
            slopes = _slopes(bundle, samples, options=options, bar=bar)
            return least_change_directions(slopes, samples, preserve=options.preserve)
        case "ganspace":
            parts = principal_components(samples.codes, options.components)
            return ganspace_directions(parts, samples, rows=rows)
        case "sefa":
            driven = [layer for layer in generator.layers if layer.row in rows]
            layers = [layer for layer in driven if layer.kind == "conv"]
            vectors = factorise(affine_kernels(network.variables, layers), options.components)
            return sefa_directions(vectors, samples, **moved)
        case "regression":
            fit, name = fit_regression, "regression"
        case "interfacegan":
            fit, name = partial(fit_boundary, share=options.share), "InterFaceGAN"
    columns = zip(samples.names, samples.scores.T, strict=True)
    fits = {attribute: fit(samples.codes, column) for attribute, column in columns}
    return attribute_directions(fits, samples, preserve=options.preserve, method=name, **moved)


def _measure(
    fitted: Fitted, samples: Samples, *, generator: Any, judge: Score, reach: float, bar: Bar
) -> Fitted:
    """The direction with its measured range."""
    steps = round(reach / CURVE_STEP)
    strengths = CURVE_STEP * np.arange(-steps, steps + 1)
    operands = operands_for(fitted.direction, fitted.arrays, **generator.code_sizes)
    ws = jnp.asarray(_on_rows(samples.codes[:CURVE_CODES], generator))
    tried = bar(strengths.tolist(), f"range of {fitted.direction.name}")
    return with_range(fitted, samples, strengths, measure_curve(judge, ws, operands, tried))


def fit_directions(
    bundle: Bundle,
    options: FitOptions | None = None,
    *,
    codes: np.ndarray | None = None,
    scores: np.ndarray | None = None,
    bar: Bar = unseen,
) -> list[Fitted]:
    """Fits directions, and measures at which strengths they hold.

    A unit of strength is one standard deviation of the codes. A range ends where the attribute no
    longer rises, or where the mean picture leaves 96 percent of the samples.

    Args:
        bundle: Holds "generator", and "features" where pictures are to be scored.
        options: What is fitted, and how; None for the defaults.
        codes: float32 [N, W], to fit on; None draws them.
        scores: float32 [N, A] of the codes' pictures, a column per attribute of the options; then
            ranges are not measured. None for those of "features", if the bundle holds it.
        bar: Sees batches and strengths pass, such as `progress`.

    Returns:
        Directions with their arrays. The range (0, 0) says that the attribute does not rise.

    Raises:
        OptionError: If options do not go together, or do not fit the generator.
        ShapeError: If codes or scores are of another shape.
        WeightsError: If the bundle lacks a network.
        EditError: If the samples give no direction.
    """
    options = options or FitOptions()
    options.check_given(codes, scores)
    network = bundle.network("generator")
    generator: Any = network.module
    options.choose_rows(generator.num_ws)  # Refuses before the work what it does not have.
    names = options.choose_names(_scored(bundle) if scores is None else options.attributes)
    judge = _judge(bundle, names, options=options) if names and scores is None else None

    codes = draw_codes(network, options) if codes is None else codes
    check_shape("codes", codes.shape, (None, generator.w_dim))
    if judge:
        scores = _score(codes, generator, judge=judge, size=options.batch_size, bar=bar)
    elif scores is None:
        scores = np.zeros((len(codes), 0), np.float32)
    check_shape("scores", scores.shape, (len(codes), len(names)))
    source = f"fitted on {len(codes)} codes of {pathlib.Path(bundle.path).name}"
    samples = Samples(codes, scores, names, source)

    fitted = _fit(bundle, samples, options=options, bar=bar)
    if not judge:
        return fitted
    measure = partial(_measure, generator=generator, judge=judge, reach=options.reach, bar=bar)
    return [measure(entry, samples) for entry in fitted]


def as_bundle(fitted: Sequence[Fitted], sources: tuple[Source, ...] = ()) -> Bundle:
    """Directions as a bundle without networks.

    Args:
        fitted: The directions.
        sources: Files of the generator that they are of.
    """
    arrays = {name: array for entry in fitted for name, array in entry.arrays.items()}
    return Bundle({}, arrays, sources, tuple(entry.direction for entry in fitted))
