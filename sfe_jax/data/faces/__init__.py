"""Procedural faces: pictures whose every cause is known, so that the true edit can be drawn."""

from sfe_jax.data.faces.anatomy import landmarks
from sfe_jax.data.faces.attributes import (
    ATTRIBUTES,
    AttributeRange,
    Attributes,
    Details,
    Faces,
    Identity,
    Split,
    sample_faces,
    with_attribute,
)
from sfe_jax.data.faces.render import render_faces

__all__ = [
    "ATTRIBUTES",
    "AttributeRange",
    "Attributes",
    "Details",
    "Faces",
    "Identity",
    "Split",
    "landmarks",
    "render_faces",
    "sample_faces",
    "with_attribute",
]
