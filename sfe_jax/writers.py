"""Writers: where a run's figures and pictures go, as JSON lines, PNG files and TensorBoard events.

A run that was killed and goes on from a checkpoint ends with the log of one that was not: what the
log says of steps after the checkpoint is cut away, since those steps come again.
"""

import json
import math
import os
import pathlib
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self

import jax
import numpy as np
from tensorboardX import SummaryWriter

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.core.images import save_image
from sfe_jax.core.json_files import parse_json

LOG = "scalars.jsonl"
"""The log of a run, in its folder: a line per call of `Writer.scalars`."""

Values = Mapping[str, float]
"""Figures by name, such as "loss/generator"; numbers, or arrays that hold one."""


class Writer(Protocol):
    """Where figures and pictures go. `step` counts steps taken, `images` images seen."""

    def scalars(self, step: int, images: int, values: Values) -> None:
        """Writes figures."""
        ...

    def pictures(self, step: int, images: int, name: str, picture: np.ndarray) -> None:
        """Writes a picture, uint8 [H, W, 3]."""
        ...

    def close(self) -> None:
        """Writes what is still held back."""
        ...


def _plain(value: Any) -> float | str:
    """A number, or its name where JSON knows no such number: "nan", "inf", "-inf"."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


class JsonLines:
    """Appends to a file a line `{"step", "images", "seconds", "values"}` per call.

    Args:
        path: Of the file; its folder must exist.
        seconds: What the run has lasted before; lines count on from there.
    """

    def __init__(self, path: pathlib.Path, *, seconds: float = 0.0):
        # Line by line, so that a killed run leaves at most one line in part.
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._began = time.monotonic() - seconds

    def scalars(self, step: int, images: int, values: Values) -> None:
        """Writes a line."""
        line = {
            "step": int(step),
            "images": int(images),
            "seconds": round(time.monotonic() - self._began, 3),
            "values": {name: _plain(value) for name, value in values.items()},
        }
        self._file.write(json.dumps(line, allow_nan=False) + "\n")

    def pictures(self, step: int, images: int, name: str, picture: np.ndarray) -> None:
        """Pictures are for other writers."""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class PngFiles:
    """Writes `<name>-<images, nine digits>.png` into a folder.

    Args:
        folder: Made with the first picture.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def scalars(self, step: int, images: int, values: Values) -> None:
        """Figures are for other writers."""

    def pictures(self, step: int, images: int, name: str, picture: np.ndarray) -> None:
        """Writes a file, whole or not at all."""
        save_image(self._folder / f"{name}-{images:09d}.png", picture)

    def close(self) -> None:
        """Every file is closed already."""


class TensorBoard:
    """Writes events for TensorBoard, whose axis is the number of images.

    Args:
        folder: Of the event files.
        purge_images: Earlier events from this number of images on are no longer shown.
    """

    def __init__(self, folder: pathlib.Path, *, purge_images: int | None = None):
        self._events = SummaryWriter(str(folder), purge_step=purge_images)

    def scalars(self, step: int, images: int, values: Values) -> None:
        """Writes events, and writes them out, so that a killed run loses none."""
        for name, value in values.items():
            self._events.add_scalar(name, float(value), images)
        self._events.flush()

    def pictures(self, step: int, images: int, name: str, picture: np.ndarray) -> None:
        """Writes an event."""
        self._events.add_image(name, picture, images, dataformats="HWC")

    def close(self) -> None:
        """Writes out what is held back, and closes the file."""
        self._events.close()


class Writers:
    """Hands everything to several writers; to none, it writes nothing."""

    def __init__(self, writers: Iterable[Writer]):
        self._writers = tuple(writers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scalars(self, step: int, images: int, values: Values) -> None:
        """Writes figures."""
        for writer in self._writers:
            writer.scalars(step, images, values)

    def pictures(self, step: int, images: int, name: str, picture: np.ndarray) -> None:
        """Writes a picture, uint8 [H, W, 3]."""
        for writer in self._writers:
            writer.pictures(step, images, name, picture)

    def close(self) -> None:
        """Closes every writer."""
        for writer in self._writers:
            writer.close()


def _parse(text: bytes) -> dict[str, Any] | None:
    """A line of the log; None if it is not one."""
    try:
        line = parse_json(text, where=LOG, finite=True)
    except FileFormatError:
        return None
    match line:
        case {"step": int(), "images": int(), "seconds": float() | int(), "values": dict()}:
            return line
    return None


def read_log(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the lines that `JsonLines` wrote.

    Returns:
        A dict of "step", "images", "seconds" and "values" per line. A last line without an end,
        which a killed run may leave, is left out; if there is no file, there are no lines.

    Raises:
        FileFormatError: If a line is broken.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    lines = []
    for number, text in enumerate(whole, start=1):
        line = _parse(text)
        if line is None:
            shown = text[:40].decode(errors="backslashreplace")
            raise FileFormatError(
                f"{path}: line {number} is broken ({shown!r}); required are step, images, "
                "seconds and values, remove the line"
            )
        lines.append(line)
    return lines


def _cut(path: pathlib.Path, resume_step: int | None) -> list[dict[str, Any]]:
    """Cuts the log after `resume_step`, all at once; gives the lines that stay."""
    lines = read_log(path)
    kept = [line for line in lines if resume_step is not None and line["step"] <= resume_step]
    if path.exists():
        with written_whole(path) as partial:
            partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    return kept


def open_writers(folder: str | os.PathLike[str], *, resume_step: int | None = None) -> Writers:
    """Opens the writers of a run: `scalars.jsonl`, `samples/` and `events/` in its folder.

    Args:
        folder: Made if it does not exist.
        resume_step: The run goes on after this step, and what is logged of later ones is cut away;
            write the figures of a step before its checkpoint. None begins anew, with an empty log.

    Returns:
        Writers of all three kinds on the main process; on others, of none.

    Raises:
        FileFormatError: If the log to go on with is broken.
        OptionError: If the folder cannot be written.
    """
    if jax.process_index() != 0:
        return Writers(())
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = _cut(folder / LOG, resume_step)
        last = kept[-1] if kept else {"images": -1, "seconds": 0.0}
        return Writers(
            (
                JsonLines(folder / LOG, seconds=last["seconds"]),
                PngFiles(folder / "samples"),
                TensorBoard(folder / "events", purge_images=last["images"] + 1),
            )
        )
    except OSError as error:
        raise OptionError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
