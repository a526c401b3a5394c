"""LPIPS: how different two pictures look.

    d(x, y) = sum_l mean_hw sum_c s_lc (u_lc(x) - u_lc(y))^2,    u = f / |f|

with the maps f_l of a network that was trained on ImageNet, and learned weights s >= 0.

Source: LPIPS (arXiv:1801.03924), equation 1; PerceptualSimilarity lpips/lpips.py, version 0.1.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError, WeightsError
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.perceptual.alexnet import AlexNet
from sfe_jax.perceptual.squeezenet import SqueezeNet
from sfe_jax.perceptual.vgg import Vgg16

TRUNKS = {"alex": AlexNet, "vgg": Vgg16, "squeeze": SqueezeNet}
"""Networks whose maps are compared, under the names of the `lpips` package."""

SHIFT = (-0.030, -0.088, -0.188)
"""ImageNet's mean colour where pixels lie in [-1, 1]."""

SCALE = (0.458, 0.448, 0.450)
"""ImageNet's standard deviations where pixels lie in [-1, 1]."""

EPSILON = 1e-10
"""Added to the length of a position's channels."""


def standardise_colours(images: Array) -> Array:
    """Pictures [N, H, W, 3] in [-1, 1] as networks trained on ImageNet expect them."""
    shift, scale = (jnp.asarray(x, images.dtype)[None, None, None] for x in (SHIFT, SCALE))
    return (images - shift) / scale


def normalise_channels(x: Array) -> Array:
    """Scales the channels of each position to length 1: x / (|x| + 1e-10).

    Where all channels are 0 they stay 0, with slope 1; that of the formula is not a number.

    Args:
        x: [N, H, W, C].

    Returns:
        [N, H, W, C], dtype of `x`.

    Source: PerceptualSimilarity lpips/__init__.py, normalize_tensor.
    """
    squares = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    present = squares > 0
    length = jnp.sqrt(jnp.where(present, squares, 1)) + EPSILON
    return x / jnp.where(present, length, 1)


class LinearHead(ParametricModule):
    """Sums channels with learned weights, [N, H, W, C] to [N, H, W]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the head to x [N, H, W, C]. Before training all weights are 1."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        precision = product_precision(x.dtype)
        return jnp.einsum("nhwc,c->nhw", x, scale.astype(x.dtype), precision=precision)


class LinearHeads(nn.Module):
    """A `LinearHead` for each map."""

    channels: tuple[int, ...]  # Of each map.

    @nn.compact
    def __call__(self, *maps: Array) -> list[Array]:
        """Applies the heads to maps [N, H, W, C], each of its own size, giving [N, H, W].

        Raises:
            ShapeError: If a map has other channels.
        """
        sums = []
        for index, (x, channels) in enumerate(zip(maps, self.channels, strict=True)):
            check_shape(f"maps[{index}]", x.shape, (None, None, None, channels))
            sums.append(LinearHead(name=f"head{index}")(x))
        return sums


class Lpips(nn.Module):
    """The perceptual distance of pictures.

    The trunk computes in the type of the pictures; lengths and differences are float32.
    """

    trunk: str = "vgg"  # A name of `TRUNKS`. Losses of SFE use "vgg", metrics "alex".

    def setup(self) -> None:
        """Builds the trunk and its heads.

        Raises:
            WeightsError: If the trunk's name is unknown.
        """
        if self.trunk not in TRUNKS:
            raise WeightsError(f"trunk of LPIPS is {self.trunk!r}; known are {', '.join(TRUNKS)}")
        self.network = TRUNKS[self.trunk]()
        self.heads = LinearHeads(TRUNKS[self.trunk].channels)

    def features(self, images: Array) -> list[Array]:
        """What is compared of a picture; of a fixed target it can be computed once.

        Args:
            images: [N, H, W, 3] in [-1, 1]. They are not resized.

        Returns:
            The trunk's maps [N, h, w, C], float32, the channels of each position of length 1.

        Raises:
            ShapeError: If the pictures are not of such a shape, or too small for the trunk.
        """
        check_shape("images", images.shape, (None, None, None, 3))
        maps = self.network(standardise_colours(images))
        if 0 in maps[-1].shape[1:3]:
            size = " x ".join(map(str, images.shape[1:3]))
            raise ShapeError(f"`images` are {size}, too small for {self.trunk}; use at least 32")
        return [normalise_channels(x.astype(jnp.float32)) for x in maps]

    def compare(self, features: Sequence[Array], target: Sequence[Array]) -> Array:
        """Share of each map in the distance.

        Args:
            features: From `features`, of the pictures.
            target: From `features`, of what they should look like.

        Returns:
            [N, number of maps], not negative; their sum over the maps is the distance.
        """
        squares = (jnp.square(x - y) for x, y in zip(features, target, strict=True))
        maps = self.heads(*squares)
        return jnp.stack([jnp.mean(x, axis=(1, 2)) for x in maps], axis=1)

    def __call__(self, images: Array, target: Array) -> Array:
        """Distances of pictures.

        Args:
            images: [N, H, W, 3] in [-1, 1].
            target: [N, H, W, 3] in [-1, 1].

        Returns:
            [N], 0 for equal pictures.

        Raises:
            ShapeError: If the shapes differ, or `features` refuses them.
        """
        check_shape("target", target.shape, images.shape)
        return jnp.sum(self.compare(self.features(images), self.features(target)), axis=1)
