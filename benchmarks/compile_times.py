"""Times how long programs take from their Python source to being ready, cold and from the cache.

Each is traced and compiled for shapes alone, in a process of its own: once with an empty
persistent cache, once with what that left there. Start-up is not counted: importing JAX and
finding the shapes of weights takes the same in both.

Example: python -m benchmarks.compile_times -o benchmarks/COMPILE.md
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.timing import processor_name, processors
from benchmarks.pods.compiling import abstract_batch
from benchmarks.pods.edits import abstract_edit
from benchmarks.pods.weights import CONFIGS, abstract_method, load_recipe
from sfe_jax.core.markdown import table
from sfe_jax.core.trees import apply
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.parallel.sharding import WIDE_KERNELS
from sfe_jax.pipelines.bundle import abstract_variables
from sfe_jax.pipelines.random_bundle import full_size_modules
from sfe_jax.training.loop import Programs


@dataclass(frozen=True)
class Preparation:
    """Seconds until a program is ready."""

    trace: float  # Python to StableHLO.
    compile: float  # StableHLO to machine code, or that out of the cache.

    @property
    def total(self) -> float:
        """Both."""
        return self.trace + self.compile


Lower = Callable[[], Sequence[Any]]
"""Traces programs to StableHLO."""


def generator() -> Lower:
    """One picture of the 1024x1024 generator of configuration F."""
    network = Generator()
    variables = abstract_variables(network)
    z = jax.ShapeDtypeStruct((1, network.z_dim), jnp.float32)
    return lambda: [jax.jit(partial(apply, network)).lower(variables, z)]


def training_step() -> Lower:
    """Every phase of a step of `configs/faces64_gan.py` on one device."""
    recipe, mesh = load_recipe(CONFIGS / "faces64_gan.py"), make_mesh(devices=jax.devices()[:1])
    key = jax.random.key(0)
    programs = Programs(abstract_method(recipe), mesh, rules=WIDE_KERNELS, key=key)
    batch = abstract_batch(recipe, mesh, recipe.batch_size)
    return lambda: list(programs.lower(batch).values())


def edit() -> Lower:
    """One picture of 1024x1024 inverted and edited by StyleFeatureEditor."""
    run, shapes = abstract_edit(full_size_modules(), pictures=1)
    return lambda: [jax.jit(run).lower(*shapes)]


PROGRAMS: Mapping[str, Callable[[], Lower]] = {
    "StyleGAN2 generator, 1024": generator,
    "training step of faces64_gan": training_step,
    "SFE edit, 1024": edit,
}
"""What finds the shapes, and then lowers, by name."""


def prepare(build: Callable[[], Lower], cache: str) -> Preparation:
    """Traces and compiles programs with the persistent cache in the folder `cache`."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    lower = build()
    start = time.perf_counter()
    lowered = lower()
    traced = time.perf_counter()
    for program in lowered:
        program.compile()
    return Preparation(traced - start, time.perf_counter() - traced)


def apart(build: Callable[[], Lower], cache: str) -> Preparation:
    """`prepare` in a process of its own, which has traced nothing before."""
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone) as pool:
        return pool.submit(prepare, build, cache).result()


def cold_and_cached(build: Callable[[], Lower]) -> tuple[Preparation, Preparation]:
    """The times with an empty cache, and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        return apart(build, cache), apart(build, cache)


def page(found: Mapping[str, tuple[Preparation, Preparation]]) -> str:
    """A page in Markdown."""
    device = jax.devices()[0]
    name = processor_name() if device.platform == "cpu" else device.device_kind
    cells = [
        [program, *(f"{x:.1f}" for t in times for x in (t.trace, t.compile, t.total))]
        for program, times in found.items()
    ]
    heads = ["program", "trace s", "compile s", "cold s", "trace s", "load s", "cached s"]
    rows = "\n".join(table(heads, cells))
    return f"""# Until programs are ready

Written by `python -m benchmarks.compile_times`: seconds to trace (Python to StableHLO) and to
compile, each in a process of its own; cold, and with the cache that this left.

{rows}

{name}, {processors()} processors, jax {jax.__version__}.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile_times",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, writes the page and JSON beside it if asked, and gives the page."""
    found = {name: cold_and_cached(build) for name, build in PROGRAMS.items()}
    text = page(found)
    if options.out:
        write_page(options.out, text, found)
    return text


def main() -> None:
    """Measures and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
