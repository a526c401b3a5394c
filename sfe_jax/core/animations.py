"""Moving pictures out: GIF and WebP by Pillow, MP4 by ffmpeg.

Nothing here needs JAX.
"""

import importlib
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.core.images import check_levels


class Limits(NamedTuple):
    """What a format can hold."""

    fps: int  # Frames a second.
    side: int  # Pixels a side.


LIMITS = {".gif": Limits(50, 65535), ".webp": Limits(1000, 16383), ".mp4": Limits(240, 16384)}
"""By suffix. A GIF counts hundredths of a second, and viewers slow down what is shown for one; a
WebP counts thousandths. MP4 is H.264, whose side is what its encoder takes."""

PALETTE_FRAMES = 16
"""Frames of a GIF that choose its one palette; with a palette for each frame, colours flicker."""

WEBP_QUALITY = 85
"""Of 100; below about 80 flat colours show blocks."""

CRF = 18
"""Constant rate factor of H.264: 0 is lossless, 23 its default, 18 looks like the original."""


def _ffmpeg(path: pathlib.Path) -> Any:
    """The module that writes MP4.

    Raises:
        OptionError: If it is not installed.
    """
    try:
        return importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise OptionError(
            f"{path}: writing .mp4 needs the package imageio-ffmpeg, which is not installed; "
            "run pip install imageio-ffmpeg, or write .gif or .webp"
        ) from error


def check_animation(path: str | os.PathLike[str], *, fps: float, side: int = 1) -> None:
    """Raises what `write_animation` would raise of its form, before any work is done.

    Args:
        path: Name that the animation is to have.
        fps: Frames a second.
        side: Pixels of the longer side of its frames, if they are known.

    Raises:
        OptionError: If the suffix is unknown, its writer is not installed, or it cannot be as fast
            or as large.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix not in LIMITS:
        known = ", ".join(LIMITS)
        raise OptionError(f"{path}: has suffix {path.suffix!r}; required is one of {known}")
    fastest = LIMITS[suffix].fps
    if not 0 < fps <= fastest:
        required = f"required are more than 0 and, in {suffix}, at most {fastest}"
        raise OptionError(f"{path}: is to have {fps:g} frames a second; {required}")
    if side > (most := LIMITS[suffix].side):
        raise OptionError(f"{path}: is to have {side} pixels a side; {suffix} holds at most {most}")
    if suffix == ".mp4":
        _ffmpeg(path)


def _durations(count: int, *, fps: float, unit: int) -> list[int]:
    """Milliseconds that each frame is shown: multiples of `unit`, true to `fps` in the long run."""
    ends = np.round(np.arange(count + 1) * 1000 / (fps * unit)).astype(int)
    return (np.diff(ends) * unit).tolist()


def _common_palette(frames: list[np.ndarray]) -> Image.Image:
    """A picture whose palette holds the 255 colours that stand for all frames [H, W, 3].

    The 256th is left to say "as before", which keeps files small.
    """
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), PALETTE_FRAMES)).round().astype(int)
    montage = np.concatenate([frames[index] for index in chosen])
    return Image.fromarray(montage).quantize(255)


def _save_repeating(
    path: pathlib.Path, frames: list[Image.Image], *, fps: float, unit: int, **options: Any
) -> None:
    """Writes pictures that follow each other for ever; Pillow knows the format by the suffix."""
    durations = _durations(len(frames), fps=fps, unit=unit)
    first, *others = frames
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, **options)


def _write_gif(path: pathlib.Path, frames: list[np.ndarray], *, fps: float) -> None:
    """Writes a GIF that repeats for ever."""
    palette = _common_palette(frames)
    quantized = [Image.fromarray(frame).quantize(palette=palette) for frame in frames]
    chosen = bytes(palette.getpalette() or ())  # Else it is written again with every frame.
    _save_repeating(path, quantized, fps=fps, unit=10, palette=chosen)


def _write_webp(path: pathlib.Path, frames: list[np.ndarray], *, fps: float) -> None:
    """Writes a WebP that repeats for ever, without loss where small movements would be lost.

    Its encoder leaves a frame out that differs from the one before by less than the loss it allows.
    """
    pictures = list(map(Image.fromarray, frames))
    _save_repeating(path, pictures, fps=fps, unit=1, quality=WEBP_QUALITY)
    moving = sum(not np.array_equal(*pair) for pair in itertools.pairwise(frames))
    with Image.open(path, formats=("WEBP",)) as written:
        kept = getattr(written, "n_frames", 1)
    if kept < 1 + moving:
        _save_repeating(path, pictures, fps=fps, unit=1, lossless=True)


def _even(frame: np.ndarray) -> np.ndarray:
    """Repeats the last row and column of [H, W, 3] where a side is odd, which H.264 refuses."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write_mp4(path: pathlib.Path, frames: Iterator[np.ndarray], *, fps: float) -> None:
    """Writes H.264, in the colour format that every player reads; holds one frame at a time."""
    frame = _even(next(frames))
    height, width = frame.shape[:2]
    writer = _ffmpeg(path).write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=1,  # Sizes are even already; more would stretch the picture.
        output_params=["-crf", str(CRF), "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    try:
        writer.send(np.ascontiguousarray(frame))
        for frame in frames:
            writer.send(np.ascontiguousarray(_even(frame)))
    finally:
        writer.close()
    if not path.stat().st_size:  # Its last errors ffmpeg only prints.
        raise OSError("ffmpeg wrote nothing")


def _checked(frames: Iterable[np.ndarray], path: pathlib.Path) -> Iterator[np.ndarray]:
    """Passes frames on that are uint8 [H, W, 3] of one size; raises at the first that is not."""
    longest = LIMITS[path.suffix.lower()].side
    shape: tuple[int | None, ...] = (None, None, 3)
    for index, frame in enumerate(map(np.asarray, frames)):
        check_levels(f"frame {index}", frame, shape)
        if max(frame.shape[:2]) > longest:
            size = f"{frame.shape[1]} x {frame.shape[0]}"
            raise ImageError(f"{path}: frames are {size}; this format holds {longest} a side")
        shape = frame.shape
        yield frame
    if shape[0] is None:
        raise ImageError(f"{path}: there are no frames; required is at least 1")


def write_animation(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], *, fps: float
) -> None:
    """Writes pictures that follow each other in the format of the suffix: whole, or not at all.

    GIF and WebP repeat for ever. A GIF has 256 colours; MP4 (H.264) needs the package
    imageio-ffmpeg, is written frame by frame as they come, and gains a row or column where a side
    is odd.

    Args:
        path: Name with suffix .gif, .webp or .mp4, in any case; replaced if it exists.
        frames: One or more, uint8 [H, W, 3] of one size; an array [T, H, W, 3] will do.
        fps: Frames a second, kept on average where the format counts in steps.

    Raises:
        OptionError: As `check_animation`.
        ImageError: If there is no frame, one is not uint8, or the file cannot be written.
        ShapeError: If a frame is not of such a shape.
    """
    path = pathlib.Path(path)
    check_animation(path, fps=fps)
    checked = _checked(frames, path)
    try:
        with written_whole(path) as temporary:
            match path.suffix.lower():
                case ".gif":
                    _write_gif(temporary, list(checked), fps=fps)
                case ".webp":
                    _write_webp(temporary, list(checked), fps=fps)
                case ".mp4":
                    _write_mp4(temporary, checked, fps=fps)
    except OSError as error:
        # Errors of Pillow and ffmpeg have no `strerror`.
        reason = f"cannot be written ({getattr(error, 'strerror', None) or error})"
        raise ImageError(f"{path}: {reason}; choose another folder or format") from error
