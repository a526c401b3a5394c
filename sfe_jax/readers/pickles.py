"""A restricted pickle machine: it builds data, and can neither import nor call anything.

Opcodes are decoded by `pickletools`, which only parses. A global that the caller's `AllowList`
does not name exactly ends the reading; a global that it names becomes an inert `Global`, and
"calling" it runs a small constructor of ours. Nothing is ever looked up in Python's modules.

Source: the opcodes are those of the standard library's `pickletools`, protocols 2 to 5.
"""

import pickletools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, TypeVar, cast

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN, quote
from sfe_jax.readers.records import Global, Record
from sfe_jax.readers.storages import Storage
from sfe_jax.readers.streams import ByteStream

Kind = TypeVar("Kind")


class Pending:
    """An object that a call starts and the next BUILD finishes, such as a NumPy array.

    Attributes:
        build: Makes the object from the state that BUILD gives.
        value: The object, once `built`.
        built: Whether BUILD was met.
    """

    def __init__(self, build: Callable[[object], object]):
        self.build = build
        self.value: object = None
        self.built = False


@dataclass(frozen=True)
class AllowList:
    """The globals that one kind of file may name, each as "module name".

    Attributes:
        calls: REDUCE runs the constructor, given the budget and the arguments.
        records: NEWOBJ makes a `Record`.
        dictionaries: NEWOBJ makes a plain dict.
        names: May be mentioned and passed on, nothing else.
        script_records: Whether every class under `__torch__` is a record (TorchScript).
    """

    calls: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    records: frozenset[str] = frozenset()
    dictionaries: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    script_records: bool = False

    def __or__(self, other: "AllowList") -> "AllowList":
        return AllowList(
            calls={**self.calls, **other.calls},
            records=self.records | other.records,
            dictionaries=self.dictionaries | other.dictionaries,
            names=self.names | other.names,
            script_records=self.script_records or other.script_records,
        )

    def makes_record(self, found: Global) -> bool:
        """Returns whether instances of `found` are kept as records."""
        path = [*found.module.split("."), found.name]
        of_script = path[0] == "__torch__" and all(part.isidentifier() for part in path)
        return (self.script_records and of_script) or found.full_name in self.records

    def find(self, module: str, name: str) -> Global:
        """Returns the stand-in of a global.

        Raises:
            FileFormatError: If the list does not name it.
        """
        found = Global(module, name)
        if len(module) + len(name) < 1000 and (
            found.full_name in self.calls
            or found.full_name in self.dictionaries
            or found.full_name in self.names
            or self.makes_record(found)
        ):
            return found
        raise FileFormatError(
            f"the global {quote(module)} {quote(name)} is not one that weights need, and it could "
            "run code; do not open this file elsewhere, ask its author for a state dict"
        )


def check_key(key: object) -> None:
    """Raises unless `key` may be a dict key or set element.

    Tuples are refused because hashing nested ones can take exponential time, floats and large
    integers because many can share one hash.
    """
    plain = type(key) in (str, bytes, bool, type(None))
    if not plain and not (type(key) is int and key.bit_length() < 64):
        raise FileFormatError(
            f"a key is of type {type(key).__name__}; required are text, bytes, "
            "None or an integer of 64 bits"
        )


def _fill_dict(target: dict, pairs: Iterable[tuple[object, object]]) -> dict:
    for key, value in pairs:
        check_key(key)
        target[key] = value
    return target


def _fill_set(target: set, items: Iterable[object]) -> set:
    for item in items:
        check_key(item)
        target.add(item)
    return target


def _make_ordered_dict(budget: Budget, pairs: object = ()) -> dict:
    """Python 2 wrote an OrderedDict as a call with a list of [key, value]."""
    if not isinstance(pairs, list | tuple):
        raise FileFormatError("an OrderedDict is made from something else than a list of pairs")
    budget.spend_steps(len(pairs))
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise FileFormatError("an OrderedDict is made from something else than pairs")
    return _fill_dict({}, pairs)


def _make_set(budget: Budget, items: object = ()) -> set:
    if not isinstance(items, list | tuple):
        raise FileFormatError("a set is made from something else than a list")
    budget.spend_steps(len(items))
    return _fill_set(set(), items)


def _make_frozenset(budget: Budget, items: object = ()) -> frozenset:
    return frozenset(_make_set(budget, items))


