"""Files that try to run code, to reach outside their bytes, or to use up time or memory."""

import io
import pickle
import struct
import zipfile

import numpy as np

from tests.readers import builders
from tests.readers.builders import Call, Name, New, Stored

COMMAND = "touch canary"
HEAD = b"\x80\x02"


def _calls():
    """Globals that run code or lead to it: (module, name, arguments)."""
    return [
        ("os", "system", (COMMAND,)),
        ("posix", "system", (COMMAND,)),
        ("nt", "system", (COMMAND,)),
        ("builtins", "eval", ("open('canary', 'w')",)),
        ("builtins", "exec", ("open('canary', 'w')",)),
        ("builtins", "getattr", (Name("numpy", "ndarray"), "tofile")),
        ("builtins", "__import__", ("os",)),
        ("builtins", "open", ("canary", "w")),
        ("__builtin__", "eval", ("open('canary', 'w')",)),
        ("subprocess", "Popen", (["touch", "canary"],)),
        ("runpy", "run_path", ("canary.py",)),
        ("importlib", "import_module", ("os",)),
        ("operator", "attrgetter", ("system",)),
        ("functools", "partial", (Name("os", "system"), COMMAND)),
        ("numpy.testing._private.utils", "runstring", ("open('canary', 'w')", {})),
        ("numpy", "load", ("canary.npy",)),
        ("torch", "load", ("canary.pt",)),
        ("torch.hub", "load", ("a", "b")),
        ("torch.serialization", "load", ("canary.pt",)),
        ("torch.nn.modules.linear", "Linear", ()),
        ("copyreg", "_reconstructor", (Name("collections", "OrderedDict"), 0, None)),
        ("dill._dill", "_load_type", ("CodeType",)),
        ("collections", "OrderedDict.fromkeys", ([],)),
        ("collections", "OrderedDict.__init__.__globals__", ()),
        ("torch._utils", "sys.modules", ()),
        ("torch_utils.persistence", "_module_to_src", ("",)),
        ("", "", ()),
    ]


def _global_cases():
    for module, name, arguments in _calls():
        culprit = f"'{module}' '{name}'"
        for protocol in (2, 4):
            title = f"{module}.{name} in a pickle of protocol {protocol}"
            yield title, builders.dump(Call(Name(module, name), *arguments), protocol), culprit
    system = Call(Name("posix", "system"), COMMAND)
    weights = {"good": 1, "bad": system}
    constants = [("model/constants.pkl", builders.dump(()))]
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    object_file = builders.npy(header, builders.dump(system))
    culprit = "'posix' 'system'"
    yield "torch zip", builders.torch_zip(weights), culprit
    yield "TorchScript", builders.torch_zip(weights, extra=constants), culprit
    yield "torch stream", builders.torch_legacy(weights), culprit
    yield "npy", object_file, culprit
    yield "npz", builders.pack([("a.npy", object_file)]), culprit
    magic, version = pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)
    hostile = builders.dump(system)
    yield "torch version", magic + hostile, culprit
    yield "torch machine description", magic + version + hostile, culprit
    yield "torch storage list", builders.LEGACY_HEADER + builders.dump(5) + hostile, culprit
    inner = Call(Name("torch.storage", "_load_from_bytes"), builders.torch_legacy(weights))
    yield "storage bytes", builders.dump(inner), culprit
    nested = Call(Name("torch.storage", "_load_from_bytes"), builders.torch_legacy(inner))
    yield "storage bytes inside storage bytes", builders.dump(nested), "_load_from_bytes"
    script = New(Name("__torch__", "Net"))
    yield "TorchScript class outside TorchScript", builders.torch_zip(script), "'__torch__' 'Net'"
    dotted = New(Name("__torch__", "Net.__init__"))
    yield "TorchScript dotted name", builders.torch_zip(dotted, extra=constants), "Net.__init__"


