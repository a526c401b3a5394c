"""What XLA makes of StyleGANs for TPUs and GPUs that are not here, before and after each choice.

`sfe_jax.ops` selects the form of an operation by the platform; here the networks are compiled with
the choices taken back, one by one. Nothing runs. FLOPs, bytes and cycles of TPUs are those that the
compiler itself counts, with the gaps that short rows leave in memory; GPUs' are read from the
optimised program. The roofline is the longer of FLOPs and bytes over the chip's peaks.

    python -m benchmarks compiled
    python -m benchmarks.sections.deviceless > benchmarks/COMPILED.md
"""

import argparse
import math
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.measuring.fusions import read_fusions
from benchmarks.measuring.hlo import parse, products
from benchmarks.measuring.rows import Options, Row, Section
from benchmarks.pods.chips import GPUS, Chip, chip_of
from benchmarks.pods.compiling import abstract_batch, abstract_programs
from benchmarks.pods.edits import abstract_edit
from benchmarks.pods.targets import open_pod
from benchmarks.pods.weights import CONFIGS, load_recipe
from benchmarks.rivals.swapping import swapped
from sfe_jax.core.errors import SfeError
from sfe_jax.core.markdown import table
from sfe_jax.core.trees import apply
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.ops.convolution import composed_upsample, outweighs_folded_kernel
from sfe_jax.ops.packed_conv import folded_upsample
from sfe_jax.ops.packing import is_picture, is_thin
from sfe_jax.ops.upfirdn2d import is_separable, sums_at_once
from sfe_jax.parallel.mesh import on_mesh
from sfe_jax.pipelines.random_bundle import full_size_modules, small_modules
from sfe_jax.training.alias_free import AliasFreeOptions

TARGETS = ("v5e:1x1", "v6e:1x1", "cuda-h100x1")
"""One chip of each kind."""

CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
"""How long the compiler for TPUs expects a kernel to take."""

Form = Mapping[Callable, Callable]
"""What takes the place of which function of the library."""


def _never(*_: Any, **__: Any) -> None:
    """Takes a choice back."""


TPU_FORMS: dict[str, Form] = {
    "dilated, one axis after the other": {
        is_thin: _never,
        is_picture: _never,
        outweighs_folded_kernel: _never,
        sums_at_once: _never,
    },
    "and resampling folded in": {is_thin: _never, is_picture: _never},
    "and pictures in planes": {is_thin: _never},
    "and thin maps packed: ours": {},
}
"""Each adds a choice to the one before."""

GPU_FORMS: dict[str, Form] = {
    "dilated, one axis after the other": {sums_at_once: _never},
    "resampling folded in": {composed_upsample: folded_upsample},
    "dilated, both axes at once: ours": {},
}
"""The folded kernel moves no less than ours, and multiplies twice as often in the whole network."""

ALIAS_FREE_TPU_FORMS: dict[str, Form] = {
    "shifted sums": {is_separable: _never},
    "band matrices, map in planes: ours": {},
}

ALIAS_FREE_GPU_FORMS: dict[str, Form] = {"shifted sums: ours": {}}
"""Band matrices move twice as much there, and XLA finds no tiles for all of their slopes."""


Program = Callable[[Mesh], tuple[Any, tuple[Any, ...]]]
"""A mesh -> a jitted function, and the trees of shapes that it takes, with their places."""


@dataclass(frozen=True)
class Case:
    """A program to compile."""

    name: str  # What is done, with shapes and types.
    program: Program
    pictures: int
    tpu_forms: Mapping[str, Form] = field(default_factory=lambda: TPU_FORMS)
    gpu_forms: Mapping[str, Form] = field(default_factory=lambda: GPU_FORMS)


def _on_one_chip(function: Callable[..., Any], *shapes: Any) -> Program:
    """A function as a program, with all that it takes on every chip of the mesh."""

    def program(mesh: Mesh) -> tuple[Any, tuple[Any, ...]]:
        place = NamedSharding(mesh, PartitionSpec())

        def run(*arguments: Any) -> Any:
            with on_mesh(mesh):
                return function(*arguments)

        placed = partial(jax.tree.map, lambda x: x.update(sharding=place))
        return jax.jit(run), tuple(map(placed, shapes))

    return program


def _variables(module: Any, *arguments: Any) -> Any:
    """Shapes of a network's variables."""
    keys = {"params": jax.random.key(0), "noise": jax.random.key(0)}
    return jax.eval_shape(partial(module.init, keys), *arguments)


