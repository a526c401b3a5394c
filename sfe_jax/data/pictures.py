"""Pictures brought to one form: decoded from bytes, cut, resized, with one number of channels."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from sfe_jax.core import images
from sfe_jax.core.errors import ImageError, OptionError

Transform = Literal["none", "center-crop", "center-crop-wide"]
"""As it is; the largest centred square; the largest centred 4:3 window between black bars."""

Filter = Literal["box", "bilinear", "lanczos", "nearest"]
"""Filters of Pillow, antialiased but for "nearest", which is for label maps. StyleGAN2-ADA's
published scores are for boxes; pSp, e4e and SFE shrink by the bilinear one."""

Alpha = Literal["white", "refuse"]
"""Transparent parts become white; or a picture that has some is refused."""

MAX_ENLARGEMENT = 8
"""A picture smaller than the resolution by more than this factor is refused."""

_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Form:
    """What a picture has to look like.

    Attributes:
        resolution: Pixels a side; None keeps those of the picture.
        channels: 3 for RGB, 1 for grey.
        transform: How it becomes square; "none" stretches it.
        resize_filter: How it is resized.
        alpha: What becomes of transparent parts.

    Raises:
        OptionError: If a value cannot be used.
    """

    resolution: int | None = None
    channels: int = 3
    transform: Transform = "center-crop"
    resize_filter: Filter = "lanczos"
    alpha: Alpha = "white"

    def __post_init__(self) -> None:
        for name, choices in {
            "channels": (1, 3),
            "transform": ("none", "center-crop", "center-crop-wide"),
            "resize_filter": tuple(_FILTERS),
            "alpha": ("white", "refuse"),
        }.items():
            if getattr(self, name) not in choices:
                known = ", ".join(map(str, choices))
                raise OptionError(
                    f"`{name}` is {getattr(self, name)!r}; required is one of {known}"
                )
        if self.resolution is not None and self.resolution < images.MIN_SIDE:
            required = f"required are at least {images.MIN_SIDE} pixels a side"
            raise OptionError(f"`resolution` is {self.resolution}; {required}")
        if self.transform == "center-crop-wide" and (self.resolution or 1) % 8:
            required = "a multiple of 8 is required for center-crop-wide, whose bars are an eighth"
            raise OptionError(f"`resolution` is {self.resolution}; {required}")


def decode_picture(data: bytes, name: str) -> np.ndarray:
    """Decodes a picture as `sfe_jax.core.images.decode_image` does.

    Args:
        data: Content of a BMP, GIF, JPEG, PNG, PPM, TIFF or WebP file.
        name: Where it comes from, for messages.

    Returns:
        uint8 [H, W, C], not to be written to; C is 1 for grey, 3 for RGB, 4 with transparency.

    Raises:
        ImageError: If it is empty, broken, not a picture, or too large or too small.
    """
    levels = np.asarray(images.decode_image(data, name))
    return levels[..., None] if levels.ndim == 2 else levels


def encode_png(image: np.ndarray) -> bytes:
    """Encodes without compression, which decodes fastest.

    Args:
        image: uint8 [H, W, 1] or [H, W, 3].

    Source: stylegan2-ada-pytorch, `dataset_tool.py`.
    """
    stream = io.BytesIO()
    levels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(levels).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def _to_channels(image: np.ndarray, form: Form, name: str) -> np.ndarray:
    """Brings [H, W, 1], [H, W, 3] or [H, W, 4] to `form.channels`; grey is ITU-R 601 luma."""
    if image.shape[-1] == 4:
        if form.alpha == "refuse" and (image[..., 3] < 255).any():
            remedy = "an opaque one is required: flatten it, or set `alpha` to 'white'"
            raise ImageError(f"{name}: has transparent parts; {remedy}")
        image = np.asarray(images.over_white(Image.fromarray(image)))
    if image.shape[-1] == form.channels:
        return image
    if form.channels == 3:
        return np.repeat(image, 3, axis=-1)
    return np.asarray(Image.fromarray(image).convert("L"))[..., None]


def _centre(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Cuts the centred window [height, width, C] out of [H, W, C]."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _resize(image: np.ndarray, form: Form, *, height: int, width: int) -> np.ndarray:
    """Resizes [H, W, C] to [height, width, C]."""
    if image.shape[:2] == (height, width):
        return image
    levels = image[..., 0] if image.shape[-1] == 1 else image
    resized = Image.fromarray(levels).resize((width, height), _FILTERS[form.resize_filter])
    return np.asarray(resized).reshape(height, width, -1)


def _letterbox(image: np.ndarray, form: Form, name: str) -> np.ndarray:
    """Puts the largest centred 4:3 window of [H, W, C] between black bars, [R, R, C].

    The window has one shape whatever the picture's, so nothing is stretched.

    Source: stylegan2-ada-pytorch, `dataset_tool.py` (`center_crop_wide`).
    """
    height, width = image.shape[:2]
    side, units = form.resolution or 0, min(height // 3, width // 4)
    if 4 * units < side:
        required = f"required are at least {side} x {side * 3 // 4}, use a larger picture"
        raise ImageError(f"{name}: is {width} x {height}; {required}")
    window = _centre(image, height=3 * units, width=4 * units)
    resized = _resize(window, form, height=side * 3 // 4, width=side)
    return np.pad(resized, ((side // 8, side // 8), (0, 0), (0, 0)))


def to_form(image: np.ndarray, form: Form, name: str) -> np.ndarray:
    """Brings a picture to a form: its channels first, then its shape.

    Args:
        image: uint8 [H, W, 1], [H, W, 3] or [H, W, 4].
        form: What it has to look like.
        name: Where it comes from, for messages.

    Returns:
        uint8 [R, R, form.channels]; of the picture's own shape if it is neither cut nor resized.

    Raises:
        ImageError: If it is too small, or transparent where that is refused.
    """
    image = _to_channels(image, form, name)
    if form.transform == "center-crop-wide":
        return _letterbox(image, form, name)
    side = min(image.shape[:2])
    if form.transform == "center-crop":
        image = _centre(image, height=side, width=side)
    if form.resolution is None:
        return image
    if side * MAX_ENLARGEMENT < form.resolution:
        required = f"required are {-(-form.resolution // MAX_ENLARGEMENT)} pixels a side"
        raise ImageError(
            f"{name}: is {image.shape[1]} x {image.shape[0]}, too small for resolution "
            f"{form.resolution}; {required}, use a larger picture"
        )
    return _resize(image, form, height=form.resolution, width=form.resolution)


def mirrored(image: np.ndarray) -> np.ndarray:
    """Mirrors [H, W, C] left to right.

    Channel by channel, which NumPy does four times faster than pixels of three bytes.
    """
    channels = [image[:, ::-1, channel] for channel in range(image.shape[-1])]
    return np.stack(channels, axis=-1)
