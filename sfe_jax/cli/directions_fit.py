"""`sfe fit-directions`: editing directions of one's own generator."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import tyro

from sfe_jax.cli.options import Weights, read_array
from sfe_jax.core.choices import Precision
from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.edits.fitting.options import FitMethod, FitOptions

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.fitting.directions import Fitted


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


def _save(out: pathlib.Path, weights: pathlib.Path, fitted: "list[Fitted]") -> None:
    """Writes the directions as a bundle without networks, and a report beside it; says which."""
    from sfe_jax.cli.console import say
    from sfe_jax.cli.report import write_json
    from sfe_jax.edits.records import describe_direction
    from sfe_jax.pipelines.bundle import Source, save_bundle
    from sfe_jax.pipelines.directions import as_bundle
    from sfe_jax.readers import sha256

    directions = as_bundle(fitted, (Source(weights.name, sha256(weights)),))
    save_bundle(out, directions)
    report = [{**describe_direction(entry.direction), **entry.facts} for entry in fitted]
    write_json(out.with_suffix(".json"), report)
    for direction in directions.records:
        say(f"{direction.name}: {direction.positive or 'unknown'}, range {direction.range}")
    say(f"wrote {out} and {out.with_suffix('.json')}")


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
    options = FitOptions(
        method=method,
        attributes=attribute,
        preserve=preserve,
        samples=samples,
        seed=seed,
        class_index=class_index,
        share=share,
        components=components,
        moved_rows=rows,
        reach=reach,
        precision=precision,
        batch_size=batch,
    )
    options.check_given(codes, scores)
    if out.suffix != ".safetensors":
        raise OptionError(f"--out is {out}; required is a name ending in .safetensors")

    from sfe_jax.cli.console import say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.core.console import progress
    from sfe_jax.pipelines import directions
    from sfe_jax.pipelines.bundle import load_bundle

    keep_compiled()
    bundle = load_bundle(weights, roles=("generator", "features"))
    own: dict[str, np.ndarray] = {}
    if codes:
        own["codes"] = read_w(codes, bundle.network("generator").module.w_dim)  # pyright: ignore
    if scores:
        own["scores"] = read_scores(scores, len(own["codes"]), options.choose_names(attribute))
    fitted = directions.fit_directions(bundle, options, **own, bar=progress)
    for entry in fitted:
        if entry.direction.low == entry.direction.high == 0:
            name = entry.direction.name
            say(f"warning: {name} does not raise {entry.attribute} at strength 0")
    _save(out, weights, fitted)
