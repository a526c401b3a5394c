"""Times the full SFE edit part by part, and states the distance to the floor of its arithmetic.

The floor is the FLOPs of the plain mathematics (`measuring.flops`) over the fastest product
that this device computed in the same run. Parts that use a form with fewer multiplications, such
as Winograd's convolutions on CPU, can lie below it.

Example: python -m benchmarks.sfe_edit --repeats 5 -o edit.md
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.timing import Timing, best_rate, ceilings, measure
from sfe_jax.core.trees import apply
from sfe_jax.edits.operands import identity
from sfe_jax.pipelines.methods import SfeMethod, SynthesisState
from sfe_jax.pipelines.random_bundle import full_size_modules, random_bundle, small_modules


def parts(*, small: bool, repeats: int) -> Iterator[Timing]:
    """The edit's parts, then the whole edit: a picture in, an edited picture out.

    Args:
        small: Narrow networks at 64x64, to try the program.
        repeats: Timed runs after one warm-up.

    Yields:
        One row per part.
    """
    modules = small_modules() if small else full_size_modules()
    modules = {role: modules[role] for role in ("generator", "inverter", "feature_editor", "e4e")}
    bundle = random_bundle(modules, seed=0)
    variables = {role: network.variables for role, network in bundle.networks.items()}
    method = SfeMethod(**modules)  # pyright: ignore
    generator, inverter = method.generator, method.inverter
    rng = np.random.default_rng(1)
    size = generator.resolution
    images = jnp.asarray(rng.uniform(-1, 1, (1, size, size, 3)), jnp.float32)
    pictures = method.network_input(images)
    operands = identity(**generator.code_sizes)
    strength = jnp.zeros(1)

    def run(name: str, function: Callable, *arguments: Any) -> Any:
        row, result = measure(name, function, *arguments, repeats=repeats)
        rows.append(row)
        return result

    rows: list[Timing] = []
    predicted = run(
        "Inverter's backbone",
        lambda v, x: apply(inverter, v, x, method="predict"),
        variables["inverter"],
        pictures,
    )
    ws_e4e = run("e4e", lambda v, x: apply(method.e4e, v, x), variables["e4e"], pictures)
    both = jnp.concatenate([predicted["ws"], ws_e4e])
    styles = apply(generator, variables["generator"], both, method="styles")
    lower = run("generator to the feature, 2 codes", method.lower, variables["generator"], styles)
    feature = run(
        "fuser",
        lambda v, a, b: apply(inverter, v, a, b, method="fuse"),
        variables["inverter"],
        predicted["feature"],
        lower.feature[:1],
    )
    run(
        "Feature Editor",
        lambda v, a, b: apply(method.feature_editor, v, a, b),
        variables["feature_editor"],
        feature,
        feature,
    )
    run(
        "generator from the feature",
        lambda v, s, x, image: method.upper(v, s, SynthesisState(x, image), x),
        variables["generator"],
        {name: style[:1] for name, style in styles.items()},
        feature,
        lower.image[:1],
    )

    def edit(variables, images, operands, strength):
        return method.edit(variables, method.invert(variables, images), operands, strength)

    run("full edit", edit, variables, images, operands, strength)
    yield from rows


def page(tops: Sequence[Timing], rows: Sequence[Timing]) -> str:
    """The page in Markdown: a table, and the distance to the floor."""
    best = best_rate(tops)  # GFLOP/s
    device = jax.devices()[0]
    lines = [
        f"{device.platform} {device.device_kind}, jax {jax.__version__}, float32, batch 1",
        "",
        "| part | GFLOP | median s | least to most s | TFLOP/s | of the ceiling | compile s | "
        "from cache s |",
        "| --- " * 8 + "|",
    ]
    for row in [*tops, *rows]:
        lines.append(
            f"| {row.name} | {row.gflop:.1f} | {row.median_s:.3f} | "
            f"{row.least_s:.3f} to {row.most_s:.3f} | {row.tflops:.3f} | "
            f"{row.tflops * 1e3 / best:.0%} | {row.compile_s:.1f} | {row.cached_s:.1f} |"
        )
    full = rows[-1]
    floor = full.gflop / best
    lines.append("")
    lines.append(
        f"The full edit asks for {full.gflop:.0f} GFLOP. At {best / 1e3:.3f} TFLOP/s, the fastest "
        f"product of this run, that is {floor:.2f} s; it took {full.median_s:.2f} s "
        f"({full.median_s / floor:.2f} times the floor)."
    )
    return "\n".join(lines) + "\n"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sfe_edit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed runs after one warm-up")
    parser.add_argument("--small", action="store_true", help="narrow networks, to try the program")
    parser.add_argument("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, writes the page and JSON beside it if asked, and gives the page."""
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        tops = list(ceilings(options.repeats))
        rows = list(parts(small=options.small, repeats=options.repeats))
    text = page(tops, rows)
    if options.out:
        content = {"device": jax.devices()[0].device_kind, "jax": jax.__version__}
        write_page(options.out, text, {**content, "rows": [*tops, *rows]})
    return text


def main() -> None:
    """Measures and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
