"""Edits as moving pictures: `--animate` of `sfe edit`."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.operands import Operands
    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.methods import Inversion

Format = Literal["webp", "gif", "mp4"]

REST_S = 0.5
"""Seconds that an animation rests at either end."""

AT_ONCE = 8
"""Strengths whose pictures are held in memory at full size."""


class AnimationForm(NamedTuple):
    """What animations look like."""

    suffix: Format
    fps: float  # Frames a second.
    side: int  # Pixels a side.


def read_animations(texts: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """Name -> strengths of the edits that are to move.

    Raises:
        EditError: If one cannot be read.
        OptionError: If one does not move, or is given twice.
    """
    from sfe_jax.edits.parsing import parse_edit

    found: dict[str, tuple[float, ...]] = {}
    for name, strengths in map(parse_edit, texts):
        if len(set(strengths)) < 2:
            raise OptionError(
                f"--animate {name} has one strength: nothing moves; give two or more, such as "
                f"{name}=0:{strengths[0]:g}:40"
            )
        if name in found:
            raise OptionError(f"--animate {name} is given twice; give all its strengths at once")
        found[name] = strengths
    return found


def there_and_back(count: int, rest: int) -> list[int]:
    """Order of `count` pictures that are shown to the last and back, `rest` times at either end."""
    middle = list(range(1, count - 1))
    return [0] * rest + middle + [count - 1] * rest + middle[::-1]


def _pictures(
    editor: "Editor", inversion: "Inversion", operands: "Operands", strengths: Sequence[float]
) -> "Iterator[np.ndarray]":
    """The pictures [R, R, 3] of one inversion, strength by strength."""
    for start in range(0, len(strengths), AT_ONCE):
        yield from editor.edit(inversion, operands, strengths[start : start + AT_ONCE])[0]


def write_edit_animation(
    path: pathlib.Path,
    editor: "Editor",
    inversion: "Inversion",
    operands: "Operands",
    strengths: Sequence[float],
    form: AnimationForm,
) -> None:
    """Writes one picture as it is edited through the strengths and back, without end.

    Args:
        path: With the suffix of the form.
        editor: Draws.
        inversion: Of one picture.
        operands: The edit.
        strengths: Two or more, in the order shown.
        form: Speed and size.

    Raises:
        ImageError: If the file cannot be written.
    """
    from sfe_jax.core.animations import write_animation
    from sfe_jax.core.console import progress
    from sfe_jax.core.sheets import fit

    drawn = _pictures(editor, inversion, operands, strengths)
    shown = progress(drawn, path.stem, total=len(strengths))
    frames = [fit(picture, side=form.side) for picture in shown]
    order = there_and_back(len(frames), max(1, round(form.fps * REST_S)))
    write_animation(path, [frames[index] for index in order], fps=form.fps)
