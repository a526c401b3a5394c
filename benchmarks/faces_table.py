"""What trained networks do with procedural faces that they have not seen: the table of the README.

Inverts and edits faces of both splits by every method that the bundle can, compares them with the
truth, and writes tables in Markdown and all figures in JSON beside them. How, says
`sfe_jax.evaluation.drawn_faces.table`.

Example: python -m benchmarks.faces_table --count 1000 -o benchmarks/FACES.md
"""

import argparse
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measuring.pages import page_path, print_page, provenance, write_page
from sfe_jax.core.cache import keep_compiled
from sfe_jax.core.markdown import table
from sfe_jax.evaluation.drawn_faces.comparing import Figure
from sfe_jax.evaluation.drawn_faces.table import (
    CASES,
    EditCase,
    EditResult,
    FacesOptions,
    FacesResults,
    InversionResult,
    evaluate_faces,
)
from sfe_jax.evaluation.measuring import TITLES as METHODS
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.weights import faces64

TITLES = {**METHODS, "unedited": "(not edited)", "truth": "(the true edit)"}
"""Names of methods, as a reader knows them."""

LEAST_RATIO = 5.0
"""How many times SFE's L2 should be below e4e's."""

LEAST_SHARE = 0.9
"""How much SFE should change an attribute, of what e4e does and of what the true edit does."""


@dataclass(frozen=True)
class Summary:
    """A method's edits on one split: means over edits."""

    l2: float  # To the true edit.
    change_l2: float  # Of the change to the true change.
    feature_distance: float  # To the true edit.
    change: float  # Of the edited attribute, in units of its range.
    share: float | None  # Of e4e's change; None without e4e.
    least_share: float | None  # Of all edits.
    of_truth: float | None  # Of the change that is read from the true edit.
    leak: float  # Mean absolute change of the other attributes, in units of their ranges.


def inversion_of(results: FacesResults, split: str, method: str) -> InversionResult | None:
    """The inversions of a method; None if it was not measured."""
    found = [row for row in results.inversions if (row.split, row.method) == (split, method)]
    return found[0] if found else None


def edits_of(results: FacesResults, split: str, method: str) -> list[EditResult]:
    """The edits of a method in the order of the cases; [] if it was not measured."""
    return [row for row in results.edits if (row.split, row.method) == (split, method)]


def share_of(results: FacesResults, row: EditResult, method: str) -> float | None:
    """A change of an attribute over that of another method; None if that was not measured."""
    for other in edits_of(results, row.split, method):
        if other.edit == row.edit:
            return row.change.mean / other.change.mean
    return None


def shares_of(results: FacesResults, rows: Sequence[EditResult], method: str) -> list[float]:
    """The changes of rows over those of another method; [] if that was not measured."""
    return [share for row in rows if (share := share_of(results, row, method)) is not None]


def summarise(results: FacesResults, split: str, method: str) -> Summary | None:
    """Means over edits; None if the method was not measured."""
    rows = edits_of(results, split, method)
    if not rows:
        return None
    shares, of_truth = (shares_of(results, rows, name) for name in ("e4e", "truth"))
    return Summary(
        l2=float(np.mean([row.l2.mean for row in rows])),
        change_l2=float(np.mean([row.change_l2.mean for row in rows])),
        feature_distance=float(np.mean([row.feature_distance.mean for row in rows])),
        change=float(np.mean([row.change.mean for row in rows])),
        share=float(np.mean(shares)) if shares else None,
        least_share=min(shares) if shares else None,
        of_truth=float(np.mean(of_truth)) if of_truth else None,
        leak=float(np.mean([row.leak for row in rows])),
    )


# Claims.


@dataclass(frozen=True)
class Claim:
    """Something that the method should show, and what was measured."""

    claim: str  # What should hold.
    found: str  # What was measured.
    met: bool


