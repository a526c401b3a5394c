"""What commands that draw with a generator share: their options, and where codes come from."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from sfe_jax.cli.options import Domain, OptionalWeights, catalogue, read_directions
from sfe_jax.core.choices import Precision
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.operands import Operands
    from sfe_jax.pipelines.generation import Synthesizer


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How codes are truncated, and pictures drawn."""

    weights: OptionalWeights = None
    """Bundle with a generator of any StyleGAN; by default that of the package, of drawn faces."""
    psi: float = 1.0
    """Truncation: 1 for none, 0 gives the centre, above 1 exaggerates."""
    cutoff: int | None = None
    """Only the first rows of W+ are truncated; by default all."""
    center: str = "average"
    """What codes are truncated about: average; class, the mean of the class; clusters:32, the
    nearest of 32 centres; or seeds and files of codes, the nearest of them."""
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None
    """Class of a conditional generator, from 0."""
    noise_mode: Literal["const", "random", "none"] = "const"
    """Stored noise, fresh noise of each seed, or none."""
    precision: Precision = "float32"
    """What is computed with: float32 equals the original; bfloat16 is faster on accelerators."""
    batch: int = 4
    """Pictures computed together."""


DEFAULTS = Drawing()
"""What is drawn with where nothing else is asked for."""

Drawn = Annotated[Drawing, tyro.conf.arg(name="")]
"""A `Drawing` whose options stand among the command's own."""

