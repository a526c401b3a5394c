"""Pictures in and out: reading, checking, resizing, saving.

At the edges a picture is uint8 RGB `[H, W, 3]`; networks see float32 in [-1, 1]. Files are decoded
and resized by Pillow, as in the reference, because its antialiased bilinear filter is not the same
as any other. Nothing here needs JAX.
"""

import contextlib
import io
import os
import pathlib
import stat
import struct
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ImageError, LabelsError
from sfe_jax.core.files import written_whole

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before decoding: a few bytes can claim gigabytes."""

MAX_FILE_BYTES = 4 * MAX_PIXELS
"""Larger files are refused unread: four bytes for each pixel that may be, uncompressed."""

MIN_SIDE = 16
"""Below this many pixels a side there is nothing to see."""

SUFFIXES = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),  # 4:4:4, colour as sharp as brightness.
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".ppm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tiff": ("TIFF", {}),
    ".tif": ("TIFF", {}),
    ".webp": ("WEBP", {"lossless": True}),
}
"""Suffixes found in folders and allowed for saving: format and options of Pillow."""

# Pillow knows more formats, some of which start other programs (EPS runs Ghostscript).
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# What Pillow raises for damaged bytes: OSError mostly, and what `Image.open` itself expects.
_DECODING_ERRORS = (OSError, ValueError, SyntaxError, IndexError, TypeError, struct.error)

# EXIF orientation -> what makes the picture upright; 1 is upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Colour space, bytes 16 to 20 of an ICC profile -> mode in which pixels enter it.
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}

# What a PNG file begins with; where its bits a channel and its type of colours stand, and theirs of
# plain grey, from the PNG specification.
_PNG = b"\x89PNG\r\n\x1a\n"
_DEPTH_AND_TYPE = slice(24, 26)
_GREY_OF_8_BITS = b"\x08\x00"


def to_float(images: np.ndarray) -> np.ndarray:
    """Maps levels to what networks see: (x / 255 - 0.5) / 0.5.

    Args:
        images: uint8 [..., H, W, C].

    Returns:
        float32 [..., H, W, C] in [-1, 1], bit for bit as torchvision's ToTensor and Normalize(0.5).

    Raises:
        ImageError: If `images` is not uint8.

    Source: SFE, `datasets/transforms.py`.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ImageError(f"`images` has type {images.dtype}; required is uint8 in [0, 255]")
    half = np.float32(0.5)
    return (images.astype(np.float32) / np.float32(255) - half) / half


def to_uint8(images: np.ndarray, *, offset: float = 127.5) -> np.ndarray:
    """Maps what networks produce to levels: clip(x * 127.5 + offset, 0, 255), truncated.

    Undoes `to_float` exactly. SFE's clip((x + 1) / 2, 0, 1) * 255 does not: in float32 it loses a
    level for 63 of the 256, though for values in between the two agree but for rounding.

    Args:
        images: Floating [..., H, W, C], nominally in [-1, 1]; a NumPy or JAX array.
        offset: 127.5 is the rule of pSp, e4e and SFE; 128 that of StyleGAN.

    Returns:
        uint8 [..., H, W, C].

    Raises:
        ImageError: If a value is NaN or infinite.

    Source: SFE, `scripts/inference.py`; stylegan2-ada-pytorch, `generate.py` (128).
    """
    images = np.asarray(images, np.float32)
    broken = images.size - np.count_nonzero(np.isfinite(images))
    if broken:
        raise ImageError(
            f"the network produced non-finite values ({broken} of {images.size}); "
            "check its weights, or compute in float32"
        )
    return np.clip(images * np.float32(127.5) + np.float32(offset), 0, 255).astype(np.uint8)


def _too_many_pixels(name: object) -> ImageError:
    limit = f"at most {MAX_PIXELS // 1_000_000} million pixels are read"
    return ImageError(f"{name}: has too many pixels; {limit}, make it smaller")


@contextlib.contextmanager
def _pillow_errors(name: object) -> Iterator[None]:
    """Turns what Pillow says about a bad picture into one line of ours."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name) from error
    except UnidentifiedImageError as error:
        known = ", ".join(_FORMATS)
        reason = f"is not a picture that we read; convert it to one of {known}"
        raise ImageError(f"{name}: {reason}") from error
    except _DECODING_ERRORS as error:
        reason = f"is broken or truncated ({error})"
        raise ImageError(f"{name}: {reason}; required is a whole picture, get it again") from error


def _check_size(name: object, size: tuple[int, int]) -> None:
    """Raises if a picture of `size` (width, height) is too large to decode or too small to use."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if min(size) < MIN_SIDE:
        required = f"required are at least {MIN_SIDE} pixels a side"
        raise ImageError(f"{name}: is {width} x {height}; {required}, use a larger picture")


