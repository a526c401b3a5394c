"""Times the forms of filtered leaky ReLU on the layers of a StyleGAN3 generator, with their memory.

- ours: `ops.filtered_lrelu`: shifted sums without the inserted zeros, one axis after the other
  where the filter allows it; on CPU a few channels of one sample at a time; the map in the middle
  is computed again for the derivative, which is written out.
- chain: the same sums on the whole map at once, with JAX's own derivative.
- plain: zeros are inserted, and both filters are full depthwise convolutions.

Each is compiled for the forward pass, and for the gradient by input and bias. Times are those that
the processor spent, summed over its threads: what else the machine does does not count. Temporary
memory is XLA's own figure for the compiled program; the map in the middle is the largest that the
plain form has to hold. The last table compiles the whole generator, forward and with its gradient.

Example: python -m benchmarks.filtered_lrelu --repeats 9 -o benchmarks/FILTERED_LRELU.md
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.timing import Spread, processor_name, processors, spread
from sfe_jax.core.markdown import table
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.models.alias_free_table import AliasFreeLayer
from sfe_jax.models.stylegan3 import Generator
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.upfirdn2d import upfirdn2d
from sfe_jax.pipelines.bundle import abstract_variables
from sfe_jax.training.alias_free import AliasFreeOptions

MIB = 2**20
CLAMP = 256.0

Form = Callable[[Array, Array], Array]
"""x [N, H, W, C] and bias [C] to the layer's output."""


# Forms.


def ours(layer: AliasFreeLayer) -> Form:
    """The form of the library."""
    return partial(
        filtered_lrelu,
        up_filter=layer.up_filter,
        down_filter=layer.down_filter,
        up=layer.up,
        down=layer.down,
        padding=layer.padding,
        clamp=CLAMP,
    )


def chain(layer: AliasFreeLayer) -> Form:
    """The steps of the library's form one after the other."""

    def run(x: Array, bias: Array) -> Array:
        x = bias_act(x, bias, activation="linear")
        gain = float(layer.up**2)
        x = upfirdn2d(x, layer.up_filter, up=layer.up, padding=layer.padding, gain=gain)
        x = bias_act(x, alpha=0.2, gain=math.sqrt(2), clamp=CLAMP)
        return upfirdn2d(x, layer.down_filter, down=layer.down)

    return run


def depthwise(
    x: Array,
    f: np.ndarray | None,
    *,
    up: int = 1,
    down: int = 1,
    sides: Sequence[int] = (0, 0, 0, 0),
) -> Array:
    """Inserts zeros, pads, convolves every channel with the whole filter, keeps each `down`-th."""
    f = np.ones(1) if f is None else f
    full = np.outer(f, f) if f.ndim == 1 else f
    channels = x.shape[3]
    kernel = np.repeat(np.flip(full)[:, :, None, None], channels, axis=3).astype(np.float32)
    left, right, top, bottom = sides
    zeros = ((top, bottom + up - 1, up - 1), (left, right + up - 1, up - 1))
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *zeros, (0, 0, 0)))
    return lax.conv_general_dilated(
        x,
        jnp.asarray(kernel, x.dtype),
        (down, down),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=channels,
        precision=lax.Precision.HIGHEST,
    )


def plain(layer: AliasFreeLayer) -> Form:
    """The form of the definition."""

    def run(x: Array, bias: Array) -> Array:
        x = bias_act(x, bias, activation="linear")
        x = depthwise(x, layer.up_filter, up=layer.up, sides=layer.padding) * float(layer.up**2)
        x = bias_act(x, alpha=0.2, gain=math.sqrt(2), clamp=CLAMP)
        return depthwise(x, layer.down_filter, down=layer.down)

    return run


FORMS = {"ours": ours, "chain": chain, "plain": plain}
"""By name: from a layer to its form."""


def with_gradient(form: Form) -> Callable[[Array, Array], tuple[Array, Array]]:
    """The gradient of half the squared output by input and bias."""
    return jax.grad(lambda x, bias: jnp.sum(jnp.square(form(x, bias))) / 2, (0, 1))


