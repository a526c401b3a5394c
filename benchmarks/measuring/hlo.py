"""Reads an optimised XLA program as text: what chips send, multiply and move.

An operation inside a loop counts once; the traffic of a loop counts as often as it turns, where the
compiler wrote that down.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "s32": 4, "u32": 4,
         "f32": 4, "s64": 8, "u64": 8, "f64": 8}  # fmt: skip
"""Size of a number by the name of its type."""

WIRE = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0,
        "collective-permute": 1.0}  # fmt: skip
"""Bytes that a chip of a large ring sends, per byte of the whole array."""

NO_TRAFFIC = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "partition-id",
              "replica-id", "while", "conditional", "call"}  # fmt: skip
"""Operations that move nothing themselves."""

_HEAD = re.compile(r"^(ENTRY )?(%[\w.-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?(%[\w.-]+) = (.+?) ([a-z][\w-]*)\((.*)$")
_ARRAY = re.compile(r"\b([a-z]+\d+|pred)\[([\d,]*)\]")
_NAME = re.compile(r"%[\w.-]+")
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')

Sized = tuple[str, tuple[int, ...]]
"""Type of the numbers of an array, and its shape."""


@dataclass(frozen=True)
class Collective:
    """One exchange among chips."""

    kind: str  # A key of `WIRE`.
    size: int  # Bytes of the whole array, or of all arrays that go together.

    @property
    def wire(self) -> float:
        """Bytes that each chip sends."""
        return WIRE[self.kind] * self.size


@dataclass(frozen=True)
class Product:
    """One convolution or matrix product."""

    flops: int  # Multiplications and additions.
    precision: str  # "half" for 16 bits; "default" or "highest" for float32.


def _size(array: Sized) -> int:
    """Bytes of an array."""
    return BYTES.get(array[0], 4) * math.prod(array[1])


@dataclass(frozen=True)
class Instruction:
    """One line of a program."""

    name: str
    computation: str  # Where it stands; "" for the program itself.
    type: str  # Of its result, as text.
    operation: str
    rest: str  # Operands and attributes, as text.

    @cached_property
    def arrays(self) -> list[Sized]:
        """The result: "(f32[8,4]{1,0}, s32[])" -> [("f32", (8, 4)), ("s32", ())]."""
        found = _ARRAY.findall(self.type)
        return [(name, tuple(int(n) for n in sizes.split(",") if n)) for name, sizes in found]

    @cached_property
    def operands(self) -> list[str]:
        """Names of what it works on."""
        return _NAME.findall(self.rest.partition(")")[0])

    @property
    def calls(self) -> list[str]:
        """Names of computations in its attributes, and perhaps of other things."""
        return _NAME.findall(self.rest.partition(")")[2])

    @property
    def size(self) -> int:
        """Bytes of its result."""
        return sum(map(_size, self.arrays))


Program = dict[str, Instruction]
"""Every line by its name, in order; names are unique in a program."""


def parse(text: str) -> Program:
    """Reads a program."""
    program: Program = {}
    computation = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            computation = "" if head[1] else head[2]
        elif found := _INSTRUCTION.match(line):
            program[found[1]] = Instruction(found[1], computation, *found.groups()[1:])
    return program


def collectives(program: Program) -> Iterator[Collective]:
    """Every exchange among chips."""
    for each in program.values():
        name = each.operation.removesuffix("-start")
        if name not in WIRE:
            continue
        inputs = sum(program[operand].size for operand in each.operands)
        # What starts an exchange may have its input beside its result.
        started = each.operation != name and name != "all-reduce"
        yield Collective(name, max(inputs, each.size - inputs if started else each.size))


def _taps(each: Instruction, kernel: Sized) -> int:
    """Numbers that are multiplied for one number of a convolution's output."""
    (labels,) = re.findall(r"dim_labels=\w+_(\w+)->", each.rest)
    return math.prod(n for label, n in zip(labels, kernel[1], strict=True) if label != "o")


def _convolution(each: Instruction, operands: list[Sized]) -> int:
    """FLOPs of a convolution of XLA; the zeros of a dilated input do not count."""
    zeros = re.search(r"lhs_dilate=([\dx]+)", each.rest)
    spread = math.prod(map(int, zeros[1].split("x"))) if zeros else 1
    return 2 * math.prod(each.arrays[0][1]) * _taps(each, operands[1]) // spread


