"""Reads an optimised XLA program as text: what chips send, and how exact its products are.

An operation inside a loop counts once.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "s32": 4, "u32": 4,
         "f32": 4, "s64": 8, "u64": 8, "f64": 8}  # fmt: skip
"""Size of a number by the name of its type."""

WIRE = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0,
        "collective-permute": 1.0}  # fmt: skip
"""Bytes that a chip of a large ring sends, per byte of the whole array."""

_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?(%[\w.-]+) = (.+?) ([a-z][\w-]*)\((.*)$", re.MULTILINE)
_ARRAY = re.compile(r"\b([a-z]+\d+|pred)\[([\d,]*)\]")


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
    exact: bool  # Whether float32 numbers are multiplied in the highest precision.


def _arrays(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The arrays of a type: "(f32[8,4]{1,0}, s32[])" -> [("f32", (8, 4)), ("s32", ())]."""
    found = _ARRAY.findall(text)
    return [(name, tuple(int(n) for n in sizes.split(",") if n)) for name, sizes in found]


def _size(array: tuple[str, tuple[int, ...]]) -> int:
    """Bytes of an array."""
    return BYTES.get(array[0], 4) * math.prod(array[1])


def collectives(text: str) -> Iterator[Collective]:
    """Every exchange among chips in the program `text`."""
    for _, kind, operation, _ in _INSTRUCTION.findall(text):
        name = operation.removesuffix("-start")
        if name not in WIRE:
            continue
        arrays = [_size(array) for array in _arrays(kind)]
        # What starts an exchange has its input beside its result.
        started = operation != name and name != "all-reduce"
        yield Collective(name, max(arrays) if started else sum(arrays))


def products(text: str) -> Iterator[Product]:
    """Every convolution of the program `text`; on TPUs matrix products are convolutions too."""
    types = {name: kind for name, kind, _, _ in _INSTRUCTION.findall(text)}
    for _, kind, operation, rest in _INSTRUCTION.findall(text):
        if operation != "convolution":
            continue
        kernel = re.findall(r"%[\w.-]+", rest)[1]
        labels = re.search(r"dim_labels=\w+_(\w+)->", rest)
        if labels is None or kernel not in types:
            continue
        sizes = zip(labels[1], _arrays(types[kernel])[0][1], strict=True)
        taps = math.prod(size for label, size in sizes if label != "o")
        zeros = re.search(r"lhs_dilate=([\dx]+)", rest)
        spread = math.prod(int(n) for n in zeros[1].split("x")) if zeros else 1
        flops = 2 * math.prod(_arrays(kind)[0][1]) * taps // spread
        yield Product(flops, "precision={highest" in rest)


def passes(text: str, *, exact: int) -> float:
    """Mean number of bfloat16 products that stand for one product of the program `text`.

    Args:
        text: The program.
        exact: Of a float32 product of the highest precision.
    """
    found = list(products(text))
    total = sum(product.flops for product in found)
    if not total:
        return 1.0
    return sum(product.flops * (exact if product.exact else 1) for product in found) / total
