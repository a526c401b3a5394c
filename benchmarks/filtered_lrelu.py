"""Times filtered leaky ReLU on the layers of `faces64_stylegan3`, and its memory, in three forms.

- ours: `ops.filtered_lrelu`: shifted sums without the inserted zeros, one axis after the other
  where the filter allows it; on CPU a few channels of one sample at a time; the map in the middle
  is computed again for the derivative, which is written out.
- chain: the same sums on the whole map at once, with JAX's own derivative.
- plain: `rivals.plain`: both filters are depthwise convolutions.

Each is compiled for the forward pass, and for the gradient by input and bias. Times are those that
the processor spent, summed over its threads: what else the machine does does not count. Temporary
memory is XLA's own figure for the compiled program, beside its arguments and results.

Example: python -m benchmarks.filtered_lrelu --repeats 9 -o benchmarks/FILTERED_LRELU.md
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.forms import as_float32, compiled_figures, largest_difference, ranged
from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.rows import Row
from benchmarks.measuring.timing import alternate, compile_apart, processor_name, processors
from benchmarks.pods.weights import CONFIGS, load_recipe
from benchmarks.report.page import rows_table
from benchmarks.rivals import plain
from benchmarks.sections.networks import gan
from benchmarks.sections.operation_table import CLAMP
from benchmarks.sections.operations import ORDERS
from sfe_jax.core.types import Array
from sfe_jax.models.alias_free_table import AliasFreeLayer
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.upfirdn2d import upfirdn2d

FIGURES = ("compile s", "temp MiB")
"""Of what compiling tells, those that are shown."""


def chain(
    x: Array,
    bias: Array,
    *,
    up_filter: np.ndarray | None,
    down_filter: np.ndarray | None,
    up: int,
    down: int,
    padding: Sequence[int],
    clamp: float,
) -> Array:
    """The steps of the library's form one after the other."""
    x = bias_act(x, bias, activation="linear")
    x = upfirdn2d(x, up_filter, up=up, padding=padding, gain=float(up**2))
    x = bias_act(x, alpha=0.2, gain=math.sqrt(2), clamp=clamp)
    return upfirdn2d(x, down_filter, down=down)


FORMS = {"ours": filtered_lrelu, "chain": chain, "plain": plain.filtered_lrelu}
"""By name."""


def layer_form(form: Callable, layer: AliasFreeLayer) -> Callable[[Array, Array], Array]:
    """A form with the filters of a layer: x [N, H, W, C] and bias [C] to the layer's output."""
    factors = {"up": layer.up, "down": layer.down, "padding": layer.padding, "clamp": CLAMP}
    return partial(form, up_filter=layer.up_filter, down_filter=layer.down_filter, **factors)


def faces_layers() -> tuple[AliasFreeLayer, ...]:
    """Layers of the recipe's generator, but for ToRGB."""
    recipe: Any = load_recipe(CONFIGS / "faces64_stylegan3.py")
    method = gan(recipe.method, "float32", resolution=64, batch=recipe.batch_size)
    return tuple(layer for layer in method.generator.layers if layer.kind == "conv")


def measure_layer(
    layer: AliasFreeLayer, forms: Sequence[str], *, batch: int, repeats: int
) -> Iterator[Row]:
    """All forms of a layer, turn by turn.

    Args:
        layer: Of `faces_layers`.
        forms: Names of `FORMS`; others are compared with the first.
        batch: Samples N.
        repeats: Timed runs of each after one warm-up.

    Yields:
        One row per form, forward; then with the gradient.
    """
    side = layer.source.size + layer.kernel_size - 1
    x = jax.random.normal(jax.random.key(0), (batch, side, side, layer.channels))
    bias = jax.random.normal(jax.random.key(1), (layer.channels,))
    for order in ("forward", "gradient"):
        programs = {
            name: compile_apart(ORDERS[order](layer_form(FORMS[name], layer), 2), x, bias)
            for name in forms
        }
        runs = {name: partial(program, x, bias) for name, (program, _) in programs.items()}
        results = {name: as_float32(run()) for name, run in runs.items()}
        times = alternate(runs, repeats=repeats, rest_s=0.0, clock=time.process_time)
        for name, program in programs.items():
            told, _ = compiled_figures(*program)
            figures = ranged("processor ms", [1e3 * s for s in times[name]])
            figures |= {figure: told[figure] for figure in FIGURES}
            figures["error"] = largest_difference(results[name], results[forms[0]])
            yield Row(f"{layer.name}, {order}", name, figures)


def page(rows: Sequence[Row], batch: int, repeats: int) -> str:
    """The page in Markdown."""
    lines = [
        "# Filtered leaky ReLU on CPU",
        "",
        "Written by `python -m benchmarks.filtered_lrelu`, whose text says what the forms are. "
        f"Batch {batch}, float32, medians and ranges of {repeats} turns; {processor_name()}, "
        f"{processors()} processor(s), jax {jax.__version__}. `error`: largest difference over "
        "the largest value.",
        "",
        *rows_table(rows),
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
    add("--batch", type=int, default=16, help="samples; default %(default)s, as the recipe has")
    add("--repeats", type=int, default=9, help="timed runs of each form; default %(default)s")
    add("--forms", nargs="+", choices=FORMS, default=list(FORMS), help="the first is the measure")
    add("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, writes the page and JSON beside it if asked, and gives the page."""
    rows = []
    for layer in faces_layers():
        print(layer.name, file=sys.stderr, flush=True)
        rows += measure_layer(layer, options.forms, batch=options.batch, repeats=options.repeats)
    text = page(rows, options.batch, options.repeats)
    if options.out:
        where = {"processor": processor_name(), "processors": processors()}
        chosen = {**vars(options), "out": options.out.name}
        write_page(options.out, text, {"options": chosen, **where, "rows": rows})
    return text


def main() -> None:
    """Runs the measurements and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