def _check_strips(image: Image.Image) -> None:
    """Raises ValueError if a TIFF lacks strips or tiles, which Pillow would leave black."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    extents = [tile[1] or (0, 0, 0, 0) for tile in image.tile]
    held = sum((right - left) * (lower - upper) for left, upper, right, lower in extents)
    # Where channels lie apart each has its strips; what libtiff reads, it checks itself.
    apart = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    raw = all(tile[0] == "raw" for tile in image.tile)
    layers = len(image.getbands()) if apart and raw else 1
    if held < image.width * image.height * layers:
        raise ValueError("it lacks strips")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 (upright) where there is none or it cannot be read."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODING_ERRORS:
        return 1


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """A picture in a mode; Pillow itself would copy one that has it already."""
    return image if image.mode == mode else image.convert(mode)


def _to_8_bits(image: Image.Image, name: object) -> Image.Image:
    """Brings any mode to L, LA, RGB, RGBA or CMYK; scales 16-bit grey, which Pillow may clip."""
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ImageError(
            f"{name}: has pixels of type {image.mode}, whose range is unknown; "
            "save it with 8 or 16 bits a channel"
        )
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "CMYK") else _in_mode(image, "RGB")


def _srgb_transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    """Colorimetric transform from `mode` under `profile` to sRGB, as photo viewers do it."""
    return ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether an RGB transform moves no colour of a coarse cube by more than two levels."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    moved = transform.apply(Image.fromarray(cube))
    return bool(np.abs(np.asarray(moved, np.int16) - cube).max() <= 2)


def _to_srgb(image: Image.Image, icc_profile: bytes) -> Image.Image:
    """Converts L, RGB or CMYK pixels to sRGB, mode RGB.

    Pixels whose profile is sRGB itself stay as they are, so that rounding does not set them apart
    from the reference, which ignores profiles.

    Raises:
        ImageCms.PyCMSError: If the profile is broken or belongs to another kind of picture.
    """
    profile = ImageCms.getOpenProfile(io.BytesIO(icc_profile))
    mode = _PROFILE_MODES.get(icc_profile[16:20], "of an unknown kind")
    if mode == "RGB" and image.mode == "L":
        image = image.convert("RGB")
    if image.mode != mode:
        raise ImageCms.PyCMSError(f"the profile is {mode}, the pixels are {image.mode}")
    transform = _srgb_transform(profile, mode)
    if mode == "RGB" and _is_identity(transform):
        return image
    return transform.apply(image)


def _as_srgb(image: Image.Image, icc_profile: bytes | None, name: object) -> Image.Image:
    """Brings L, RGB or CMYK pixels to sRGB; an unusable profile is a warning, not an end."""
    if icc_profile:
        try:
            return _to_srgb(image, icc_profile)
        except (ImageCms.PyCMSError, TypeError) as error:  # In TIFF it may be text or a number.
            reason = f"its colour profile cannot be used ({error})"
            warnings.warn(f"{name}: {reason}; its colours are read as sRGB", stacklevel=3)
    return _in_mode(image, "RGB")


@contextlib.contextmanager
def _opened(data: bytes, name: object) -> Iterator[Image.Image]:
    """The loaded picture of a file, in whatever mode it has.

    Raises:
        ImageError: If it is empty, broken, not a picture, or too large or too small.
    """
    if not data:
        raise ImageError(f"{name}: is empty; required is a whole picture, get it again")
    with _pillow_errors(name), Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        _check_size(name, opened.size)
        _check_strips(opened)
        opened.load()
        yield opened


def decode_image(data: bytes, name: object) -> Image.Image:
    """Decodes a picture, upright and in sRGB; grey and transparency are kept.

    EXIF orientation is applied, and EXIF that cannot be read is ignored. Embedded colour profiles
    (Display P3, Adobe RGB, CMYK) are converted to sRGB; one that is unusable gives a warning. Of an
    animation the first frame is read. Grey of 16 bits is scaled to 8.

    Args:
        data: Content of a BMP, GIF, JPEG, PNG, PPM, TIFF or WebP file.
        name: Where it comes from, for messages.

    Returns:
        Picture of mode L, RGB or RGBA.

    Raises:
        ImageError: If it is empty, broken, not a picture, larger than `MAX_PIXELS`, smaller than
            `MIN_SIDE` a side, or of a pixel type without a range.
    """
    with _opened(data, name) as opened:
        # After loading, since Pillow itself turns TIFF pictures then, and clears their tag.
        orientation = _orientation(opened)
        icc_profile = opened.info.get("icc_profile")
        image = _to_8_bits(opened, name)
    colours = image
    if icc_profile or image.mode != "L":
        colours = _as_srgb(_in_mode(image, image.mode.removesuffix("A")), icc_profile, name)
    if image.mode.endswith("A"):
        colours.putalpha(image.getchannel("A"))
    return colours.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else colours


def check_ids(name: object, ids: np.ndarray, count: int) -> None:
    """Raises unless all levels of a map of labels are ids below `count`.

    Args:
        name: Of the map, for the message.
        ids: uint8, of any shape.
        count: Number of labels.

    Raises:
        LabelsError: With the levels that are none.
    """
    odd = np.unique(ids[ids >= count])
    if len(odd):
        listed = ", ".join(map(str, odd[:4])) + (", ..." if len(odd) > 4 else "")
        raise LabelsError(
            f"{name}: has the levels {listed}; required are ids 0 to {count - 1}, not scaled to be "
            "seen: write each label's number as the level"
        )


def decode_ids(data: bytes, name: object, *, count: int) -> np.ndarray:
    """Decodes a map of labels, whose levels are ids: no colour profile and no scale changes them.

    Args:
        data: Content of a PNG file of 8-bit grey. Other formats lose or scale levels, or mean
            colours.
        name: Where it comes from, for messages.
        count: Number of labels.

    Returns:
        uint8 [H, W], below `count`.

    Raises:
        ImageError: As `decode_image`.
        LabelsError: If it is of another format, or has other levels.
    """
    with _opened(data, name) as opened:
        if not (data.startswith(_PNG) and data[_DEPTH_AND_TYPE] == _GREY_OF_8_BITS):
            raise LabelsError(
                f"{name}: is {opened.format} of mode {opened.mode}; a map of labels is required, "
                f"8-bit grey PNG with ids 0 to {count - 1}: write numbers in place of colours"
            )
        ids = np.array(opened)
    check_ids(name, ids, count)
    return ids


def over_white(image: Image.Image) -> Image.Image:
    """Lays a picture of mode RGBA over white, mode RGB; others are given back."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def read_picture(path: str | os.PathLike[str]) -> bytes:
    """Content of a file that should be a picture.

    Raises:
        ImageError: If it is missing, no file (a pipe would be waited for), or larger than
            `MAX_FILE_BYTES`.
    """
    path = pathlib.Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is no file; give the path of a picture")
        if status.st_size > MAX_FILE_BYTES:
            limit = f"at most {MAX_FILE_BYTES} are read"
            raise ImageError(f"{path}: has {status.st_size} bytes; {limit}, make it smaller")
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
        raise ImageError(f"{path}: {reason}; give the path of a picture") from error


