"""`sfe fit-directions`: editing directions of one's own generator."""

import pathlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sfe_jax.cli.options import Weights, read_array
from sfe_jax.core.choices import Precision
from sfe_jax.core.errors import FileFormatError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from sfe_jax.edits.fitting.directions import Fitted, Samples
    from sfe_jax.edits.fitting.least_change import Slopes
    from sfe_jax.edits.fitting.strengths import Score
    from sfe_jax.pipelines.bundle import Bundle, Network

FitMethod = Literal["regression", "least-change", "interfacegan", "ganspace", "sefa"]

SUPERVISED = {
    "regression": "regression",
    "least-change": "least change",
    "interfacegan": "InterFaceGAN",
}
"""Methods that fit a direction per attribute, and their names in a listing."""

CURVE_CODES = 64
"""Codes whose mean score is a point of a curve."""

CURVE_STEP = 0.5
"""Between the strengths that are tried."""

SLOPE_CODES = 512
"""Codes whose slopes are averaged."""

MAP_BATCH = 1024
"""Codes mapped together; they are small."""


def read_w(path: pathlib.Path, w_dim: int) -> "np.ndarray":
    """Codes [N, W] of a file that holds them, or [N, L, W] with equal rows.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    codes = read_array(path)
    if codes.ndim == 3 and (codes == codes[:, :1]).all():
        codes = codes[:, 0]
    if codes.ndim != 2 or codes.shape[1] != w_dim:
        raise FileFormatError(
            f"{path}: codes have shape {codes.shape}; required is (N, {w_dim}), or (N, L, {w_dim}) "
            "with L equal rows, as `sfe generate` writes them"
        )
    return codes


def read_scores(path: pathlib.Path, count: int, names: tuple[str, ...]) -> "np.ndarray":
    """Scores [N, A] of a file that holds them, or [N].

    Raises:
        FileFormatError: If their number is not that of the codes and names.
    """
    scores = read_array(path)
    scores = scores[:, None] if scores.ndim == 1 else scores
    if scores.shape != (count, len(names)):
        raise FileFormatError(
            f"{path}: scores have shape {scores.shape}; required is ({count}, {len(names)}): a row "
            "per code, and a column per name given with --attribute"
        )
    return scores


def choose_names(
    attribute: tuple[str, ...], preserve: tuple[str, ...], *, scored: tuple[str, ...]
) -> tuple[str, ...]:
    """The attributes that matter: those named, or all that are `scored`.

    Raises:
        OptionError: If one is not scored, or all are to be preserved.
    """
    names = tuple(dict.fromkeys((*(attribute or scored), *preserve)))
    if unknown := [name for name in names if name not in scored]:
        choices = ", ".join(scored) or (
            "none: the bundle holds no network `features`; give --codes and --scores"
        )
        raise OptionError(f"attribute {unknown[0]!r} is not scored; scored are {choices}")
    if names and set(names) == set(preserve):
        raise OptionError(f"--preserve has all of {', '.join(names)}; leave one to fit")
    return names


def choose_rows(rows: tuple[int, int] | None, num_ws: int) -> range:
    """The rows of W+ from the first to the last; all for None.

    Raises:
        OptionError: If the generator does not have them.
    """
    first, last = rows or (0, num_ws - 1)
    if not 0 <= first <= last < num_ws:
        raise OptionError(f"--rows is {first} {last}; this generator has rows 0 to {num_ws - 1}")
    return range(first, last + 1)


def _sample_w(network: "Network", *, count: int, seed: int, class_index: int | None) -> Any:
    """Codes [count, W] of normally distributed z."""
    import numpy as np

    from sfe_jax.latents.sampling import map_to_w, one_hot
    from sfe_jax.pipelines.batching import in_batches

    generator: Any = network.module
    z = np.random.default_rng(seed).standard_normal((count, generator.z_dim), np.float32)
    labels = one_hot(class_index, generator.c_dim, count)
    run = partial(map_to_w, generator, network.variables)
    return np.concatenate(in_batches(run, MAP_BATCH, z, labels))


def _build_judge(
    bundle: "Bundle", names: tuple[str, ...], *, precision: Precision, batch: int
) -> "Score":
    """The generator, and behind it the network that scores attributes; those of `names`."""
    from sfe_jax.evaluation.drawn_faces.moves import attribute_score
    from sfe_jax.pipelines.bundle import Network

    generator, features = bundle.network("generator"), bundle.network("features")
    known: Any = features.module
    columns = [known.attribute_names.index(name) for name in names]
    module = generator.module.clone(precision=precision)
    score = attribute_score(Network(module, generator.variables), features, batch_size=batch)
    return lambda ws: score(ws)[:, columns]


def _slopes(
    bundle: "Bundle", codes: Any, names: tuple[str, ...], *, batch: int, seed: int
) -> "Slopes":
    """How pictures and attributes follow the first codes [N, W]."""
    import jax

    from sfe_jax.evaluation.drawn_faces.slopes import measure_slopes

    generator, features = bundle.network("generator"), bundle.network("features")
    known: Any = features.module
    module: Any = generator.module
    return measure_slopes(
        generator,
        features,
        codes[:SLOPE_CODES, None].repeat(module.num_ws, axis=1),
        columns=[known.attribute_names.index(name) for name in names],
        key=jax.random.key(seed),
        batch_size=batch,
    )


def _score(codes: Any, judge: "Score", *, num_ws: int, batch: int) -> Any:
    """Scores [N, A] of codes [N, W], under a progress bar."""
    import numpy as np

    from sfe_jax.core.console import progress

    starts = range(0, len(codes), batch)
    return np.concatenate(
        [
            judge(codes[start : start + batch, None].repeat(num_ws, axis=1))
            for start in progress(starts, "scoring pictures", total=len(starts))
        ]
    )


def _fit(
    method: str,
    samples: "Samples",
    network: "Network",
    *,
    preserve: tuple[str, ...],
    share: float,
    components: int,
    rows: range,
    slopes: "Callable[[], Slopes]",
) -> "list[Fitted]":
    """The directions of a method."""
    from sfe_jax.edits.fitting import directions as fitting
    from sfe_jax.edits.fitting.attributes import fit_boundary, fit_regression
    from sfe_jax.edits.fitting.ganspace import principal_components
    from sfe_jax.edits.fitting.sefa import affine_kernels, factorise

    generator: Any = network.module
    if method == "least-change":
        return fitting.least_change_directions(slopes(), samples, preserve=preserve)
    if method == "ganspace":
        parts = principal_components(samples.codes, components)
        return fitting.ganspace_directions(parts, samples, rows=rows)
    moved: Any = {"rows": rows, "num_ws": generator.num_ws}
    if method == "sefa":
        layers = [layer for layer in generator.layers if layer.kind == "conv" and layer.row in rows]
        vectors = factorise(affine_kernels(network.variables, layers), components)
        return fitting.sefa_directions(vectors, samples, **moved)
    fit = fit_regression if method == "regression" else partial(fit_boundary, share=share)
    columns = zip(samples.names, samples.scores.T, strict=True)
    fits = {name: fit(samples.codes, column) for name, column in columns}
    return fitting.attribute_directions(
        fits, samples, preserve=preserve, method=SUPERVISED[method], **moved
    )


def _measure(
    fitted: "Fitted", samples: "Samples", generator: Any, judge: "Score", *, reach: float
) -> "Fitted":
    """The direction with its measured range; as it is if no attribute is known."""
    import jax.numpy as jnp
    import numpy as np

    from sfe_jax.cli.console import say
    from sfe_jax.core.console import progress
    from sfe_jax.edits.fitting.directions import with_range
    from sfe_jax.edits.fitting.strengths import measure_curve
    from sfe_jax.edits.prepare import operands_for

    steps = round(reach / CURVE_STEP)
    strengths = CURVE_STEP * np.arange(-steps, steps + 1)
    operands = operands_for(
        fitted.direction,
        fitted.arrays,
        **generator.code_sizes,
    )
    ws = jnp.repeat(jnp.asarray(samples.codes[:CURVE_CODES])[:, None], generator.num_ws, axis=1)
    bar = progress(strengths.tolist(), f"range of {fitted.direction.name}", total=len(strengths))
    measured = with_range(fitted, samples, strengths, measure_curve(judge, ws, operands, bar))
    if measured.direction.low == measured.direction.high:
        say(f"warning: {fitted.direction.name} does not raise {fitted.attribute} at strength 0")
    return measured


def _save(out: pathlib.Path, weights: pathlib.Path, fitted: "list[Fitted]") -> None:
    """Writes the directions as a bundle without networks, and a report beside it."""
    from sfe_jax.cli.report import write_json
    from sfe_jax.edits.records import describe_direction
    from sfe_jax.pipelines.bundle import Bundle, Source, save_bundle
    from sfe_jax.readers import sha256

    arrays = {name: array for entry in fitted for name, array in entry.arrays.items()}
    origin = (Source(weights.name, sha256(weights)),)
    records = tuple(entry.direction for entry in fitted)
    save_bundle(out, Bundle({}, arrays, origin, records))
    report = [{**describe_direction(entry.direction), **entry.facts} for entry in fitted]
    write_json(out.with_suffix(".json"), report)


def fit_directions(
    weights: Weights,
    method: FitMethod = "regression",
    attribute: tuple[str, ...] = (),
    preserve: tuple[str, ...] = (),
    samples: int = 20_000,
    seed: int = 0,
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None,
    codes: pathlib.Path | None = None,
    scores: pathlib.Path | None = None,
    share: float = 0.02,
    components: int = 10,
    rows: tuple[int, int] | None = None,
    reach: float = 8.0,
    out: Annotated[pathlib.Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = pathlib.Path(
        "directions.safetensors"
    ),
    precision: Precision = "float32",
    batch: int = 16,
) -> None:
    """Fits editing directions on a generator, and measures at which strengths they hold.

    Pictures of random codes are scored by the network `features` of the bundle, or by you: score
    the pictures of `sfe generate`, and give its ws.npy as --codes and your scores as --scores.
    A unit of strength is one standard deviation of the codes. A range ends where the attribute no
    longer rises, or where the mean picture leaves 96 percent of the samples; with your own scores
    it is not measured. Writes FILE for `sfe edit --directions FILE`, and a report beside it.

    Example: sfe fit-directions -w faces64.safetensors --attribute smile age -o own.safetensors

    Args:
        weights: Bundle written by `python -m convert_weights`.
        method: regression, least-change and interfacegan give a direction per attribute; ganspace
            and sefa give ganspace0, ganspace1, ... or sefa0, sefa1, ..., each described by its
            attribute. least-change suits what is small in the picture, such as a smile.
        attribute: Names to fit, by default all that are scored; with --scores, of its columns.
        preserve: Attributes that the fitted directions leave alone (regression, interfacegan);
            least-change leaves the other fitted ones alone too.
        samples: Random codes to fit on.
        seed: Of the random codes.
        class_index: Class of a conditional generator, from 0.
        codes: Codes to fit on instead: .npy, .npz or .pt with [N, W], or [N, L, W] of equal rows.
        scores: Scores of the pictures of --codes: [N], or [N, A] for A attributes.
        share: Of the codes, taken as examples on each side (interfacegan).
        components: How many directions (ganspace, sefa).
        rows: First and last row of W+ that move, such as 0 3; by default all.
        reach: Largest strength that is tried.
        out: File to write, ending in .safetensors.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together.

    Raises:
        OptionError: If options do not go together.
    """
    if min(batch, samples) < 1:
        raise OptionError(f"--batch is {batch}, --samples {samples}; required is at least 1")
    if not reach >= CURVE_STEP:
        raise OptionError(f"--reach is {reach}; required is at least {CURVE_STEP}")
    if scores and not codes:
        raise OptionError("--scores is given without --codes; name the codes that were scored")
    if method == "least-change" and (scores or rows):
        raise OptionError(
            "--method least-change follows the network `features`, through all rows; leave out "
            "--scores and --rows, or choose regression"
        )
    if preserve and method not in SUPERVISED:
        raise OptionError(f"--preserve goes with {' and '.join(SUPERVISED)}, not with {method}")
    if out.suffix != ".safetensors":
        raise OptionError(f"--out is {out}; required is a name ending in .safetensors")

    import numpy as np

    from sfe_jax.cli.console import say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.edits.fitting.directions import Samples
    from sfe_jax.pipelines.bundle import load_bundle

    keep_compiled()
    bundle = load_bundle(weights, roles=("generator", "features"))
    network = bundle.network("generator")
    generator: Any = network.module
    moved = choose_rows(rows, generator.num_ws)
    features: Any = bundle.networks.get("features") if scores is None else None
    scored = features.module.attribute_names if features else attribute if scores else ()
    names = choose_names(attribute, preserve, scored=scored)
    if method in SUPERVISED and not names:
        raise OptionError(
            f"--method {method} needs scores: a bundle with a network `features`, or --codes with "
            "--scores and --attribute; ganspace and sefa do without"
        )

    # Samples.
    judge = None
    if codes:
        w = read_w(codes, generator.w_dim)
    else:
        w = _sample_w(network, count=samples, seed=seed, class_index=class_index)
    values = np.zeros((len(w), 0), np.float32)
    if scores:
        values = read_scores(scores, len(w), names)
    elif names:
        judge = _build_judge(bundle, names, precision=precision, batch=batch)
        values = _score(w, judge, num_ws=generator.num_ws, batch=batch)
    taken = Samples(w, values, names, f"fitted on {len(w)} codes of {weights.name}")

    # Directions.
    fitted = _fit(
        method,
        taken,
        network,
        preserve=preserve,
        share=share,
        components=components,
        rows=moved,
        slopes=partial(_slopes, bundle, w, names, batch=batch, seed=seed),
    )
    if judge:
        fitted = [_measure(entry, taken, generator, judge, reach=reach) for entry in fitted]
    _save(out, weights, fitted)
    for entry in fitted:
        direction = entry.direction
        say(f"{direction.name}: {direction.positive or 'unknown'}, range {direction.range}")
    say(f"wrote {out} and {out.with_suffix('.json')}")
