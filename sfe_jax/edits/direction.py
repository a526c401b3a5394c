"""Directions as data: what an edit does, how strongly, and which published arrays it reads.

A direction holds no arrays and needs no JAX; `prepare` joins it with arrays and a generator.
"""

from dataclasses import dataclass

INTERFACEGAN_FACTOR = 0.5
"""SFE moves half a unit normal per unit of strength; StyleFeatureEditor editings/latent_editor."""

STYLESPACE_FACTOR = 3.0
"""What one unit of strength adds to a style channel; StyleFeatureEditor editings/latent_editor."""


@dataclass(frozen=True)
class Linear:
    """Moves W+ along a vector v: ws* = ws + strength * factor * v.

    Source: InterFaceGAN (arXiv:2005.09635), section 3.2; Feature-Style Encoder (arXiv:2202.02183).
    """

    array: str  # Name of v, such as "interfacegan/age"; one row for all, or one each.
    factor: float  # Times v, per unit of strength.


@dataclass(frozen=True)
class GanSpace:
    """Sets a principal coordinate: ws* = ws + (strength - c) * std * component on some rows.

    c = <ws[0] - mean, component> / std is read from row 0 alone, so strength 0 is not the identity.

    Source: GANSpace (arXiv:2004.02546), section 3; StyleFeatureEditor editings/ganspace.py.
    """

    array: str  # Prefix of "/mean" [W], "/components" [K, W] and "/std" [K].
    component: int  # Index of the component.
    start: int  # First row of W+ that moves.
    end: int  # One past the last row that moves.


@dataclass(frozen=True)
class StyleSpace:
    """Moves channels of convolutions' styles: styles* = styles + strength * STYLESPACE_FACTOR.

    Source: StyleSpace (arXiv:2011.12799), section 4; StyleFeatureEditor editings/latent_editor.py.
    """

    channels: tuple[tuple[str, int], ...]  # (layer name, channel), such as ("b64.conv1", 479).


MAPPER_LEVELS = {"coarse": (0, 4), "medium": (4, 8), "fine": (8, None)}
"""Level of a latent mapper -> its first row of W+, and one past its last; None for the end."""


@dataclass(frozen=True)
class Mapper:
    """Moves W+ by what a network makes of it: ws* = ws + strength * mapper(ws).

    Source: StyleCLIP (arXiv:2103.17249), section 5; StyleFeatureEditor editings/latent_editor.py.
    """

    array: str  # Prefix of "/coarse_weight" [4, W, W], "/coarse_bias" [4, W] and so on.
    levels: tuple[str, ...]  # Those of `MAPPER_LEVELS` that move, in order.


PUBLISHED = ("interfacegan/", "boundary/")
"""What names of published vectors begin with. They move all rows; a user's own may spare some."""

Rule = Linear | GanSpace | StyleSpace | Mapper
"""The formulas an edit can have."""


@dataclass(frozen=True)
class Direction:
    """One edit of a catalogue, or of a user's own file."""

    name: str  # As the user types it; blanks are allowed.
    method: str  # Where it comes from: "InterFaceGAN", "boundary", "GANSpace", ...
    rule: Rule  # Its formula and constants.
    low: float | None  # Safe strengths begin here; None if not documented.
    high: float | None  # Safe strengths end here; None if not documented.
    positive: str  # What a positive strength does; "" if not documented.
    source: str  # Paper and repository that published it.

    @property
    def space(self) -> str:
        """The space it moves in: "W+" or "S"."""
        return "S" if isinstance(self.rule, StyleSpace) else "W+"

    @property
    def layers(self) -> str:
        """Rows of W+ or names of layers that move, in words."""
        match self.rule:
            case Linear(array=array):
                return "all rows" if array.startswith(PUBLISHED) else "rows of its vector"
            case GanSpace(start=start, end=end):
                return f"row {start}" if end == start + 1 else f"rows {start} to {end - 1}"
            case StyleSpace(channels=channels):
                return ", ".join(dict.fromkeys(layer for layer, _ in channels))
            case Mapper(levels=levels):
                if levels == tuple(MAPPER_LEVELS):
                    return "all rows"
                ranges = (MAPPER_LEVELS[level] for level in levels)
                return "rows " + ", ".join(
                    f"{a} to {b - 1 if b else 'the last'}" for a, b in ranges
                )

    @property
    def unit(self) -> str:
        """What one unit of strength means, in words."""
        match self.rule:
            case Linear(factor=factor):
                return f"adds {factor:g} of its vector"
            case GanSpace():
                return "sets the coordinate, in standard deviations; 0 is the average, not as it is"
            case StyleSpace():
                return f"adds {STYLESPACE_FACTOR:g} to each style channel"
            case Mapper():
                return "adds what its mapper makes of the code"

    @property
    def range(self) -> str:
        """The safe strengths, in words."""
        if self.low is None or self.high is None:
            return "not documented"
        return f"{self.low:g} to {self.high:g}"


def strength_warning(direction: Direction, strength: float) -> str | None:
    """One line if `strength` leaves the documented range; None if it is safe or none is known."""
    if direction.low is None or direction.high is None:
        return None
    if direction.low <= strength <= direction.high:
        return None
    return (
        f"strength {strength:g} of edit `{direction.name}` is outside its documented range "
        f"({direction.range}); expect artefacts"
    )
