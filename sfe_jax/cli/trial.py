"""`sfe trial`: the whole path on faces that the bundled networks have not seen."""

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sfe_jax.cli.options import OptionalWeights, Out
from sfe_jax.core.errors import OptionError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.direction import Direction
    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.methods import Inversion

EDITS = ("smile", "glasses", "age", "hair_colour", "yaw")
"""The edits that are shown, of those that the bundle holds."""

SHARES = (-1.0, -0.5, 0.5, 1.0)
"""Strengths, as shares of the end of the measured range on their side."""

SEED = 1000
"""Of the faces; training draws from seeds 0 and 1."""


class Edit(NamedTuple):
    """An edit of N faces at S strengths."""

    name: str
    strengths: list[float]
    pictures: "np.ndarray"  # uint8 [N, S, R, R, 3].

    @property
    def labels(self) -> list[str]:
        """Captions of the S strengths."""
        name = self.name.replace("_", " ")
        return [f"{name} {strength:+.1f}" for strength in self.strengths]


def choose_strengths(direction: "Direction") -> list[float]:
    """Strengths within the range of a direction, falling to rising; [] if none is known."""
    ends = [(direction.high if share > 0 else direction.low) or 0.0 for share in SHARES]
    return [end * abs(share) for end, share in zip(ends, SHARES, strict=True) if end * share > 0]


def _draw(count: int, resolution: int) -> "np.ndarray":
    """Unseen faces with details, uint8 [N, R, R, 3]."""
    import jax
    import numpy as np

    from sfe_jax.core.images import to_uint8
    from sfe_jax.data.faces import render_faces, sample_faces

    faces = sample_faces(jax.random.key(SEED), count, split="detailed")
    drawn = jax.jit(render_faces, static_argnums=1)(faces, resolution)
    return to_uint8(np.asarray(drawn), offset=128.0)


def _edits(editor: "Editor", inversion: "Inversion") -> Iterator[Edit]:
    """Every edit of `EDITS` that the bundle can, under a progress bar."""
    from sfe_jax.cli.console import say
    from sfe_jax.core.console import progress

    known = {direction.name: direction for direction in editor.bundle.records}
    found = {name: choose_strengths(known[name]) if name in known else [] for name in EDITS}
    chosen = {name: strengths for name, strengths in found.items() if strengths}
    if missing := ", ".join(sorted(found.keys() - chosen.keys())):
        say(f"not shown: {missing}, for which the bundle has no direction with a measured range")
    for name in progress(chosen, "editing", total=len(chosen)):
        yield Edit(name, chosen[name], editor.edit(inversion, name, chosen[name]))


def _show(
    editor: "Editor", inversion: "Inversion", pictures: "np.ndarray"
) -> "tuple[np.ndarray, list[float]]":
    """Inversions as pictures, uint8 [N, R, R, 3], and their L2."""
    from sfe_jax.pipelines.scores import score_pictures

    inverted = editor.reconstruct(inversion)
    scores = score_pictures(editor.bundle, pictures, inverted)
    return inverted, [score["l2"] for score in scores]


def _trained(weights: pathlib.Path, out: pathlib.Path, count: int) -> None:
    """Inverts and edits unseen faces with trained networks, and writes pictures of them."""
    import numpy as np

    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import enlarge, grid, stack_strips, strip
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.editor import Editor

    keep_compiled()
    bundle = load_bundle(weights)
    sfe, e4e = (Editor(bundle, method=name, batch_size=count) for name in ("sfe", "e4e"))
    say(f"{weights}: {count} drawn faces that it has not seen, {sfe.resolution}x{sfe.resolution}")
    announce_compilation()

    # Pictures.
    pictures = _draw(count, sfe.resolution)
    inversion = sfe.invert(pictures)
    by_sfe, errors = _show(sfe, inversion, pictures)
    by_e4e, errors_e4e = _show(e4e, e4e.invert(pictures), pictures)
    edits = list(_edits(sfe, inversion))

    # Sheets.
    overview = []
    for index, original in enumerate(pictures):
        first = [enlarge(image) for image in (original, by_sfe[index], by_e4e[index])]
        labels = ["original", f"SFE, L2 {errors[index]:.4f}", f"e4e, L2 {errors_e4e[index]:.4f}"]
        rows = [strip(first, labels)]
        rows += [strip([*map(enlarge, edit.pictures[index])], edit.labels) for edit in edits]
        save_image(out / f"face{index}.png", stack_strips(rows))
        overview.append([*first, *(enlarge(edit.pictures[index, -1]) for edit in edits)])
        say(f"face {index}: L2 {errors[index]:.4f} by SFE, {errors_e4e[index]:.4f} by e4e")
    heads = ["original", "SFE", "e4e", *(edit.labels[-1] for edit in edits)]
    save_image(out / "faces.png", grid(overview, column_labels=heads))
    say(
        f"mean L2 {np.mean(errors):.4f} by SFE, {np.mean(errors_e4e):.4f} by e4e; all faces are in "
        f"{out / 'faces.png'}, each with its edits in {out / 'face0.png'} and so on"
    )


def _random(out: pathlib.Path) -> None:
    """Inversion and editing with small random networks."""
    from sfe_jax.cli.console import say
    from sfe_jax.cli.drawing import Drawing
    from sfe_jax.cli.edit import edit
    from sfe_jax.cli.generate import generate
    from sfe_jax.pipelines.bundle import save_bundle
    from sfe_jax.pipelines.random_bundle import random_bundle, small_modules

    say("These are small RANDOM networks, not trained ones: expect coloured noise, not faces.")
    weights = out / "random.safetensors"
    save_bundle(weights, random_bundle(small_modules(), seed=0))
    generate(seeds="0-3", out=out / "generated", drawing=Drawing(weights))
    pictures = tuple(out / "generated" / f"seed{seed:04d}.png" for seed in range(4))
    edit(pictures, weights, edit=("smile=-4,0,4", "age=-4,0,4"), out=out / "edited", batch=3)
    say(f"Pictures of RANDOM networks are in {out / 'edited'}: one folder each, with strips.")


def trial(
    out: Out = pathlib.Path("out/trial"),
    weights: OptionalWeights = None,
    faces: int = 6,
    random: bool = False,
) -> None:
    """Inverts and edits drawn faces with the bundled networks; no files are needed.

    The faces are drawn by a program and have details that generators lose: freckles, face paint,
    hats, earrings. Writes a picture per face, with the inversions of SFE and of e4e and SFE's edits
    within their measured ranges, and faces.png with all of them.

    Example: sfe trial -o out/trial

    Args:
        out: Folder for the results; it is made.
        weights: Bundle to use instead of that of the package.
        faces: How many faces.
        random: Run small random networks instead, which show coloured noise: it proves that the
            installation works, and needs no weights.
    """
    if faces < 1:
        raise OptionError(f"--faces is {faces}; required is at least 1")
    if random:
        return _random(out)

    from sfe_jax.weights import faces64

    try:
        found = weights or faces64()
    except WeightsError as error:
        raise WeightsError(f"{error}, or try random networks with --random") from error
    return _trained(found, out, faces)
