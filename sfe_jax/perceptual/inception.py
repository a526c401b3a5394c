"""Inception v3 as FID sees it: the TensorFlow network of 2015, which pytorch-fid ported.

It differs from torchvision's Inception v3 in its 1008 classes, in average pools that leave padding
out, and in the last block's pool, which takes maxima. Modules keep the names of the published
graph: `Mixed_5b/branch5x5_2` is the second convolution of a branch.

Source: Inception v3 (arXiv:1512.00567), table 1 and figures 5 to 7; pytorch-fid inception.py.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypedDict

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.convolution import convolve
from sfe_jax.ops.resize import resize_bilinear

INPUT_SIZE = 299
"""Pixels a side that the network reads."""

CLASSES = 1008
"""Classes of the network of 2015; eight of them are empty."""

RESIZE_FILTER = "bilinear without antialiasing"
"""How `resize_for_fid` resizes, for the provenance of a score: scores depend on it."""


def resize_for_fid(images: Array, size: int = INPUT_SIZE) -> Array:
    """Resizes pictures as pytorch-fid does: bilinear, without antialiasing.

    Args:
        images: [N, H, W, 3] in [-1, 1]; what is not square is squashed.
        size: Pixels a side of the result.

    Returns:
        [N, size, size, 3], dtype of `images`.

    Raises:
        ShapeError: If the pictures have another rank.

    Source: pytorch-fid inception.py, interpolate(mode="bilinear", align_corners=False).
    """
    return resize_bilinear(images, size)


# Pools of 3x3 windows, [N, H, W, C] to [N, h, w, C].


def average_inside(x: Array) -> Array:
    """Mean of each window's pixels inside the map; padding does not count. The size stays."""
    return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def maximum_around(x: Array) -> Array:
    """Maximum of the window around each pixel. The size stays."""
    return nn.max_pool(x, (3, 3), padding="SAME")


def halving_maximum(x: Array) -> Array:
    """Maximum of every second window inside the map: size (H - 1) / 2, rounded down.

    As maxima of shifted parts along one axis, then the other; XLA's windows take seven times as
    long on CPU (29 ms against 4 for [8, 147, 147, 64]).
    """
    for axis in (1, 2):
        size = (x.shape[axis] - 1) // 2
        parts = (lax.slice_in_dim(x, i, i + 2 * size - 1, stride=2, axis=axis) for i in range(3))
        x = functools.reduce(jnp.maximum, parts)
    return x


# Blocks as tables.


class Branch(NamedTuple):
    """A row of convolutions in a block: output channels, kernel height, kernel width of each.

    They are called `name`_1, `name`_2, ...; one that stands alone is called `name`.
    """

    name: str
    units: tuple[tuple[int, int, int], ...]
    stride: int = 1  # Of the last one.
    fork: int = 0  # Channels of each of a 1x3 and a 3x1 convolution, side by side at the end.
    pool: Callable[[Array], Array] | None = None  # What comes first.


def block_a(pooled: int) -> tuple[Branch, ...]:
    """Figure 5 of the paper; `pooled` channels behind the pool."""
    return (
        Branch("branch1x1", ((64, 1, 1),)),
        Branch("branch5x5", ((48, 1, 1), (64, 5, 5))),
        Branch("branch3x3dbl", ((64, 1, 1), (96, 3, 3), (96, 3, 3))),
        Branch("branch_pool", ((pooled, 1, 1),), pool=average_inside),
    )


def block_b() -> tuple[Branch, ...]:
    """Halves the resolution behind the blocks of figure 5."""
    return (
        Branch("branch3x3", ((384, 3, 3),), stride=2),
        Branch("branch3x3dbl", ((64, 1, 1), (96, 3, 3), (96, 3, 3)), stride=2),
        Branch("pool", (), pool=halving_maximum),
    )