def _opcode_cases():
    empty = Call(Name("collections", "OrderedDict"))
    yield "INST", HEAD + b"(iposix\nsystem\n.", "INST"
    yield "OBJ", HEAD + b"(cposix\nsystem\no.", "'posix' 'system'"
    yield "OBJ of allowed class", HEAD + b"(ccollections\nOrderedDict\no.", "OBJ"
    yield "escapes in a name", HEAD + b"cos\nsys\\x74em\n.", "backslash"
    yield "EXT1", HEAD + b"\x82\x01.", "EXT1"
    yield "EXT2", HEAD + b"\x83\x01\x00.", "EXT2"
    yield "EXT4", HEAD + b"\x84\x01\x00\x00\x00.", "EXT4"
    yield "NEWOBJ_EX", b"\x80\x04ccollections\nOrderedDict\n)}\x92.", "NEWOBJ_EX"
    yield "PERSID", HEAD + b"Pname\n.", "PERSID"
    yield "NEXT_BUFFER", b"\x80\x05\x97.", "NEXT_BUFFER"
    yield "text opcode of protocol 0", HEAD + b"S'a'\n.", "STRING"
    yield "unknown opcode", HEAD + b"\xff.", "unknown"
    yield "protocol 9 inside", HEAD + b"\x80\x09N.", "protocol 9"
    yield "BINPERSID without storages", builders.dump(Stored("storage", "x")), "BINPERSID"
    yield "NEWOBJ of function", builders.dump(New(Name("numpy", "dtype"))), "numpy.dtype"
    yield "NEWOBJ with arguments", HEAD + b"ccollections\nOrderedDict\nK\x01\x85\x81.", "NEWOBJ"
    yield "NEWOBJ of text", builders.dump(New("os")), "NEWOBJ"
    yield "REDUCE of text", builders.dump(Call("os.system", COMMAND)), "str"
    yield "REDUCE of REDUCE", builders.dump(Call(empty, COMMAND)), "REDUCE"
    yield "REDUCE of class", builders.dump(Call(Name("argparse", "Namespace"))), "Namespace"
    yield "REDUCE of marker", builders.dump(Call(Name("torch", "FloatStorage"), 5)), "FloatStorage"
    yield "REDUCE without tuple", HEAD + b"ccollections\nOrderedDict\n]R.", "tuple"
    yield "REDUCE with odd arguments", builders.dump(Call(Name("torch", "Size"), 1, 2)), "Size"
    yield (
        "computed STACK_GLOBAL",
        b"\x80\x04" + builders.dump(Name(b"os", b"system"), 4)[2:],
        "bytes",
    )
    encoded = Call(Name("_codecs", "encode"), "system", "latin1")
    yield "STACK_GLOBAL by REDUCE", builders.dump(Name("os", encoded), 4), "bytes"
    yield "codec that unpacks", builders.dump(Call(Name("_codecs", "encode"), "a", "zip")), "encode"
    for name in ("__class__", "__setstate__", "__dict__", "__reduce__"):
        changed = Call(Name("collections", "OrderedDict"), state={name: 1})
        yield f"BUILD of dict with {name}", builders.dump(changed), "BUILD"
    yield "BUILD of list", HEAD + b"]}b.", "BUILD"
    yield "BUILD of global", HEAD + b"cargparse\nNamespace\n}b.", "BUILD"
    twice = builders.dump(New(Name("argparse", "Namespace"), {"a": 1}))[:-1] + b"}b."
    yield "BUILD twice", twice, "BUILD"
    yield "empty stack", HEAD + b".", "stack is empty"
    yield "missing MARK", HEAD + b"t.", "MARK"
    yield "missing memo entry", HEAD + b"h\x07.", "memo"
    yield "no STOP", HEAD + b"]", "STOP"
    yield "APPEND to dict", HEAD + b"}K\x01a.", "dict"
    yield "SETITEMS of odd count", HEAD + b"}(K\x01u.", "without a value"
    yield "bytes behind the pickle", builders.dump(5) + b"cos\nsystem\n", "follow"


def _size_cases():
    yield "LONG4 of a gigabyte", HEAD + b"\x8b\x00\x00\x00\x40" + b"\x01" * 9, "long4"
    yield "integer of 8000 bits", HEAD + b"\x8b\xe8\x03\x00\x00" + b"\x01" * 1000 + b".", "bits"
    yield "BINBYTES8 beyond the file", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.", "byte"
    yield "BINUNICODE beyond the file", HEAD + b"X\xff\xff\xff\x7fab.", "byte"
    yield "100000 MARKs", HEAD + b"(" * 100_000 + b".", "nested deeper"
    yield "100000 tuples", HEAD + b")" + b"\x85" * 100_000 + b".", "nested deeper"
    yield "100000 lists", HEAD + b"]" * 100_000 + b"a" * 99_999 + b".", "nested deeper"
    yield "list in itself", HEAD + b"]q\x00h\x00a.", "contains itself"
    yield "dict in itself", HEAD + b"}q\x00K\x01h\x00s.", "contains itself"
    record = HEAD + b"cargparse\nNamespace\n)\x81q\x00}q\x01K\x01h\x00sb."
    yield "record in itself", record, "contains itself"
    doubled = b"N" + b"2\x86" * 60
    yield "hash of doubled tuples", HEAD + b"}" + doubled + b"Ns.", "key"
    yield "set of doubled tuples", b"\x80\x04\x8f(" + doubled + b"\x90.", "key"
    yield "keys of equal hash", HEAD + b"}\x8a\x09" + (2**65).to_bytes(9, "little") + b"Ns.", "key"
    thousands = b"](" + b"N" * 9_000 + b"eq\x00"
    for name in ("builtins\nset", "builtins\nfrozenset"):
        copies = b"c" + name.encode() + b"\n" + b"q\x010" + b"h\x01h\x00\x85R0" * 9_000
        yield f"many copies by {name}", HEAD + thousands + copies + b".", "steps"
    text = b"X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x00"
    encode = b"c_codecs\nencode\nq\x01X\x06\x00\x00\x00latin1q\x020"
    copies = b"h\x01h\x00h\x02\x86R0" * 9_000
    yield "many copies of a text", HEAD + text + encode + copies + b"N.", "byte string"


