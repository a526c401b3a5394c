"""Says what XLA made of a program: kernels, the bytes that they move, and what stands alone.

A kernel stands alone if it does one thing that another kernel could have done on the way: a copy,
a transpose, an addition. Products, exchanges and calls of libraries are no such things. What is
smaller than a hundredth of the largest array of the program is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measuring.hlo import NO_TRAFFIC, WIRE, Traffic, parse

WHOLE = {"convolution", "dot", "custom-call", "fft", "sort", "rng-bit-generator", *WIRE}
"""Operations that are kernels by right."""

SMALL = 0.01
"""Share of the largest array of a program below which a kernel is not worth naming."""


@dataclass(frozen=True)
class Fusions:
    """What XLA made of a program."""

    kernels: int  # Launches; those of a loop as often as it turns.
    moved: int  # Bytes that they read and write.
    alone: Mapping[str, tuple[int, int]]  # Operation -> launches and bytes moved.

    def __str__(self) -> str:
        """The kernels that stand alone: "3 transpose (12.0 MB), 1 copy (4.0 MB)"."""
        found = sorted(self.alone.items(), key=lambda item: -item[1][1])
        return ", ".join(f"{count} {name} ({size / 1e6:.1f} MB)" for name, (count, size) in found)


def read_fusions(text: str) -> Fusions:
    """Reads an optimised program.

    Args:
        text: Of `compiled.as_text()`.

    Returns:
        Kernels, bytes, and what stands alone.
    """
    program = parse(text)
    traffic = Traffic(program)
    run = list(traffic.kernels())
    largest = max((kernel.size for kernel, _ in run), default=0)
    kernels = moved = 0
    alone: dict[str, tuple[int, int]] = {}
    for kernel, times in run:
        size = times * traffic.moved(kernel)
        kernels, moved = kernels + times, moved + size
        inside = [each for each in traffic.inside(kernel) if each.operation not in NO_TRAFFIC]
        (single,) = inside if len(inside) == 1 else [kernel]
        name = single.operation.removesuffix("-start")
        if name != "fusion" and name not in WHOLE and kernel.size >= SMALL * largest:
            count, total = alone.get(name, (0, 0))
            alone[name] = (count + times, total + size)
    return Fusions(kernels, moved, alone)
