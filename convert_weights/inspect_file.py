"""What a file holds: `--inspect` prints it without converting anything."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from convert_weights.kinds.table import detect
from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import describe_architecture, is_bundle, read_description
from sfe_jax.readers import (
    Record,
    init_arguments,
    is_tensorflow_network,
    module_tensors,
    network_arguments,
    network_function,
    network_variables,
    read,
    sha256,
    sniff,
)

LONGEST_TEXT = 60
"""Characters of a string that are shown."""


def _describe(value: Any) -> str:
    """One value in a few words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "...")
    if isinstance(value, list | tuple | set):
        return f"{type(value).__name__} of {len(value)}"
    return repr(value)


def _lines(value: Any, indent: str) -> Iterator[str]:
    """The tree below `value`, a line each; networks by their tensors."""
    if isinstance(value, Record) and value.module == "torch_utils.persistence":
        yield from _lines(module_tensors(value), indent)
    elif is_tensorflow_network(value):
        yield f"{indent}built by {network_function(value)} with {network_arguments(value)}"
        yield from _lines(network_variables(value), indent)
    elif isinstance(value, tuple) and any(map(is_tensorflow_network, value)):
        yield from _lines(dict(zip(("G", "D", "Gs"), value, strict=False)), indent)
    elif isinstance(value, Record):
        yield f"{indent}{value.module}.{value.name}"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping | Record):
                yield f"{indent}{key}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{key}: {_describe(item)}"
    else:
        yield f"{indent}{_describe(value)}"


def _bundle_lines(path: pathlib.Path) -> Iterator[str]:
    """A bundle of ours: its networks with their fields, where they came from, fitted edits."""
    modules, sources, records = read_description(path)
    for role, module in modules.items():
        fields = describe_architecture(module)
        kind = fields.pop("type")
        yield f"{role}: {kind} ({', '.join(f'{key}={value}' for key, value in fields.items())})"
    for source in sources:
        yield f"source: {source.name}, sha256 {source.sha256}"
    for fitted in records:
        yield f"direction {fitted.name}: {fitted.method}, range {fitted.range}, {fitted.source}"


def inspect_file(path: pathlib.Path) -> Iterator[str]:
    """Lines that describe a file.

    Args:
        path: Any file that the readers know.

    Yields:
        Its format, digest and kind; the constructor's arguments of pickled networks; every tensor.

    Raises:
        FileFormatError: If it is broken or unsafe.
        WeightsError: If it is a bundle with an architecture that is not known or out of bounds.
    """
    content: Any = read(path)
    yield f"{path}: {sniff(path).name}, sha256 {sha256(path)}"
    if is_bundle(path):
        yield "kind: bundle (converted already; `sfe` reads it)"
        yield from _bundle_lines(path)
        yield from _lines({k: v for k, v in content.items() if k != "__metadata__"}, "")
        return
    try:
        kind = detect(content, path.name)
        yield f"kind: {kind.name} ({kind.what})"
    except WeightsError:
        yield "kind: none that can be converted"
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(value, Record) and value.module == "torch_utils.persistence":
                yield f"{name} arguments: {init_arguments(value)}"
    yield from _lines(content, "")