def _array_cases():
    array = np.arange(6, dtype=np.float32)
    whole = builders.array_state(array)
    version, _, dtype, fortran, raw = whole.state

    def with_state(*state):
        return builders.dump(Call(whole.function, *whole.arguments, state=state))

    yield "array larger than its bytes", with_state(version, (2**40,), dtype, fortran, raw), "bytes"
    yield "array of negative size", with_state(version, (-6,), dtype, fortran, raw), "-6"
    yield "array of text size", with_state(version, ("6",), dtype, fortran, raw), "str"
    yield "array without type", with_state(version, (6,), "f4", fortran, raw), "type"
    yield "array of 100 axes", with_state(version, (1,) * 100, dtype, fortran, raw), "64"
    yield "unfinished array", builders.dump(Call(whole.function, *whole.arguments)), "not finished"
    other = Call(whole.function, Name("collections", "OrderedDict"), (0,), b"b", state=())
    yield "array of other class", builders.dump(other), "ndarray"
    for code in ("V8", "f16", "O4", "M8", "f4,f4", "U999999999999"):
        made = Call(Name("numpy", "dtype"), code, False, True, state=dtype.state)
        yield f"dtype {code}", builders.dump(made), code
    fields = Call(Name("numpy", "dtype"), "f4", False, True, state=(3, "<", None, ("a",), {}))
    yield "dtype with fields", builders.dump(fields), "fields"
    big = Call(Name("numpy", "dtype"), "f4", False, True, state=(3, ">", None, None, None))
    yield "big-endian dtype", builders.dump(big), "big-endian"
    objects = Call(
        Name("numpy", "dtype"), "O8", False, True, state=(3, "|", None, None, None, -1, -1, 63)
    )
    scalar = Call(Name("numpy.core.multiarray", "scalar"), objects, b"12345678")
    yield "scalar that is a pointer", builders.dump(scalar), "scalar"
    pointers = with_state(version, (1,), objects, fortran, b"12345678")
    yield "array of pointers", pointers, "objects"
    many = with_state(version, (40_000, *(1,) * 63), objects, fortran, [None] * 40_000)
    yield "array of objects that nests them", many, "steps"


def _tensor_cases():
    raw = np.arange(24, dtype=np.float32).tobytes()

    def zipped(**place):
        return builders.torch_zip(builders.tensor("0", "FloatStorage", 24, **place), {"0": raw})

    yield "negative offset", zipped(offset=-1, shape=(2,)), "-1"
    yield "offset behind the storage", zipped(offset=24, shape=(1,)), "element 24"
    yield "negative stride", zipped(offset=23, shape=(24,), strides=(-1,)), "-1"
    yield "stride out of the storage", zipped(shape=(4, 6), strides=(7, 1)), "element 26"
    yield "stride of 2^63", zipped(shape=(2,), strides=(2**63,)), str(2**63)
    yield "stride 0 that makes a huge array", zipped(shape=(2**40,), strides=(0,)), "expand"
    yield "shape whose product overflows", zipped(shape=(2**32, 2**32), strides=(0, 0)), "expand"
    yield "axes without strides", zipped(shape=(4, 6), strides=(6,)), "2 axes and 1 strides"
    yield "boolean size", zipped(shape=(True,)), "bool"
    yield "fractional size", zipped(shape=(1.5,)), "float"
    short = builders.tensor("0", "DoubleStorage", 24)
    yield "storage shorter than its count", builders.torch_zip(short, {"0": raw}), "24 elements"
    yield "missing storage", builders.torch_zip(short), "model/data/0"
    huge = builders.tensor("0", "FloatStorage", 2**60)
    yield "storage of 2^60", builders.torch_zip(huge, {"0": raw}), str(2**60)
    odd = builders.tensor("../../data.pkl", "FloatStorage", 24)
    yield "storage key with dots", builders.torch_zip(odd, {"0": raw}), "../../data.pkl"
    order = [("model/byteorder", b"big")]
    yield "big-endian zip", builders.torch_zip({}, extra=order), "big-endian"
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    yield "tensor of a list", builders.torch_zip(Call(rebuild, [], 0, (1,), (1,), 0, {})), "list"
    stored = Stored("storage", Name("collections", "OrderedDict"), "0", "cpu", 24)
    yield "storage of other class", builders.torch_zip(stored, {"0": raw}), "class"
    yield "storage id of other kind", builders.torch_zip(Stored("module", 1, 2, 3, 4)), "id"
    views = [
        builders.tensor("0", "FloatStorage", 24, shape=(2**22,), strides=(0,)) for _ in "12345"
    ]
    yield "many expanded views", builders.torch_zip(views, {"0": raw}), "expand"
    typed = Call(
        Name("torch._tensor", "_rebuild_from_type_v2"), Name("_codecs", "encode"), 0, ("a",), 0
    )
    yield "tensor rebuilt by other function", builders.torch_zip(typed), "unknown function"


