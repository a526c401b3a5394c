"""Methods in a plane: inversion distance against editing distance, with points as large as slow.

Drawn with Pillow, at twice the size and then reduced, so that lines are smooth.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (1600, 1120)
"""Pixels of the drawing, twice those of the plot."""

BOX = (200, 60, 1540, 960)
"""Left, top, right and bottom of the plane in the drawing."""

COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
"""Of the points, in turn."""

RADII = (12, 44)
"""Of points without a time, and of the slowest."""

SPACING = 38
"""Pixels between the middles of two names, at least."""

TICKS = 5
"""About as many marks on an axis."""


class Point(NamedTuple):
    """A method."""

    x: float  # Inversion distance.
    y: float  # Editing distance.
    seconds: float  # Of an edit; 0 if not known.


@dataclass(frozen=True)
class Axis:
    """A range of values on a range of pixels."""

    low: float
    high: float
    first: float  # Pixel of `low`.
    last: float  # Pixel of `high`.

    def place(self, value: float) -> float:
        """The pixel of a value."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    @property
    def ticks(self) -> list[float]:
        """Round values between both ends."""
        rough = (self.high - self.low) / TICKS
        power = 10 ** math.floor(math.log10(rough))
        step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
        return [step * k for k in range(math.ceil(self.low / step), int(self.high / step) + 1)]


def axis_of(values: list[float], first: float, last: float) -> Axis:
    """An axis from 0, so that lengths compare as distances do, with room beyond the largest."""
    return Axis(0.0, 1.15 * (max(values) or 1.0), first, last)


def radius(seconds: float, slowest: float) -> float:
    """Of a point, whose area grows with the seconds."""
    return max(RADII[0], RADII[1] * math.sqrt(seconds / slowest)) if slowest else RADII[0]


def plain(text: str) -> str:
    """A text without accents, which Pillow's own font lacks; the Fréchet distance is FD."""
    text = text.replace("Fréchet distance", "FD")
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def spaced(heights: list[float], sides: list[str]) -> list[float]:
    """Heights of names, moved down where two of a side would stand on each other."""
    places, last = list(heights), dict.fromkeys(sides, -math.inf)
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        side = sides[index]
        last[side] = places[index] = max(heights[index], last[side] + SPACING)
    return places


def _draw_axes(draw: ImageDraw.ImageDraw, x: Axis, y: Axis, labels: tuple[str, str]) -> None:
    """Frame, marks and names of the axes."""
    left, top, right, bottom = BOX
    small, large = (ImageFont.load_default(size) for size in (26, 32))
    for value in x.ticks:
        place = x.place(value)
        draw.line((place, top, place, bottom), fill="#e5e7eb", width=2)
        draw.text((place, bottom + 14), f"{value:g}", fill="black", font=small, anchor="mt")
    for value in y.ticks:
        place = y.place(value)
        draw.line((left, place, right, place), fill="#e5e7eb", width=2)
        draw.text((left - 14, place), f"{value:g}", fill="black", font=small, anchor="rm")
    draw.line((left, top, left, bottom, right, bottom), fill="black", width=3)
    middle = ((left + right) / 2, (top + bottom) / 2)
    draw.text((middle[0], bottom + 62), plain(labels[0]), fill="black", font=large, anchor="mt")
    draw.text((left, top - 14), plain(labels[1]), fill="black", font=large, anchor="lb")


def draw_points(points: Mapping[str, Point], *, x_label: str, y_label: str) -> np.ndarray:
    """Draws the plane.

    Args:
        points: Name -> point, at least one.
        x_label: Name of the inversion distance.
        y_label: Name of the editing distance.

    Returns:
        uint8 [560, 800, 3].
    """
    left, top, right, bottom = BOX
    x = axis_of([point.x for point in points.values()], left, right)
    y = axis_of([point.y for point in points.values()], bottom, top)
    canvas = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(canvas)
    _draw_axes(draw, x, y, (x_label, y_label))
    slowest = max(point.seconds for point in points.values())
    font = ImageFont.load_default(30)
    middles = [(x.place(point.x), y.place(point.y)) for point in points.values()]
    sizes = [radius(point.seconds, slowest) for point in points.values()]
    for index in np.argsort(sizes)[::-1]:  # Small ones on top.
        draw.circle(middles[index], sizes[index], fill=COLOURS[index % len(COLOURS)])
    # Names stand on the side where there is room.
    sides = ["lm" if place[0] < (left + right) / 2 else "rm" for place in middles]
    heights = spaced([place[1] for place in middles], sides)
    for (name, point), place, size, height, side in zip(
        points.items(), middles, sizes, heights, sides, strict=True
    ):
        time = f", {point.seconds:.3g} s" if point.seconds else ""
        start = place[0] + (size + 12 if side == "lm" else -size - 12)
        draw.text((start, height), plain(name + time), fill="black", font=font, anchor=side)
    note = "the area of a point is the time of an edit" if slowest else ""
    draw.text((right, SIZE[1] - 14), note, fill="#6b7280", font=font, anchor="rb")
    return np.asarray(canvas.resize((SIZE[0] // 2, SIZE[1] // 2), Image.Resampling.LANCZOS))
