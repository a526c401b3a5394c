"""Compiles every phase of a recipe for machines that are not there, and states what bounds it.

Nothing runs and no weights are needed: networks are shapes. A target is a topology of TPUs (needs
the `tpu` extra, libtpu) or the GPUs of one host (needs wheels that the error without them names).
The batch is the recipe's, or the least multiple of the chips. FLOPs and bytes are those of one
chip, counted by the compiler for TPUs and by `pods_hlo` for GPUs, whose compiler does not count;
times are those figures over the chip's peaks, so that a step takes at least the longest of the
three. Compiling takes minutes a phase on a slow machine.

    python -m benchmarks.pods --config=configs/ffhq1024_editor.py --topology=v5e:16x16
    python -m benchmarks.pods --config=configs/ffhq1024_editor.py --target=cuda-h100x8
    python -m benchmarks.pods --all --out benchmarks/PODS.md
"""

import argparse
import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from benchmarks.pods_chips import GPUS, Chip, chip_of
from benchmarks.pods_hlo import WIRE, Program, Traffic, collectives, mean_passes, parse, products
from benchmarks.pods_targets import CUDA_WHEELS, open_pod
from benchmarks.pods_weights import CONFIGS, abstract_method, load_recipe
from sfe_jax.core.errors import OptionError, SfeError
from sfe_jax.parallel.mesh import DATA, batch_sharding
from sfe_jax.parallel.sharding import WIDE_KERNELS
from sfe_jax.training.loop import Programs
from sfe_jax.training.method import Phase
from sfe_jax.training.recipe import Recipe

GIB = 2**30

GPU_NOTE = (
    "FLOPs are those of products, bytes those that kernels read and write; memory is without what "
    "cuDNN works in, which is chosen where the program runs. JAX takes three quarters of a GPU "
    "unless `XLA_PYTHON_CLIENT_MEM_FRACTION` says otherwise."
)
"""What the figures of a GPU leave out."""


@dataclass(frozen=True)
class Cost:
    """What a phase costs one chip."""

    name: str  # Of the phase.
    interval: int  # Steps from one run to the next.
    steady: bool  # Whether it runs to the end; phases that stop are not in the step's time.
    batch: int  # Pictures on the chip.
    held: int  # Bytes of state and frozen networks.
    temp: int  # Bytes besides, at most at one time.
    flops: float  # Additions and multiplications.
    passes: float  # bfloat16 products for one product.
    accessed: float  # Bytes read and written.
    exchanged: dict[str, tuple[int, int]]  # Kind of exchange -> how many, bytes of whole arrays.
    compile_s: float  # Seconds of the compiler.

    @property
    def peak(self) -> int:
        """Bytes in use at most."""
        return self.held + self.temp

    def times(self, chip: Chip) -> dict[str, float]:
        """Seconds at the chip's peaks, by what bounds."""
        wire = sum(WIRE[kind] * size for kind, (_, size) in self.exchanged.items())
        return {
            "compute": self.flops * self.passes / chip.flops,
            "memory": self.accessed / chip.bandwidth,
            "links": wire / chip.link,
        }

    def bound(self, chip: Chip) -> tuple[str, float]:
        """What bounds it, and the seconds that it takes at least."""
        return max(self.times(chip).items(), key=lambda item: item[1])


