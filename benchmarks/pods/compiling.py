"""Compiles every phase of a recipe for machines that are not there, and states what bounds it.

Nothing runs and no weights are needed: networks are shapes. A target is a topology of TPUs (needs
the `tpu` extra, libtpu) or the GPUs of one host (needs wheels that the error without them names).
The batch is the recipe's, or the least multiple of the chips. FLOPs and bytes are those of one
chip, counted by the compiler for TPUs and by `measuring.hlo` for GPUs, whose own does not;
times are those figures over the chip's peaks, so that a step takes at least the longest of the
three. Compiling takes minutes a phase on a slow machine, so results are kept as JSON beside the
page: what is stopped goes on, and what has not changed is not compiled again. Level O0 takes half
the time of O1 or less, with the same figures; above O1 a phase takes much longer.

    python -m benchmarks.pods --config=configs/ffhq1024_editor.py --topology=v5e:16x16
    python -m benchmarks.pods --config=configs/ffhq1024_editor.py --target=cuda-h100x8
    python -m benchmarks.pods --all --out benchmarks/PODS.md
    python -m benchmarks.pods --join OTHER.json --out benchmarks/PODS.md
"""

import argparse
import dataclasses
import math
import pathlib
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from benchmarks.measuring.hlo import Program, Traffic, collectives, mean_passes, parse, products
from benchmarks.pods.chips import GPUS, Chip, chip_of
from benchmarks.pods.page import page, section
from benchmarks.pods.results import (
    Cost,
    Question,
    Result,
    Results,
    digest,
    read_results,
    write_results,
)
from benchmarks.pods.targets import CUDA_WHEELS, open_pod
from benchmarks.pods.weights import CONFIGS, abstract_method, load_recipe
from sfe_jax.core.errors import OptionError, SfeError
from sfe_jax.parallel.mesh import DATA, batch_sharding
from sfe_jax.parallel.sharding import WIDE_KERNELS
from sfe_jax.training.loop import Programs
from sfe_jax.training.method import Phase
from sfe_jax.training.recipe import Recipe

