"""Builds small files of every format by hand, without the libraries that usually write them."""

import io
import json
import pickle
import struct
import warnings
import zipfile
from typing import ClassVar

import numpy as np

LEGACY_HEADER = (
    pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    + pickle.dumps(1001, 2)
    + pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
)


class Name:
    """A global, written by name alone."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """REDUCE of a global on arguments, and BUILD if there is a state."""

    def __init__(self, function, *arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state


class New:
    """NEWOBJ of a class without arguments, and BUILD if there is a state."""

    def __init__(self, cls, state=None):
        self.cls, self.state = cls, state


class Stored:
    """A persistent id."""

    def __init__(self, *identity):
        self.identity = identity


class Pickler(pickle._Pickler):
    """Python's own pickler, taught the four stand-ins above."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_name(self, value):
        if self.proto >= 4:
            self.save(value.module)
            self.save(value.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(b"c%s\n%s\n" % (value.module.encode(), value.name.encode()))

    def finish(self, value):
        self.memoize(value)
        if value.state is not None:
            self.save(value.state)
            self.write(pickle.BUILD)

    def save_call(self, value):
        self.save(value.function)
        self.save(value.arguments)
        self.write(pickle.REDUCE)
        self.finish(value)

    def save_new(self, value):
        self.save(value.cls)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.finish(value)

    def save_stored(self, value):
        self.save(value.identity)
        self.write(pickle.BINPERSID)

    dispatch[Name] = save_name
    dispatch[Call] = save_call
    dispatch[New] = save_new
    dispatch[Stored] = save_stored


def dump(value, protocol=2):
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def tensor(key, cls, count, *, offset=0, shape=None, strides=None, legacy=False):
    """A tensor over the storage `key` of `count` elements, contiguous and whole unless told."""
    shape = (count,) if shape is None else shape
    strides = (1,) if strides is None else strides
    stored = Stored("storage", Name("torch", cls), key, "cpu", count, *([None] if legacy else []))
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    hooks = Call(Name("collections", "OrderedDict"))
    return Call(rebuild, stored, offset, shape, strides, False, hooks)


def pack(members, compression=zipfile.ZIP_STORED):
    """A zip of (name, bytes) pairs; names may repeat."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", compression) as archive:
        warnings.simplefilter("ignore")  # Of repeated names.
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def torch_zip(value, storages=(), extra=()):
    """What torch.save writes; `value` may be raw bytes of a pickle."""
    content = value if isinstance(value, bytes) else dump(value)
    data = [(f"model/data/{key}", raw) for key, raw in dict(storages).items()]
    return pack([("model/data.pkl", content), *data, ("model/version", b"3\n"), *extra])


def torch_legacy(value, storages=(), header=LEGACY_HEADER):
    """What torch.save wrote before; storages map a key to (element count, bytes)."""
    content = value if isinstance(value, bytes) else dump(value)
    stream = header + content + pickle.dumps(list(dict(storages)), 2)
    for count, raw in dict(storages).values():
        stream += struct.pack("<q", count) + raw
    return stream


def storage_bytes(array, cls="FloatStorage"):
    """The byte string in which pickles outside torch.save keep a storage."""
    stored = Stored("storage", Name("torch", cls), "0", "cpu", array.size, None)
    return torch_legacy(stored, {"0": (array.size, array.tobytes())})


def persistent_tensor(array):
    """A contiguous float32 tensor as NVIDIA's pickles hold it."""
    storage = Call(Name("torch.storage", "_load_from_bytes"), storage_bytes(array))
    strides = tuple(step // array.itemsize for step in array.strides)
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, storage, 0, array.shape, strides, False, {})


def persistent(name, *, parameters=None, buffers=None, modules=None, **attributes):
    """A module as NVIDIA's persistence decorator pickles it."""
    meta = {
        "type": "class",
        "version": 6,
        "module_src": "open('canary', 'w')",
        "class_name": name,
        "state": {
            "_parameters": parameters or {},
            "_buffers": buffers or {},
            "_modules": modules or {},
            **attributes,
        },
    }
    return Call(Name("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


def safetensors(header, body=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def npy(header, body=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def npy_of(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def array_state(array, *, text=False):
    """A NumPy array as NumPy's own __reduce__ describes it, in NumPy 1's spelling."""
    raw = array.tobytes()
    if text:
        raw = Call(Name("_codecs", "encode"), raw.decode("latin-1"), "latin1")
    code = Call(
        Name("numpy", "dtype"),
        array.dtype.str[1:],
        False,
        True,
        state=(3, "<", None, None, None, -1, -1, 0),
    )
    start = (Name("numpy", "ndarray"), (0,), b"b" if not text else "b")
    state = (1, array.shape, code, False, raw)
    return Call(Name("numpy.core.multiarray", "_reconstruct"), *start, state=state)