def load_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a picture as every viewer shows it: as `decode_image`, transparent parts white.

    Args:
        path: BMP, GIF, JPEG, PNG, PPM, TIFF or WebP file.

    Returns:
        uint8 [H, W, 3], sRGB.

    Raises:
        ImageError: As `read_picture` and `decode_image`.
    """
    data = read_picture(path)
    # Only Pillow's own warnings: size is checked by us, and damaged metadata does not harm pixels.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        image = decode_image(data, path)
    return np.array(over_white(image).convert("RGB"))


def square(image: np.ndarray, name: object, *, crop: bool = False) -> np.ndarray:
    """A picture [H, W, ...] that is square but for 2 percent; with `crop` its centre square.

    Raises:
        ImageError: If it is not.
    """
    height, width = image.shape[:2]
    if crop:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return image[top : top + side, left : left + side]
    if abs(height - width) > 0.02 * max(height, width):
        raise ImageError(
            f"{name}: is {width} x {height}; a square picture is required: take the centre square "
            "with `crop`, or cut the face out of a photograph by `sfe align`, or by --align"
        )
    return image


def check_large_enough(thing: str, width: int, height: int, *, resolution: int) -> None:
    """Raises if a side is below 1/8 of a network's resolution.

    Args:
        thing: What has these sides, for the message.
        width: In pixels.
        height: In pixels.
        resolution: Pixels a side that the network needs.

    Raises:
        ImageError: If it is.
    """
    if min(height, width) * 8 < resolution:
        raise ImageError(
            f"{thing} is {width} x {height}, too small for {resolution} x {resolution}; "
            f"required are {-(-resolution // 8)} pixels a side, use a larger picture"
        )


def load_aligned(
    path: str | os.PathLike[str], resolution: int, *, crop: bool = False
) -> np.ndarray:
    """Reads an aligned square picture at the resolution of a network.

    Args:
        path: As for `load_image`.
        resolution: Pixels a side that the network needs.
        crop: Take the centre square of a picture that is not square.

    Returns:
        uint8 [resolution, resolution, 3], resized by Pillow's antialiased bilinear filter.

    Raises:
        ImageError: As `load_image`; also if the sides differ by more than 2 percent without `crop`,
            or are below 1/8 of `resolution`.

    Source: SFE, `datasets/transforms.py` (`Resize((r, r))`).
    """
    image = square(load_image(path), path, crop=crop)
    height, width = image.shape[:2]
    check_large_enough(f"{path}:", width, height, resolution=resolution)
    resized = Image.fromarray(image).resize((resolution, resolution), Image.Resampling.BILINEAR)
    return np.array(resized)


def _pictures_below(folder: pathlib.Path) -> list[pathlib.Path]:
    """Files under `folder` with a suffix of a picture, sorted; hidden files and folders are not."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise ImageError(f"{folder}: holds no picture; required is one of {', '.join(SUFFIXES)}")
    return found


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[pathlib.Path]:
    """Lists pictures: files as given, folders expanded.

    Args:
        paths: Files, taken whatever their suffix, and folders, searched through all levels for
            the suffixes in `SUFFIXES` in any case, except in hidden files and folders.

    Returns:
        Paths in the order given, sorted within a folder, each file once.

    Raises:
        ImageError: If a path does not exist or a folder holds no picture.
    """
    found: dict[pathlib.Path, pathlib.Path] = {}
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise ImageError(f"{path}: does not exist; give a picture or a folder of pictures")
        for picture in _pictures_below(path) if path.is_dir() else [path]:
            found.setdefault(picture.resolve(), picture)
    return list(found.values())