TOO_LARGE = re.compile(r"HLO temporaries \(([\d.]+)([KMG]?)\) exceeds available HBM")
"""How the compiler for TPUs says that a program is too large."""

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def batch_per_chip(recipe: Recipe, chips: int) -> int:
    """Pictures of each chip: a share of the recipe's batch, or one."""
    return max(recipe.batch_size // chips, 1)


def abstract_batch(recipe: Recipe, mesh: Mesh, count: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of a batch with `count` pictures for each chip."""
    size, options = recipe.data.resolution, recipe.data
    shape = (count * mesh.shape[DATA], size, size, options.channels)
    return {"image": jax.ShapeDtypeStruct(shape, jnp.uint8, sharding=batch_sharding(mesh))}


def abstract_programs(recipe: Recipe, mesh: Mesh, count: int) -> Programs:
    """The phases of a recipe for `count` pictures on each chip, with networks as shapes."""
    recipe = dataclasses.replace(recipe, batch_size=count * mesh.shape[DATA])
    return Programs(abstract_method(recipe), mesh, rules=WIDE_KERNELS, key=jax.random.key(0))


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

    def costs(self, count: int, names: Sequence[str] = ()) -> tuple[list[Cost], dict[str, int]]:
        """Compiles phases for `count` pictures on each chip; those of `names`, or all that run.

        Returns:
            What they cost; and of those too large for a chip, the bytes that they need besides what
            is held.
        """
        programs = abstract_programs(self.recipe, self.mesh, count)
        state = _bytes_per_chip(programs.abstract, programs.places)
        held = state + _bytes_per_chip(programs.method.frozen, programs.frozen_places)
        lowered = programs.lower(abstract_batch(self.recipe, self.mesh, count))
        costs, refused = [], {}
        for phase in programs.method.phases:
            if phase.stop == 0 or (names and phase.name not in names):
                continue
            try:
                costs.append(self._cost(phase, lowered[phase.name], held=held, count=count))
            except jax.errors.JaxRuntimeError as error:
                refused[phase.name] = self._needed(phase, error)
        return costs, refused

    def _needed(self, phase: Phase, error: Exception) -> int:
        """Bytes of a phase that the compiler refused because a chip has too few."""
        if "PTX" in str(error):
            raise OptionError(
                f"phase {phase.name!r} cannot be compiled for {self.chip.name} without the "
                f"assembler ptxas of CUDA; required is its package, {CUDA_WHEELS}"
            ) from error
        found = TOO_LARGE.search(str(error))
        if not found:
            raise error
        return round(float(found[1]) * UNITS[found[2]])

    def _work(self, compiled: Any, program: Program) -> tuple[float, float]:
        """FLOPs, and bytes read and written."""
        if self.chip in GPUS:
            flops = sum(product.flops for product in products(program))
            return flops, Traffic(program).total()
        counted = compiled.cost_analysis()
        return counted.get("flops", 0.0), counted.get("bytes accessed", 0.0)

    def _cost(self, phase: Phase, lowered: Any, *, held: int, count: int) -> Cost:
        start = time.perf_counter()
        compiled = lowered.compile()
        seconds = time.perf_counter() - start
        print(f"{phase.name}: compiled in {seconds:.0f} s", file=sys.stderr, flush=True)
        program, memory = parse(compiled.as_text()), compiled.memory_analysis()
        flops, accessed = self._work(compiled, program)
        grown = memory.output_size_in_bytes - memory.alias_size_in_bytes
        return Cost(
            name=phase.name,
            interval=phase.every,
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
    """Pictures that fit a chip, on the line through two compiles of the hungriest phase.

    The larger of the two batches where it takes no more memory than the smaller.
    """
    slope = (many.temp - few.temp) / (many.batch - few.batch)
    if slope <= 0:
        return many.batch if many.peak <= chip.memory else 0
    return max(int(few.batch + (chip.memory - few.peak) // slope), 0)


def _fitting(compiler: Compiler, few: Cost) -> int:
    """The largest batch of a chip, for which a phase is compiled once more.

    With four times the pictures: what takes a share of a batch may cost as much for twice as many.
    """
    more, refused = compiler.costs(4 * few.batch, [few.name])
    temp = refused[few.name] if refused else more[0].temp
    many = dataclasses.replace(few, batch=4 * few.batch, temp=temp)
    return largest_batch(few, many, compiler.chip)


@dataclass(frozen=True)
class Options:
    """What is compiled."""

    target: str = "v5e:16x16"
    count: int = 0  # Pictures on each chip; 0 for the recipe's share.
    precision: str = ""  # In place of the recipe's; "" for that.
    level: str = "O0"  # Of XLA's optimisation.
    fit: bool = True  # Whether the hungriest phase is compiled twice, for the largest batch.


def _versions(chip: Chip) -> dict[str, str]:
    """Versions of JAX and of the compiler."""
    names = ("jax", "jax-cuda13-plugin" if chip in GPUS else "libtpu")
    return {name: version(name) for name in names}


def _question(recipe: Recipe, options: Options, *, chips: int) -> Question:
    """What is asked of the compiler."""
    return Question(
        recipe=recipe.name,
        digest=digest(recipe),
        precision=recipe.precision,
        target=options.target,
        chips=chips,
        batch=options.count or batch_per_chip(recipe, chips),
        level=options.level,
        versions=_versions(chip_of(options.target)),
    )


def compile_recipe(path: str, options: Options, known: Results) -> Iterator[Result]:
    """What a recipe costs; what is known already is not compiled again.

    Args:
        path: A recipe as `load_recipe` takes it.
        options: For which chips, and how.
        known: Results so far.

    Returns:
        Iterator over the result, and over the same with the largest batch if that is asked too.

    Raises:
        OptionError: If there is no such recipe or target, or a package is missing.
    """
    recipe, chip = load_recipe(path), chip_of(options.target)
    if options.precision:
        recipe = dataclasses.replace(recipe, precision=options.precision)
    mesh = open_pod(options.target)
    asked = _question(recipe, options, chips=mesh.size)
    compiler, result = Compiler(recipe, mesh, chip), known.get(asked.place)
    if result is None or result.question != asked:
        costs, refused = compiler.costs(asked.batch)
        result = Result(asked, tuple(costs), refused)
    yield result
    if options.fit and result.largest is None and not result.refused:
        yield dataclasses.replace(result, largest=_fitting(compiler, result.hungriest))


def save(path: pathlib.Path, results: Results) -> None:
    """Adds results to a page, and to the file beside it that the page is made of.

    What others have added meanwhile stays.
    """
    kept = path.with_suffix(".json")
    together = read_results(kept) | results
    write_results(kept, together)
    path.write_text(page(together))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pods",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", help="a recipe, configs/NAME.py or configs/NAME.py:VARIANT")
    what.add_argument("--all", action="store_true", help="all recipes of published size")
    what.add_argument(
        "--join", nargs="+", type=pathlib.Path, metavar="JSON", help="results of other runs"
    )
    parser.add_argument(
        "--target", "--topology", default="v5e:16x16", help="such as v5e:16x16 or cuda-h100x8"
    )
    parser.add_argument("--batch-per-chip", type=int, default=0, metavar="N")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="")
    parser.add_argument(
        "--level", choices=("O0", "O1", "O2", "O3"), default="O0", help="of XLA's optimisation"
    )
    parser.add_argument("--no-fit", action="store_true", help="leaves out the largest batch")
    parser.add_argument("--again", action="store_true", help="compiles what is known too")
    parser.add_argument("--out", type=pathlib.Path, help="page to add to, with JSON beside it")
    return parser


def _paths(parsed: argparse.Namespace) -> list[str]:
    """The recipes that are asked for."""
    if parsed.config:
        return [parsed.config]
    found = sorted(CONFIGS.glob("*.py")) if parsed.all else []
    return [str(path) for path in found if not path.name.startswith(("faces64", "eval_"))]


def _run(parsed: argparse.Namespace) -> None:
    """Compiles what is asked and not known, and writes after each recipe."""
    options = Options(
        target=parsed.target,
        count=parsed.batch_per_chip,
        precision=parsed.precision,
        level=parsed.level,
        fit=not parsed.no_fit,
    )
    known = read_results(parsed.out.with_suffix(".json")) if parsed.out else {}
    for path in parsed.join or ():
        known |= read_results(path)
    if parsed.join and parsed.out:
        save(parsed.out, known)
    for path in _paths(parsed):
        for result in compile_recipe(path, options, {} if parsed.again else known):
            if parsed.out:
                save(parsed.out, {result.question.place: result})
            print(section(result), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Compiles and prints; the exit status is 2 after an error that the user can mend."""
    parsed = _parser().parse_args(arguments)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_optimization_level", parsed.level)
    try:
        _run(parsed)
    except SfeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
