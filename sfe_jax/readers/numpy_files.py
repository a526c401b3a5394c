"""NumPy arrays: inside pickles, in .npy and in .npz files.

Source: numpy.lib.format (the .npy format) and ndarray.__reduce__ of NumPy 1 and 2.
"""

import math
import re

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN, quote
from sfe_jax.readers.pickles import PLAIN_GLOBALS, AllowList, Pending, run_pickle
from sfe_jax.readers.records import Global
from sfe_jax.readers.storages import check_sizes, dense_view
from sfe_jax.readers.streams import ByteStream
from sfe_jax.readers.zip_files import Archive

_PLAIN_DTYPE = re.compile(r"[<|=]?(b1|i[1248]|u[1248]|f[248]|c8|c16|O8?|[SU][1-9]\d{0,7})")
_NPY_HEADER = re.compile(
    rb"\{'descr': ?'([^']{1,20})', ?'fortran_order': ?(True|False), "
    rb"?'shape': ?\(([\dL, ]{0,1000})\),? ?\}\s*"
)


def parse_dtype(text: object) -> np.dtype:
    """Reads the name of a plain little-endian dtype, such as "<f4".

    Raises:
        FileFormatError: If it is structured, big-endian or unknown.
    """
    if isinstance(text, str) and _PLAIN_DTYPE.fullmatch(text):
        return np.dtype(text)
    raise FileFormatError(
        f"the array type {quote(text)} is not read; save it as little-endian numbers or text"
    )


def _nested_list(items: object, shape: tuple[int, ...], *, fortran: bool, budget: Budget) -> object:
    """An array of objects becomes nested lists, and one of rank 0 its only object."""
    size = math.prod(shape)
    if not isinstance(items, list) or len(items) != size or max(shape, default=0) > size:
        raise FileFormatError(f"an array of objects has another shape than its list; {BROKEN}")
    budget.spend_steps(size * (1 + len(shape)))
    array = np.empty(size, object)
    for index, item in enumerate(items):
        array[index] = item
    return array.reshape(shape, order="F" if fortran else "C").tolist()


def _build_array(state: object, budget: Budget) -> object:
    """The state is (version, shape, dtype, in Fortran order?, bytes or list)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise FileFormatError(f"the state of an array has not five parts; {BROKEN}")
    _, shape, dtype, fortran, data = state
    sizes = check_sizes("the shape of an array", shape)
    if not isinstance(dtype, np.dtype) or not isinstance(fortran, bool | int):
        raise FileFormatError(f"the state of an array has no type; {BROKEN}")
    if dtype.hasobject:
        return _nested_list(data, sizes, fortran=bool(fortran), budget=budget)
    if isinstance(data, str):  # Byte strings of Python 2.
        budget.spend_bytes(len(data), what="a byte string")
        data = data.encode("latin-1")
    if not isinstance(data, bytes):
        raise FileFormatError(f"the state of an array has no bytes; {BROKEN}")
    return dense_view(data, dtype=dtype, shape=sizes, fortran_order=bool(fortran), budget=budget)


def _start_array(budget: Budget, cls: object, *_: object) -> Pending:
    if not isinstance(cls, Global) or cls.full_name != "numpy ndarray":
        raise FileFormatError("an array is rebuilt as something else than numpy.ndarray")
    return Pending(lambda state: _build_array(state, budget))


def _start_dtype(_budget: Budget, code: object, *_: object) -> Pending:
    plain = parse_dtype(code)

    def build(state: object) -> np.dtype:
        """The state is (version, byte order, subtype, names, fields, size, alignment, flags)."""
        structure = state[1:5] if isinstance(state, tuple) else ()
        if len(structure) != 4 or structure[1:] != (None, None, None):
            raise FileFormatError(f"the type {plain} has fields; save plain arrays")
        if structure[0] not in ("<", "|", "="):
            raise FileFormatError(f"the type {plain} is big-endian; save it as little-endian")
        return plain

    return Pending(build)


def _make_scalar(budget: Budget, dtype: object, data: object) -> object:
    if isinstance(data, str):
        data = data.encode("latin-1")
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(data, bytes):
        raise FileFormatError(f"a NumPy scalar has no type or no bytes; {BROKEN}")
    return dense_view(data, dtype=dtype, shape=(), budget=budget)[()]


def _view_buffer(
    budget: Budget, data: object, dtype: object, shape: object, order: object, axes: object = None
) -> np.ndarray:
    """Protocol 5 writes arrays so."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject or axes is not None:
        raise FileFormatError(f"an array of protocol 5 has no plain type; {BROKEN}")
    if not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise FileFormatError(f"an array of protocol 5 has no bytes or no order; {BROKEN}")
    sizes = check_sizes("the shape of an array", shape)
    return dense_view(data, dtype=dtype, shape=sizes, fortran_order=order == "F", budget=budget)


NUMPY_GLOBALS = PLAIN_GLOBALS | AllowList(
    calls={
        "numpy dtype": _start_dtype,
        "numpy.core.multiarray _reconstruct": _start_array,  # NumPy 1
        "numpy._core.multiarray _reconstruct": _start_array,  # NumPy 2
        "numpy.core.multiarray scalar": _make_scalar,
        "numpy._core.multiarray scalar": _make_scalar,
        "numpy.core.numeric _frombuffer": _view_buffer,
        "numpy._core.numeric _frombuffer": _view_buffer,
    },
    names=frozenset({"numpy ndarray"}),
)


def read_npy(data: memoryview, *, budget: Budget) -> object:
    """Reads one array in the .npy format.

    Args:
        data: The whole file.
        budget: Pays for it.

    Returns:
        The array; of an array of objects the nested lists, or the object if the rank is 0.

    Raises:
        FileFormatError: If the file is broken, or its objects are not inert.
    """
    version = data[6] if len(data) > 12 else 0
    if version not in (1, 2, 3):
        raise FileFormatError(f"npy version {version} is not read; read are 1 to 3")
    start = 10 if version == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    if end > min(len(data), budget.limits.header_bytes):
        raise FileFormatError(f"the npy header claims to end at byte {end}; {BROKEN}")
    header = _NPY_HEADER.fullmatch(bytes(data[start:end]))
    if header is None:
        raise FileFormatError(
            f"the npy header {quote(bytes(data[start:end]))} is not plain; save a plain array"
        )
    dtype = parse_dtype(header[1].decode("latin-1"))
    numbers = re.findall(r"\d+", header[3].decode("ascii"))
    if any(len(number) > 18 for number in numbers):
        raise FileFormatError(f"the npy header has an axis of more than 18 digits; {BROKEN}")
    shape = check_sizes("the shape of an npy file", tuple(int(number) for number in numbers))
    if dtype.hasobject:
        stream = ByteStream(data[end:])
        return run_pickle(stream, NUMPY_GLOBALS, budget=budget, title="the npy objects")
    fortran = header[2] == b"True"
    return dense_view(data[end:], dtype=dtype, shape=shape, fortran_order=fortran, budget=budget)


def read_npz(archive: Archive, *, budget: Budget) -> dict[str, object]:
    """Reads the arrays of an .npz file.

    Args:
        archive: The opened file.
        budget: Pays for them.

    Returns:
        The arrays by name, without the ending `.npy`.

    Raises:
        FileFormatError: If one of them is broken, or its objects are not inert.
    """
    return {
        name.removesuffix(".npy"): read_npy(archive.read(name), budget=budget)
        for name in archive.members
    }
