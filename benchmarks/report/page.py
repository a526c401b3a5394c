"""The report: JSON, a page in Markdown, and what differs between two reports."""

import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.measuring.rows import Row, Section
from benchmarks.report.verdicts import SAME, TIME, against, losses, short
from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.json_files import parse_json
from sfe_jax.core.markdown import table

ENDS = ("least ", "most ")
"""Before the name of a figure: those that hold its range."""

PEAK = "most memory in use"
"""Of a run's surroundings: what the device says."""

DERIVED = {"GFLOP/s", "GB/s", "% of roof", "error", "times ours"}
"""Figures that follow from others, or are noise."""

NOISE = {"compile s": 0.5}
"""Share by which a figure without a range may change unnoticed, where it is not `STILL`."""

STILL = 0.01
"""That share for figures that depend on the program alone."""


@dataclass(frozen=True)
class Measured:
    """A section, and what its figures depend on."""

    section: Section
    where: Mapping[str, Any]  # Device, versions, options.


Report = dict[str, Measured]
"""Sections by the name under which they are asked for."""


# JSON.


def to_json(report: Report) -> str:
    """A report as text."""
    content = {
        name: {"where": dict(each.where), **asdict(each.section)} for name, each in report.items()
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _are_figures(figures: Mapping[str, Any]) -> bool:
    """Whether all are numbers, and every range has both its ends."""
    least, most = (
        {name.removeprefix(end) for name in figures if name.startswith(end)} for end in ENDS
    )
    largest = sys.float_info.max
    return least == most and all(
        type(value) in (int, float) and abs(value) <= largest for value in figures.values()
    )


def _row(described: object) -> Row:
    """A row out of JSON."""
    match described:
        case {
            "case": str(case),
            "form": str(form),
            "figures": dict(figures),
            "note": str(note),
        } if _are_figures(figures):
            return Row(case, form, figures, note)
    raise ValueError(
        "a row lacks its case, form or note, or its figures are no whole ranges of numbers"
    )


def _measured(described: object) -> Measured:
    """A section out of JSON."""
    match described:
        case {
            "title": str(title),
            "text": str(text),
            "rows": list(rows),
            "where": {"device": str()} as where,
        }:
            return Measured(Section(title, text, tuple(map(_row, rows))), where)
    raise ValueError("a section lacks its title, text, rows or device")


def read(path: pathlib.Path) -> Report:
    """Reads what `to_json` wrote.

    Raises:
        FileFormatError: If the file is no such report.
    """
    try:
        content = parse_json(path.read_bytes(), where=str(path), finite=True)
        if not isinstance(content, dict) or not all(name.isidentifier() for name in content):
            raise ValueError("it is no table of sections")
        return {name: _measured(each) for name, each in content.items()}
    except (OSError, ValueError) as error:
        raise FileFormatError(
            f"{path} is no report ({error}); required is the JSON that `python -m benchmarks` "
            "writes"
        ) from error


# The page.


def columns(rows: Sequence[Row]) -> list[str]:
    """Names of figures in the order of the fullest row; ranges go with what they are of."""
    fullest = sorted(rows, key=lambda row: -len(row.figures))
    names = list(dict.fromkeys(name for row in fullest for name in row.figures))
    return [n for n in names if not n.startswith(ENDS) or n.split(" ", 1)[1] not in names]


def _cell(row: Row, name: str) -> str:
    """A figure with its range."""
    if name not in row.figures:
        return ""
    value = short(row.figures[name])
    if f"least {name}" not in row.figures:
        return value
    least, most = (short(row.figures[end + name]) for end in ENDS)
    return f"{value} ({least} to {most})"


def rows_table(rows: Sequence[Row]) -> list[str]:
    """Rows in Markdown."""
    names = columns(rows)
    cells = [[r.case, r.form, *(_cell(r, name) for name in names), r.note] for r in rows]
    return table(("case", "form", *names, "note"), cells)


def page(report: Report, plots: Mapping[str, Sequence[str]]) -> str:
    """The page in Markdown.

    Args:
        report: All sections, of one device.
        plots: Names of files by section.
    """
    devices = ", ".join(dict.fromkeys(each.where["device"] for each in report.values()))
    lines = [f"# Speed on {devices}", "", "Written by `python -m benchmarks`.", ""]
    rows = [row for each in report.values() for row in each.section.rows]
    lines += [*losses(rows), "", *against(rows)]
    for name, each in report.items():
        where = ", ".join(f"{key} {value}" for key, value in each.where.items())
        lines += ["", f"## {each.section.title}", "", each.section.text, "", f"Measured: {where}."]
        lines += [""] + [f"![{each.section.title}]({file})" for file in plots.get(name, ())]
        lines += ["", *rows_table(each.section.rows)]
    return "\n".join(lines) + "\n"


# Two reports.


def _moved(name: str, before: Row, after: Row) -> bool:
    """Whether a figure changed beyond its spread."""
    old, new = before.figures[name], after.figures[name]
    ends = [end + name for end in ENDS]
    if all(end in row.figures for end in ends for row in (before, after)):
        apart = (
            after.figures[ends[0]] > before.figures[ends[1]]
            or after.figures[ends[1]] < before.figures[ends[0]]
        )
        return apart and abs(new - old) > SAME * abs(old)
    return abs(new - old) > NOISE.get(name, STILL) * abs(old)


def _changes_of_row(name: str, before: Row, after: Row) -> Iterator[str]:
    """Lines on one form of one case."""
    for figure in columns([before, after]):
        if figure in DERIVED or not (figure in before.figures and figure in after.figures):
            continue
        if _moved(figure, before, after):
            old, new = before.figures[figure], after.figures[figure]
            times = f" ({new / old:.2f} times)" if old else ""
            numbers = f"{short(old)} -> {short(new)}{times}"
            yield f"{name}: {', '.join(_key(after))}: {figure} {numbers}"
    if (TIME in before.figures) != (TIME in after.figures):
        lost = TIME in before.figures
        yield (
            f"{name}: {after.case}, {after.form}: "
            + (f"no longer timed. {after.note}" if lost else "now timed")
        )


def _key(row: Row) -> tuple[str, ...]:
    """What a row is called; rows of scaling differ by the number of devices alone."""
    devices = row.figures.get("devices")
    return (row.case, row.form) if devices is None else (row.case, row.form, f"{devices:g} devices")


def changes(before: Report, after: Report) -> Iterator[str]:
    """Lines on every figure that changed beyond its spread, in the sections that both have."""
    for name in [name for name in after if name in before]:
        old, new = before[name].where, after[name].where
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key) and key != PEAK:
                yield f"{name}: measured with {key} {old.get(key)} -> {new.get(key)}"
        sides = [{_key(r): r for r in each[name].section.rows} for each in (before, after)]
        for key in dict.fromkeys([*sides[0], *sides[1]]):
            if key in sides[0] and key in sides[1]:
                yield from _changes_of_row(name, sides[0][key], sides[1][key])
            else:
                yield f"{name}: {', '.join(key)}: {'gone' if key in sides[0] else 'new'}"


def without_rows(report: Report) -> Report:
    """The same sections, empty: what a report looks like before anything is measured."""
    return {n: replace(e, section=replace(e.section, rows=())) for n, e in report.items()}
