"""Do pictures follow a shift of what their generator reads? StyleGAN3's do, StyleGAN2's do not.

StyleGAN3 is shifted through the transform of its Fourier input. StyleGAN2 has no such input: its
learned 4x4 constant is shifted, taken as the periodic waves that it samples, without noise. Both
are compared with their own unmoved pictures, shifted afterwards (EQ-T_frac), over all pixels that
were in the picture before, and over those of them that are farther than the border from its edges.

The picture shows both, with a slice: one row of pixels while the shift grows downwards. What
follows its input draws slanted lines there, what sticks to the pixels draws steps.

Without weights of a StyleGAN3 generator, a random one of configuration T stands for it.

Example: python -m benchmarks.equivariance --stylegan3 faces64_stylegan3.safetensors
"""

import argparse
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.pages import page_path, print_page, write_page
from sfe_jax.core.cache import keep_compiled
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.images import save_image, to_uint8
from sfe_jax.core.markdown import table
from sfe_jax.core.sheets import grid
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.metrics.equivariance import LARGEST_SHIFT, Generate, MaskedError, masked_error
from sfe_jax.metrics.shifting import shift_fraction, translation
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.pipelines.bundle import Network, load_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.weights import faces64

SHIFTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pixels to the right, of the table."""

SHOWN = 5.5
"""Pixels to the right, of the picture."""

STEP = 0.125
"""Pixels from one line of the slice to the next."""

ENLARGED = 3
"""Pixels of the figure for one of a picture, along each axis."""


@dataclass(frozen=True)
class Row:
    """How well pictures follow one shift, or the mean over random ones."""

    generator: str
    shift: float | None  # Pixels to the right; None for random shifts along both axes.
    decibels: float  # Over all known pixels.
    inner_decibels: float  # Over those away from the edges.


def shift_waves(samples: np.ndarray, cells: Sequence[float]) -> np.ndarray:
    """A periodic signal shifted by fractions of a cell.

    Args:
        samples: [H, W, C], its samples.
        cells: (x, y), to the right and down.

    Returns:
        [H, W, C].
    """
    x, y = cells
    down, across = (np.fft.fftfreq(size) for size in samples.shape[:2])
    phases = np.exp(-2j * np.pi * (y * down[:, None] + x * across[None]))[:, :, None]
    moved = np.fft.ifft2(np.fft.fft2(samples, axes=(0, 1)) * phases, axes=(0, 1))
    return moved.real.astype(np.float32)


def follow_input(network: Network, ws: Array) -> Generate:
    """StyleGAN3's pictures of fixed codes under a transform of the Fourier input."""

    @jax.jit
    def draw(variables: Variables, transform: Array) -> Array:
        options = {"transform": transform, "method": "synthesize"}
        return apply(network.module, variables, ws, **options)["image"]

    return partial(draw, network.variables)


def follow_constant(network: Network, ws: Array) -> Generate:
    """StyleGAN2's pictures of fixed codes, whose constant is shifted as a transform asks."""

    @jax.jit
    def draw(variables: Variables, constant: Array) -> Array:
        options = {"replace": {"b4.const": constant}, "noise_mode": "none"}
        return apply(network.module, variables, ws, method="synthesize", **options)["image"]

    constant = np.asarray(network.variables["params"]["synthesis"]["b4"]["const"])

    def generate(transform: np.ndarray) -> Array:
        cells = -transform[:2, 2] * constant.shape[1]  # The transform is that of coordinates.
        moved = shift_waves(constant, cells)
        return draw(network.variables, jnp.repeat(moved[None], len(ws), axis=0))

    return generate


def inner_mask(size: int, border: int) -> Array:
    """1 farther than `border` pixels from the edges, [1, size, size, 1]."""
    inside = np.pad(np.ones((size - 2 * border,) * 2, np.float32), border)
    return jnp.asarray(inside[None, :, :, None])


def follow_errors(
    generate: Generate, original: Array, pixels: np.ndarray, *, border: int
) -> tuple[MaskedError, MaskedError]:
    """Errors of a shift by `pixels` (x, y): over all known pixels, and over the inner ones."""
    size = original.shape[1]
    moved = generate(translation(-pixels / size))
    target, known = shift_fraction(original, pixels)
    return (
        masked_error(moved, target, known),
        masked_error(moved, target, known * inner_mask(size, border)),
    )


def measure(name: str, generate: Generate, *, count: int, border: int, seed: int) -> list[Row]:
    """The rows of one generator: its shifts to the right, then `count` random ones."""
    original = generate(np.eye(3, dtype=np.float32))
    errors = partial(follow_errors, generate, original, border=border)
    rows = []
    for shift in SHIFTS:
        whole, inner = errors(np.array([shift, 0.0]))
        rows.append(Row(name, shift, whole.decibels, inner.decibels))
    furthest = LARGEST_SHIFT * original.shape[1]
    drawn = np.random.default_rng(seed).uniform(-furthest, furthest, (count, 2))
    wholes, inners = zip(*map(errors, drawn), strict=True)
    merged = [sum_errors(found) for found in (wholes, inners)]
    return [*rows, Row(name, None, merged[0].decibels, merged[1].decibels)]


def sum_errors(errors: Sequence[MaskedError]) -> MaskedError:
    """All errors together."""
    total = errors[0]
    for error in errors[1:]:
        total = total.merge(error)
    return total