# Measurements.


@dataclass(frozen=True)
class Row:
    """One form of one layer, forward or with its gradient."""

    layer: str
    program: str  # "forward" or "gradient".
    form: str
    compile_s: float
    temp_mib: float  # Temporary memory of the compiled program.
    middle_mib: float  # The map between the filters.
    error: float  # Largest difference to "ours" over its largest value.
    times_s: Spread  # Of the processor.


def processor_seconds(
    functions: Mapping[str, Callable[[], Any]], *, repeats: int
) -> dict[str, list[float]]:
    """Seconds of the processor, turn by turn: name -> those of its runs after one warm-up."""
    runs: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        jax.block_until_ready(function())
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            jax.block_until_ready(function())
            runs[name].append(time.process_time() - start)
    return runs


def compiled(function: Callable, *arguments: Any) -> tuple[Any, float, float]:
    """The compiled program, the processor's seconds for it, and MiB of temporary memory."""
    start = time.process_time()
    program = jax.jit(function).lower(*arguments).compile()
    seconds = time.process_time() - start
    memory: Any = program.memory_analysis()
    return program, seconds, memory.temp_size_in_bytes / MIB


def middle_size(layer: AliasFreeLayer) -> int:
    """Samples a side between the filters."""
    taps = 0 if layer.down_filter is None else len(layer.down_filter) - 1
    return (layer.level.size - 1) * layer.down + 1 + taps


def _difference(found: Any, expected: Any) -> float:
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def measure_layer(
    layer: AliasFreeLayer, forms: Sequence[str], *, batch: int, repeats: int
) -> Iterator[Row]:
    """All forms of a layer, turn by turn.

    Args:
        layer: Not "torgb".
        forms: Names of `FORMS`, "ours" first.
        batch: Samples N.
        repeats: Timed runs of each after one warm-up.

    Yields:
        One row per form, forward; then with the gradient.
    """
    rng = np.random.default_rng(0)
    side = layer.source.size + layer.kernel_size - 1
    x = jnp.asarray(rng.standard_normal((batch, side, side, layer.channels)), jnp.float32)
    bias = jnp.asarray(rng.standard_normal(layer.channels), jnp.float32)
    middle = 4 * batch * middle_size(layer) ** 2 * layer.channels / MIB
    for name, change in (("forward", lambda form: form), ("gradient", with_gradient)):
        built = {form: compiled(change(FORMS[form](layer)), x, bias) for form in forms}
        runs = {form: partial(program, x, bias) for form, (program, _, _) in built.items()}
        expected = jax.device_get(runs[forms[0]]())
        errors = {form: _difference(jax.device_get(run()), expected) for form, run in runs.items()}
        times = processor_seconds(runs, repeats=repeats)
        for form, (_, seconds, temp) in built.items():
            figures = (seconds, temp, middle, errors[form], spread(times[form]))
            yield Row(layer.name, name, form, *figures)


@dataclass(frozen=True)
class Memory:
    """What a compiled generator holds beside its inputs and results."""

    program: str
    temp_mib: float
    middles_mib: float  # All maps between filters.
    largest_mib: float  # The largest of them.
    between_mib: float  # All maps between layers.


def measure_memory(generator: Generator, *, batch: int) -> Iterator[Memory]:
    """Temporary memory of synthesis, and of synthesis with its gradient; nothing runs."""
    variables = abstract_variables(generator)
    ws = jax.ShapeDtypeStruct((batch, generator.num_ws, generator.w_dim), jnp.float32)
    convs = [layer for layer in generator.layers if layer.kind == "conv"]
    middles = [4 * batch * middle_size(layer) ** 2 * layer.channels / MIB for layer in convs]
    between = sum(4 * batch * layer.level.size**2 * layer.channels / MIB for layer in convs)

    def draw(variables: Any, ws: Array) -> Array:
        return apply(generator, variables, ws, method="synthesize")["image"]

    def total(params: Any, buffers: Any, ws: Array) -> Array:
        return jnp.sum(jnp.square(draw({"params": params, "buffers": buffers}, ws)))

    programs = {
        "synthesis": (draw, variables, ws),
        "gradient": (jax.grad(total), variables["params"], variables["buffers"], ws),
    }
    for name, (function, *arguments) in programs.items():
        _, _, temp = compiled(function, *arguments)
        yield Memory(name, temp, sum(middles), max(middles), between)