def _make_bytes(_budget: Budget) -> bytes:
    """Protocol 2 writes empty bytes as a call without arguments."""
    return b""


def _encode(budget: Budget, text: object, encoding: object) -> bytes:
    """Protocol 2 writes other bytes as latin-1 text."""
    latin = isinstance(encoding, str) and encoding in ("latin1", "latin-1")
    if not isinstance(text, str) or not latin:
        raise FileFormatError("_codecs.encode is called with something else than latin-1 text")
    budget.spend_bytes(len(text), what="a byte string")
    return text.encode("latin-1")


PLAIN_GLOBALS = AllowList(
    calls={
        "collections OrderedDict": _make_ordered_dict,
        "_codecs encode": _encode,
        "builtins set": _make_set,
        "__builtin__ set": _make_set,
        "builtins frozenset": _make_frozenset,
        "__builtin__ frozenset": _make_frozenset,
        "builtins bytes": _make_bytes,
        "__builtin__ bytes": _make_bytes,
    },
    records=frozenset({"argparse Namespace"}),
    dictionaries=frozenset({"collections OrderedDict", "dnnlib.util EasyDict"}),
)


def _too_deep(depth: int) -> str:
    return f"objects are nested deeper than {depth}; no checkpoint is"


class _Machine:
    """Stack, memo and allow-list of one pickle; most methods perform one opcode each."""

    def __init__(
        self,
        allowed: AllowList,
        *,
        budget: Budget,
        load_storage: Callable[[object], object] | None,
    ):
        self.allowed = allowed
        self.budget = budget
        self.load_storage = load_storage
        self.stack: list[object] = []
        self.outer: list[list[object]] = []  # The stacks below each open MARK.
        self.memo: dict[object, object] = {}

    # The stack.

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        (value,) = self.pop_many(1)
        return value

    def pop_many(self, count: int) -> list[object]:
        """Takes the topmost objects, lowest first."""
        kept = len(self.stack) - count
        if kept < 0:
            raise FileFormatError(f"the stack is empty; {BROKEN}")
        items = self.stack[kept:]
        del self.stack[kept:]
        return items

    def pop_mark(self) -> list[object]:
        """Takes all objects above the last MARK."""
        if not self.outer:
            raise FileFormatError(f"a MARK is missing; {BROKEN}")
        items, self.stack = self.stack, self.outer.pop()
        return items

    def top(self, kind: type[Kind]) -> Kind:
        """Returns the topmost object, which must be of exactly this kind."""
        value = self.stack[-1] if self.stack else None
        if type(value) is not kind:
            raise FileFormatError(
                f"a {kind.__name__} is extended that is a {type(value).__name__}; {BROKEN}"
            )
        return value

    def mark(self) -> None:
        if len(self.outer) >= self.budget.limits.depth:
            raise FileFormatError(_too_deep(self.budget.limits.depth))
        self.outer.append(self.stack)
        self.stack = []

    def duplicate(self) -> None:
        value = self.pop()
        self.stack += [value, value]

    # Values and containers.

    def literal(self, value: object) -> None:
        """Pushes a number, text or bytes."""
        limits = self.budget.limits
        if isinstance(value, int) and value.bit_length() > limits.integer_bits:
            raise FileFormatError(f"an integer has more than {limits.integer_bits} bits")
        if isinstance(value, str) and len(value) > limits.text_bytes:
            raise FileFormatError(f"a text has more than {limits.text_bytes} characters")
        self.push(value)

    def check_protocol(self, version: object) -> None:
        if version not in (2, 3, 4, 5):
            raise FileFormatError(f"pickle protocol {version} is not read; read are 2 to 5")

    def append(self) -> None:
        item = self.pop()
        self.top(list).append(item)

    def extend(self) -> None:
        items = self.pop_mark()
        self.top(list).extend(items)

    def set_item(self) -> None:
        key, value = self.pop_many(2)
        _fill_dict(self.top(dict), [(key, value)])

    def set_items(self) -> None:
        items = self.pop_mark()
        if len(items) % 2:
            raise FileFormatError(f"a dict has a key without a value; {BROKEN}")
        _fill_dict(self.top(dict), zip(items[::2], items[1::2], strict=True))

    def add_items(self) -> None:
        items = self.pop_mark()
        _fill_set(self.top(set), items)

    # The memo.

    def remember(self, index: object) -> None:
        value = self.pop()
        self.memo[index] = value
        self.push(value)

    def recall(self, index: object) -> None:
        if index not in self.memo:
            raise FileFormatError(f"the memo has no entry {index}; {BROKEN}")
        value = self.memo[index]
        if isinstance(value, Pending) and value.built:
            value = value.value
        self.push(value)

    # Globals and objects.

    def find_global(self, full_name: object) -> None:
        module, _, name = str(full_name).partition(" ")  # Names with spaces are on no list.
        self.push(self.allowed.find(module, name))

    def find_stacked_global(self) -> None:
        module, name = self.pop_many(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise FileFormatError(f"STACK_GLOBAL names a global by a {type(name).__name__}")
        self.push(self.allowed.find(module, name))

    def call(self) -> None:
        """REDUCE runs one of our constructors; anything else on the stack is refused."""
        function, arguments = self.pop_many(2)
        if not isinstance(function, Global) or function.full_name not in self.allowed.calls:
            shown = function if isinstance(function, Global) else type(function).__name__
            raise FileFormatError(f"REDUCE would call {shown}; a checkpoint never does")
        if not isinstance(arguments, tuple):
            raise FileFormatError(f"REDUCE calls {function} without a tuple of arguments")
        try:
            self.push(self.allowed.calls[function.full_name](self.budget, *arguments))
        except TypeError as error:
            raise FileFormatError(
                f"{function} is called with arguments that it does not take; {BROKEN}"
            ) from error

    def make_instance(self) -> None:
        """NEWOBJ makes a dict or a record, without arguments."""
        cls, arguments = self.pop_many(2)
        if not isinstance(cls, Global) or not isinstance(arguments, tuple) or arguments:
            raise FileFormatError("NEWOBJ is given something else than a class and no arguments")
        if cls.full_name in self.allowed.dictionaries:
            self.push({})
        elif self.allowed.makes_record(cls):
            self.push(Record(cls.module, cls.name))
        else:
            raise FileFormatError(f"NEWOBJ would make an instance of {cls}")

    def build(self) -> None:
        """BUILD finishes a pending object or gives a record its state, once."""
        target, state = self.pop_many(2)
        if isinstance(target, Pending) and not target.built:
            target.value, target.built = target.build(state), True
            self.push(target.value)
        elif type(target) is Record and target.state is None:
            object.__setattr__(target, "state", state)
            self.push(target)
        elif isinstance(target, dict) and isinstance(state, dict) and state.keys() <= {"_metadata"}:
            self.push(target)  # A state dict's attribute: versions of its modules, not needed.
        else:
            raise FileFormatError(
                f"BUILD would set attributes of a {type(target).__name__}; a checkpoint never does"
            )

    def load(self) -> None:
        """BINPERSID names a storage that lies outside the pickle."""
        if self.load_storage is None:
            raise FileFormatError("BINPERSID names a storage, and this kind of file has none")
        self.push(self.load_storage(self.pop()))


_OPERATIONS: Mapping[str, Callable[[_Machine, object], object]] = MappingProxyType(
    {
        "INT": _Machine.literal,
        "BININT": _Machine.literal,
        "BININT1": _Machine.literal,
        "BININT2": _Machine.literal,
        "LONG1": _Machine.literal,
        "LONG4": _Machine.literal,
        "BINFLOAT": _Machine.literal,
        "BINSTRING": _Machine.literal,
        "SHORT_BINSTRING": _Machine.literal,
        "BINUNICODE": _Machine.literal,
        "SHORT_BINUNICODE": _Machine.literal,
        "BINUNICODE8": _Machine.literal,
        "BINBYTES": _Machine.literal,
        "SHORT_BINBYTES": _Machine.literal,
        "BINBYTES8": _Machine.literal,
        "BYTEARRAY8": _Machine.literal,
        "NONE": lambda machine, _: machine.push(None),
        "NEWTRUE": lambda machine, _: machine.push(True),
        "NEWFALSE": lambda machine, _: machine.push(False),
        "EMPTY_LIST": lambda machine, _: machine.push([]),
        "EMPTY_DICT": lambda machine, _: machine.push({}),
        "EMPTY_SET": lambda machine, _: machine.push(set()),
        "EMPTY_TUPLE": lambda machine, _: machine.push(()),
        "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop_many(1))),
        "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop_many(2))),
        "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop_many(3))),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
        "FROZENSET": lambda machine, _: machine.push(
            frozenset(_fill_set(set(), machine.pop_mark()))
        ),
        "PROTO": _Machine.check_protocol,
        "FRAME": lambda machine, _: None,  # A hint to readers of streams.
        "MARK": lambda machine, _: machine.mark(),
        "POP": lambda machine, _: machine.pop(),
        "POP_MARK": lambda machine, _: machine.pop_mark(),
        "DUP": lambda machine, _: machine.duplicate(),
        "APPEND": lambda machine, _: machine.append(),
        "APPENDS": lambda machine, _: machine.extend(),
        "SETITEM": lambda machine, _: machine.set_item(),
        "SETITEMS": lambda machine, _: machine.set_items(),
        "ADDITEMS": lambda machine, _: machine.add_items(),
        "BINPUT": _Machine.remember,
        "LONG_BINPUT": _Machine.remember,
        "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
        "BINGET": _Machine.recall,
        "LONG_BINGET": _Machine.recall,
        "GLOBAL": _Machine.find_global,
        "STACK_GLOBAL": lambda machine, _: machine.find_stacked_global(),
        "REDUCE": lambda machine, _: machine.call(),
        "NEWOBJ": lambda machine, _: machine.make_instance(),
        "BUILD": lambda machine, _: machine.build(),
        "BINPERSID": lambda machine, _: machine.load(),
    }
)


def run_pickle(
    stream: ByteStream,
    allowed: AllowList,
    *,
    budget: Budget,
    title: str,
    load_storage: Callable[[object], object] | None = None,
) -> object:
    """Builds what one pickle describes and leaves the stream behind it.

    Args:
        stream: Where to read from.
        allowed: The globals that it may name.
        budget: Pays for its steps and arrays.
        title: What the pickle is, for messages.
        load_storage: Gives the storage of a persistent id; None if there may be none.

    Returns:
        Plain Python values, arrays and records. They may share parts.

    Raises:
        FileFormatError: If it is broken, names another global or uses up the budget.
    """
    machine = _Machine(allowed, budget=budget, load_storage=load_storage)
    position = stream.tell()
    try:
        for opcode, argument, at in pickletools.genops(cast(IO[bytes], stream)):
            position = at
            budget.spend_steps(1)
            if opcode.name == "STOP":
                break
            if opcode.name not in _OPERATIONS:
                raise FileFormatError(f"the opcode {opcode.name} is not used by checkpoints")
            _OPERATIONS[opcode.name](machine, argument)
        return machine.pop()
    except FileFormatError as error:
        raise FileFormatError(f"{title}, byte {position}: {error}") from None
    except ValueError as error:
        shown = quote(str(error))
        raise FileFormatError(f"{title}, after byte {position}: {shown}; {BROKEN}") from error


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return value
    return (value.state,) if type(value) is Record else ()


def check_nesting(root: object, *, depth: int) -> None:
    """Raises unless `root` is a finished, finite structure that may be walked by recursion.

    Each object is visited once, so that shared parts cost nothing.

    Args:
        root: What a file holds.
        depth: Containers inside containers that are allowed.

    Raises:
        FileFormatError: If it contains itself, is nested deeper, or has unfinished parts.
    """
    heights: dict[int, int] = {}  # By identity; 0 while the object is open.
    pending = [(root, False)]
    while pending:
        value, children_done = pending.pop()
        if isinstance(value, Pending):
            raise FileFormatError(f"it holds an array that was started, not finished; {BROKEN}")
        if isinstance(value, Storage):
            raise FileFormatError("it holds a storage that is no tensor; save a tensor of it")
        if children_done:
            heights[id(value)] = 1 + max(heights.get(id(child), 0) for child in _children(value))
            if heights[id(value)] > depth:
                raise FileFormatError(_too_deep(depth))
        elif heights.get(id(value)) == 0:
            raise FileFormatError("an object contains itself; a checkpoint never does")
        elif id(value) not in heights and (children := _children(value)):
            heights[id(value)] = 0
            pending.append((value, True))
            pending += [(child, False) for child in children]
