"""Rules over names say which arrays are divided along `model`; all others are replicated.

A name is the path of an array in its tree, such as
"networks/generator/params/synthesis/b64/conv1/kernel". Optimisers and moving averages repeat the
names of the parameters they belong to, so that one rule holds for all of them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.mesh import MODEL

WIDE = 256
"""Output channels from which on a kernel is divided; below, parts are too small to be worth it."""

WHOLE_LANES = 128
"""Only widths of which this is a divisor are divided: the lanes of a TPU's vectors."""

Layout = PartitionSpec | Callable[[tuple[int, ...]], PartitionSpec]
"""How an array is divided, or a function of its shape that says it."""

Rules = Sequence[tuple[str, Layout]]
"""(regular expression, layout): the first that is found in a name holds for the array."""


def output_channels(shape: tuple[int, ...]) -> PartitionSpec:
    """Divides the last axis, the output channels of HWIO and [in, out] kernels, if it is `WIDE`.

    Widths such as StyleGAN3's 323 and 645, which no number of devices divides, stay whole.
    """
    if not shape or shape[-1] < WIDE or shape[-1] % WHOLE_LANES:
        return PartitionSpec()
    return PartitionSpec(*[None] * (len(shape) - 1), MODEL)


WIDE_KERNELS: Rules = ((r"/kernel$", output_channels),)
"""The usual rules: wide kernels, with their moments and averages, are divided along `model`."""


def _check_division(mesh: Mesh, name: str, shape: tuple[int, ...], spec: PartitionSpec) -> None:
    """Raises unless `mesh` can divide an array of `shape` as `spec` says."""
    if len(spec) > len(shape):
        raise OptionError(
            f"{name} has shape {shape}; required by its rule {spec} are at least {len(spec)} axes"
        )
    for axis, entry in enumerate(spec):
        names = () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry)
        for unknown in set(names) - set(mesh.axis_names):
            known = ", ".join(mesh.axis_names)
            raise OptionError(f"{name}: its rule names the axis {unknown!r}; known are {known}")
        parts = 1
        for part in names:
            parts *= mesh.shape[part]
        if shape[axis] % parts:
            raise OptionError(
                f"{name} has shape {shape}; its rule divides axis {axis} among {parts} devices, "
                "required is a divisor; change the mesh or the rule"
            )


def _spec(mesh: Mesh, name: str, shape: tuple[int, ...], rules: Rules) -> PartitionSpec:
    """What the first rule for `name` says, checked; replication if there is none."""
    for pattern, layout in rules:
        if re.search(pattern, name):
            spec = layout(shape) if callable(layout) else layout
            _check_division(mesh, name, shape, spec)
            return spec
    return PartitionSpec()


def shardings(mesh: Mesh, tree: Any, *, rules: Rules = WIDE_KERNELS) -> Any:
    """Where each array of a tree lies.

    Args:
        mesh: From `make_mesh`.
        tree: Arrays, or their shapes from `jax.eval_shape`.
        rules: See `Rules`. An array without a rule is replicated.

    Returns:
        The same tree of `NamedSharding`, for `jax.jit` and `with_shardings`.

    Raises:
        OptionError: If a rule does not fit an array; an axis that the devices do not divide evenly
            is never left whole in silence.
    """

    def place(path: Any, array: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return NamedSharding(mesh, _spec(mesh, name, tuple(array.shape), rules))

    return jax.tree.map_with_path(place, tree)


def with_shardings(tree: Any, places: Any) -> Any:
    """Joins shapes and places: the template that `Checkpoints.restore` fills.

    Args:
        tree: Arrays or shapes.
        places: The same tree of shardings, or one sharding for all arrays.

    Returns:
        The same tree of `jax.ShapeDtypeStruct` with shardings.
    """
    if isinstance(places, jax.sharding.Sharding):
        places = jax.tree.map(lambda _: places, tree)
    return jax.tree.map(
        lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), tree, places
    )


def born_sharded(
    init: Callable[..., Any], *arguments: Any, mesh: Mesh, rules: Rules = WIDE_KERNELS
) -> Any:
    """Runs `init` so that no device ever holds more than its part of the result.

    Args:
        init: A function of arrays to a tree of arrays; compiled.
        *arguments: Of `init`.
        mesh: From `make_mesh`.
        rules: See `Rules`.

    Returns:
        What `init` returns, placed as `shardings` says.

    Raises:
        OptionError: As `shardings`.
    """
    places = shardings(mesh, jax.eval_shape(init, *arguments), rules=rules)
    return jax.jit(init, out_shardings=places)(*arguments)