def _cudnn(each: Instruction, operands: list[Sized]) -> int:
    """FLOPs of a convolution of cuDNN; labels are those of the forward one in its gradients too."""
    output, kernel = each.arrays[0], operands[1]
    if "__cudnn$convBackwardInput" in each.rest:
        output = operands[0]
    elif "__cudnn$convBackwardFilter" in each.rest:
        output, kernel = operands[1], each.arrays[0]
    return 2 * math.prod(output[1]) * _taps(each, kernel)


def _matrices(each: Instruction, operands: list[Sized]) -> int:
    """FLOPs of a matrix product, of XLA or of cuBLAS."""
    summed = re.search(r'lhs_contracting_dim(?:s=\{|ensions":\[)([\d,"]*)', each.rest)
    axes = re.findall(r"\d+", summed[1]) if summed else []
    return 2 * math.prod(each.arrays[0][1]) * math.prod(operands[0][1][int(axis)] for axis in axes)


def products(program: Program) -> Iterator[Product]:
    """Every convolution and matrix product."""
    for each in program.values():
        if each.operation == "convolution":
            count = _convolution
        elif each.operation == "dot" or "__cublas$" in each.rest:
            count = _matrices
        elif each.operation == "custom-call" and "__cudnn$conv" in each.rest:
            count = _cudnn
        else:
            continue
        operands = [program[name].arrays[0] for name in each.operands]
        precision = "highest" if "precision={highest" in each.rest else "default"
        half = BYTES.get(operands[1][0], 4) <= 2
        yield Product(count(each, operands), "half" if half else precision)


def mean_passes(found: Iterable[Product], passes: Mapping[str, float]) -> float:
    """Mean number of bfloat16 products that take the time of one product.

    Args:
        found: Products of a program.
        passes: That number by precision.
    """
    found = list(found)
    total = sum(product.flops for product in found)
    if not total:
        return 1.0
    return sum(product.flops * passes[product.precision] for product in found) / total


class Traffic:
    """Bytes that the kernels of a program read and write.

    A kernel is a line of the program itself or of a loop in it. It writes its result and reads its
    operands, of which a fusion that cuts pieces out reads those alone.

    Args:
        program: From `parse`.
    """

    def __init__(self, program: Program):
        self.program = program
        self.lines: dict[str, list[Instruction]] = {}
        self.users: dict[str, list[Instruction]] = {}
        for each in program.values():
            self.lines.setdefault(each.computation, []).append(each)
            for name in each.operands:
                self.users.setdefault(name, []).append(each)

    def kernels(self, computation: str = "") -> Iterator[tuple[Instruction, int]]:
        """Lines that run by themselves, and how often."""
        for each in self.lines[computation]:
            if each.operation in ("while", "conditional", "call"):
                turns = _TURNS.search(each.rest) if each.operation == "while" else None
                for name in each.calls:
                    if name in self.lines:
                        for kernel, times in self.kernels(name):
                            yield kernel, times * int(turns[1] if turns else 1)
            if each.operation not in NO_TRAFFIC and not each.operation.endswith("-done"):
                yield each, 1

    def inside(self, kernel: Instruction) -> list[Instruction]:
        """Lines of a fusion; none of another kernel."""
        if kernel.operation != "fusion":
            return []
        return [line for name in kernel.calls for line in self.lines.get(name, ())]

    def _pieces(self, name: str) -> int:
        """Bytes read of a value inside a fusion."""
        whole, total = self.program[name].size, 0
        for user in self.users.get(name, ()):
            if user.operation == "bitcast":
                total += self._pieces(user.name)
            elif user.operation == "dynamic-update-slice" and user.operands[0] == name:
                continue  # Written in place.
            elif user.operation in ("slice", "dynamic-slice", "gather"):
                total += user.size
            else:
                return whole
        return min(whole, total)

    def _reads(self, kernel: Instruction) -> int:
        """Bytes that a kernel reads."""
        if inside := self.inside(kernel):
            return sum(self._pieces(each.name) for each in inside if each.operation == "parameter")
        return sum(self.program[name].size for name in kernel.operands)

    def _writes(self, kernel: Instruction) -> int:
        """Bytes that a kernel writes."""
        last = (self.inside(kernel) or [kernel])[-1]
        while last.operation == "bitcast":
            last = self.program[last.operands[0]]
        if last.operation == "dynamic-update-slice":
            return self.program[last.operands[1]].size
        return kernel.size

    def moved(self, kernel: Instruction) -> int:
        """Bytes that a kernel reads and writes."""
        return self._writes(kernel) + self._reads(kernel)

    def total(self) -> int:
        """Bytes of all kernels."""
        return sum(times * self.moved(kernel) for kernel, times in self.kernels())