def check_levels(name: str, image: np.ndarray, shape: Sequence[int | None]) -> None:
    """Raises unless `image` is uint8 of `shape`, in which `None` admits any size.

    Args:
        name: What the picture is, for the message.
        image: The picture met.
        shape: The shape required.

    Raises:
        ImageError: If it is of another type.
        ShapeError: If it is of another shape.
    """
    check_shape(name, image.shape, shape)
    if image.dtype != np.uint8:
        raise ImageError(f"`{name}` has type {image.dtype}; required is uint8, see `to_uint8`")


def check_image_name(path: str | os.PathLike[str]) -> None:
    """Raises unless `save_image` knows the suffix of a file.

    Raises:
        ImageError: If it does not.
    """
    suffix = pathlib.Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise ImageError(f"{path}: has suffix {suffix!r}; required is one of {', '.join(SUFFIXES)}")


def save_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Writes a picture in the format of its suffix: whole, or not at all.

    Only JPEG (quality 95, 4:4:4) loses anything. Parent folders are made.

    Args:
        path: Name with a suffix in `SUFFIXES`, in any case; replaced if it exists.
        image: uint8 [H, W, 3], or [H, W] for grey.

    Raises:
        ImageError: If the suffix is unknown, `image` is not uint8, or the file cannot be written.
        ShapeError: If `image` is not of such a shape.
    """
    path, image = pathlib.Path(path), np.asarray(image)
    check_image_name(path)
    check_levels("image", image, (None, None) if image.ndim == 2 else (None, None, 3))
    kind, options = SUFFIXES[path.suffix.lower()]
    try:
        with written_whole(path) as temporary:
            Image.fromarray(image).save(temporary, kind, **options)
    except (OSError, ValueError) as error:
        # Pillow's own errors, such as a picture too large for its format, have no `strerror`.
        reason = f"cannot be written ({getattr(error, 'strerror', None) or error})"
        raise ImageError(f"{path}: {reason}; choose another folder or format") from error