def _legacy_cases():
    value = builders.tensor("0", "FloatStorage", 3, legacy=True)
    raw = np.arange(3, dtype=np.float32).tobytes()
    whole = builders.torch_legacy(value, {"0": (3, raw)})
    yield "cut off storage", whole[:-1], "cut off"
    yield "storage of other count", builders.torch_legacy(value, {"0": (2**62, raw)}), str(2**62)
    huge = builders.tensor("0", "FloatStorage", 2**60, legacy=True)
    yield "stream storage of 2^60", builders.torch_legacy(huge, {"0": (3, raw)}), str(2**60)
    yield "storage list without the key", builders.torch_legacy(value), "differs"
    yield "storage list with another", builders.torch_legacy(1, {"1": (3, raw)}), "differs"
    magic, version = pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)
    big = magic + version + pickle.dumps({"little_endian": False}, 2)
    yield "big-endian stream", builders.torch_legacy(value, header=big), "little-endian"
    old = magic + pickle.dumps(1000, 2) + pickle.dumps({}, 2)
    yield "other stream version", builders.torch_legacy(value, header=old), "1001"
    view = Stored("storage", Name("torch", "FloatStorage"), "0", "cpu", 3, ("v", 2, 2))
    yield "view out of the storage", builders.torch_legacy(view, {"0": (3, raw)}), "leaves"
    other = Stored("storage", Name("torch", "DoubleStorage"), "0", "cpu", 3, None)
    both = builders.torch_legacy([value, other], {"0": (3, raw)})
    yield "storage of two types", both, "two ways"


def _with_flag(content, *, at, value):
    """Sets two bytes of the only local header and of the only directory entry."""
    entry = content.rfind(b"PK\1\2")
    local = struct.pack("<H", value)
    content = content[: at - 2] + local + content[at:]
    return content[: entry + at] + local + content[entry + at + 2 :]


def _overlapping_zip():
    """The second member lies inside the first, as in bombs that pack the same bytes many times."""
    inner = builders.pack([("b.npy", b"content")])
    split = inner.rfind(b"PK\1\2")
    outer = builders.pack([("a.npy", inner[:split])])
    start, end = outer.rfind(b"PK\1\2"), outer.rfind(b"PK\5\6")
    entry = inner[split : inner.rfind(b"PK\5\6")]
    place = struct.pack("<I", outer.find(inner[:split]))
    directory = outer[start:end] + entry[:42] + place + entry[46:]
    closing = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2, 2, len(directory), start, 0)
    return outer[:start] + directory + closing


