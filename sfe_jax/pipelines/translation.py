"""What a pSp encoder makes of pictures, sketches and maps of labels: the front door to translation.

Example:
    translator = Translator(load_bundle("sketch.safetensors"))
    levels = translator.read("sketch.png")[None]                  # uint8 [1, 256, 256, 1]
    found = translator.translate(levels)                          # Codes, and uint8 pictures.
    weights = parse_rows("8-17", translator.generator.num_ws)     # Of latents.parsing.
    pictures = translator.vary(found.ws, weights, seeds=range(5)) # uint8 [1, 5, 1024, 1024, 3]

Source: pSp (arXiv:2008.00951), sections 4.2 to 4.5; pixel2style2pixel scripts/inference.py and
scripts/style_mixing.py.
"""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.core.images import (
    check_ids,
    check_levels,
    decode_ids,
    load_image,
    read_picture,
    square,
    to_float,
    to_uint8,
)
from sfe_jax.core.types import Array
from sfe_jax.latents.mixing import cross
from sfe_jax.pipelines.batching import compute_rows
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.conditions import condition_values, degrade
from sfe_jax.pipelines.generation import Synthesizer
from sfe_jax.pipelines.methods import EncoderMethod, NetworkVariables

LABEL_COLOURS = (
    *((0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204)),
    *((0, 255, 255), (255, 204, 204), (102, 51, 0), (255, 0, 0), (102, 204, 0), (255, 255, 0)),
    *((0, 0, 153), (0, 0, 204), (255, 51, 153), (0, 204, 204), (0, 51, 0), (255, 153, 51)),
    (0, 204, 0),
)
"""In which the 19 labels of CelebAMask-HQ are shown, RGB; that data set's own."""


def condition_kind(channels: int) -> str:
    """What an encoder of so many channels reads: "pictures", "sketches" or "maps of n labels"."""
    return {3: "pictures", 1: "sketches"}.get(channels, f"maps of {channels} labels")


def read_condition(
    path: str | os.PathLike[str], *, channels: int, size: int, crop: bool = False
) -> np.ndarray:
    """What an encoder reads, from a file.

    Pictures and sketches are resized by Pillow's bilinear filter as the original's are. Labels are
    resized to the nearest, where the original's bilinear filter invents labels along borders.

    Args:
        path: Of a square picture: of any kind for pictures and sketches, which become grey; 8-bit
            grey PNG for labels, whose levels are ids.
        channels: Of the encoder, as in `condition_values`.
        size: Pixels a side that the encoder reads. A smaller picture is enlarged, however small.
        crop: Take the centre square of what is not square.

    Returns:
        uint8 [size, size, 3] for pictures, [size, size, 1] for others.

    Raises:
        ImageError: As `load_image` or `decode_ids`; or if it is not square.
    """
    if channels in (1, 3):
        levels, resampling = load_image(path), Image.Resampling.BILINEAR
    else:
        levels = decode_ids(read_picture(path), path, count=channels)
        resampling = Image.Resampling.NEAREST
    image = Image.fromarray(square(levels, path, crop=crop))
    image = image if channels == 3 else image.convert("L")
    return np.array(image.resize((size, size), resampling)).reshape(size, size, -1)


def show_condition(levels: np.ndarray, channels: int) -> np.ndarray:
    """What an encoder reads, in colours to look at.

    Args:
        levels: uint8 [..., H, W, C], as `read_condition` gives them.
        channels: Of the encoder; labels have the colours of CelebAMask-HQ, again after 19.

    Returns:
        uint8 [..., H, W, 3].
    """
    if channels in (1, 3):
        return np.broadcast_to(levels, (*levels.shape[:-1], 3))
    return np.array(LABEL_COLOURS, np.uint8)[levels[..., 0] % len(LABEL_COLOURS)]


_degrade = jax.jit(degrade, static_argnums=1)


def degrade_levels(levels: np.ndarray, factor: int) -> np.ndarray:
    """Pictures as `degrade` makes them, uint8 [N, R, R, 3] -> uint8 [N, R, R, 3].

    Raises:
        ShapeError: If the factor does not fit the size.
    """
    return to_uint8(np.asarray(_degrade(to_float(levels), factor)), offset=128.0)


def usual_rows(channels: int, num_ws: int) -> str:
    """Rows of W+ in which pSp draws variations, as `parse_rows` reads them.

    Args:
        channels: Of the encoder.
        num_ws: Rows L of the generator.

    Returns:
        "8-17" of 18 rows for sketches and maps of labels, "4-7=0.5" for pictures, which is what
        the paper takes for super-resolution; of small generators the finer half.
    """
    if channels == 3:
        return "4-7=0.5" if num_ws > 7 else f"{num_ws // 2}-{num_ws - 1}=0.5"
    return f"{min(8, num_ws // 2)}-{num_ws - 1}"