def _enlarge(image: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(image, ENLARGED, axis=0), ENLARGED, axis=1)


def panels(generate: Generate, *, index: int, line: int) -> list[np.ndarray]:
    """The row of the figure that belongs to one generator, uint8 pictures.

    Args:
        generate: Its pictures.
        index: Of the picture that is shown.
        line: Row of pixels of the slice.
    """
    original = generate(np.eye(3, dtype=np.float32))
    size = original.shape[1]

    def moved(pixels: float) -> Array:
        return generate(translation(np.array([-pixels / size, 0.0])))

    target, known = shift_fraction(original, np.array([SHOWN, 0.0]))
    pictures = [original, moved(SHOWN), target * known]
    shown = [np.asarray(picture[index]) for picture in pictures]
    shown.append(4 * np.abs(shown[1] - shown[2]) * np.asarray(known[0]) - 1)
    slices = [np.asarray(moved(STEP * step)[index, line]) for step in range(size)]
    return [_enlarge(to_uint8(image)) for image in (*shown, np.stack(slices))]


def random_generator() -> Network:
    """A random StyleGAN3 generator of configuration T at 64x64, narrow."""
    options = AliasFreeOptions(num_layers=5, num_critical=1, margin=6)
    shared = {"z_dim": 64, "w_dim": 64, "mapping_layers": 2}
    module = options.build(resolution=64, base=1024, maximum=64, **shared)
    return Network(module, random_variables(module, np.random.default_rng(0)))


def read_generator(path: pathlib.Path, kind: type) -> Network:
    """The generator of a bundle.

    Raises:
        WeightsError: If it is of another kind.
    """
    network = load_bundle(path).network("generator")
    if not isinstance(network.module, kind):
        required = f"{kind.__module__}.{kind.__name__}"
        raise WeightsError(f"{path}: the generator is no {required}; give another bundle")
    return network


def draw_codes(network: Network, *, count: int, psi: float, seed: int) -> Array:
    """Truncated codes W+ of random z."""
    z = np.random.RandomState(seed).randn(count, network.module.z_dim).astype(np.float32)  # pyright: ignore
    module, variables = network.module, network.variables
    return jax.jit(lambda z: apply(module, variables, z, psi=psi, method="map"))(z)


def page(rows: Sequence[Row]) -> str:
    """A table in Markdown: generators by shifts."""
    names = list(dict.fromkeys(row.generator for row in rows))
    heads = ["generator", "pixels", *(f"{shift:g} to the right" for shift in SHIFTS), "random"]
    cells = []
    for name in names:
        for which, field in (("all", "decibels"), ("inner", "inner_decibels")):
            found = [getattr(row, field) for row in rows if row.generator == name]
            cells.append([name, which, *(f"{x:.1f}" for x in found)])
    return "\n".join(table(heads, cells)) + "\n"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.equivariance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--stylegan3", type=pathlib.Path, help="bundle; by default random weights")
    add("--stylegan2", type=pathlib.Path, help="bundle; by default the one of the package")
    add("--count", type=int, default=16, help="pictures, and random shifts")
    add("--psi", type=float, default=0.7, help="truncation")
    add("--border", type=int, default=12, help="pixels at the edges that are not inner ones")
    add("--seed", type=int, default=0, help="of pictures and shifts")
    add("--index", type=int, default=0, help="of the picture shown")
    add("--line", type=int, default=30, help="row of pixels of the slice")
    add("-o", "--out", type=page_path, default=pathlib.Path("docs/equivariance.md"))
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> str:
    """Measures, writes the table, its figures and the picture side by side, and gives the table.

    Raises:
        SfeError: If a bundle cannot be used.
    """
    three, two = arguments.stylegan3, arguments.stylegan2 or faces64()
    networks = {
        "StyleGAN3-T": read_generator(three, AliasFreeGenerator) if three else random_generator(),
        "StyleGAN2": read_generator(two, Generator),
    }
    follow = {"StyleGAN3-T": follow_input, "StyleGAN2": follow_constant}
    rows, shown = [], []
    for name, network in networks.items():
        ws = draw_codes(network, count=arguments.count, psi=arguments.psi, seed=arguments.seed)
        generate = follow[name](network, ws)
        sizes = {"count": arguments.count, "border": arguments.border, "seed": arguments.seed}
        rows += measure(name, generate, **sizes)
        shown.append(panels(generate, index=arguments.index, line=arguments.line))
    heads = ["as it is", f"input moved by {SHOWN:g} pixels", "moved afterwards", "difference x 4"]
    random = {row.generator: row.inner_decibels for row in rows if row.shift is None}
    sides = [f"{name}: {random[name]:.1f} dB" for name in networks]
    heads.append(f"slice: moved by 0 to {STEP * len(shown[0][0]) / ENLARGED:g} pixels")
    picture = grid(shown, column_labels=heads, row_labels=sides)
    save_image(arguments.out.with_suffix(".png"), picture)
    text = page(rows)
    found = {
        "weights": {"StyleGAN3-T": three.name if three else "random", "StyleGAN2": two.name},
        **{name: getattr(arguments, name) for name in ("count", "psi", "border", "seed")},
        "rows": rows,
    }
    write_page(arguments.out, text, found)
    return text


def main() -> None:
    """Runs the program; what is wrong is said in one line."""
    keep_compiled()
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
