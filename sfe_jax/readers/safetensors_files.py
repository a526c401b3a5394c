"""Safetensors files, as views of their bytes.

The header is read here rather than by the `safetensors` library, whose NumPy side lacks bfloat16
and float8 and copies the arrays.

Source: the format section of huggingface/safetensors.
"""

import itertools
import json

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN, quote
from sfe_jax.readers.storages import TORCH_DTYPES, check_sizes, dense_view

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON lets names repeat; here none may."""
    if len(dict(pairs)) != len(pairs):
        raise FileFormatError(f"the safetensors header repeats a name; {BROKEN}")
    return dict(pairs)


def _parse_header(data: memoryview, budget: Budget) -> tuple[dict[str, object], memoryview]:
    """Returns the header and the data behind it."""
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, budget.limits.header_bytes):
        raise FileFormatError(f"the safetensors header claims {size} bytes; {BROKEN}")
    try:
        header = json.loads(bytes(data[8 : 8 + size]), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"the safetensors header is not JSON; {BROKEN}") from error
    if not isinstance(header, dict):
        raise FileFormatError(f"the safetensors header is no object; {BROKEN}")
    return header, data[8 + size :]


def _read_metadata(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(type(text) is str for text in metadata.values()):
        raise FileFormatError(f"the safetensors metadata does not map text to text; {BROKEN}")
    return metadata


def _parse_entry(name: str, entry: object) -> tuple[np.dtype, tuple[int, ...], tuple[int, ...]]:
    """Returns dtype, shape and [begin, end) of one tensor."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"the tensor {quote(name)} is not fully described; {BROKEN}")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FileFormatError(f"the tensor {quote(name)} has dtype {quote(dtype)}; save as F32")
    shape = check_sizes(f"the shape of {quote(name)}", entry["shape"])
    place = check_sizes(f"the place of {quote(name)}", entry["data_offsets"])
    if len(place) != 2:
        raise FileFormatError(f"the tensor {quote(name)} has no begin and end; {BROKEN}")
    return TORCH_DTYPES[_DTYPES[dtype]], shape, place


def read_safetensors(data: memoryview, *, budget: Budget) -> dict[str, object]:
    """Reads a safetensors file.

    Args:
        data: The whole file.
        budget: Pays for the arrays.

    Returns:
        Arrays by name; `__metadata__` maps text to text if the file has it.

    Raises:
        FileFormatError: If it is broken, or its tensors overlap or leave gaps.
    """
    header, body = _parse_header(data, budget)
    found: dict[str, object] = {}
    if "__metadata__" in header:
        found["__metadata__"] = _read_metadata(header.pop("__metadata__"))
    places = []
    for name, entry in header.items():
        dtype, shape, (begin, end) = _parse_entry(name, entry)
        if not begin <= end <= len(body):
            raise FileFormatError(f"the tensor {quote(name)} leaves the file; {BROKEN}")
        found[name] = dense_view(body[begin:end], dtype=dtype, shape=shape, budget=budget)
        places.append((begin, end))
    ends = [0, *itertools.chain.from_iterable(sorted(places)), len(body)]
    if ends[::2] != ends[1::2]:
        raise FileFormatError(f"the tensors overlap or leave gaps; {BROKEN}")
    return found