def batch_per_chip(recipe: Recipe, chips: int) -> int:
    """Pictures of each chip: a share of the recipe's batch, or one."""
    return max(recipe.batch_size // chips, 1)


def _batch(recipe: Recipe, mesh: Mesh, count: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of a batch with `count` pictures for each chip."""
    size, options = recipe.data.resolution, recipe.data
    shape = (count * mesh.shape[DATA], size, size, options.channels)
    return {"image": jax.ShapeDtypeStruct(shape, jnp.uint8, sharding=batch_sharding(mesh))}


def _bytes_per_chip(tree: Any, places: Any) -> int:
    """Bytes of a tree of shapes on one chip."""
    sizes = jax.tree.map(
        lambda x, place: math.prod(place.shard_shape(x.shape)) * np.dtype(x.dtype).itemsize,
        tree,
        places,
    )
    return sum(jax.tree.leaves(sizes))


def _exchanged(program: Program) -> dict[str, tuple[int, int]]:
    """Kind of exchange -> how many, bytes of whole arrays."""
    exchanged: dict[str, tuple[int, int]] = {}
    for each in collectives(program):
        number, size = exchanged.get(each.kind, (0, 0))
        exchanged[each.kind] = (number + 1, size + each.size)
    return exchanged


class Compiler:
    """Compiles phases of a recipe for a pod.

    Args:
        recipe: Any of `configs/`.
        mesh: From `open_pod`.
        chip: Of the pod.
    """

    def __init__(self, recipe: Recipe, mesh: Mesh, chip: Chip):
        self.recipe, self.mesh, self.chip = recipe, mesh, chip

    def _programs(self, count: int) -> Programs:
        """The phases for `count` pictures on each chip."""
        recipe = dataclasses.replace(self.recipe, batch_size=count * self.mesh.shape[DATA])
        method = abstract_method(recipe)
        return Programs(method, self.mesh, rules=WIDE_KERNELS, key=jax.random.key(0))

    def costs(self, count: int, names: Sequence[str] = ()) -> list[Cost]:
        """Compiles phases for `count` pictures on each chip; those of `names`, or all that run."""
        programs = self._programs(count)
        state = _bytes_per_chip(programs.abstract, programs.places)
        held = state + _bytes_per_chip(programs.method.frozen, programs.frozen_places)
        lowered = programs.lower(_batch(self.recipe, self.mesh, count))
        return [
            self._cost(phase, lowered[phase.name], held=held, count=count)
            for phase in programs.method.phases
            if phase.stop != 0 and (not names or phase.name in names)
        ]

    def _compiled(self, phase: Phase, lowered: Any) -> Any:
        """A phase, compiled."""
        try:
            return lowered.compile()
        except jax.errors.JaxRuntimeError as error:
            if "PTX" not in str(error):
                raise
            raise OptionError(
                f"phase {phase.name!r} cannot be compiled for {self.chip.name} without the "
                f"assembler ptxas of CUDA; required is its package, {CUDA_WHEELS}"
            ) from error

    def _work(self, compiled: Any, program: Program) -> tuple[float, float]:
        """FLOPs, and bytes read and written."""
        if self.chip in GPUS:
            flops = sum(product.flops for product in products(program))
            return flops, Traffic(program).total()
        counted = compiled.cost_analysis()
        return counted.get("flops", 0.0), counted.get("bytes accessed", 0.0)

    def _cost(self, phase: Phase, lowered: Any, *, held: int, count: int) -> Cost:
        start = time.perf_counter()
        compiled = self._compiled(phase, lowered)
        seconds = time.perf_counter() - start
        print(f"{phase.name}: compiled in {seconds:.0f} s", file=sys.stderr, flush=True)
        program, memory = parse(compiled.as_text()), compiled.memory_analysis()
        flops, accessed = self._work(compiled, program)
        grown = memory.output_size_in_bytes - memory.alias_size_in_bytes
        return Cost(
            name=phase.name,
            interval=phase.interval,
            steady=phase.stop is None,
            batch=count,
            held=held,
            temp=memory.temp_size_in_bytes + max(grown, 0),
            flops=flops,
            passes=mean_passes(products(program), self.chip.passes),
            accessed=accessed,
            exchanged=_exchanged(program),
            compile_s=seconds,
        )


def largest_batch(few: Cost, many: Cost, chip: Chip) -> int:
    """Pictures that fit a chip, on the line through two compiles of the hungriest phase."""
    slope = (many.temp - few.temp) / (many.batch - few.batch)
    if slope <= 0:
        return 0
    return max(int(few.batch + (chip.memory - few.peak) // slope), 0)


def step_seconds(costs: Iterable[Cost], chip: Chip) -> float:
    """Least seconds of a step in the long run, phases weighted by how often they run."""
    return sum(cost.bound(chip)[1] / cost.interval for cost in costs if cost.steady)


HEADER = ("phase", "every", "held GiB", "temp GiB", "TFLOP", "passes", "GB moved", "exchanged",
          "compute ms", "memory ms", "links ms", "bound by", "compiled in s")  # fmt: skip


def _row(cost: Cost, chip: Chip) -> tuple[str, ...]:
    """A phase as text, under `HEADER`."""
    times = cost.times(chip)
    exchanged = ", ".join(
        f"{number} {kind} {size / 1e6:.0f} MB" for kind, (number, size) in cost.exchanged.items()
    )
    return (
        cost.name,
        str(cost.interval),
        f"{cost.held / GIB:.2f}",
        f"{cost.temp / GIB:.2f}",
        f"{cost.flops / 1e12:.2f}",
        f"{cost.passes:.1f}",
        f"{cost.accessed / 1e9:.1f}",
        exchanged or "none",
        *(f"{1e3 * times[name]:.1f}" for name in ("compute", "memory", "links")),
        cost.bound(chip)[0],
        f"{cost.compile_s:.0f}",
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as a Markdown table, the first one its heads."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(HEADER), *lines[1:]])


@dataclass(frozen=True)
class Options:
    """What is compiled."""

    target: str = "v5e:16x16"
    count: int = 0  # Pictures on each chip; 0 for the recipe's share.
    precision: str = ""  # In place of the recipe's; "" for that.
    fit: bool = True  # Whether the hungriest phase is compiled twice, for the largest batch.


def report(path: pathlib.Path, options: Options) -> str:
    """A section of Markdown on one recipe."""
    recipe, chip = load_recipe(path), chip_of(options.target)
    if options.precision:
        recipe = dataclasses.replace(recipe, precision=options.precision)
    mesh = open_pod(options.target)
    count = options.count or batch_per_chip(recipe, mesh.size)
    compiler = Compiler(recipe, mesh, chip)
    costs = compiler.costs(count)
    rate = count * mesh.size / step_seconds(costs, chip)
    lines = [
        f"## {recipe.name}, {recipe.precision}, {count} a chip of {options.target}\n",
        _table([HEADER, *(_row(cost, chip) for cost in costs)]),
        f"\nAt the peaks: {rate:,.0f} pictures a second, {rate / mesh.size:.1f} a chip.",
    ]
    hungriest = max(costs, key=lambda cost: cost.temp)
    fits = "fits" if hungriest.peak <= chip.memory else "does not fit"
    lines.append(
        f"Peak memory {hungriest.peak / GIB:.2f} GiB in {hungriest.name}: {fits} "
        f"{chip.memory / GIB:.1f} GiB."
    )
    if options.fit:
        twice = compiler.costs(2 * count, [hungriest.name])[0]
        most = largest_batch(hungriest, twice, chip)
        lines.append(f"Largest batch a chip, on a line through {count} and {2 * count}: {most}.")
    if chip in GPUS:
        lines.append(GPU_NOTE)
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pods", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=pathlib.Path, help="a recipe, configs/NAME.py")
    what.add_argument("--all", action="store_true", help="all recipes of published size")
    parser.add_argument(
        "--target", "--topology", default="v5e:16x16", help="such as v5e:16x16 or cuda-h100x8"
    )
    parser.add_argument("--batch-per-chip", type=int, default=0, metavar="N")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="")
    parser.add_argument(
        "--level", choices=("O0", "O1", "O2", "O3"), default="O1", help="of XLA's optimisation"
    )
    parser.add_argument("--no-fit", action="store_true", help="leaves out the largest batch")
    parser.add_argument("--out", type=pathlib.Path, help="file to write besides")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Compiles and prints; the exit status is 2 after an error that the user can mend."""
    parsed = _parser().parse_args(arguments)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_optimization_level", parsed.level)
    paths = [parsed.config]
    if parsed.all:
        paths = sorted(
            p for p in CONFIGS.glob("*.py") if not p.name.startswith(("faces64", "eval_"))
        )
    options = Options(
        target=parsed.target,
        count=parsed.batch_per_chip,
        precision=parsed.precision,
        fit=not parsed.no_fit,
    )
    sections = []
    try:
        for path in paths:
            sections.append(report(path, options))
            print(sections[-1], flush=True)
            if parsed.out:
                parsed.out.write_text("\n\n".join(sections) + "\n")
    except SfeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