def _zip_cases():
    inner = ("model/data.pkl", builders.dump({}))
    plain = builders.pack([inner])
    yield "member twice", builders.pack([inner, inner]), "twice"
    yield "two roots", builders.pack([inner, ("other/data.pkl", builders.dump({}))]), "data.pkl"
    for name in ("../data.pkl", "/model/data.pkl", "model/../../x", "C:/x", "a\\..\\b", "a//b"):
        yield f"member named {name}", builders.pack([inner, (name, b"")]), "unsafe path"
    link = zipfile.ZipInfo("model/link")
    link.external_attr = 0o120777 << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    yield "symbolic link", stream.getvalue(), "symbolic link"
    yield "encrypted member", _with_flag(plain, at=8, value=1), "encrypted"
    yield "bzip2", builders.pack([inner], zipfile.ZIP_BZIP2), "method 12"
    bomb = builders.pack([inner, ("model/data/0", bytes(2**27))], zipfile.ZIP_DEFLATED)
    yield "zip bomb", bomb, "promises"
    yield "cut off zip", plain[:-30], "zip"
    broken = plain.replace(HEAD + b"}", HEAD + b"]")
    yield "wrong checksum", broken, "checksum"
    renamed = plain.replace(b"model/data.pkl", b"model/data.pk_", 1)
    yield "two names of a member", renamed, "two names"
    yield "overlapping members", _overlapping_zip(), "overlaps"
    yield "zip in a zip", builders.pack([("model/inner.zip", plain)]), "neither"
    yield "zip of pictures", builders.pack([("img0.png", b"")]), "neither"
    closing = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 9, 9, 60, 2**31, 0)
    outside = plain[: plain.rfind(b"PK\5\6")] + closing
    yield "directory outside the file", outside, "directory"
    crowd = plain[: plain.rfind(b"PK\5\6")] + closing[:8] + b"\xff" * 4 + bytes(10)
    yield "directory of fewer entries than promised", crowd, "record"
    entry = plain.rfind(b"PK\1\2")
    size = plain[:entry] + plain[entry : entry + 20] + struct.pack("<II", 2**30, 2**30)
    yield "member larger than the file", size + plain[entry + 28 :], "overlaps"
    npy_header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }\n"
    yield "short array in npz", builders.pack([("a.npy", builders.npy(npy_header))]), "36 bytes"


def _text_header_cases():
    def described(**entry):
        return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | entry}

    body = bytes(8)
    yield "safetensors header of 2^63", builders.safetensors({}, size=2**63), str(2**63)
    nested = b'{"a":' + b"[" * 100_000
    yield "safetensors nested header", builders.safetensors(nested), "JSON"
    yield "safetensors without JSON", builders.safetensors(b"{nothing}"), "JSON"
    twice = b'{"a":' + b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' + b',"a":{}}'
    yield "safetensors name twice", builders.safetensors(twice), "repeats"
    both = described() | {"b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}
    yield "safetensors overlap", builders.safetensors(both, bytes(12)), "overlap"
    yield "safetensors gap", builders.safetensors(described(), bytes(12)), "gaps"
    yield "safetensors shape", builders.safetensors(described(shape=[3]), body), "12 bytes"
    outside = builders.safetensors(described(data_offsets=[0, 800]), body)
    yield "safetensors outside", outside, "leaves the file"
    backwards = builders.safetensors(described(data_offsets=[8, 0]), body)
    yield "safetensors backwards", backwards, "leaves the file"
    negative = builders.safetensors(described(shape=[-2]), body)
    yield "safetensors negative shape", negative, "-2"
    yield "safetensors dtype", builders.safetensors(described(dtype="F4"), body), "F4"
    lacking = builders.safetensors({"a": {"dtype": "F32"}}, body)
    yield "safetensors entry", lacking, "not fully described"
    numbers = builders.safetensors({"__metadata__": {"a": 1}})
    yield "safetensors metadata", numbers, "metadata"

    def header(descr="'<f4'", shape="(2,)"):
        text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
        return builders.npy(text.encode(), body)

    yield "npy header with code", header("__import__('os').system('touch canary')"), "not plain"
    yield "npy structured", header("[('a', '<f4')]"), "not plain"
    yield "npy big-endian", header("'>f4'"), ">f4"
    yield "npy of voids", header("'|V8'"), "|V8"
    yield "npy shape with code", header(shape="(__import__('os'),)"), "not plain"
    yield "npy of huge shape", header(shape="(99999999999, 9999999)"), "bytes"
    yield "npy of long number", header(shape="(" + "9" * 900 + ",)"), "axis"
    yield "npy cut off", header()[:-1], "8 bytes"
    yield "npy header cut off", b"\x93NUMPY\x01\x00\xff\xff{'descr'", "header"
    yield "npy version", b"\x93NUMPY\x09\x00" + header()[8:], "version 9"
    yield "unknown format", b"hello, world", "format is unknown"
    yield "pickle of protocol 0", pickle.dumps({}, 0), "format is unknown"
    yield "empty file", b"", "empty"


def hostile_files():
    """All cases as (title, content, text that the refusal must show)."""
    makers = (
        _global_cases,
        _opcode_cases,
        _size_cases,
        _array_cases,
        _tensor_cases,
        _legacy_cases,
        _zip_cases,
        _text_header_cases,
    )
    return [case for maker in makers for case in maker()]
