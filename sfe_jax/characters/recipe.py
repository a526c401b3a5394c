"""What a character is made of: generators, steps, expressions, assets. Written in TOML.

Names of files are relative to the recipe's folder. A step is the table `[[steps]]` whose `do` is
the name of its class here in small letters.
"""

import pathlib
from dataclasses import dataclass, field
from typing import Literal

OWN = "faces64"
"""Name under which a recipe asks for the bundle that comes with the package."""


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """A generator that steps name."""

    bundle: str  # File, or `OWN`.
    class_index: int | None = None  # Of codes drawn from seeds, where it has classes.


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a code comes from: a file, a fixed seed, or else the character's own seed."""

    file: str | None = None  # .npy, .npz or .pt with [N, L, W], [L, W], [N, W] or [W].
    index: int = 0  # Of the code in the file.
    seed: int | None = None  # The same for every character.
    offset: int = 0  # Added to the character's own seed.
    psi: float = 1.0  # Truncation about the generator's average.


@dataclass(frozen=True, kw_only=True)
class Draw(Source):
    """Begins a character: a code of a generator, and its picture."""

    generator: str  # Name in the recipe.


@dataclass(frozen=True, kw_only=True)
class Mix(Source):
    """Takes rows of W+ from another code of the same generator."""

    rows: str  # With weights, such as "0-3,8=0.5".


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Cuts a square or another region out of the picture, and enlarges it."""

    box: tuple[float, float, float, float] | None = None  # Left, top, right, bottom in [0, 1].
    detector: str | None = None  # Bundle with MTCNN, which finds the face instead of `box`.
    margin: float = 0.25  # Added on each side of a face that is found, in shares of its side.
    filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = "lanczos"


@dataclass(frozen=True, kw_only=True)
class Project:
    """Searches the code of a generator whose picture looks most like the character's."""

    generator: str  # Name in the recipe; another than before, or the same.
    steps: int = 200
    space: Literal["w", "w+"] = "w"  # One code, or one per row.
    start: Literal["average", "e4e", "psp", "inverter"] = "average"  # The mean, or an encoder.
    distance: str | None = None  # Role of the network that judges; None for the first there is.


Step = Draw | Mix | Crop | Project
"""What a character goes through, in the order of the recipe."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A copy of the finished character that shows something."""

    mix: tuple[Mix, ...] = ()  # Rows of other codes, first.
    edits: dict[str, float] = field(default_factory=dict)  # Direction -> strength, then.


@dataclass(frozen=True, kw_only=True)
class AssetOptions:
    """How sprite sheet and animation are laid out."""

    side: int = 256  # Pixels a side of a sprite and a frame, about: see `core.sheets.fit`.
    columns: int = 4  # Sprites in a row of the sheet.
    frames: int = 8  # From expression to expression.
    fps: float = 12.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything but the seed that decides a character."""

    generators: dict[str, GeneratorOptions]
    steps: tuple[Step, ...]
    expressions: dict[str, Expression] = field(default_factory=lambda: {"neutral": Expression()})
    assets: AssetOptions = field(default_factory=AssetOptions)


@dataclass(frozen=True)
class RecipeFile:
    """A recipe and where it lies."""

    path: pathlib.Path
    recipe: Recipe

    def beside(self, name: str) -> pathlib.Path:
        """The file that the recipe calls `name`."""
        return self.path.parent / name
