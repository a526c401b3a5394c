"""Makes characters by a recipe: the front door for Python users.

Example:
    workshop = Workshop(read_recipe("hero.toml"))
    character = workshop.make(3)                     # Pictures, codes and what they come from
    write_character(pathlib.Path("hero"), character)  # Of `assets`
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sfe_jax.characters.checking import check_seed
from sfe_jax.characters.opening import open_recipe
from sfe_jax.characters.recipe import AssetOptions, RecipeFile
from sfe_jax.characters.steps import State
from sfe_jax.characters.studio import Move, described
from sfe_jax.latents.interpolation import eased_path, frame_times
from sfe_jax.readers import sha256

Progress = Callable[[str, int, str], None]
"""Is called with the name of a step, the units of work done of `Workshop.units`, and a word."""


class Portraits(NamedTuple):
    """The expressions of a character."""

    names: list[str]  # E.
    pictures: np.ndarray  # uint8 [E, R, R, 3].
    frames: np.ndarray  # From each to the next, and from the last to the first: [T, R, R, 3].
    codes: dict[str, np.ndarray]  # "happy", "happy.donor1" -> [L, W].


@dataclass(frozen=True)
class Character:
    """Everything that a recipe made of a seed."""

    seed: int
    states: dict[str, State]  # After each step: "1-draw", "2-mix", ...
    portraits: Portraits
    facts: dict[str, Any]  # What it comes from, ready for JSON.
    assets: AssetOptions


def _silent(name: str, done: int, word: str) -> None:
    """Tells nobody."""


class Workshop:
    """Makes characters; programs compile once, with the first."""

    def __init__(self, file: RecipeFile, *, precision: str = "float32") -> None:
        """Opens what the recipe names.

        Args:
            file: From `read_recipe`.
            precision: Of the generators' activations, "float32" or "bfloat16".

        Raises:
            SfeError: If a file, a direction or a row is not one of its generator.
        """
        self.file, self._precision = file, precision
        self._opened = open_recipe(file, precision=precision)
        self._names = [
            f"{number}-{type(step).__name__.lower()}"
            for number, step in enumerate(file.recipe.steps, start=1)
        ]

    @property
    def notes(self) -> list[str]:
        """What a user should know, such as strengths outside their range."""
        return list(dict.fromkeys(note for x in self._opened.studios for note in x.notes))

    @property
    def units(self) -> int:
        """Units of work of one character: a search counts as its steps, another step as one."""
        return 2 + sum(stage.units for stage in self._opened.stages)  # Drawing and expressions.

    def _walk(self, seed: int, progress: Progress) -> dict[str, State]:
        """The states of a character, by the names of its steps."""
        first, *names = self._names
        progress(first, 0, "")
        state, done = self._opened.drawing(seed), 1
        states = {first: state}
        for name, stage in zip(names, self._opened.stages, strict=True):
            progress(name, done, "")

            def watch(units: int, word: str, name: str = name, before: int = done) -> None:
                progress(name, before + units, word)

            state = states[name] = stage(state, seed, watch)
            done += stage.units
        return states

    def _plain(self, state: State) -> Portraits:
        """The picture of a state without a code; expressions do not change it."""
        names = list(self._opened.expressions)
        pictures = np.stack([state.picture] * len(names))
        return Portraits(names, pictures, pictures[:0], {})

    def _codes(self, code: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """A finished code [L, W] with rows of others, and after edits of W+; and those others."""
        codes: dict[str, np.ndarray] = {}
        for name, (mixers, moves) in self._opened.expressions.items():
            changed = code
            for number, mixer in enumerate(mixers, start=1):
                donor = codes[f"{name}.donor{number}"] = mixer.origin.code(seed)
                changed = mixer(changed, donor)
            codes[name] = self._opened.last.moved(changed, moves)
        return codes

    def _style_moves(self) -> tuple[tuple[Move, ...], np.ndarray]:
        """The M edits of StyleSpace, which act when pictures are drawn, and strengths [E, M]."""
        moves = [moves for _, moves in self._opened.expressions.values()]
        found = {x.direction.name: x for row in moves for x in row if x.direction.space == "S"}
        given = [{x.direction.name: x.strength for x in row} for row in moves]
        strengths = [[row.get(name, 0.0) for name in found] for row in given]
        return tuple(found.values()), np.array(strengths, np.float32)

    def _expressed(self, code: np.ndarray, seed: int) -> Portraits:
        """A finished code [L, W] in all expressions."""
        studio, names = self._opened.last, list(self._opened.expressions)
        codes = self._codes(code, seed)
        keys = np.stack([codes[name] for name in names])
        moves, strengths = self._style_moves()
        pictures = studio.pictures(keys, moves, strengths)
        if len(names) == 1:
            return Portraits(names, pictures, pictures[:0], codes)
        times = frame_times(len(names), self.file.recipe.assets.frames, loop=True)
        path, ways = (eased_path(x, times, loop=True) for x in (keys, strengths))
        return Portraits(names, pictures, studio.pictures(path, moves, ways), codes)

    def _facts(self, seed: int, states: dict[str, State]) -> dict[str, Any]:
        """What a character comes from, without anything that depends on place or time."""
        recipe, expressions = self.file.recipe, self._opened.expressions
        steps = zip(recipe.steps, states.items(), strict=True)
        return {
            "seed": seed,
            "recipe": {"file": self.file.path.name, "sha256": sha256(self.file.path)},
            "precision": self._precision,
            "generators": self._opened.bundles,
            "steps": {name: {**described(step), **state.facts} for step, (name, state) in steps},
            "expressions": {
                name: {
                    "mix": [mixer.facts(seed) for mixer in mixers],
                    "edits": recipe.expressions[name].edits,
                }
                for name, (mixers, _) in expressions.items()
            },
        }

    def make(self, seed: int, *, progress: Progress = _silent) -> Character:
        """Makes the character of a seed; the same one whatever was made before.

        Args:
            seed: From 0 on.
            progress: Is called on the way.

        Raises:
            OptionError: If the seed, or what a step makes of it, is no seed.
            ImageError: If a step does not find a face, or a network gives what is not finite.
        """
        check_seed(self.file, seed)
        states = self._walk(seed, progress)
        progress("expressions", self.units - 1, "")
        last = states[self._names[-1]]
        portraits = self._plain(last) if last.code is None else self._expressed(last.code, seed)
        facts = self._facts(seed, states)
        progress("expressions", self.units, "")
        return Character(seed, states, portraits, facts, self.file.recipe.assets)
