"""Says which form is faster, and what the figures say of why: computed from rows, never written.

Two forms differ if their ranges do not overlap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring.limits import PRECISIONS
from benchmarks.measuring.rows import OURS, Row
from sfe_jax.core.markdown import table

TIME, RATE = "ms", "images/s"
"""The figures by which forms are compared: less of the one, more of the other."""

READERS = {"DataLoader, 0 workers": "Grain, 0 threads", "DataLoader, 1 worker": "Grain, 1 thread"}
"""Forms that are compared by rate, and ours of the same kind."""

SAME = 0.05
"""Share by which two times may differ before one is called faster, ranges apart or not."""

START_MS = 0.05
"""Milliseconds below which a call hardly shows the work."""


def number_type(case: str) -> str:
    """Type of the numbers of a case, a part of its name; empty where the name has none."""
    return next((part for part in case.split(", ") if part in PRECISIONS), "")


def short(value: float) -> str:
    """Three digits, more where they stand before the point."""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.1e}"
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(digits, 0)}f}"


@dataclass(frozen=True)
class Contest:
    """Two forms of one case that were measured in one run."""

    ours: Row
    theirs: Row
    figure: str = TIME  # Or `RATE`.

    def over_ours(self, end: str = "") -> float:
        """Their time over our median; `end` is "least " or "most " of their range."""
        theirs, ours = self.theirs.figures[end + self.figure], self.ours.figures[self.figure]
        return theirs / ours if self.figure == TIME else ours / theirs

    @property
    def ratio(self) -> float:
        """Their time over ours: below 1 they are faster."""
        return self.over_ours()

    @property
    def lost(self) -> bool:
        """Whether they are faster beyond the spread."""
        ours, theirs = self.ours.figures, self.theirs.figures
        if self.figure == TIME:
            apart = theirs[f"most {TIME}"] < ours[f"least {TIME}"]
        else:
            apart = theirs[f"least {RATE}"] > ours[f"most {RATE}"]
        return apart and self.ratio < 1 - SAME


def contests(rows: Sequence[Row]) -> list[Contest]:
    """Every other form against ours of the same case."""
    known = {(row.case, row.form): row for row in rows}
    found = []
    for row in rows:
        figure = RATE if row.form in READERS else TIME
        ours = known.get((row.case, READERS.get(row.form, OURS)))
        if ours is None or ours is row:
            continue
        if all(f"most {figure}" in each.figures for each in (ours, row)):
            found.append(Contest(ours, row, figure))
    return found


def _bytes(contest: Contest) -> list[str]:
    """What is to say of the bytes and kernels of ours."""
    ours, theirs = contest.ours.figures, contest.theirs.figures
    if "GB moved" not in ours:
        return []
    if "GB moved" in theirs:
        factor = ours["GB moved"] / max(theirs["GB moved"], 1e-12)
        kernels = f"{ours['kernels']:.0f} kernels against {theirs['kernels']:.0f}"
        return [f"ours moves {factor:.2f} times their bytes", kernels]
    if "GB/s" not in ours:
        return []
    needed = ours["GB/s"] * ours[TIME] / 1e3
    factor = ours["GB moved"] / max(needed, 1e-12)
    kernels = f"its kernels: {ours['kernels']:.0f}"
    return [f"ours moves {factor:.2f} times its inputs and results", kernels]


def reasons(contest: Contest) -> str:
    """What the figures say of why ours is slower."""
    ours, theirs = contest.ours.figures, contest.theirs.figures
    found = _bytes(contest)
    if "% of roof" in ours and "% of roof" in theirs:
        found.append(f"{ours['% of roof']:.0f} % of the roof against {theirs['% of roof']:.0f} %")
    if ours.get(TIME, START_MS) < START_MS:
        found.append("a call this short is mostly its start")
    if alone := contest.ours.note.partition("Alone: ")[2].rstrip("."):
        found.append(f"alone in ours: {alone}")
    return "; ".join(found)


def untimed(rows: Sequence[Row]) -> list[str]:
    """The part of the page that names where our form has no time, and says why."""
    found = [row for row in rows if row.form == OURS and TIME not in row.figures and row.note]
    if not found:
        return []
    cells = [[row.case, row.note] for row in found]
    said = f"In {len(found)} cases ours gave no right result, so that it has no time:"
    return ["", said, "", *table(("case", "why"), cells)]


def losses(rows: Sequence[Row]) -> list[str]:
    """The part of the page that says where another form is faster than ours."""
    held = contests(rows)
    found = sorted((contest for contest in held if contest.lost), key=lambda c: c.ratio)
    heads = ("case", "faster form", "theirs", "ours", "times as fast", "what the figures say")
    cells = [
        [
            c.ours.case,
            c.theirs.form,
            *(f"{short(row.figures[c.figure])} {c.figure}" for row in (c.theirs, c.ours)),
            f"**{1 / c.ratio:.2f}**",
            reasons(c),
        ]
        for c in found
    ]
    said = f"In {len(found)} of {len(held)} comparisons another form is faster than ours: the "
    rule = f"ranges do not overlap, and the medians differ by more than {SAME:.0%}."
    lost = ["", *table(heads, cells)] if found else []
    return ["## Where we lose", "", said + rule, *lost, *untimed(rows)]


def against(rows: Sequence[Row]) -> list[str]:
    """The part of the page that sums up every form against ours, each type of numbers apart."""
    groups: dict[tuple[str, str], list[Contest]] = {}
    for contest in contests(rows):
        key = (contest.theirs.form, number_type(contest.theirs.case))
        groups.setdefault(key, []).append(contest)
    heads = (
        "form",
        "numbers",
        "cases",
        "mean of its time over ours",
        "least",
        "most",
        "cases we lose",
    )
    cells = [
        [
            *key,
            str(len(found)),
            f"**{math.exp(sum(math.log(c.ratio) for c in found) / len(found)):.2f}**",
            f"{min(c.ratio for c in found):.2f}",
            f"{max(c.ratio for c in found):.2f}",
            str(sum(c.lost for c in found)),
        ]
        for key, found in groups.items()
    ]
    said = "Geometric means over the cases that both did; above 1 ours is faster."
    return ["## Ours against every form", "", said, "", *table(heads, cells)] if cells else []
