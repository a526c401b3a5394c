"""Opens everything that a recipe names, so that mistakes are found before the work."""

import contextlib
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sfe_jax.characters.recipe import OWN, Crop, Draw, Mix, Project, RecipeFile, Step
from sfe_jax.characters.steps import (
    Cropping,
    Drawing,
    Mixing,
    Projecting,
    Stage,
    face_region,
    fixed_region,
)
from sfe_jax.characters.studio import Mixer, Move, Studio
from sfe_jax.core.errors import SfeError
from sfe_jax.latents.projection import ProjectionOptions
from sfe_jax.pipelines.bundle import Bundle, load_bundle
from sfe_jax.pipelines.editor import Editor
from sfe_jax.pipelines.face_detection import FaceDetector
from sfe_jax.pipelines.projection import Projector
from sfe_jax.readers import sha256
from sfe_jax.weights import faces64


class OpenedExpression(NamedTuple):
    """An expression, opened."""

    mixers: list[Mixer]
    moves: list[Move]


@dataclass(frozen=True)
class Opened:
    """A recipe, opened."""

    bundles: dict[str, dict[str, Any]]  # What each generator is, ready for JSON.
    studios: list[Studio]  # All generators.
    drawing: Drawing  # The first step.
    stages: list[Stage]  # The others.
    last: Studio  # The generator that shows the finished character.
    expressions: dict[str, OpenedExpression]


@contextlib.contextmanager
def _at(place: str) -> Iterator[None]:
    """Puts the place in the recipe before what is said of a mistake."""
    try:
        yield
    except SfeError as error:
        raise type(error)(f"{place}: {error}") from error


class _Opener:
    """Opens the parts of a recipe; bundles are read once."""

    def __init__(self, file: RecipeFile, precision: str) -> None:
        """Opens the generators."""
        self.file, self.precision = file, precision
        self._bundles: dict[pathlib.Path, Bundle] = {}
        self.studios: dict[str, Studio] = {}
        shared: dict[object, Studio] = {}
        for name, options in file.recipe.generators.items():
            with _at(f"{file.path}: generators.{name}"):
                key = (self.locate(options.bundle), options.class_index)
                if key not in shared:
                    bundle, index = self.load(options.bundle), options.class_index
                    shared[key] = Studio(bundle, class_index=index, precision=precision)
                self.studios[name] = shared[key]

    def locate(self, name: str) -> pathlib.Path:
        """The file of a bundle that the recipe names."""
        return faces64() if name == OWN else self.file.beside(name).resolve()

    def load(self, name: str) -> Bundle:
        """A bundle that the recipe names."""
        path = self.locate(name)
        if path not in self._bundles:
            self._bundles[path] = load_bundle(path)
        return self._bundles[path]

    def side_after(self, number: int) -> int | None:
        """Pixels a side that the next search after a step needs; None if there is none."""
        later = self.file.recipe.steps[number:]
        needed = [self.studios[x.generator] for x in later if isinstance(x, Project)]
        return needed[0].generator.resolution if needed else None

    def open_crop(self, step: Crop, side: int | None) -> Cropping:
        """A crop whose result is so large."""
        if step.box is not None:
            return Cropping(fixed_region(step.box), step.filter, side)
        detector = FaceDetector(self.load(cast(str, step.detector)))  # There is one if no box.
        return Cropping(face_region(detector, margin=step.margin), step.filter, side)

    def open_project(self, step: Project) -> Projecting:
        """A search."""
        studio = self.studios[step.generator]
        projector = Projector(
            studio.bundle,
            space=step.space,
            distance=step.distance,
            options=ProjectionOptions(steps=step.steps),
            class_index=studio.class_index,
            batch_size=1,  # A picture's last bits may depend on its batch.
            precision=self.precision,
        )
        if step.start == "average":
            return Projecting(studio, projector, None)
        encoder = Editor(studio.bundle, method=step.start, precision=self.precision)
        return Projecting(studio, projector, encoder)

    def open_step(self, number: int, step: Step, studio: Studio) -> Stage:
        """A step after the first, on the code of a generator."""
        match step:
            case Mix():
                return Mixing(studio, studio.open_mix(self.file, step))
            case Crop():
                return self.open_crop(step, self.side_after(number))
            case Project():
                return self.open_project(step)
        raise AssertionError(step)


def describe_bundles(file: RecipeFile, opener: _Opener) -> dict[str, dict[str, Any]]:
    """What each generator is: the name, digest and class of its bundle."""
    found = {}
    for name, options in file.recipe.generators.items():
        path = opener.locate(options.bundle)
        found[name] = {"bundle": path.name, "sha256": sha256(path), "class": options.class_index}
    return found


def open_recipe(file: RecipeFile, *, precision: str = "float32") -> Opened:
    """Opens a recipe.

    Args:
        file: From `read_recipe`.
        precision: Of the generators' activations, "float32" or "bfloat16".

    Raises:
        SfeError: If a file, a direction or a row is not one of its generator.
    """
    opener = _Opener(file, precision)

    # Steps.
    first, *others = file.recipe.steps
    first = cast(Draw, first)  # `read_recipe` refuses others.
    with _at(f"{file.path}: steps.1"):
        studio = opener.studios[first.generator]
        drawing = Drawing(studio, studio.open_source(file, first))
    stages: list[Stage] = []
    for number, step in enumerate(others, start=2):
        with _at(f"{file.path}: steps.{number}"):
            stages.append(opener.open_step(number, step, studio))
            studio = opener.studios[step.generator] if isinstance(step, Project) else studio

    # Expressions.
    expressions = {}
    for name, expression in file.recipe.expressions.items():
        with _at(f"{file.path}: expressions.{name}"):
            mixers = [studio.open_mix(file, mix) for mix in expression.mix]
            expressions[name] = OpenedExpression(mixers, studio.open_edits(expression.edits))

    bundles, studios = describe_bundles(file, opener), list(opener.studios.values())
    return Opened(bundles, studios, drawing, stages, studio, expressions)