def block_c(hidden: int) -> tuple[Branch, ...]:
    """Figure 6 of the paper with n = 7; `hidden` channels inside its branches."""
    long = ((hidden, 1, 1), (hidden, 7, 1), (hidden, 1, 7), (hidden, 7, 1), (192, 1, 7))
    return (
        Branch("branch1x1", ((192, 1, 1),)),
        Branch("branch7x7", ((hidden, 1, 1), (hidden, 1, 7), (192, 7, 1))),
        Branch("branch7x7dbl", long),
        Branch("branch_pool", ((192, 1, 1),), pool=average_inside),
    )


def block_d() -> tuple[Branch, ...]:
    """Halves the resolution behind the blocks of figure 6."""
    return (
        Branch("branch3x3", ((192, 1, 1), (320, 3, 3)), stride=2),
        Branch("branch7x7x3", ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)), stride=2),
        Branch("pool", (), pool=halving_maximum),
    )


def block_e(pool: Callable[[Array], Array]) -> tuple[Branch, ...]:
    """Figure 7 of the paper."""
    return (
        Branch("branch1x1", ((320, 1, 1),)),
        Branch("branch3x3", ((384, 1, 1),), fork=384),
        Branch("branch3x3dbl", ((448, 1, 1), (384, 3, 3)), fork=384),
        Branch("branch_pool", ((192, 1, 1),), pool=pool),
    )


MIDDLE_BLOCKS = {
    "Mixed_5b": block_a(32),
    "Mixed_5c": block_a(64),
    "Mixed_5d": block_a(64),
    "Mixed_6a": block_b(),
    "Mixed_6b": block_c(128),
    "Mixed_6c": block_c(160),
    "Mixed_6d": block_c(160),
    "Mixed_6e": block_c(192),
}
"""The blocks up to 768 channels."""

LAST_BLOCKS = {
    "Mixed_7a": block_d(),
    "Mixed_7b": block_e(average_inside),
    "Mixed_7c": block_e(maximum_around),
}
"""The blocks up to 2048 channels."""


# Networks.


class Conv(ParametricModule):
    """Convolution without bias: [N, H, W, I] to [N, h, w, features]."""

    features: int  # Output channels.
    kernel_size: tuple[int, int]  # Height and width.
    stride: int = 1  # 1, or 2, which stays inside the map.
    padding: str = "SAME"  # "SAME" keeps the size, "VALID" stays inside the map.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [N, H, W, I]."""
        height, width = self.kernel_size
        shape = (height, width, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape).astype(x.dtype)
        if self.stride > 1:
            numbers = ("NHWC", "HWIO", "NHWC")
            precision = product_precision(x.dtype)
            strides = (self.stride, self.stride)
            return lax.conv_general_dilated(
                x, kernel, strides, "VALID", dimension_numbers=numbers, precision=precision
            )
        y = convolve(x, kernel, pack=False)
        if self.padding == "SAME":
            return y
        # Cropped, since XLA's CPU backend is twice as fast where the size stays.
        rows, columns = height // 2, width // 2
        return y[:, rows : y.shape[1] - rows, columns : y.shape[2] - columns]


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and ReLU: [N, H, W, I] to [N, h, w, features]."""

    features: int  # Output channels.
    kernel_size: tuple[int, int]  # Height and width.
    stride: int = 1  # 1 or 2.
    padding: str = "SAME"  # "SAME" keeps the size, "VALID" stays inside the map.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the unit to x [N, H, W, I]."""
        x = Conv(self.features, self.kernel_size, self.stride, self.padding, name="conv")(x)
        norm = nn.BatchNorm(use_running_average=True, epsilon=1e-3, dtype=x.dtype, name="norm")
        return nn.relu(norm(x))


