"""Times each layer of the StyleGAN2 generator alone, and states its distance to two floors.

One floor is the layer's FLOPs over the fastest product of this run; the other is its bytes, each
activation and weight read or written once, over the rate of a copy in this run. A form with fewer
multiplications, such as Winograd's, can lie below the first. Freed memory is kept where the system
can, since a layer alone would otherwise pay for pages that the whole program maps once.

Example: python -m benchmarks.generator_layers --repeats 9 -o benchmarks/LAYERS.md
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.flops import count_flops
from benchmarks.measuring.limits import copy_rate
from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.timing import (
    Spread,
    best_rate,
    ceilings,
    processor_name,
    processors,
    seconds,
    spread,
)
from sfe_jax.core.memory import keep_freed_memory
from sfe_jax.core.trees import apply
from sfe_jax.models.layer_table import Layer
from sfe_jax.models.stylegan2 import Generator, StyledConv, ToRGB
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from sfe_jax.ops.upfirdn2d import upsample2d
from sfe_jax.pipelines.random_bundle import random_variables, small_modules

WHOLE = "whole generator"
"""Name of the last row."""


@dataclass(frozen=True)
class LayerTime:
    """One layer as a program of its own."""

    name: str
    gflop: float  # Of the plain mathematics.
    megabytes: float  # Inputs, weights and result, once each.
    times_s: Spread


@dataclass(frozen=True)
class Floors:
    """What the device can do at best."""

    gflop_per_s: float
    megabytes_per_s: float

    def seconds(self, row: LayerTime) -> tuple[float, float]:
        """Least time that the products of a layer take, and its memory traffic."""
        return row.gflop / self.gflop_per_s, row.megabytes / self.megabytes_per_s


def time_layer(name: str, function: Callable, *arguments: Any, repeats: int) -> LayerTime:
    """Compiles a layer and times it."""
    program = jax.jit(function).lower(*arguments).compile()
    run = partial(program, *arguments)
    result = jax.block_until_ready(run())
    times = spread([seconds(run) for _ in range(repeats)])
    traffic = sum(x.nbytes for x in jax.tree.leaves((arguments, result))) / 1e6
    return LayerTime(name, count_flops(function, *arguments) / 1e9, traffic, times)


def layer_program(generator: Generator, layer: Layer) -> Callable:
    """The layer as a function of its variables, its input and its style."""
    if layer.kind == "torgb":
        module = ToRGB(layer, generator.w_dim)
    else:
        module = StyledConv(layer, generator.w_dim, upsample=layer.part == "conv0")
    return partial(apply, module)


def _add_enlarged(image: jax.Array, colours: jax.Array) -> jax.Array:
    """The sum of ToRGBs so far at twice its resolution, and those of this block."""
    return upsample2d(image, RESAMPLE_FILTER) + colours


def layer_times(generator: Generator, *, repeats: int) -> Iterator[LayerTime]:
    """Every layer in the order they run, batch 1, then the whole generator.

    Args:
        generator: With the architecture "skip".
        repeats: Timed runs after one warm-up.

    Yields:
        One row per layer, per doubling of the picture, and for the whole from z to picture.
    """
    rng = np.random.default_rng(0)
    variables: Any = random_variables(generator, rng)
    traffic = 0.0

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.standard_normal(shape, np.float32))

    for layer in generator.layers:
        own = {
            collection: arrays["synthesis"][layer.block][layer.part]
            for collection, arrays in variables.items()
            if layer.part in arrays["synthesis"][layer.block]
        }
        side = layer.resolution // (2 if layer.part == "conv0" else 1)
        x, style = draw(1, side, side, layer.in_channels), 1 + 0.1 * draw(1, layer.in_channels)
        program = layer_program(generator, layer)
        row = time_layer(layer.name, program, own, x, style, repeats=repeats)
        traffic += row.megabytes
        yield row
        if layer.kind == "torgb" and layer.resolution > 4:
            image, colours = draw(1, side // 2, side // 2, 3), draw(1, side, side, 3)
            name = f"{layer.block}, picture doubled and added"
            row = time_layer(name, _add_enlarged, image, colours, repeats=repeats)
            traffic += row.megabytes
            yield row
    z = draw(1, generator.z_dim)
    whole = time_layer(WHOLE, partial(apply, generator), variables, z, repeats=repeats)
    yield replace(whole, megabytes=traffic)


def slowest(rows: Sequence[LayerTime], floors: Floors, count: int = 3) -> list[LayerTime]:
    """The layers that lose most time above the higher of their floors."""
    layers = [row for row in rows if row.name != WHOLE]
    return sorted(layers, key=lambda row: max(floors.seconds(row)) - row.times_s.median)[:count]


def table(rows: Sequence[LayerTime], floors: Floors) -> str:
    """Rows in Markdown."""
    lines = [
        "| layer | GFLOP | MB | ms | least to most ms | of the product ceiling | "
        "floor by products, ms | floor by memory, ms |",
        "| --- " * 8 + "|",
    ]
    for row in rows:
        products, memory = (1e3 * floor for floor in floors.seconds(row))
        times = [1e3 * value for value in (row.times_s.median, row.times_s.least, row.times_s.most)]
        lines.append(
            f"| {row.name} | {row.gflop:.2f} | {row.megabytes:.1f} | {times[0]:.2f} | "
            f"{times[1]:.2f} to {times[2]:.2f} | {products / times[0]:.0%} | {products:.2f} | "
            f"{memory:.2f} |"
        )
    return "\n".join(lines)


def page(rows: Sequence[LayerTime], floors: Floors, *, memory_kept: bool) -> str:
    """The page in Markdown."""
    layers, rate = [row for row in rows if row.name != WHOLE], floors.megabytes_per_s / 1e3
    total, whole = sum(row.times_s.median for row in layers), rows[-1].times_s.median
    lost = ", ".join(
        f"{row.name} ({1e3 * (row.times_s.median - max(floors.seconds(row))):.1f} ms)"
        for row in slowest(rows, floors)
    )
    return f"""# Layers of the StyleGAN2 generator

By `python -m benchmarks.generator_layers`: {processor_name()}, {processors()} processors, jax
{jax.__version__}, float32, batch 1, freed memory {"kept" if memory_kept else "given back"}. The
fastest product of this run has {floors.gflop_per_s:.0f} GFLOP/s, a copy {rate:.1f} GB/s.

{table(rows, floors)}

All layers alone take {total:.3f} s, the whole program {whole:.3f} s. Most time above the higher of
their floors is lost in {lost}.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generator_layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=9, help="timed runs after one warm-up")
    parser.add_argument("--small", action="store_true", help="narrow network, to try the program")
    parser.add_argument("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, writes the page and JSON beside it if asked, and gives the page."""
    kept = keep_freed_memory()
    generator: Any = small_modules()["generator"] if options.small else Generator()
    rate = best_rate(list(ceilings(options.repeats)))
    numbers = 1 << (21 if options.small else 26)  # Of 4 bytes.
    floors = Floors(rate, 1e3 * copy_rate(numbers, options.repeats))
    rows = list(layer_times(generator, repeats=options.repeats))
    text = page(rows, floors, memory_kept=kept)
    if options.out:
        write_page(options.out, text, {"memory_kept": kept, "floors": floors, "rows": rows})
    return text


def main() -> None:
    """Measures and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