def claims(results: FacesResults, split: str) -> list[Claim]:
    """What should hold on one split; [] if SFE, its first phase or e4e was not measured.

    Source: SFE (arXiv:2406.10601), section 4.2, which claims them of photographs.
    """
    sfe, e4e = (inversion_of(results, split, name) for name in ("sfe", "e4e"))
    edited, phase1 = (summarise(results, split, name) for name in ("sfe", "inverter"))
    if not (sfe and e4e and edited and phase1) or edited.share is None or edited.of_truth is None:
        return []
    ratio = e4e.l2.mean / sfe.l2.mean
    nearer = (edited.l2 < phase1.l2, edited.feature_distance < phase1.feature_distance)
    return [
        Claim(
            f"SFE's inversion has an L2 at least {LEAST_RATIO:g} times below e4e's",
            f"{ratio:.1f} times ({sfe.l2.mean:.4f} against {e4e.l2.mean:.4f})",
            ratio >= LEAST_RATIO,
        ),
        Claim(
            f"SFE changes the edited attribute at least {LEAST_SHARE:.0%} as much as e4e",
            f"{edited.share:.0%} on average over edits, {edited.least_share:.0%} at least",
            edited.share >= LEAST_SHARE,
        ),
        Claim(
            f"SFE changes it at least {LEAST_SHARE:.0%} as much as the true edit does",
            f"{edited.of_truth:.0%} on average over edits, by the same reading",
            edited.of_truth >= LEAST_SHARE,
        ),
        Claim(
            "SFE's edits are nearer to the truth than those of its first phase",
            f"L2 {edited.l2:.4f} against {phase1.l2:.4f}, feature distance "
            f"{edited.feature_distance:.4f} against {phase1.feature_distance:.4f}",
            all(nearer),
        ),
    ]


# Markdown.


def show(figure: Figure, digits: int = 4) -> str:
    """A mean and its standard error."""
    return f"{figure.mean:z.{digits}f} ± {figure.error:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as a whole percentage; a dash for none."""
    return "-" if share is None else f"{round(100 * share)}%"


def claim_lines(results: FacesResults) -> list[str]:
    """The claims on every split as a table, or why there is none."""
    rows = [
        [split, claim.claim, claim.found, "yes" if claim.met else "**no**"]
        for split in results.options.splits
        for claim in claims(results, split)
    ]
    if not rows:
        return ["Not measured: the claims need SFE, its first phase and e4e in one bundle."]
    return table(("faces", "claim", "measured", "met"), rows)


def inversion_lines(results: FacesResults) -> list[str]:
    """Inversions, split by split."""
    heads = ("faces", "method", "L2", "MS-SSIM", "feature distance", "identity")
    rows = [
        [
            row.split,
            TITLES[row.method],
            *(show(row.l2), show(row.ms_ssim, 3)),
            *(show(row.feature_distance), show(row.identity, 3)),
        ]
        for row in results.inversions
    ]
    return table(heads, rows)


def summary_lines(results: FacesResults) -> list[str]:
    """Means over edits, split by split."""
    heads = ("faces", "method", "L2", "feature distance", "L2 of the change")
    heads = (*heads, "attribute", "of e4e's", "others")
    rows = []
    for split in results.options.splits:
        for method, title in TITLES.items():
            if row := summarise(results, split, method):
                errors = (row.l2, row.feature_distance, row.change_l2)
                changes = (f"{row.change:z.3f}", percent(row.share), f"{row.leak:.3f}")
                rows.append([split, title, *(f"{error:.4f}" for error in errors), *changes])
    return table(heads, rows)


def edit_lines(results: FacesResults, split: str) -> list[str]:
    """Every edit of a split."""
    heads = ("edit", "method", "n", "L2", "feature distance", "L2 of the change")
    heads = (*heads, "attribute", "asked", "of e4e's", "others")
    rows = []
    for row in (row for row in results.edits if row.split == split):
        errors = map(show, (row.l2, row.feature_distance, row.change_l2))
        changes = (show(row.change, 3), f"{row.asked:.3f}", percent(share_of(results, row, "e4e")))
        who = (row.edit, TITLES[row.method], str(row.count))
        rows.append([*who, *errors, *changes, f"{row.leak:.3f}"])
    return table(heads, rows)


