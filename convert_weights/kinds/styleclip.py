"""Latent mappers of StyleCLIP, which are edits and no networks of a bundle.

A file is {"state_dict": {"mapper.course_mapping.*", ...}, "opts": ...}. StyleFeatureEditor's 14
are known by their names; this kind is for all others, each an edit with the name of its file.

Source: StyleCLIP (arXiv:2103.17249), mapper/training/coach.py.
"""

from typing import Any

from convert_weights.kinds.kind import Converted, Kind
from sfe_jax.edits.files import is_mapper, own_mapper


def _convert_mapper(content: Any, where: str) -> Converted:
    direction, arrays = own_mapper(content, where)
    return Converted("styleclip-mapper", directions=arrays, records=(direction,))


KINDS = (Kind("styleclip-mapper", "StyleCLIP latent mapper: an edit", is_mapper, _convert_mapper),)
"""The only one."""
