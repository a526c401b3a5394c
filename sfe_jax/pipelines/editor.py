"""Invert and edit pictures with a bundle: the front door for Python users.

Example:
    editor = Editor(load_bundle("sfe_ffhq.safetensors"))
    inversion = editor.invert(images)                       # uint8 [N, 1024, 1024, 3]
    pictures = editor.edit(inversion, "smile", [-3, 0, 3])  # uint8 [N, 3, 1024, 1024, 3]
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import OptionError, ShapeError, WeightsError
from sfe_jax.core.images import to_float, to_uint8
from sfe_jax.core.types import Array
from sfe_jax.edits.catalogue import FACES, find
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.operands import Operands
from sfe_jax.edits.prepare import operands_for
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.methods import (
    EncoderMethod,
    Inversion,
    InverterMethod,
    Method,
    NetworkVariables,
    SfeMethod,
)

METHOD_ROLES = {
    "sfe": ("generator", "inverter", "feature_editor", "e4e"),
    "inverter": ("generator", "inverter"),
    "e4e": ("generator", "e4e"),
    "psp": ("generator", "psp"),
}
"""Networks that each method needs, the fullest method first."""


PRECISIONS = ("float32", "bfloat16")
"""Types of the activations; parameters are always float32."""


def available_methods(bundle: Bundle) -> list[str]:
    """Names of the methods for which `bundle` holds all networks, the fullest first."""
    return [name for name, roles in METHOD_ROLES.items() if set(roles) <= set(bundle.networks)]


def build_method(
    bundle: Bundle, name: str, *, precision: str = "float32"
) -> tuple[Method, NetworkVariables]:
    """A method and the variables of its networks.

    Args:
        bundle: Holds the networks.
        name: A name of `METHOD_ROLES`.
        precision: Of the activations: "float32" or "bfloat16".

    Raises:
        OptionError: If the method or precision is unknown.
        WeightsError: If the bundle lacks one of its networks, or one does not read colours.
    """
    if name not in METHOD_ROLES:
        raise OptionError(f"method {name!r} is unknown; choose from {', '.join(METHOD_ROLES)}")
    if precision not in PRECISIONS:
        raise OptionError(f"precision {precision!r} is unknown; choose from {PRECISIONS}")
    networks = {role: bundle.network(role) for role in METHOD_ROLES[name]}
    for role, network in networks.items():
        if (channels := getattr(network.module, "image_channels", 3)) != 3:
            raise WeightsError(
                f"{bundle.path}: {role} works on pictures of {channels} channels; required are 3"
            )
    modules = {role: network.module for role, network in networks.items()}
    modules["generator"] = modules["generator"].clone(precision=precision)
    variables = {role: network.variables for role, network in networks.items()}
    match name:
        case "sfe":
            method = SfeMethod(**modules)  # pyright: ignore
        case "inverter":
            method = InverterMethod(**modules)  # pyright: ignore
        case _:
            method = EncoderMethod(modules["generator"], modules[name], name)  # pyright: ignore
    return method, variables


def in_batches(function: Callable, size: int, *arrays) -> list:
    """`function` on slices of `size` rows of pytrees; the last is padded, so one shape compiles.

    Args:
        function: Takes as many pytrees as `arrays`, gives a pytree; the leading axis is the batch.
        size: Rows of a slice.
        *arrays: Pytrees with the same leading axis.

    Returns:
        One result per slice, without the padding.

    Raises:
        ShapeError: If there are no rows.
    """
    count = jax.tree.leaves(arrays)[0].shape[0]
    if not count:
        raise ShapeError("there are no rows to compute; required are a picture and a strength")
    results = []
    for start in range(0, count, size):
        rows = np.minimum(np.arange(start, start + size), count - 1)
        result = function(*jax.tree.map(lambda x, rows=rows: x[rows], arrays))
        kept = min(size, count - start)
        results.append(jax.tree.map(lambda x, kept=kept: x[:kept], result))
    return results


def _join(results: list):
    """Slices of a pytree as one."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *results)