def _networks(quick: bool, channels: tuple[int, ...]) -> tuple[Generator, Discriminator, int]:
    """Generator, discriminator and batch."""
    channels = (16,) * 5 if quick else channels
    generator = Generator(channels, z_dim=channels[0], w_dim=channels[0], precision="bfloat16")
    critic = Discriminator(channels, precision="bfloat16", neighbours=True)
    return generator, critic, 2 if quick else 8


def generator_case(quick: bool) -> Case:
    """The generator of FFHQ at 1024: codes to pictures."""
    generator, _, count = _networks(quick, Generator.channels)
    z = jax.ShapeDtypeStruct((count, generator.z_dim), jnp.float32)
    side = generator.resolution
    name = f"StyleGAN2 generator {side}, {count} pictures, bfloat16, forward"
    program = _on_one_chip(partial(apply, generator), _variables(generator, z), z)
    return Case(name, program, count)


CHANNELS_256 = (512, 512, 512, 512, 256, 128, 64)
"""Of a training at 256x256, as in configs/ffhq256_gan.py."""


def slopes_case(quick: bool) -> Case:
    """A training step's generator phase: slopes of the adversarial loss."""
    generator, critic, count = _networks(quick, CHANNELS_256)
    z = jax.ShapeDtypeStruct((count, generator.z_dim), jnp.float32)
    size = (count, generator.resolution, generator.resolution, 3)
    image = jax.ShapeDtypeStruct(size, jnp.float32)

    def loss(variables: Any, judge: Any, z: jax.Array) -> jax.Array:
        return jnp.mean(jax.nn.softplus(-apply(critic, judge, apply(generator, variables, z))))

    shapes = _variables(generator, z), _variables(critic, image), z
    name = f"StyleGAN2 generator phase {size[1]}, {count} pictures, bfloat16"
    return Case(name, _on_one_chip(jax.grad(loss), *shapes), count)


def r1_case(quick: bool) -> Case:
    """A training step's regularisation: slopes of the squared slopes by the pictures."""
    generator, critic, count = _networks(quick, CHANNELS_256)
    size = (count, generator.resolution, generator.resolution, 3)
    image = jax.ShapeDtypeStruct(size, jnp.float32)

    def penalty(judge: Any, image: jax.Array) -> jax.Array:
        slope = jax.grad(lambda image: jnp.sum(apply(critic, judge, image)))(image)
        return jnp.mean(jnp.sum(jnp.square(slope), axis=(1, 2, 3)))

    name = f"StyleGAN2 R1 {size[1]}, {count} pictures, bfloat16"
    program = _on_one_chip(jax.grad(penalty), _variables(critic, image), image)
    return Case(name, program, count)


def alias_free_case(quick: bool) -> Case:
    """The generator of StyleGAN3-T at 1024: codes to pictures."""
    resolution, base = (16, 256) if quick else (1024, 32768)
    options = AliasFreeOptions()
    generator = options.build(resolution=resolution, base=base, maximum=512, precision="bfloat16")
    z = jax.ShapeDtypeStruct((1, generator.z_dim), jnp.float32)
    return Case(
        f"StyleGAN3-T generator {resolution}, 1 picture, bfloat16, forward",
        _on_one_chip(partial(apply, generator), _variables(generator, z), z),
        1,
        ALIAS_FREE_TPU_FORMS,
        ALIAS_FREE_GPU_FORMS,
    )


def edit_case(quick: bool) -> Case:
    """The full edit of StyleFeatureEditor: photographs in, edited photographs out."""
    modules, count = (small_modules(), 2) if quick else (full_size_modules(), 8)
    run, shapes = abstract_edit(modules, pictures=count, precision="bfloat16")
    name = f"SFE edit {shapes[1].shape[1]}, {count} pictures, bfloat16"
    return Case(name, _on_one_chip(run, *shapes), count)


def _recipe_case(kind: str, network: str) -> Callable[[bool], Case]:
    """The first phase of a recipe that trains a network, for one picture on each chip."""

    def case(quick: bool) -> Case:
        recipe = load_recipe(CONFIGS / f"{'faces64' if quick else 'ffhq1024'}_{kind}.py")

        def program(mesh: Mesh) -> tuple[Any, tuple[Any, ...]]:
            programs = abstract_programs(recipe, mesh, 1)
            run = next(run for phase, run in programs.phases if phase.name.startswith(network))
            return run, programs.shapes(abstract_batch(recipe, mesh, 1))

        return Case(f"{recipe.name}, {network}, 1 picture, {recipe.precision}", program, 1)

    return case


CASES: dict[str, Callable[[bool], Case]] = {
    "generator": generator_case,
    "slopes": slopes_case,
    "r1": r1_case,
    "edit": edit_case,
    "alias_free": alias_free_case,
    "e4e": _recipe_case("e4e", "encoder"),
    "inverter": _recipe_case("inverter", "inverter"),
    "editor": _recipe_case("editor", "feature_editor"),
}
"""Cases by short names."""