def move_lines(results: FacesResults) -> list[str]:
    """The strengths, and what they do to the generator's own faces."""
    rows = [[move.edit, f"{move.strength:+.2f}", f"{move.change:+.3f}"] for move in results.moves]
    return table(("edit", "strength", "change of the generator's own faces"), rows)


def report(results: FacesResults, origin: dict[str, str]) -> str:
    """The page in Markdown."""
    options = results.options
    versions = ", ".join(f"{name} {origin[name]}" for name in ("python", "jax", "flax", "numpy"))
    lines = [
        "# What the networks do with faces they have not seen",
        "",
        f"{options.count} procedural faces of each split, seed {options.seed}; written by "
        "`python -m benchmarks.faces_table`; `sfe_jax.evaluation.drawn_faces.table` says how.",
        f"Weights: `{origin['weights']}`, SHA-256 `{origin['sha256']}`. "
        f"{origin['device']}, float32, {versions}; {results.seconds / 60:.1f} minutes.",
        "± is the standard error of the mean.",
        "",
        "## Claims",
        "",
        *claim_lines(results),
        "",
        "## Inversion",
        "",
        "L2 is the mean squared error in [-1, 1]; MS-SSIM has as many scales as fit, three at 64 "
        "pixels; feature distance and identity are those of the network `features`.",
        "",
        *inversion_lines(results),
        "",
        "## Edits",
        "",
        "Means over edits. L2 and feature distance are to the true edit, and hold the error of the "
        "inversion; L2 of the change is that of the edited minus the inverted picture to the true "
        "edit minus the face. The attribute's change towards the side asked for, and the mean "
        "absolute change of all others, are in units of their ranges, read by `features` from the "
        "edited face against the method's own inversion. Who does nothing has the row "
        "`(not edited)`.",
        "",
        *summary_lines(results),
        "",
        "## Strengths",
        "",
        f"Found on {options.samples} faces of the generator, those that have room to move.",
        "",
        *move_lines(results),
    ]
    for split in options.splits:
        lines += ["", f"## Each edit, {split} faces", "", *edit_lines(results, split)]
    return "\n".join(lines) + "\n"


def choose_cases(names: Sequence[str]) -> tuple[EditCase, ...]:
    """The cases of `CASES` of these names; another attribute moves by a quarter, up and down."""
    known = {case.name: case for case in CASES}
    return tuple(known.get(name, EditCase(name)) for name in names)


def parse() -> argparse.Namespace:
    """The command line."""
    defaults = FacesOptions()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces_table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", type=pathlib.Path, help="bundle; by default the one of the package")
    add("--count", type=int, default=defaults.count, help="faces of each split")
    add("--seed", type=int, default=defaults.seed, help="of the faces; not 0 or 1, training's")
    add("--samples", type=int, default=defaults.samples, help="own faces, to find strengths on")
    add("--batch", type=int, default=defaults.batch_size, help="pictures computed together")
    add("--edits", nargs="+", default=[case.name for case in CASES], help="attributes to edit")
    add("--methods", nargs="+", default=[], help="by default all that the bundle can")
    add("-o", "--out", type=page_path, default=pathlib.Path("benchmarks/FACES.md"))
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> str:
    """Measures, writes both files, and gives the page.

    Raises:
        SfeError: If the bundle or an option cannot be used.
    """
    options = FacesOptions(
        count=arguments.count,
        seed=arguments.seed,
        samples=arguments.samples,
        batch_size=arguments.batch,
        methods=tuple(arguments.methods),
        cases=choose_cases(arguments.edits),
    )
    weights = arguments.weights or faces64()
    results = evaluate_faces(load_bundle(weights), options)
    origin = provenance(weights)
    page = report(results, origin)
    found = {split: claims(results, split) for split in options.splits}
    content = {"provenance": origin, "claims": found, **vars(results)}
    write_page(arguments.out, page, content)
    return page


def main() -> None:
    """Runs the measurements and prints the page."""
    keep_compiled()
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
