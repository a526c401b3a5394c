"""Arrays as checked views of raw bytes, little-endian."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN

MAX_RANK = 64  # NumPy's own bound.

# torch's name of a dtype: the NumPy form.
TORCH_DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
    "complex128": np.dtype(np.complex128),
    "complex64": np.dtype(np.complex64),
    "int64": np.dtype(np.int64),
    "int32": np.dtype(np.int32),
    "int16": np.dtype(np.int16),
    "int8": np.dtype(np.int8),
    "uint64": np.dtype(np.uint64),
    "uint32": np.dtype(np.uint32),
    "uint16": np.dtype(np.uint16),
    "uint8": np.dtype(np.uint8),
    "bool": np.dtype(np.bool_),
}

# torch's class of a storage: torch's name of its dtype.
STORAGE_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}


@dataclass(frozen=True, eq=False, repr=False)
class Storage:
    """A run of raw bytes that tensors view.

    Attributes:
        data: The bytes.
        dtype: What it was declared to hold; uint8 if untyped.
    """

    data: memoryview
    dtype: np.dtype


def check_sizes(name: str, sizes: object) -> tuple[int, ...]:
    """Returns `sizes` as a tuple of non-negative integers.

    Args:
        name: What they are, for the message.
        sizes: A tuple or list from a file.

    Raises:
        FileFormatError: If they are anything else.
    """
    if not isinstance(sizes, tuple | list) or len(sizes) > MAX_RANK:
        raise FileFormatError(f"{name} must be a tuple of at most {MAX_RANK} integers")
    for size in sizes:
        if type(size) is not int or not 0 <= size < 2**62:
            shown = size if type(size) is int and size.bit_length() < 256 else type(size).__name__
            raise FileFormatError(f"{name} holds {shown}; required are integers in [0, 2^62)")
    return tuple(sizes)


def strided_view(
    storage: Storage,
    *,
    dtype: np.dtype,
    offset: object,
    shape: object,
    strides: object,
    budget: Budget,
) -> np.ndarray:
    """Views a storage as a tensor, never reaching outside it and never copying.

    Args:
        storage: The bytes.
        dtype: Of the elements.
        offset: First element, counted in elements.
        shape: Sizes of the axes.
        strides: Steps of the axes, counted in elements; 0 repeats an element.
        budget: Pays for the array at its full size.

    Returns:
        An array of that shape and dtype.

    Raises:
        FileFormatError: If the view would leave the storage or is too large.
    """
    (first,) = check_sizes("the offset of a tensor", (offset,))
    sizes = check_sizes("the shape of a tensor", shape)
    steps = check_sizes("the strides of a tensor", strides)
    if len(sizes) != len(steps):
        raise FileFormatError(f"a tensor has {len(sizes)} axes and {len(steps)} strides")
    if math.prod(sizes) == 0:
        return np.zeros(sizes, dtype)
    last = first + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    available = len(storage.data) // dtype.itemsize
    if last >= available:
        raise FileFormatError(
            f"a tensor of shape {sizes}, strides {steps}, offset {first} reaches element {last} "
            f"of a storage of {available}; {BROKEN}"
        )
    budget.spend_bytes(math.prod(sizes) * dtype.itemsize, what=f"a tensor of shape {sizes}")
    return np.ndarray(
        sizes,
        dtype,
        buffer=storage.data,
        offset=first * dtype.itemsize,
        strides=tuple(step * dtype.itemsize for step in steps),
    )


def dense_view(
    data: memoryview | bytes | bytearray,
    *,
    dtype: np.dtype,
    shape: Sequence[int],
    budget: Budget,
    fortran_order: bool = False,
) -> np.ndarray:
    """Views bytes as one contiguous array that uses all of them.

    Args:
        data: The bytes.
        dtype: Of the elements.
        shape: Sizes of the axes.
        budget: Pays for the array.
        fortran_order: Whether the first axis runs fastest.

    Returns:
        An array of that shape and dtype.

    Raises:
        FileFormatError: If the shape needs another number of bytes.
    """
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(data):
        raise FileFormatError(
            f"an array of shape {tuple(shape)} and dtype {dtype} needs {needed} bytes, the file "
            f"has {len(data)}; {BROKEN}"
        )
    if needed == 0:
        return np.zeros(shape, dtype)
    budget.spend_bytes(needed, what=f"an array of shape {tuple(shape)}")
    return np.ndarray(shape, dtype, buffer=data, order="F" if fortran_order else "C")