# The page.


def page(rows: Sequence[Row], memory: Sequence[Memory], batch: int, repeats: int) -> str:
    """The page in Markdown."""
    heads = ("layer", "program", "form", "processor ms", "temporary MiB", "middle MiB")
    cells = [
        [
            *(row.layer, row.program, row.form),
            f"{1e3 * row.times_s.median:.1f} "
            f"({1e3 * row.times_s.least:.1f} to {1e3 * row.times_s.most:.1f})",
            *(f"{row.temp_mib:.1f}", f"{row.middle_mib:.1f}", f"{row.compile_s:.1f}"),
        ]
        for row in rows
    ]
    held = [[m.program, *(f"{x:.1f}" for x in list(asdict(m).values())[1:])] for m in memory]
    lines = [
        "# Filtered leaky ReLU on CPU",
        "",
        "Written by `python -m benchmarks.filtered_lrelu`, whose text says what the forms are. "
        f"Batch {batch}, float32, medians and ranges of {repeats} turns; {processor_name()}, "
        f"{processors()} processor(s), jax {jax.__version__}.",
        f"Largest difference between forms: {max(row.error for row in rows):.1e} of the largest "
        "value.",
        "",
        *table((*heads, "compile s"), cells),
        "",
        "## The whole generator, compiled",
        "",
        *table(
            (
                "program",
                "temporary MiB",
                "all maps in the middle MiB",
                "largest of them MiB",
                "all maps between layers MiB",
            ),
            held,
        ),
    ]
    return "\n".join(lines) + "\n"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.filtered_lrelu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--resolution", type=int, default=64, help="pixels a side of the generator")
    add("--layers", type=int, default=5, help="before ToRGB, one of them critical")
    add("--base", type=int, default=1024, help="channels at a bandwidth b: base / 2 b")
    add("--maximum", type=int, default=64, help="channels at most")
    add("--margin", type=int, default=6)
    add("--radial", action="store_true", help="filters of configuration R")
    add("--batch", type=int, default=4)
    add("--repeats", type=int, default=9, help="timed runs of each form")
    add("--forms", nargs="+", choices=FORMS, default=list(FORMS), help="the first is the measure")
    add("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, writes the page and JSON beside it if asked, and gives the page.

    Raises:
        SfeError: If an option cannot be used.
    """
    growth = AliasFreeOptions(
        num_layers=options.layers, num_critical=1, margin=options.margin, radial=options.radial
    )
    sizes = {"base": options.base, "maximum": options.maximum, "z_dim": 64, "w_dim": 64}
    generator = growth.build(resolution=options.resolution, **sizes)
    convs = [layer for layer in generator.layers if layer.kind == "conv"]
    rows = []
    for layer in convs:
        measured = measure_layer(layer, options.forms, batch=options.batch, repeats=options.repeats)
        for row in measured:
            found = f"{1e3 * row.times_s.median:.1f} ms, compiled in {row.compile_s:.1f} s"
            print(f"{row.layer} {row.program} {row.form}: {found}", file=sys.stderr, flush=True)
            rows.append(row)
    memory = list(measure_memory(generator, batch=options.batch))
    text = page(rows, memory, options.batch, options.repeats)
    if options.out:
        found = {
            "options": {**vars(options), "out": options.out.name},
            "processor": processor_name(),
            "processors": processors(),
            "rows": rows,
            "memory": memory,
        }
        write_page(options.out, text, found)
    return text


def main() -> None:
    """Runs the measurements and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