OutFile = Annotated[pathlib.Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
"""The one file that a command writes."""

Strengths = Annotated[str, tyro.conf.arg(metavar="NAME=STRENGTH[,...]")]
"""An edit and strengths of it, as `sfe edit` takes them."""

Side = Annotated[int, tyro.conf.arg(metavar="PIXELS")]
"""Pixels a side of pictures among others, about: see `core.sheets.fit`."""


class Codes(NamedTuple):
    """Codes and where they come from."""

    ws: "np.ndarray"  # [N, L, W].
    names: list[str]  # N, for files and captions: "seed0007", or the file's stem and a number.
    seeds: list[int]  # N, of random noise: the seed, or the number in its file.


def rounded(value: float) -> float:
    """A number to six decimals: of evenly spaced ones, the middle may be 6e-17 instead of 0."""
    return round(value, 6) + 0.0  # Makes 0 of -0.


class Edit(NamedTuple):
    """An edit, and how strong it is to be."""

    name: str
    strengths: tuple[float, ...]
    operands: "Operands"

    @property
    def labels(self) -> list[str]:
        """Captions of the strengths."""
        name = self.name.replace("_", " ")
        return [f"{name} {rounded(strength):+.3g}" for strength in self.strengths]


Center = Literal["average", "class"] | int | list[int | pathlib.Path]
"""What codes are truncated about: a mean, a number of clusters, or seeds and files."""


def parse_center(text: str) -> Center:
    """The centre that `--center` names.

    Raises:
        OptionError: If it names none.
    """
    from sfe_jax.latents.parsing import parse_sources

    if text in ("average", "class"):
        return text
    if match := re.fullmatch(r"clusters:(\d{1,5})", text):
        return int(match[1])
    try:
        return parse_sources(text, option="--center")
    except OptionError as error:
        known = "average, class, clusters:32, seeds or files of codes"
        raise OptionError(f"--center is {text!r}; required is one of {known}") from error


def check_side(side: int) -> None:
    """Raises unless pictures of `side` pixels can be seen.

    Raises:
        OptionError: If they are smaller than `MIN_SIDE`.
    """
    from sfe_jax.core.images import MIN_SIDE

    if side < MIN_SIDE:
        raise OptionError(f"--side is {side}; required are at least {MIN_SIDE} pixels")


def _check(drawing: Drawing) -> None:
    """Raises if an option cannot be used, before anything heavy is imported."""
    if drawing.batch < 1:
        raise OptionError(f"--batch is {drawing.batch}; required is at least 1")
    if not math.isfinite(drawing.psi):
        raise OptionError(f"--psi is {drawing.psi}; required is a number, such as 0.7")
    if drawing.cutoff is not None and drawing.cutoff < 0:
        raise OptionError(f"--cutoff is {drawing.cutoff}; required is a number of rows, such as 8")
    parse_center(drawing.center)


def open_synthesizer(drawing: Drawing) -> "Synthesizer":
    """The generator that the options name, with the compilation cache on.

    Raises:
        OptionError: If an option cannot be used.
        SfeError: If the bundle cannot be used, or is that of the package and not there.
    """
    _check(drawing)

    from sfe_jax.cli.console import announce_compilation
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.generation import Synthesizer
    from sfe_jax.weights import faces64

    keep_compiled()
    synthesizer = Synthesizer(
        load_bundle(drawing.weights or faces64(), roles=("generator",)),
        class_index=drawing.class_index,
        noise_mode=drawing.noise_mode,
        precision=drawing.precision,
        batch_size=drawing.batch,
    )
    announce_compilation()
    return synthesizer


def read_sources(synthesizer: "Synthesizer", sources: Sequence[int | pathlib.Path]) -> Codes:
    """Codes of seeds and files, in their order, not truncated.

    Raises:
        SfeError: If a file does not hold codes of this generator, or it needs a class.
    """
    import numpy as np

    from sfe_jax.latents.files import read_codes

    generator = synthesizer.generator
    numbers = [source for source in sources if isinstance(source, int)]
    drawn = iter(synthesizer.codes_of_seeds(numbers)) if numbers else iter(())
    parts: list[np.ndarray] = []
    names: list[str] = []
    seeds: list[int] = []
    for source in sources:
        if isinstance(source, int):
            parts.append(next(drawn)[None])
            names.append(f"seed{source:04d}")
            seeds.append(source)
        else:
            parts.append(read_codes(source, num_ws=generator.num_ws, w_dim=generator.w_dim))
            names += [f"{source.stem}{index:04d}" for index in range(len(parts[-1]))]
            seeds += range(len(parts[-1]))
    return Codes(np.concatenate(parts), names, seeds)


def truncate(synthesizer: "Synthesizer", drawing: Drawing, ws: "np.ndarray") -> "np.ndarray":
    """Codes [N, L, W], truncated as the options say.

    Raises:
        SfeError: If a centre is not one of this generator, or it has fewer rows than the cutoff.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.latents.truncation import nearest_centers, truncate_about

    rows = synthesizer.generator.num_ws
    if drawing.cutoff is not None and drawing.cutoff > rows:
        raise OptionError(f"--cutoff is {drawing.cutoff}; this generator has {rows} rows")
    if drawing.psi == 1:
        return ws
    match parse_center(drawing.center):
        case "average":
            if not synthesizer.is_tracked:
                say(f"{synthesizer.bundle.path}: has no average code; it is estimated from samples")
            centers = synthesizer.average()
        case "class":
            centers = synthesizer.class_average()
        case int(count):
            centers = nearest_centers(ws, synthesizer.clusters(count))
        case sources:
            centers = nearest_centers(ws, read_sources(synthesizer, sources).ws)
    return truncate_about(ws, centers, psi=drawing.psi, cutoff=drawing.cutoff)


def codes_of(synthesizer: "Synthesizer", drawing: Drawing, text: str, *, option: str) -> Codes:
    """Codes of what the user typed, such as 0-3,faces.npy, truncated as the options say.

    Raises:
        SfeError: If the text, a file or a centre cannot be used.
    """
    from sfe_jax.latents.parsing import parse_sources

    codes = read_sources(synthesizer, parse_sources(text, option=option))
    return codes._replace(ws=truncate(synthesizer, drawing, codes.ws))


def one_code(synthesizer: "Synthesizer", drawing: Drawing, text: str, *, option: str) -> Codes:
    """As `codes_of`, of a text that names a single code.

    Raises:
        SfeError: As `codes_of`, or if there are several codes.
    """
    codes = codes_of(synthesizer, drawing, text, option=option)
    if len(codes.ws) != 1:
        raise OptionError(f"{option} is {text!r}, which are {len(codes.ws)} codes; give one")
    return codes


def open_edit(
    synthesizer: "Synthesizer",
    text: str,
    *,
    directions: pathlib.Path | None,
    domain: Domain,
) -> "Edit":
    """The edit that the user typed, such as smile=-3:3:5.

    Of directions of the same name, one in `directions` comes before one in the bundle, and that
    before the published one.

    Raises:
        SfeError: If it is unknown, its array is missing, or it does not fit.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.edits.catalogue import find
    from sfe_jax.edits.direction import strength_warning
    from sfe_jax.edits.parsing import parse_edit

    bundle = synthesizer.bundle
    records, arrays = read_directions(directions, domain) if directions else ((), {})
    known = {each.name: each for each in (*catalogue(domain), *bundle.records, *records)}
    name, strengths = parse_edit(text)
    direction = find(name, tuple(known.values()))
    for warning in filter(None, (strength_warning(direction, s) for s in strengths)):
        say(f"warning: {warning}")
    operands = synthesizer.operands(direction, {**bundle.directions, **arrays})
    return Edit(name, strengths, operands)


def draw(synthesizer: "Synthesizer", ws: "np.ndarray", **options: Any) -> "Iterator[np.ndarray]":
    """Pictures of codes, as `Synthesizer.pictures` gives them, under a progress bar."""
    from sfe_jax.core.console import progress

    return progress(synthesizer.pictures(ws, **options), "drawing", total=len(ws))


def draw_table(
    synthesizer: "Synthesizer", ws: "np.ndarray", *, seeds: "np.ndarray"
) -> "list[list[np.ndarray]]":
    """Pictures of codes [R, C, L, W] in R rows of C.

    Args:
        synthesizer: Draws them.
        ws: The codes.
        seeds: Of random noise, [R, C] or what broadcasts with it.
    """
    import numpy as np

    rows, columns = ws.shape[:2]
    noise = np.broadcast_to(seeds, (rows, columns)).ravel().tolist()
    pictures = list(draw(synthesizer, ws.reshape(-1, *ws.shape[2:]), seeds=noise))
    return [pictures[row * columns : (row + 1) * columns] for row in range(rows)]