class Editor:
    """Inverts and edits pictures; every program compiles once per batch size."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        method: str | None = None,
        precision: str = "float32",
        batch_size: int = 1,
        directions: Sequence[Direction] = FACES,
        direction_arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Prepares a method.

        Args:
            bundle: Networks, and directions if it holds some.
            method: "sfe", "inverter", "e4e" or "psp"; None takes the fullest the bundle can.
            precision: "float32" (equal to the original) or "bfloat16" (faster on accelerators).
            batch_size: Pictures computed together.
            directions: The edits that `edit` knows; one of the bundle's replaces that of its name.
            direction_arrays: Arrays of direction files, beside those of the bundle.

        Raises:
            OptionError: If the method or precision is unknown, or the batch empty.
            WeightsError: If the bundle lacks a network.
        """
        if batch_size < 1:
            raise OptionError(f"`batch_size` is {batch_size}; required is at least 1")
        available = available_methods(bundle)
        self.bundle = bundle
        self.method_name = method or (available[0] if available else "sfe")
        self._method, self._variables = build_method(bundle, self.method_name, precision=precision)
        self._batch_size = batch_size
        known = (*directions, *bundle.records)  # The last of a name counts.
        self.directions = tuple({direction.name: direction for direction in known}.values())
        self._direction_arrays = {**bundle.directions, **(direction_arrays or {})}
        self._invert = jax.jit(self._method.invert)
        self._reconstruct = jax.jit(self._method.reconstruct)
        self._edit = jax.jit(self._method.edit)

    @property
    def resolution(self) -> int:
        """Pixels a side of pictures in and out."""
        return self._method.generator.resolution

    def invert(self, images: np.ndarray) -> Inversion:
        """Reads pictures: uint8 [N, R, R, 3] -> what the method knows of them.

        Raises:
            ShapeError: If the pictures are not [N, R, R, 3].
        """
        check_shape("images", images.shape, (None, self.resolution, self.resolution, 3))
        run = functools.partial(self._invert, self._variables)
        return _join(in_batches(run, self._batch_size, to_float(images)))

    def reconstruct(self, inversion: Inversion) -> np.ndarray:
        """Pictures of an inversion, uint8 [N, R, R, 3]."""
        run = functools.partial(self._reconstruct, self._variables)
        results = in_batches(lambda x: to_uint8(np.asarray(run(x))), self._batch_size, inversion)
        return np.concatenate(results)

    def operands(self, name: str) -> Operands:
        """The edit `name` as arrays that fit the generator.

        Raises:
            EditError: If it is unknown, its file is missing, or it does not fit.
        """
        generator = self._method.generator
        return operands_for(
            find(name, self.directions),
            self._direction_arrays,
            **generator.code_sizes,
        )

    def edit(
        self, inversion: Inversion, edit: str | Operands, strengths: Sequence[float]
    ) -> np.ndarray:
        """Edited pictures.

        Args:
            inversion: Of N pictures.
            edit: Name of a direction, or its operands.
            strengths: S strengths in the unit of the direction.

        Returns:
            uint8 [N, S, R, R, 3].

        Raises:
            EditError: If the edit is unknown, its file is missing, or it does not fit.
        """
        operands = self.operands(edit) if isinstance(edit, str) else edit
        count, steps = inversion.ws.shape[0], len(strengths)
        repeated = jax.tree.map(lambda x: jnp.repeat(x, steps, axis=0), inversion)
        strength: Array = jnp.tile(jnp.asarray(strengths, jnp.float32), count)

        def run(inversion: Inversion, strength: Array) -> np.ndarray:
            return to_uint8(np.asarray(self._edit(self._variables, inversion, operands, strength)))

        pictures = np.concatenate(in_batches(run, self._batch_size, repeated, strength))
        return pictures.reshape(count, steps, *pictures.shape[1:])