def _compiled(case: Case, mesh: Mesh) -> Any:
    """The case as a program for one chip."""
    function, shapes = case.program(mesh)
    return function.lower(*shapes).compile()


def _figures(compiled: Any, chip: Chip, pictures: int) -> tuple[dict[str, float], str]:
    """Figures of a program, and the kernels in it that only move."""
    text = compiled.as_text()
    program, fusions = parse(text), read_fusions(text)
    flops, moved = sum(product.flops for product in products(program)), fusions.moved
    if chip not in GPUS:
        counted = compiled.cost_analysis()
        flops, moved = counted["flops"], counted["bytes accessed"]
    figures = {
        "GFLOP": flops / 1e9,
        "GB moved": moved / 1e9,
        "GB a picture": moved / 1e9 / pictures,
        "GB without gaps": fusions.moved / 1e9,
        "temp MiB": compiled.memory_analysis().temp_size_in_bytes / 2**20,
        "kernels": fusions.kernels,
        "copies": sum(count for count, _ in fusions.alone.values()),
        "roofline ms": 1e3 * max(flops / chip.flops, moved / chip.bandwidth),
    }
    if chip not in GPUS:
        figures["Mcycles"] = sum(map(int, CYCLES.findall(text))) / 1e6
    return figures, f"Alone: {fusions}." if fusions.alone else ""


def _number(value: float | None) -> str:
    """Three significant digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:,.{max(2 - math.floor(math.log10(abs(value) or 1)), 0)}f}"


def compile_rows(target: str, case: Case, *, forms: Mapping[str, Form] | None = None) -> list[Row]:
    """One row per form of a case on a target; one that says why if there is no compiler.

    Args:
        target: Such as "v5e:1x1".
        case: The program.
        forms: In place of all those for the target's platform.
    """
    chip = chip_of(target)
    title = f"{case.name}, {chip.name}"
    try:
        mesh = open_pod(target)
    except SfeError as error:
        return [Row(title, "XLA", {}, str(error))]
    rows = []
    for name, form in (forms or (case.gpu_forms if chip in GPUS else case.tpu_forms)).items():
        with swapped(form):
            figures, note = _figures(_compiled(case, mesh), chip, case.pictures)
        rows.append(Row(title, name, figures, note))
        shown = ", ".join(f"{_number(value)} {unit}" for unit, value in figures.items())
        print(f"{title}, {name}: {shown}", file=sys.stderr, flush=True)
    return rows


@contextmanager
def _optimising(level: str) -> Iterator[None]:
    """Sets how much XLA optimises: "O0" and "O1" gave the same figures for TPUs, "O1" later."""
    before = jax.config.values["jax_optimization_level"]
    jax.config.update("jax_optimization_level", level)
    try:
        yield
    finally:
        jax.config.update("jax_optimization_level", before)


def section(
    options: Options,
    *,
    targets: Sequence[str] = TARGETS,
    cases: Sequence[str] = tuple(CASES),
    level: str = "O0",
) -> Section:
    """Compiles every case in every form.

    Args:
        options: Those of the command.
        targets: Such as "v5e:1x1" or "cuda-h100x1".
        cases: Of `CASES`.
        level: Of XLA's optimisation, "O0" to "O3".
    """
    with _optimising(level):
        rows = [
            row
            for target in targets
            for name in cases
            for row in compile_rows(target, CASES[name](options.quick))
        ]
    return Section("Compiled for machines that are not here", (__doc__ or "").strip(), tuple(rows))


def page(found: Section) -> str:
    """The section in Markdown."""
    names = list(dict.fromkeys(name for row in found.rows for name in row.figures))
    cells = [
        [row.case, row.form, *(_number(row.figures.get(name)) for name in names), row.note]
        for row in found.rows
    ]
    head = [f"# {found.title}", "", found.text, ""]
    return "\n".join([*head, *table(["case", "form", *names, "note"], cells), ""])


def main() -> None:
    """Compiles and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sections.deviceless",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--target", action="append", help="such as v5e:1x1 or cuda-h100x1")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--quick", action="store_true", help="tiny networks")
    parser.add_argument("--level", choices=("O0", "O1", "O2", "O3"), default="O0")
    parsed = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        options = Options(1, parsed.quick, None, pathlib.Path(folder))
        targets, cases = parsed.target or TARGETS, parsed.case or tuple(CASES)
        print(page(section(options, targets=targets, cases=cases, level=parsed.level)))


if __name__ == "__main__":
    main()
