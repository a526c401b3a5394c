"""Those that are measured: methods of a bundle, and folders of pictures that any program made.

A folder holds a folder `inversion` and one for each edit, such as `smile+` or `smile-`. A picture
there has the name of the picture that was inverted or edited, with any suffix.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax.sharding import Mesh

from sfe_jax.core.errors import EditError, OptionError
from sfe_jax.core.images import to_float, to_uint8
from sfe_jax.core.types import Array
from sfe_jax.edits.catalogue import find
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.operands import Operands
from sfe_jax.edits.prepare import operands_for
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.recipe import AttributeEdit
from sfe_jax.evaluation.sets import Batch, NamedPictures, PictureSet
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.editor import build_method
from sfe_jax.pipelines.methods import Method

INVERSION = "inversion"
"""The folder of a participant's inversions."""


class Edit(NamedTuple):
    """An edit, ready to be made by a method."""

    folder: str  # Of another program's pictures.
    operands: Operands | None = None  # None if no method takes part.
    strength: float = 0.0


class Participant(Protocol):
    """Who inverts and edits pictures."""

    name: str  # As it stands in tables.
    weights: str  # SHA-256 of the weights; "" if they are not known.
    dtype: str  # In which the networks compute; "" if that is not known.
    timed: bool  # Whether what it does takes the time that it would take anybody.

    def invert(self, batch: Batch) -> np.ndarray:
        """Inversions uint8 [B, H, W, 3] of a batch."""
        ...

    def edit(self, batch: Batch, edit: Edit) -> np.ndarray:
        """Edited pictures uint8 [B, H, W, 3] of a batch."""
        ...

    def offers(self, what: str) -> bool:
        """Whether it has "inversion", or the edit of a name."""
        ...


def _reconstruction(method: Method) -> Any:
    def reconstruct(variables: Mapping[str, Any], images: Array) -> Array:
        return method.reconstruct(variables, method.invert(variables, images))

    return reconstruct


def _edition(method: Method) -> Any:
    def edit(
        variables: Mapping[str, Any], operands: Operands, images: Array, strength: Array
    ) -> Array:
        return method.edit(variables, method.invert(variables, images), operands, strength)

    return edit


class NetworkParticipant:
    """A method of a bundle, from the picture in to the picture out: two programs on a mesh."""

    timed = True

    def __init__(self, bundle: Bundle, name: str, mesh: Mesh, *, precision: str) -> None:
        """Compiles nothing yet.

        Args:
            bundle: Holds the networks.
            name: "sfe", "inverter", "e4e" or "psp".
            mesh: Divides batches.
            precision: Of the activations: "float32" or "bfloat16".

        Raises:
            OptionError: If the name or the precision is unknown.
            WeightsError: If the bundle lacks a network.
        """
        method, variables = build_method(bundle, name, precision=precision)
        self.name, self.dtype = name, precision
        self.weights = digest_arrays(variables)
        self.resolution = method.generator.resolution
        self._invert = Program(_reconstruction(method), variables, mesh)
        self._edit = Program(_edition(method), variables, mesh)

    def invert(self, batch: Batch) -> np.ndarray:
        """Inversions uint8 [B, R, R, 3] of a batch of that size."""
        return to_uint8(self._invert(to_float(batch.images)))

    def edit(self, batch: Batch, edit: Edit) -> np.ndarray:
        """Edited pictures uint8 [B, R, R, 3] of a batch of that size."""
        strength = np.full(len(batch.numbers), edit.strength, np.float32)
        return to_uint8(self._edit(to_float(batch.images), strength, shared=(edit.operands,)))

    def offers(self, what: str) -> bool:
        """A method can all."""
        del what
        return True


class FolderParticipant:
    """Pictures that another program has made of the same originals."""

    weights, dtype, timed = "", "", False

    def __init__(self, name: str, folder: pathlib.Path, originals: PictureSet) -> None:
        """Looks at no picture yet.

        Args:
            name: As it stands in tables.
            folder: Holds `inversion` and folders of edits, or some of them.
            originals: The pictures that were inverted; theirs get the same form.

        Raises:
            OptionError: If the folder does not exist.
        """
        if not folder.is_dir():
            raise OptionError(f"folder {str(folder)!r} of {name!r} does not exist")
        self.name, self._folder, self._originals = name, folder, originals
        self._parts: dict[str, NamedPictures] = {}

    def offers(self, what: str) -> bool:
        """Whether there is such a folder."""
        return (self._folder / what).is_dir()

    def invert(self, batch: Batch) -> np.ndarray:
        """The pictures of `inversion` for a batch; where it only fills up, those of the batch."""
        return self._pictures(batch, INVERSION)

    def edit(self, batch: Batch, edit: Edit) -> np.ndarray:
        """The pictures of an edit for a batch; where it only fills up, those of the batch."""
        return self._pictures(batch, edit.folder)

    def _pictures(self, batch: Batch, what: str) -> np.ndarray:
        if what not in self._parts:
            self._parts[what] = NamedPictures(self._folder / what, self._originals.form)
        return self._parts[what].like(batch, self._originals)


# From a recipe.


def prepare_edit(bundle: Bundle, wanted: AttributeEdit, directions: Sequence[Direction]) -> Edit:
    """An edit that fits the generator of a bundle.

    Args:
        bundle: Holds the generator, and arrays of directions. Without a generator only folders take
            part, and nothing is prepared.
        wanted: The edit of a recipe.
        directions: The catalogue; directions of the bundle come before it.

    Raises:
        EditError: If it is unknown, its file is missing, it does not fit, or it has no range where
            one is needed.
    """
    if "generator" not in bundle.networks:
        return Edit(wanted.folder)
    direction = find(wanted.edit, (*directions, *bundle.records))
    module: Any = bundle.network("generator").module
    operands = operands_for(
        direction,
        bundle.directions,
        **module.code_sizes,
    )
    strength = wanted.strength
    if strength is None:
        strength = direction.low if wanted.reverse else direction.high
    if strength is None:
        raise EditError(
            f"edit `{wanted.edit}` has no measured range; give its strength in the recipe"
        )
    return Edit(wanted.folder, operands, strength)


def split_folder(text: str) -> tuple[str, pathlib.Path]:
    """Splits "NAME=FOLDER".

    Raises:
        OptionError: If it is not of this form.
    """
    name, sign, folder = text.partition("=")
    if not (name and sign and folder):
        raise OptionError(f"`folders` holds {text!r}; required is NAME=FOLDER")
    return name, pathlib.Path(folder)
