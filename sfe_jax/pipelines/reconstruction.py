"""What projection and tuning share: a generator, what sees likeness, and pictures in batches."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError, ShapeError, WeightsError
from sfe_jax.core.images import to_float, to_uint8
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.pipelines.batching import in_batches
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.likeness import choose_likeness

EVERY = 10
"""Steps between two looks at a search or a tuning."""


class Look(NamedTuple):
    """A batch of n pictures on its way."""

    step: int  # Steps taken.
    distances: np.ndarray  # float32 [n], perceptual, as the last step met them: under its noise.
    ws: np.ndarray  # float32 [n, L, W], codes so far.


Watch = Callable[[Look], None]
"""What is called with every look."""


class Shown(NamedTuple):
    """Codes of N pictures, and what they show."""

    ws: np.ndarray  # float32 [N, L, W].
    images: np.ndarray  # uint8 [N, R, R, 3], with the generator's own noise maps.
    distances: np.ndarray  # float32 [N], perceptual, from the pictures.


def check_steps(steps: int) -> None:
    """Raises unless there is a step to take.

    Raises:
        OptionError: With the number.
    """
    if steps < 1:
        raise OptionError(f"`steps` is {steps}; required is at least 1")


class Reconstructor:
    """A generator whose pictures are brought near to given ones."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        distance: str | None,
        size: int | None,
        batch_size: int,
        precision: str,
    ) -> None:
        """Compiles nothing yet.

        Args:
            bundle: Holds "generator" and a network of `LIKENESS_ROLES`.
            distance: A name of `LIKENESS_ROLES`; None for the first that the bundle holds.
            size: Pixels a side to which LPIPS averages larger pictures.
            batch_size: Pictures computed together.
            precision: Of the generator's activations.

        Raises:
            OptionError: If an option cannot be used.
            WeightsError: If the bundle lacks a network, or its generator does not make colours.
        """
        if batch_size < 1:
            raise OptionError(f"`batch_size` is {batch_size}; required is at least 1")
        check_choice("precision", precision, Precision)
        network = bundle.network("generator")
        module: Any = network.module
        if module.image_channels != 3:
            raise WeightsError(
                f"{bundle.path}: the generator makes pictures of {module.image_channels} channels; "
                "required are 3"
            )
        self.bundle, self.batch_size = bundle, batch_size
        self.generator: StyleGenerator = module.clone(precision=precision)
        self.likeness = choose_likeness(bundle, distance, size=size)
        self.networks: dict[str, Variables] = {
            "generator": network.variables,
            "distance": self.likeness.variables,
        }
        self._look = jax.jit(self.likeness.distance.look)
        self._compare = jax.jit(self._compared)

    @property
    def resolution(self) -> int:
        """Pixels a side of the pictures."""
        return self.generator.resolution

    def check_images(self, images: np.ndarray) -> np.ndarray:
        """Pictures uint8 [N, R, R, 3] as float32 in [-1, 1].

        Raises:
            ShapeError: If they are not of such a shape, or there is none.
        """
        check_shape("images", images.shape, (None, self.resolution, self.resolution, 3))
        if not len(images):
            raise ShapeError("`images` holds no picture; required is at least one")
        return to_float(images)

    def check_ws(self, ws: np.ndarray, count: int) -> np.ndarray:
        """Codes W+ of as many pictures, float32.

        Raises:
            ShapeError: If they are not [count, L, W].
        """
        check_shape("ws", ws.shape, (count, self.generator.num_ws, self.generator.w_dim))
        return np.asarray(ws, np.float32)

    def look(self, images: np.ndarray) -> Any:
        """What the distance compares of pictures float32 [n, R, R, 3]."""
        return self._look(self.likeness.variables, images)

    def _compared(
        self, networks: dict[str, Variables], images: Array, ws: Array
    ) -> tuple[Array, Array]:
        shown = apply(self.generator, networks["generator"], ws, method="synthesize")["image"]
        distance, eyes = self.likeness.distance, networks["distance"]
        seen, target = (distance.look(eyes, x) for x in (shown, images))
        return shown, distance.compare(eyes, seen, target)

    def show(self, images: np.ndarray, ws: np.ndarray) -> Shown:
        """Codes of any origin as pictures of the bundle's generator, and how far they are.

        Args:
            images: uint8 [N, R, R, 3], what they should show.
            ws: [N, L, W].

        Raises:
            ShapeError: If pictures or codes are of another shape.
        """
        pictures, ws = self.check_images(images), self.check_ws(ws, len(images))

        def compare(*parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            image, distance = map(np.asarray, self._compare(self.networks, *parts))
            return to_uint8(image), distance

        parts = in_batches(compare, self.batch_size, pictures, ws)
        shown, distances = map(np.concatenate, zip(*parts, strict=True))
        return Shown(ws, shown, distances)
