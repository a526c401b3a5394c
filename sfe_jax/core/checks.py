"""Checks at the door of public functions: they raise `ShapeError` with both shapes."""

from collections.abc import Sequence

from sfe_jax.core.errors import ShapeError


def check_shape(name: str, shape: Sequence[int], expected: Sequence[int | None]) -> None:
    """Raises unless `shape` equals `expected`, in which `None` admits any size.

    Args:
        name: What the array is, for the message.
        shape: The shape met.
        expected: The shape required.

    Raises:
        ShapeError: With both shapes.
    """
    fits = len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise ShapeError(f"`{name}` has shape {tuple(shape)}; required is ({wanted})")
