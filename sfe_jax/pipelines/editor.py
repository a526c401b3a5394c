"""Invert and edit pictures with a bundle: the front door for Python users.

Example:
    editor = Editor(load_bundle("sfe_ffhq.safetensors"))
    inversion = editor.invert(images)                       # uint8 [N, 1024, 1024, 3]
    pictures = editor.edit(inversion, "smile", [-3, 0, 3])  # uint8 [N, 3, 1024, 1024, 3]
"""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.core.images import to_float, to_uint8
from sfe_jax.edits.catalogue import FACES, find
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.operands import Operands
from sfe_jax.edits.prepare import operands_for
from sfe_jax.ops.resize import resize_bilinear
from sfe_jax.pipelines.batching import in_batches
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
    check_choice("precision", precision, Precision)
    networks = {role: bundle.network(role) for role in METHOD_ROLES[name]}
    for role, network in networks.items():
        if (channels := getattr(network.module, "image_channels", 3)) != 3:
            remedy = "; sketches and maps of labels are for `sfe translate`"
            raise WeightsError(
                f"{bundle.path}: {role} works on pictures of {channels} channels; required are 3"
                f"{remedy if role == 'psp' else ''}"
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
        if not (method or available):
            held = ", ".join(sorted(bundle.networks)) or "no network"
            raise WeightsError(
                f"{bundle.path}: this bundle cannot invert pictures, it holds {held}; convert "
                "sfe_editor_light.pt, or an encoder of e4e or pSp, into it"
            )
        self.bundle = bundle
        self.method_name = method or available[0]
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

    def protect(self, inversion: Inversion, background: np.ndarray) -> Inversion:
        """The inversion, whose edits leave the background's feature as it is.

        What edits change in fine layers, and in the colours below the feature, stays, as in SFE.

        Args:
            inversion: Of N pictures, by the method "sfe".
            background: float32 [N, S, S] in [0, 1]: 1 where nothing is to change.

        Raises:
            OptionError: If the method has no feature that edits change.
            ShapeError: If the background is of another shape.

        Source: StyleFeatureEditor runners/inference_runners.py.
        """
        if inversion.feature_e4e is None:
            raise OptionError(
                f"method {self.method_name!r} edits no feature; required is 'sfe' where a "
                "background is protected"
            )
        check_shape("background", background.shape, (len(inversion.ws), None, None))
        mask = jnp.asarray(background, jnp.float32)[..., None]
        return inversion._replace(background=resize_bilinear(mask, inversion.feature.shape[1]))

    def edit(
        self, inversion: Inversion, edit: str | Operands, strengths: Sequence[float] | float
    ) -> np.ndarray:
        """Edited pictures.

        Args:
            inversion: Of N pictures.
            edit: Name of a direction, or its operands.
            strengths: S strengths in the unit of the direction, or one.

        Returns:
            uint8 [N, S, R, R, 3].

        Raises:
            EditError: If the edit is unknown, its file is missing, or it does not fit.
        """
        operands = self.operands(edit) if isinstance(edit, str) else edit
        known = np.atleast_1d(np.asarray(strengths, np.float32))
        count, steps = len(inversion.ws), len(known)

        def run(numbers: np.ndarray) -> np.ndarray:
            """Edits of a batch alone: an inversion is large, and every strength reads it."""
            rows = jax.tree.map(lambda x: x[numbers // steps], inversion)
            pictures = self._edit(self._variables, rows, operands, known[numbers % steps])
            return to_uint8(np.asarray(pictures))

        pictures = np.concatenate(in_batches(run, self._batch_size, np.arange(count * steps)))
        return pictures.reshape(count, steps, *pictures.shape[1:])
