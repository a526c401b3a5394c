"""Pictures of codes: a generator with its average, its edits and its noise behind one door.

Example:
    synthesizer = Synthesizer(load_bundle("ffhq.safetensors"))
    ws = synthesizer.codes_of_seeds([0, 1, 2])               # [3, L, W]
    ws = truncate_about(ws, synthesizer.average(), psi=0.7)  # Of latents.truncation.
    pictures = list(synthesizer.pictures(ws))                # uint8 [R, R, 3] each
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.core.images import to_uint8
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.operands import Operands, apply_to_styles, apply_to_ws
from sfe_jax.edits.prepare import operands_for
from sfe_jax.latents.sampling import STATISTICS_SAMPLES, map_to_w, one_hot, sample_w, seeded_z
from sfe_jax.latents.truncation import cluster_centers
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.stylegan2 import NoiseMode
from sfe_jax.pipelines.batching import batches
from sfe_jax.pipelines.bundle import Bundle


def row_layers(generator: Any) -> list[str]:
    """What each row of W+ drives: names of layers, such as "b8.torgb b16.conv0", L of them."""
    names: list[list[str]] = [[] for _ in range(generator.num_ws)]
    for layer in generator.layers:
        names[layer.row].append(layer.name)
    return [" ".join(row) or "input" for row in names]  # StyleGAN3's Fourier input is no layer.


def _draw(
    generator: StyleGenerator,
    noise_mode: NoiseMode,
    variables: Variables,
    ws: Array,
    seeds: Array,
    strengths: Array,
    edits: tuple[Operands, ...],
) -> Array:
    """Pictures [N, R, R, C] of codes [N, L, W] under edits of strengths [N, E]."""
    # Codes.
    for edit, strength in zip(edits, strengths.T, strict=True):
        ws = apply_to_ws(ws, edit, strength)
    styles: dict[str, Array] = apply(generator, variables, ws, method="styles")
    for edit, strength in zip(edits, strengths.T, strict=True):
        styles = apply_to_styles(styles, edit, strength)

    # Pictures.
    synthesize = partial(apply, generator, variables, noise_mode=noise_mode, method="synthesize")
    if noise_mode != "random":
        return synthesize(styles=styles)["image"]

    # Each has a key of its own, so that its noise does not depend on its batch. Only then are they
    # mapped: that gives each a kernel of its own, and so makes grouped convolutions.
    def one(styles: dict[str, Array], seed: Array) -> Array:
        alone = {name: style[None] for name, style in styles.items()}
        return synthesize(styles=alone, rngs={"noise": jax.random.key(seed)})["image"][0]

    return jax.vmap(one)(styles, seeds)


class Synthesizer:
    """Draws pictures with a generator; the program compiles once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        class_index: int | None = None,
        noise_mode: NoiseMode = "const",
        precision: str = "float32",
        batch_size: int = 4,
    ) -> None:
        """Prepares the generator of a bundle.

        Args:
            bundle: Holds a generator of any StyleGAN.
            class_index: Of the codes that are drawn, if the generator has classes.
            noise_mode: "const" (stored), "random" (of each picture's seed) or "none".
            precision: "float32" (equal to the original) or "bfloat16" (faster on accelerators).
            batch_size: Pictures computed together.

        Raises:
            OptionError: If the batch is empty, or the noise mode or precision unknown.
            WeightsError: If there is no generator, or its pictures cannot be shown.
        """
        if batch_size < 1:
            raise OptionError(f"`batch_size` is {batch_size}; required is at least 1")
        check_choice("noise_mode", noise_mode, NoiseMode)
        check_choice("precision", precision, Precision)
        network = bundle.network("generator")
        module: Any = network.module
        if module.image_channels not in (1, 3):
            raise WeightsError(
                f"{bundle.path}: pictures of {module.image_channels} channels cannot be shown; "
                "required are 1 or 3"
            )
        self.bundle = bundle
        self.generator: Any = module.clone(precision=precision)
        self._variables = network.variables
        self._class_index = class_index
        self._noise_mode = noise_mode
        self._batch_size = batch_size
        self._draw = jax.jit(partial(_draw, self.generator, noise_mode))

    # Codes.

    def codes_of_z(self, z: np.ndarray) -> np.ndarray:
        """Codes [N, L, W] of z [N, Z], of the class, not truncated.

        Raises:
            OptionError: If there is no class where the generator has classes, or the reverse.
        """
        labels = one_hot(self._class_index, self.generator.c_dim, len(z))
        w = map_to_w(self.generator, self._variables, z, labels)
        return np.repeat(w[:, None], self.generator.num_ws, axis=1)

    def codes_of_seeds(self, seeds: Sequence[int]) -> np.ndarray:
        """Codes [N, L, W] of seeds as stylegan2-ada-pytorch numbers them; as `codes_of_z`."""
        return self.codes_of_z(seeded_z(seeds, self.generator.z_dim))

    # Centres.

    @property
    def is_tracked(self) -> bool:
        """Whether the file has the average code; training moves it away from 0, where it begins."""
        return bool(np.any(self._variables["buffers"]["mapping"]["w_avg"]))

    def average(self) -> np.ndarray:
        """The average code, [W] or [L, W]: of the file, or estimated if that has none."""
        if self.is_tracked:
            return np.asarray(self._variables["buffers"]["mapping"]["w_avg"])
        count = self.generator.c_dim
        turns = np.arange(STATISTICS_SAMPLES)[:, None] % max(count, 1)
        labels = (turns == np.arange(count)).astype(np.float32)  # Every class in its turn.
        return sample_w(self.generator, self._variables, labels).mean(axis=0)

    def _sample_class(self) -> np.ndarray:
        """Codes [M, W] of the class."""
        labels = one_hot(self._class_index, self.generator.c_dim, STATISTICS_SAMPLES)
        return sample_w(self.generator, self._variables, labels)

    def class_average(self) -> np.ndarray:
        """The mean code [W] of the class.

        Raises:
            OptionError: As `codes_of_z`.
        """
        return self._sample_class().mean(axis=0)

    def clusters(self, count: int) -> np.ndarray:
        """Centres [count, 1, W] of clusters of codes of the class, the largest first.

        Raises:
            OptionError: As `codes_of_z`, or if there cannot be so many.
        """
        return cluster_centers(self._sample_class(), count)[:, None]

    # Pictures.

    def operands(self, direction: Direction, arrays: Mapping[str, np.ndarray]) -> Operands:
        """The arrays that perform a direction on this generator.

        Raises:
            EditError: If an array is missing from `arrays`, or the direction does not fit.
        """
        return operands_for(direction, arrays, **self.generator.code_sizes)

    def pictures(
        self,
        ws: np.ndarray,
        *,
        seeds: Sequence[int] | None = None,
        edits: Sequence[Operands] = (),
        strengths: np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """Draws codes, in batches of one shape; grey is shown as colours.

        Args:
            ws: [N, L, W].
            seeds: N, of random noise; None for one noise in all pictures.
            edits: E edits, which act one after the other.
            strengths: [N, E], of each edit in each picture; None if there are none.

        Yields:
            N pictures, uint8 [R, R, 3], rounded as StyleGAN's.

        Raises:
            ShapeError: If the shapes do not fit.
            ImageError: If the network produces a number that is not finite.
        """
        count = len(ws)
        check_shape("ws", ws.shape, (None, self.generator.num_ws, self.generator.w_dim))
        noise = np.zeros(count, np.uint32) if seeds is None else np.asarray(seeds, np.uint32)
        moves = np.zeros((count, 0)) if strengths is None else strengths
        check_shape("seeds", noise.shape, (count,))
        check_shape("strengths", moves.shape, (count, len(edits)))
        inputs = (ws.astype(np.float32), noise, moves.astype(np.float32))
        for numbers, kept in batches(count, self._batch_size):
            images = self._draw(self._variables, *(x[numbers] for x in inputs), tuple(edits))
            images = np.broadcast_to(np.asarray(images), (*images.shape[:3], 3))
            yield from to_uint8(images[:kept], offset=128.0)
