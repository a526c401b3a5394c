"""MTCNN: three small networks that find faces and five points on each.

P-Net looks at every window of a picture, R-Net and O-Net at crops that are left. How they follow on
each other is in `pipelines.face_detection`.

Source: MTCNN (arXiv:1604.02878), figure 2; pixel2style2pixel models/mtcnn/mtcnn_pytorch.
"""

from typing import NamedTuple, TypedDict

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.pooling import max_pool_over
from sfe_jax.nn.residual import Conv, Dense, PReLU


class Layer(NamedTuple):
    """A convolution without padding, a PReLU, and a pool."""

    features: int  # Output channels.
    size: int  # Of the kernel.
    pool: int = 0  # Window of the pool; 0 for none.


LOWEST = -1e9
"""Stands where no maximum may come from: below every value met, and finite behind more layers."""


def _run(layers: tuple[Layer, ...], x: Array, inside: Array | None = None) -> Array:
    """Layers in a row, called conv1, prelu1, conv2, ...; they belong to the module that calls.

    The first pool leaves out what is not `inside`, [N, H - 2, W - 2, 1].
    """
    precision = product_precision(x.dtype)
    for number, (features, size, pool) in enumerate(layers, start=1):
        x = nn.Conv(
            features,
            (size, size),
            padding="VALID",
            dtype=x.dtype,
            precision=precision,
            name=f"conv{number}",
        )(x)
        x = PReLU(name=f"prelu{number}")(x)
        if inside is not None and number == 1:
            x = jnp.where(inside, x, jnp.asarray(LOWEST, x.dtype))
        x = max_pool_over(x, pool) if pool else x
    return x


def _run_dense(layers: tuple[Layer, ...], features: int, x: Array) -> Array:
    """`_run`, then a dense layer with PReLU: crops [N, S, S, 3] to [N, features]."""
    x = _run(layers, x)
    x = x.reshape(x.shape[0], -1)  # Order H, W, C; the converter permutes C, W, H.
    return PReLU(name="dense_prelu")(Dense(features, name="dense")(x))


class FaceReading(TypedDict):
    """What P-Net and R-Net say of a window."""

    logits: Array  # [..., 2]: no face, face.
    offsets: Array  # [..., 4]: what x1, y1, x2, y2 are short of, in widths and heights.


class FacePointsReading(FaceReading):
    """What O-Net says of a window."""

    points: Array  # [..., 10]: x of five points, then y, in widths and heights from x1, y1.


class PNet(nn.Module):
    """Proposes: reads every 12x12 window, two pixels apart."""

    @nn.compact
    def __call__(self, images: Array, inside: Array | None = None) -> FaceReading:
        """Reads pictures.

        Args:
            images: [N, H, W, 3], levels as (level - 127.5) / 128; at least 12 pixels a side.
            inside: bool [N, H - 2, W - 2, 1], whether the 3x3 pixels from there on lie inside a
                picture, where several share `images`; None says that all do.

        Returns:
            Of each window, [N, ceil((H - 2) / 2) - 4, ceil((W - 2) / 2) - 4, ...].

        Raises:
            ShapeError: If the pictures are not of such a shape.
        """
        check_shape("images", images.shape, (None, None, None, 3))
        x = _run((Layer(10, 3, 2), Layer(16, 3), Layer(32, 3)), images, inside)
        return {
            "logits": Conv(2, kernel_size=1, use_bias=True, name="logits")(x),
            "offsets": Conv(4, kernel_size=1, use_bias=True, name="offsets")(x),
        }


class RNet(nn.Module):
    """Refines: reads crops of 24x24."""

    @nn.compact
    def __call__(self, images: Array) -> FaceReading:
        """Reads crops [N, 24, 24, 3] in the range of P-Net, giving [N, ...].

        Raises:
            ShapeError: If the crops have another size.
        """
        check_shape("images", images.shape, (None, 24, 24, 3))
        x = _run_dense((Layer(28, 3, 3), Layer(48, 3, 3), Layer(64, 2)), 128, images)
        return {"logits": Dense(2, name="logits")(x), "offsets": Dense(4, name="offsets")(x)}


class ONet(nn.Module):
    """Outputs: reads crops of 48x48, and finds the points."""

    @nn.compact
    def __call__(self, images: Array) -> FacePointsReading:
        """Reads crops [N, 48, 48, 3] in the range of P-Net, giving [N, ...].

        Raises:
            ShapeError: If the crops have another size.
        """
        check_shape("images", images.shape, (None, 48, 48, 3))
        layers = (Layer(32, 3, 3), Layer(64, 3, 3), Layer(64, 3, 2), Layer(128, 2))
        x = _run_dense(layers, 256, images)
        return {
            "logits": Dense(2, name="logits")(x),
            "offsets": Dense(4, name="offsets")(x),
            "points": Dense(10, name="points")(x),
        }
