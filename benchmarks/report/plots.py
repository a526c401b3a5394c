"""Pictures of a report: the roofline, bars of forms, and scaling; drawn with Pillow alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from benchmarks.measuring.rows import OURS, Row, Section
from benchmarks.report.verdicts import TIME, Contest, contests, number_type

FINE = 2
"""Pixels drawn for one that is shown, on each axis, so that lines are smooth."""

INK, FAINT, PAPER = "#222222", "#dddddd", "#ffffff"

PALETTE = ("#c0392b", "#2471a3", "#229954", "#d68910", "#7d3c98", "#148f77", "#5d6d7e", "#a04000")
"""Colours of forms, in the order in which forms appear."""

CROWDED = 24
"""Cases above which bars are drawn apart for each order."""

Point = tuple[float, float]


class Canvas:
    """A white picture on which points are given in the pixels that are shown."""

    def __init__(self, width: int, height: int):
        self.size = (width, height)
        self._image = Image.new("RGB", (FINE * width, FINE * height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point], colour: str, width: float = 1.0) -> None:
        """A line through points."""
        fine = [(FINE * x, FINE * y) for x, y in points]
        self._draw.line(fine, fill=colour, width=max(1, round(FINE * width)), joint="curve")

    def box(self, start: Point, end: Point, colour: str) -> None:
        """A filled rectangle."""
        (x0, y0), (x1, y1) = start, end
        corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        self._draw.rectangle([round(FINE * value) for value in corners], fill=colour)

    def dot(self, centre: Point, colour: str, radius: float = 3.0) -> None:
        """A filled circle."""
        x, y, r = (FINE * value for value in (*centre, radius))
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def text(self, at: Point, text: str, *, anchor: str = "la", size: int = 12) -> None:
        """Text; `anchor` is Pillow's: l, m or r, then a, m or s."""
        font = ImageFont.load_default(FINE * size)
        self._draw.text((FINE * at[0], FINE * at[1]), text, fill=INK, font=font, anchor=anchor)

    def picture(self) -> Image.Image:
        """What was drawn."""
        return self._image.resize(self.size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis."""

    low: float
    high: float
    start: float  # Pixel of `low`.
    end: float  # Pixel of `high`.

    def __call__(self, value: float) -> float:
        """Pixel of a value; values outside lie on the ends."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, base: int = 10) -> Iterator[float]:
        """Powers of `base` within."""
        first = math.ceil(math.log(self.low, base) - 1e-9)
        last = math.floor(math.log(self.high, base) + 1e-9)
        yield from (float(base) ** power for power in range(first, last + 1))


@dataclass(frozen=True)
class LinearAxis:
    """A linear axis from 0."""

    low: float
    high: float
    start: float  # Pixel of `low`.
    end: float  # Pixel of `high`.

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, base: int = 10) -> Iterator[float]:
        """Fifths within."""
        del base
        yield from (n / 5 for n in range(math.ceil(5 * self.low), math.floor(5 * self.high) + 1))


def spanning(values: Sequence[float], start: float, end: float, *, base: int = 10) -> LogAxis:
    """An axis from the power of `base` below all values to the one above."""
    low = base ** math.floor(math.log(min(values), base))
    high = base ** math.ceil(math.log(max(values), base))
    return LogAxis(low, high if high > low else low * base, start, end)


def _label(value: float) -> str:
    return f"{value:g}" if not value or 1e-4 < value < 1e6 else f"{value:.0e}"


def colours(forms: Sequence[str]) -> dict[str, str]:
    """A colour for each form; ours has the first."""
    ordered = dict.fromkeys([OURS, *forms])
    return {form: PALETTE[index % len(PALETTE)] for index, form in enumerate(ordered)}


def _legend(canvas: Canvas, shades: Mapping[str, str], at: Point) -> None:
    for index, (form, shade) in enumerate(shades.items()):
        y = at[1] + 18 * index
        canvas.box((at[0], y), (at[0] + 10, y + 10), shade)
        canvas.text((at[0] + 16, y + 5), form, anchor="lm")