class Mixed(nn.Module):
    """Branches side by side: [N, H, W, I] to [N, h, w, sum of their channels]."""

    branches: tuple[Branch, ...]
    narrowing: int = 1  # Divisor of all channels.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block to x [N, H, W, I]."""
        return jnp.concatenate([y for branch in self.branches for y in self._run(branch, x)], -1)

    def _run(self, branch: Branch, x: Array) -> list[Array]:
        x = branch.pool(x) if branch.pool else x
        alone = len(branch.units) == 1 and not branch.fork
        for number, (features, height, width) in enumerate(branch.units, start=1):
            last = branch.stride if number == len(branch.units) else 1
            x = ConvUnit(
                features // self.narrowing,
                (height, width),
                stride=last,
                padding="SAME" if last == 1 else "VALID",
                name=branch.name if alone else f"{branch.name}_{number}",
            )(x)
        if not branch.fork:
            return [x]
        start = f"{branch.name}_{len(branch.units) + 1}"
        features = branch.fork // self.narrowing
        across = ConvUnit(features, (1, 3), name=f"{start}a")(x)
        return [across, ConvUnit(features, (3, 1), name=f"{start}b")(x)]


class Classifier(ParametricModule):
    """The last layer, its bias apart: [N, I] to [N, features] and a bias [1, features]."""

    features: int  # Number of classes.

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Applies the layer to x [N, I]."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        scores = jnp.matmul(x, kernel.astype(x.dtype), precision=product_precision(x.dtype))
        return scores, bias.astype(x.dtype)[None]


class InceptionReading(TypedDict):
    """What the network reads from a picture. Channels are those of the published network."""

    block0: Array  # [N, 64], mean over positions behind the first pool.
    block1: Array  # [N, 192], behind the second.
    block2: Array  # [N, 768], behind Mixed_6e.
    features: Array  # [N, 2048], behind Mixed_7c: what FID and KID compare.
    logits: Array  # [N, 1008].
    probabilities: Array  # [N, 1008], of logits without their bias: the Inception score's.


class FidInception(nn.Module):
    """Inception v3 of 2015, for FID, KID and the Inception score."""

    narrowing: int = 1  # Divisor of all channels, up to 16; the published network has 1.
    input_size: int = INPUT_SIZE  # Pixels a side, at least 75.

    @nn.compact
    def __call__(self, images: Array) -> InceptionReading:
        """Reads pictures.

        Args:
            images: [N, input_size, input_size, 3] in [-1, 1], from `resize_for_fid`.

        Raises:
            ShapeError: If the pictures have another size.

        Source: pytorch-fid inception.py; the Inception score's probabilities: improved-gan
            inception_score/model.py, which multiplies by the weights of the last layer alone.
        """
        check_shape("images", images.shape, (None, self.input_size, self.input_size, 3))
        means = []

        # Stem.
        x = self._unit("Conv2d_1a_3x3", 32, 3, stride=2, padding="VALID")(images)
        x = self._unit("Conv2d_2a_3x3", 32, 3, padding="VALID")(x)
        x = self._unit("Conv2d_2b_3x3", 64, 3)(x)
        x = halving_maximum(x)
        means.append(jnp.mean(x, axis=(1, 2)))
        x = self._unit("Conv2d_3b_1x1", 80, 1)(x)
        x = self._unit("Conv2d_4a_3x3", 192, 3, padding="VALID")(x)
        x = halving_maximum(x)
        means.append(jnp.mean(x, axis=(1, 2)))

        # Blocks.
        for blocks in (MIDDLE_BLOCKS, LAST_BLOCKS):
            for name, branches in blocks.items():
                x = Mixed(branches, self.narrowing, name=name)(x)
            means.append(jnp.mean(x, axis=(1, 2)))

        # Classes.
        scores, bias = Classifier(CLASSES // self.narrowing, name="fc")(means[-1])
        return {
            "block0": means[0],
            "block1": means[1],
            "block2": means[2],
            "features": means[3],
            "logits": scores + bias,
            "probabilities": nn.softmax(scores),
        }

    def _unit(
        self, name: str, features: int, size: int, *, stride: int = 1, padding: str = "SAME"
    ) -> ConvUnit:
        """A unit of the stem with a square kernel."""
        kernel_size = (size, size)
        return ConvUnit(features // self.narrowing, kernel_size, stride, padding, name=name)
