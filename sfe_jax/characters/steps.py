"""The steps of a recipe, opened: each makes of one state of a character the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from sfe_jax.characters.cropping import Box, box_of_shares, cut, square_about
from sfe_jax.characters.studio import Mixer, Origin, Studio
from sfe_jax.core.errors import OptionError
from sfe_jax.pipelines.editor import Editor
from sfe_jax.pipelines.face_detection import FaceDetector
from sfe_jax.pipelines.projection import Projector

Watch = Callable[[int, str], None]
"""Is called on the way with the units of work done, and a word about them."""

Region = Callable[[np.ndarray, int], Box]
"""Of a picture uint8 [H, W, 3] and its character's seed: a box in pixels."""


class State(NamedTuple):
    """A character between two steps."""

    picture: np.ndarray  # uint8 [H, W, 3].
    code: np.ndarray | None  # [L, W]; None where the picture is no longer that of a code.
    donor: np.ndarray | None  # [L, W], what the step took rows from; None of other steps.
    facts: dict[str, Any]  # What the step found out, ready for JSON.

    @property
    def own_code(self) -> np.ndarray:
        """The code [L, W], where there must be one.

        Raises:
            OptionError: If there is none.
        """
        if self.code is None:
            raise OptionError("a cropped picture has no code; project it before it is changed")
        return self.code


class Stage(Protocol):
    """A step after the first, opened."""

    @property
    def units(self) -> int:
        """Units of its work, for the progress bar."""
        ...

    def __call__(self, before: State, seed: int, watch: Watch) -> State:
        """Takes the step for the character of a seed."""
        ...


@dataclass(frozen=True)
class Drawing:
    """Begins with a code."""

    studio: Studio
    origin: Origin

    def __call__(self, seed: int) -> State:
        """The code and its picture."""
        code = self.origin.code(seed)
        return State(self.studio.pictures(code[None])[0], code, None, self.origin.facts(seed))


@dataclass(frozen=True)
class Mixing:
    """Takes rows from another code."""

    studio: Studio
    mixer: Mixer
    units: int = 1

    def __call__(self, before: State, seed: int, watch: Watch) -> State:
        """The mixed code, its picture, and the code that gave the rows."""
        del watch  # It is done at once.
        donor = self.mixer.origin.code(seed)
        code = self.mixer(before.own_code, donor)
        picture = self.studio.pictures(code[None])[0]
        return State(picture, code, donor, self.mixer.facts(seed))


def fixed_region(shares: Box) -> Region:
    """The same part of every picture, in shares of its sides."""

    def region(picture: np.ndarray, seed: int) -> Box:
        del seed
        height, width = picture.shape[:2]
        return box_of_shares(shares, width=width, height=height)

    return region


def face_region(detector: FaceDetector, *, margin: float) -> Region:
    """The square about the face, with a margin in shares of the face's side."""

    def region(picture: np.ndarray, seed: int) -> Box:
        left, top, right, bottom = detector.detect_main(picture, f"character {seed}").box
        face = (left, top, right + 1, bottom + 1)  # Of the detector, corner pixels are inside.
        height, width = picture.shape[:2]
        return square_about(face, margin=margin, width=width, height=height)

    return region


@dataclass(frozen=True)
class Cropping:
    """Cuts a region out and enlarges it."""

    region: Region
    filter_name: str
    side: int | None  # Pixels a side of the result; None for the height of the picture before.
    units: int = 1

    def __call__(self, before: State, seed: int, watch: Watch) -> State:
        """The enlarged region; it has no code.

        Raises:
            ImageError: If there is no face where one is looked for.
        """
        del watch  # It is done at once.
        box = self.region(before.picture, seed)
        side = self.side or len(before.picture)
        picture = cut(before.picture, box, side=side, filter_name=self.filter_name)
        return State(picture, None, None, {"pixels": [round(float(edge), 3) for edge in box]})


@dataclass(frozen=True)
class Projecting:
    """Searches the code that looks most alike."""

    studio: Studio
    projector: Projector
    encoder: Editor | None  # Gives the codes at which the search begins; None for the average.

    @property
    def units(self) -> int:
        """Steps of the search."""
        return self.projector.options.steps

    def _target(self, picture: np.ndarray) -> np.ndarray:
        """The picture at the size of the generator's, uint8 [R, R, 3]."""
        side, (height, width) = self.projector.resolution, picture.shape[:2]
        if (height, width) == (side, side):
            return picture
        return cut(picture, (0, 0, width, height), side=side, filter_name="lanczos")

    def __call__(self, before: State, seed: int, watch: Watch) -> State:
        """The code that was found, and its picture."""
        del seed  # The search's noise is the same for all.
        target = self._target(before.picture)[None]
        start = np.asarray(self.encoder.invert(target).ws) if self.encoder else None
        found = self.projector.project(
            target,
            start=start,
            watch=lambda look: watch(look.step, f"distance {look.distances[0]:.3f}"),
        )
        facts = {"network": self.projector.likeness.role, "distance": float(found.distances[0])}
        return State(self.studio.pictures(found.ws)[0], found.ws[0], None, facts)