def _grid(
    canvas: Canvas, x: LogAxis, y: LogAxis | LinearAxis, names: tuple[str, str], *, base: int = 10
) -> None:
    """Lines and names of two axes."""
    for value in x.ticks(base):
        canvas.line([(x(value), y.start), (x(value), y.end)], FAINT)
        canvas.text((x(value), y.start + 6), _label(value), anchor="ma")
    for value in y.ticks():
        canvas.line([(x.start, y(value)), (x.end, y(value))], FAINT)
        canvas.text((x.start - 6, y(value)), _label(value), anchor="rm")
    canvas.text(((x.start + x.end) / 2, y.start + 26), names[0], anchor="ma")
    canvas.text((x.start, y.end - 8), names[1], anchor="ls")


# The roofline.


def _ceilings(rows: Sequence[Row]) -> tuple[float, dict[str, float]]:
    """GB/s of a copy, and GFLOP/s of products by type, from the rows of a section."""
    found = {row.case.removeprefix("ceiling, "): row.figures for row in rows}
    copy = found.get("copy", {}).get("GB/s", 0.0)
    products = {n.removesuffix(" product"): f for n, f in found.items() if n.endswith(" product")}
    return copy, {name: figures["GFLOP/s"] for name, figures in products.items()}


def roofline(section: Section, number: str) -> Image.Image | None:
    """FLOPs per byte against FLOP/s, with both ceilings; one dot per form of a case.

    Args:
        section: With rows of ceilings.
        number: Type of the numbers.

    Returns:
        The picture, or None if nothing of this type was timed.
    """
    copy, products = _ceilings(section.rows)
    rows = [
        row
        for row in section.rows
        if number_type(row.case) == number and row.figures.get("GFLOP/s", 0) and TIME in row.figures
    ]
    if not rows or not copy:
        return None
    points = [(r.figures["GFLOP/s"] / r.figures["GB/s"], r.figures["GFLOP/s"]) for r in rows]
    top, ridge = products[number], products[number] / copy
    canvas = Canvas(900, 560)
    x = spanning([p[0] for p in points] + [ridge], 70, 660)
    y = spanning([p[1] for p in points] + [top], 500, 64)
    _grid(canvas, x, y, ("FLOPs per byte of inputs and results", f"GFLOP/s, {number}"))
    low = max(x.low, y.low / copy)
    canvas.line([(x(low), y(low * copy)), (x(ridge), y(top)), (x.end, y(top))], INK, 2)
    shades = colours([row.form for row in rows])
    for row, point in sorted(zip(rows, points, strict=True), key=lambda pair: pair[0].form == OURS):
        size = 4.0 if row.form == OURS else 3.0
        canvas.dot((x(point[0]), y(point[1])), shades[row.form], size)
    canvas.text((70, 14), f"{section.title}: what is reached, and the ceilings", size=15)
    _legend(canvas, shades, (684, 60))
    canvas.text((684, 420), f"copy: {copy:.4g} GB/s")
    canvas.text((684, 440), f"product: {top:.4g} GFLOP/s")
    return canvas.picture()


# Bars.


def _bar(canvas: Canvas, contest: Contest, x: LogAxis, y: float, shade: str) -> None:
    """Their time over ours as a bar from 1, with the range as a thin line."""
    canvas.box((x(1.0), y + 1), (x(contest.ratio), y + 8), shade)
    ends = [x(contest.over_ours(end)) for end in ("least ", "most ")]
    canvas.line([(ends[0], y + 4.5), (ends[1], y + 4.5)], INK)