class Translation(NamedTuple):
    """Codes of what was read, and what they show."""

    ws: np.ndarray  # float32 [N, L, W].
    images: np.ndarray  # uint8 [N, R, R, 3], under the generator's own noise maps.


class Translator:
    """Reads with a pSp encoder, draws with its generator; programs compile once."""

    method_name = "psp"

    def __init__(self, bundle: Bundle, *, precision: str = "float32", batch_size: int = 1) -> None:
        """Compiles nothing yet.

        Args:
            bundle: Holds "generator" and "psp", whose channels say what is read.
            precision: "float32" (equal to the original) or "bfloat16" (faster on accelerators).
            batch_size: Pictures computed together.

        Raises:
            OptionError: If the precision is unknown, or the batch empty.
            WeightsError: If a network is missing, or the generator does not make colours.
        """
        encoder: Any = bundle.network("psp")
        self._synthesizer = Synthesizer(
            bundle, noise_mode="random", precision=precision, batch_size=batch_size
        )
        self.bundle, self.generator = bundle, self._synthesizer.generator
        if self.generator.image_channels != 3:
            raise WeightsError(
                f"{bundle.path}: the generator makes grey pictures; required are colours"
            )
        self.channels: int = encoder.module.image_channels
        self.input_size: int = encoder.module.input_size
        self._method = EncoderMethod(self.generator, encoder.module, "psp")
        self._variables = {
            "generator": bundle.network("generator").variables,
            "psp": encoder.variables,
        }
        self._batch_size = batch_size
        self._translate = jax.jit(self._translated)

    @property
    def kind(self) -> str:
        """What the encoder reads, in words."""
        return condition_kind(self.channels)

    @property
    def resolution(self) -> int:
        """Pixels a side of the pictures that are made."""
        return self.generator.resolution

    def read(self, path: str | os.PathLike[str], *, crop: bool = False) -> np.ndarray:
        """One input for `translate` without its first axis, from a file: see `read_condition`.

        Raises:
            ImageError: As `read_condition`.
        """
        return read_condition(path, channels=self.channels, size=self.input_size, crop=crop)

    def _translated(self, variables: NetworkVariables, levels: Array) -> tuple[Array, Array]:
        values = condition_values(levels, self.channels)
        inversion = self._method.invert(variables, values)
        return inversion.ws, self._method.reconstruct(variables, inversion)

    def translate(self, levels: np.ndarray) -> Translation:
        """Codes and pictures of what the encoder reads; without truncation, as the original.

        Args:
            levels: uint8 [N, S, S, 3] for pictures, [N, S, S, 1] for sketches and ids of labels,
                of S = `input_size` pixels a side.

        Raises:
            ShapeError: If they are of another shape, or there are none.
            ImageError: If they are of another type, or an id is not one of the encoder's.
        """
        depth, size = (3 if self.channels == 3 else 1), self.input_size
        check_levels("levels", levels, (None, size, size, depth))
        if depth == 1 and self.channels != 1:
            check_ids("`levels`", levels, self.channels)
        run = partial(self._translate, self._variables)
        ws, images = compute_rows(run, self._batch_size, levels)
        return Translation(ws, to_uint8(images))

    def vary(self, ws: np.ndarray, weights: np.ndarray, *, seeds: Sequence[int]) -> np.ndarray:
        """Codes of which some rows go to random codes, drawn under random noise.

        The random codes are those of `seeds`, not truncated; the noise is of the same seeds, so
        that a variation is the same whatever it is computed beside. Levels are rounded as
        StyleGAN's.

        Args:
            ws: [N, L, W].
            weights: [L] or what `parse_rows` gives: 0 keeps a row, 1 replaces it.
            seeds: K, at least one.

        Returns:
            uint8 [N, K, R, R, 3].

        Raises:
            OptionError: If there is no seed.
            ShapeError: If there is not one weight a row, or codes are of another shape.
        """
        if not len(seeds):
            raise OptionError("`seeds` are none; required is at least one")
        mixed = cross(ws, self._synthesizer.codes_of_seeds(seeds), weights)
        codes, noise = mixed.reshape(-1, *mixed.shape[2:]), [*seeds] * len(ws)
        pictures = np.stack(list(self._synthesizer.pictures(codes, seeds=noise)))
        return pictures.reshape(*mixed.shape[:2], *pictures.shape[1:])
