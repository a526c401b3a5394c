"""A generator that a recipe names: where its codes come from, and how it shows them."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sfe_jax.characters.recipe import Mix, RecipeFile, Source
from sfe_jax.core.errors import OptionError
from sfe_jax.edits.catalogue import CARS, FACES, find
from sfe_jax.edits.direction import Direction, strength_warning
from sfe_jax.edits.operands import Operands, apply_to_ws
from sfe_jax.latents.files import read_codes
from sfe_jax.latents.mixing import mix
from sfe_jax.latents.parsing import parse_rows
from sfe_jax.latents.truncation import truncate_about
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.generation import Synthesizer
from sfe_jax.readers import sha256

BATCH = 4
"""Pictures computed together. It is fixed, because a picture's last bits may depend on it."""


def described(options: Any) -> dict[str, Any]:
    """The options that are given, ready for JSON."""
    return {name: x for name, x in dataclasses.asdict(options).items() if x is not None}


class Origin(NamedTuple):
    """A code's source, opened."""

    code: Callable[[int], np.ndarray]  # Of the character's seed: [L, W].
    facts: Callable[[int], dict[str, Any]]  # Of the character's seed: where the code comes from.


class Mixer(NamedTuple):
    """A mix, opened."""

    origin: Origin
    weights: np.ndarray  # [L].
    rows: str

    def facts(self, seed: int) -> dict[str, Any]:
        """What is mixed into the character of a seed."""
        return {**self.origin.facts(seed), "rows": self.rows}

    def __call__(self, code: np.ndarray, donor: np.ndarray) -> np.ndarray:
        """The code [L, W] with rows of the donor [L, W]."""
        return mix(code, donor, self.weights)


class Move(NamedTuple):
    """An edit, opened."""

    direction: Direction
    operands: Operands
    strength: float


def _check_class(class_index: int | None, classes: int) -> None:
    """Raises unless a class is given where a generator has some, and none where it has none."""
    if class_index not in (range(classes) if classes else (None,)):
        required = f"0 to {classes - 1}" if classes else "none: this generator has no classes"
        raise OptionError(f"`class_index` is {class_index}; required is {required}")


class Studio:
    """Codes, edits and pictures of a generator; its program compiles once."""

    def __init__(self, bundle: Bundle, *, class_index: int | None, precision: str) -> None:
        """Prepares a generator.

        Args:
            bundle: Holds it.
            class_index: Of codes drawn from seeds, where it has classes.
            precision: Of its activations, "float32" or "bfloat16".

        Raises:
            WeightsError: If there is no generator, or its pictures cannot be shown.
            OptionError: If it has classes and none is given, or the other way round.
        """
        self.bundle, self.class_index, self.precision = bundle, class_index, precision
        self._synthesizer = Synthesizer(
            bundle, class_index=class_index, precision=precision, batch_size=BATCH
        )
        self.generator = self._synthesizer.generator
        _check_class(class_index, self.generator.c_dim)
        self.notes: list[str] = []  # What a user should know.

    # Codes.

    @cached_property
    def average(self) -> np.ndarray:
        """The average code, [W] or [L, W]; a note says so where it is estimated."""
        if not self._synthesizer.is_tracked:
            path = self.bundle.path
            self.notes.append(f"{path}: has no average code; it is estimated from samples")
        return self._synthesizer.average()

    def _truncated(self, codes: np.ndarray, psi: float) -> np.ndarray:
        return codes if psi == 1 else truncate_about(codes, self.average, psi=psi)

    def _open_file(self, file: RecipeFile, source: Source, name: str) -> Origin:
        """The code of a file, the same for every character."""
        path = file.beside(name)
        codes = read_codes(path, num_ws=self.generator.num_ws, w_dim=self.generator.w_dim)
        if source.index >= len(codes):
            raise OptionError(f"`index` is {source.index}; {name} holds {len(codes)} codes, from 0")
        code = self._truncated(codes[source.index : source.index + 1], source.psi)[0]
        facts = {"file": name, "index": source.index, "sha256": sha256(path), "psi": source.psi}
        return Origin(lambda _: code, lambda _: facts)

    def open_source(self, file: RecipeFile, source: Source) -> Origin:
        """Opens where a code comes from.

        Raises:
            OptionError: If a file holds codes of another generator, or too few.
            FileFormatError: If it holds none.
        """
        if source.file is not None:
            return self._open_file(file, source, source.file)

        def number(seed: int) -> int:
            return seed + source.offset if source.seed is None else source.seed

        def code(seed: int) -> np.ndarray:
            codes = self._synthesizer.codes_of_seeds([number(seed)])
            return self._truncated(codes, source.psi)[0]

        return Origin(code, lambda seed: {"seed": number(seed), "psi": source.psi})

    def open_mix(self, file: RecipeFile, step: Mix) -> Mixer:
        """Opens a mix.

        Raises:
            OptionError: As `open_source`, or if rows are not this generator's.
        """
        weights = parse_rows(step.rows, self.generator.num_ws, option="`rows`")
        return Mixer(self.open_source(file, step), weights, step.rows)

    # Edits.

    def open_edits(self, edits: Mapping[str, float]) -> list[Move]:
        """Opens edits by name; a note warns of strengths outside the documented range.

        Raises:
            EditError: If an edit is unknown, its array is missing, or it does not fit.
        """
        published = {record.name: record for record in (*CARS, *FACES)}
        own = {record.name: record for record in self.bundle.records}
        known, moves = tuple({**published, **own}.values()), []
        for name, strength in edits.items():
            direction = find(name, known)
            operands = self._synthesizer.operands(direction, self.bundle.directions)
            warning = strength_warning(direction, strength)
            self.notes += [f"warning: {warning}"] if warning else []
            moves.append(Move(direction, operands, strength))
        return moves

    def moved(self, code: np.ndarray, moves: list[Move]) -> np.ndarray:
        """A code [L, W] after edits of W+; those of StyleSpace are left to `pictures`."""
        ws = jnp.asarray(code)[None]
        for move in moves:
            ws = apply_to_ws(ws, move.operands, jnp.asarray([move.strength], jnp.float32))
        return np.asarray(ws)[0]

    # Pictures.

    def pictures(
        self, codes: np.ndarray, moves: tuple[Move, ...] = (), strengths: np.ndarray | None = None
    ) -> np.ndarray:
        """Draws codes with the stored noise.

        Args:
            codes: [N, L, W].
            moves: E edits of StyleSpace.
            strengths: [N, E], of each edit in each picture; None if there are none.

        Returns:
            uint8 [N, R, R, 3].
        """
        edits = [move.operands for move in moves]
        return np.stack([*self._synthesizer.pictures(codes, edits=edits, strengths=strengths)])