def bars(title: str, rows: Sequence[Row]) -> Image.Image | None:
    """Time of every form over ours: bars to the right are slower than ours, to the left faster."""
    found = contests(rows)
    if not found:
        return None
    by_case: dict[str, list[Contest]] = {}
    for contest in found:
        by_case.setdefault(contest.ours.case, []).append(contest)
    shades = colours([contest.theirs.form for contest in found])
    del shades[OURS]  # Ours is the line at 1.
    legend = 18 * len(shades) + 30
    height = legend + 60 + sum(10 * len(group) + 12 for group in by_case.values())
    canvas = Canvas(1000, height + 30)
    x = spanning([c.ratio for c in found] + [0.5, 2.0], 470, 960)
    canvas.text((20, 14), f"{title}: time over that of ours (left of 1: faster than ours)", size=15)
    _legend(canvas, shades, (20, 44))
    few = x.high <= 1000 * x.low
    for value in [m * tick for tick in x.ticks() for m in ((1, 2, 5) if few else (1,))]:
        if value <= x.high:
            canvas.line([(x(value), legend + 20), (x(value), height)], FAINT)
            canvas.text((x(value), height + 6), _label(value), anchor="ma")
    y = legend + 26.0
    for case, group in by_case.items():
        figure = group[0].figure
        label = f"{case}: {group[0].ours.figures[figure]:.3g} {figure}"
        canvas.text((460, y + 5 * len(group)), label, anchor="rm", size=11)
        for contest in group:
            _bar(canvas, contest, x, y, shades[contest.theirs.form])
            y += 10
        y += 12
    canvas.line([(x(1.0), legend + 20), (x(1.0), height)], INK, 1.5)
    return canvas.picture()


# Scaling.


def _scaling_lines(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """Devices and efficiency by form, named by case too where a form has several."""
    found: dict[tuple[str, str], list[Point]] = {}
    for row in rows:
        if {"devices", "efficiency"} <= row.figures.keys():
            point = (row.figures["devices"], row.figures["efficiency"])
            found.setdefault((row.form, row.case), []).append(point)
    forms = [form for form, _ in found]
    return {
        form if forms.count(form) == 1 else f"{form}: {case}": sorted(points)
        for (form, case), points in found.items()
    }


def scaling(section: Section) -> Image.Image | None:
    """Efficiency over the number of devices, one line per form; 1 is as good as a device alone."""
    lines = _scaling_lines(section.rows)
    if not lines:
        return None
    canvas = Canvas(900, 520)
    points = [point for line in lines.values() for point in line]
    x = spanning([p[0] for p in points], 80, 560, base=2)
    top = max(1.2, *(0.2 * math.ceil(5 * p[1]) for p in points))
    y = LinearAxis(0.0, top, 460, 64)
    _grid(canvas, x, y, ("devices", "efficiency"), base=2)
    canvas.line([(x.start, y(1.0)), (x.end, y(1.0))], INK, 1.5)
    shades = dict(zip(lines, PALETTE * len(lines), strict=False))
    for name, line in lines.items():
        canvas.line([(x(a), y(b)) for a, b in line], shades[name], 2)
        for a, b in line:
            canvas.dot((x(a), y(b)), shades[name])
    canvas.text((80, 14), section.title, size=15)
    _legend(canvas, shades, (584, 60))
    return canvas.picture()


def _order(row: Row) -> str:
    """Last part of a case's name."""
    return row.case.rpartition(", ")[2]


def draw(name: str, section: Section) -> dict[str, Image.Image]:
    """Every picture of a section.

    Args:
        name: Of the section, with which names of pictures begin.
        section: Its rows.

    Returns:
        Name -> picture; none for rows that no picture shows.
    """
    _, products = _ceilings(section.rows)
    found = {f"{name}-roofline-{number}": roofline(section, number) for number in products}
    cases = {row.case for row in section.rows}
    if len(cases) > CROWDED:
        for order in dict.fromkeys(_order(c.ours) for c in contests(section.rows)):
            rows = [row for row in section.rows if _order(row) == order]
            title = f"{section.title}, {order}"
            found[f"{name}-bars-{order.replace(' ', '-')}"] = bars(title, rows)
    else:
        found[f"{name}-bars"] = bars(section.title, section.rows)
    found[f"{name}-scaling"] = scaling(section)
    return {key: picture for key, picture in found.items() if picture is not None}
