"""Batches of homogeneous matrices, [N, 3, 3] for positions and [N, 4, 4] for colours."""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.types import Array

_LUMA = np.asarray([1, 1, 1, 0], np.float32) / np.sqrt(np.float32(3))
"""Direction of grey in colour space."""

_ALONG = np.outer(_LUMA, _LUMA)
_ACROSS = np.diag(np.asarray([1, 1, 1, 0], np.float32)) - _ALONG
"""Projections of a colour (r, g, b, 1); what is homogeneous is in neither."""

_CROSS = np.asarray([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]], np.float32)
_CROSS = _CROSS / np.sqrt(np.float32(3))
"""Cross product with the direction of grey."""


def _identity_plus(*terms: tuple[Array, np.ndarray]) -> Array:
    """I + sum of factor [N] times matrix [4, 4]."""
    total = jnp.eye(4)[None]
    for factor, term in terms:
        total = total + factor[:, None, None] * term[None]
    return total


def matrix(rows: list[list[Array | float]]) -> Array:
    """Stacks entries, each a number or [N], into [N, rows, columns]."""
    entries = jnp.broadcast_arrays(*(jnp.atleast_1d(entry) for row in rows for entry in row))
    return jnp.stack(entries, axis=1).reshape(-1, len(rows), len(rows[0]))


def product(*matrices: Array) -> Array:
    """Product from left to right, exact in float32 on every device."""
    multiply = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    return functools.reduce(multiply, matrices)


def translate_2d(x: Array, y: Array) -> Array:
    """Moves positions by (x, y), each [N]."""
    return matrix([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scale_2d(x: Array, y: Array) -> Array:
    """Multiplies positions by (x, y), each [N]."""
    return matrix([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])


def rotate_2d(angle: Array) -> Array:
    """Turns the x axis towards the y axis by `angle` [N], radians."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return matrix([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def brighten(amount: Array) -> Array:
    """Adds `amount` [N] to every channel."""
    rows = [[float(i == j) for j in range(3)] + [amount] for i in range(3)]
    return matrix([*rows, [0.0, 0.0, 0.0, 1.0]])


def multiply(factor: Array) -> Array:
    """Multiplies every channel by `factor` [N]."""
    rows = [[factor if i == j else 0.0 for j in range(4)] for i in range(3)]
    return matrix([*rows, [0.0, 0.0, 0.0, 1.0]])


def along_luma(factor: Array) -> Array:
    """Multiplies the part of a colour that lies along grey by `factor` [N]."""
    return _identity_plus((factor - 1, _ALONG))


def across_luma(factor: Array) -> Array:
    """Multiplies the part of a colour that lies across grey by `factor` [N]."""
    return _identity_plus((factor - 1, _ACROSS))


def rotate_hue(angle: Array) -> Array:
    """Turns colours about grey by `angle` [N], radians (Rodrigues' formula)."""
    return _identity_plus((jnp.sin(angle), _CROSS), (1 - jnp.cos(angle), _CROSS @ _CROSS))
