"""All kinds, and how the one of a file is found.

Source: the savers of the original repositories, as described in the file of each kind.
"""

from typing import Any

from convert_weights.kinds import (
    encoders,
    judges,
    lpips,
    nvidia,
    rosinality,
    sfe,
    styleclip,
    tensorflow,
)
from convert_weights.kinds.encoders import is_encoder
from convert_weights.kinds.kind import Kind
from sfe_jax.core.errors import WeightsError

KINDS = (
    *sfe.KINDS,
    *styleclip.KINDS,
    *encoders.KINDS,
    *nvidia.KINDS,
    *tensorflow.KINDS,
    *rosinality.KINDS,
    *judges.KINDS,
    *lpips.KINDS,
)
"""Every kind, the more specific first."""


def names() -> tuple[str, ...]:
    """Names for --kind."""
    return tuple(kind.name for kind in KINDS)


def detect(content: Any, where: str) -> Kind:
    """The kind of a file's content.

    Raises:
        WeightsError: If it is of no kind, or of two that only an option tells apart.
    """
    for kind in KINDS:
        if kind.matches(content):
            return kind
    if is_encoder(content):
        raise WeightsError(
            f"{where}: an encoder of pSp or e4e without `encoder_type` among its options; say "
            "which with --kind psp or --kind e4e"
        )
    raise WeightsError(
        f"{where}: not a kind of weights that is known; see what it holds with --inspect, known "
        f"kinds are {', '.join(names())}"
    )


def by_name(name: str) -> Kind:
    """The kind called `name`.

    Raises:
        WeightsError: If there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise WeightsError(f"--kind is {name!r}; known are {', '.join(names())}")
