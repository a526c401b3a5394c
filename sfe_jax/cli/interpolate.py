"""`sfe interpolate`: animations along paths between codes, and along edits."""

import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sfe_jax.cli.drawing import (
    DEFAULTS,
    Drawing,
    Drawn,
    OutFile,
    Side,
    Strengths,
    check_side,
    codes_of,
    draw,
    open_edit,
    open_synthesizer,
    truncate,
)
from sfe_jax.cli.options import Domain
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.generation import Synthesizer

PathName = Literal["smooth", "linear", "eased", "spherical"]


def parse_cells(text: str) -> tuple[int, int]:
    """Columns and rows of a grid such as 3x2.

    Raises:
        OptionError: If the text is anything else.
    """
    match = re.fullmatch(r"\s*([1-9]\d?)\s*x\s*([1-9]\d?)\s*", text)
    if not match:
        raise OptionError(f"--grid is {text!r}; write columns x rows, such as 3x2, at most 99x99")
    return int(match[1]), int(match[2])


def split_keys(keys: "np.ndarray", cells: int) -> "np.ndarray":
    """Key frames [N, ...] for each of some cells, the first ones for the first: [cells, K, ...].

    Raises:
        OptionError: If they cannot be shared out evenly.
    """
    if len(keys) % cells:
        raise OptionError(
            f"--keys gives {len(keys)} codes for the {cells} cells of --grid; required is as many "
            "for each"
        )
    return keys.reshape(cells, -1, *keys.shape[1:])


def follow(name: PathName, keys: "np.ndarray", times: "np.ndarray", *, loop: bool) -> "np.ndarray":
    """Points [T, ...] at times [T] of the path of this name through key frames [K, ...]."""
    from sfe_jax.latents import interpolation

    match name:
        case "smooth":
            return interpolation.smooth_path(keys, times, loop=loop)
        case "linear":
            return interpolation.linear_path(keys, times, loop=loop)
        case "eased":
            return interpolation.eased_path(keys, times, loop=loop)
        case "spherical":
            return interpolation.spherical_path(keys, times, loop=loop)


def _read_keys(
    synthesizer: "Synthesizer", drawing: Drawing, text: str, space: Literal["w", "z"]
) -> "np.ndarray":
    """Key frames of what the user typed: truncated codes [N, L, W], or z [N, Z] of seeds."""
    from sfe_jax.latents.parsing import parse_seeds
    from sfe_jax.latents.sampling import seeded_z

    if space == "w":
        return codes_of(synthesizer, drawing, text, option="--keys").ws
    return seeded_z(parse_seeds(text, option="--keys"), synthesizer.generator.z_dim)


def _to_codes(synthesizer: "Synthesizer", drawing: Drawing, points: "np.ndarray") -> "np.ndarray":
    """Codes [M, L, W] of points on paths in W+, or in Z, [M, Z]."""
    import numpy as np

    if points.ndim == 3:
        return points
    return truncate(synthesizer, drawing, synthesizer.codes_of_z(points.astype(np.float32)))


def _frames(
    pictures: "Iterator[np.ndarray]", *, columns: int, rows: int, side: int
) -> "Iterator[np.ndarray]":
    """Frames of `columns` x `rows` pictures each, row by row."""
    from itertools import islice

    from sfe_jax.core.sheets import fit, grid

    fitted = (fit(picture, side=side) for picture in pictures)
    while cells := list(islice(fitted, columns * rows)):
        yield grid([cells[start : start + columns] for start in range(0, len(cells), columns)])


def interpolate(
    keys: str = "0-5",
    walk: Strengths | None = None,
    path: PathName = "smooth",
    space: Literal["w", "z"] = "w",
    grid: str = "1x1",
    frames: int = 60,
    fps: float = 30.0,
    loop: bool = True,
    directions: pathlib.Path | None = None,
    domain: Domain = "faces",
    side: Side = 256,
    out: OutFile = pathlib.Path("out/interpolation.webp"),
    drawing: Drawn = DEFAULTS,
) -> None:
    """Animates paths through codes, and walks along an edit.

    Example: sfe interpolate --keys 0-7 --grid 2x1 --psi 0.7 -o faces.webp

    Example: sfe interpolate --keys 0-3 --grid 4x1 --walk smile=-4,4 -o smiles.gif

    Args:
        keys: Key frames: seeds such as 0-5, and files of codes (.npy, .npz, .pt). With --grid the
            first ones belong to the first cell, as in the originals' gen_video.
        walk: Edit and strengths that it goes through meanwhile, resting at each, such as
            smile=-4,4; `sfe directions` lists names and ranges.
        path: From key frame to key frame: smooth, a cubic spline as the originals'; linear; eased,
            which rests at each; spherical, along great circles.
        space: Where the path lies: w, the codes; or z, what the mapping network reads, from seeds
            alone.
        grid: Columns x rows of pictures that move together, such as 3x2.
        frames: Pictures from key frame to key frame.
        fps: Pictures a second.
        loop: Return to the first key frame, so that the animation repeats without a seam.
        directions: Folder of published direction files, a file of `sfe fit-directions`, or one
            vector or mapper of your own, if the bundle holds none.
        domain: Whose published names are known.
        side: Pixels a side of each picture, about.
        out: The animation: .gif, .webp or .mp4, for which imageio-ffmpeg is installed.
        drawing: How pictures are drawn.
    """
    from sfe_jax.core.animations import check_animation

    columns, rows = parse_cells(grid)
    check_side(side)
    check_animation(out, fps=fps)
    if frames < 1:
        raise OptionError(f"--frames is {frames}; required is at least 1")
    synthesizer = open_synthesizer(drawing)

    import numpy as np

    from sfe_jax.cli.console import say
    from sfe_jax.core.animations import write_animation
    from sfe_jax.latents.interpolation import eased_path, frame_times

    # Paths.
    cells = split_keys(_read_keys(synthesizer, drawing, keys, space), columns * rows)
    edit = walk and open_edit(synthesizer, walk, directions=directions, domain=domain)
    most = max(cells.shape[1], len(edit.strengths) if edit else 1)
    if most == 1:
        raise OptionError(f"--keys {keys} gives one code for each cell: nothing moves; give more")
    times = frame_times(most if loop else most - 1, frames, loop=loop)
    points = np.stack([follow(path, cell, times, loop=loop) for cell in cells], axis=1)
    codes = _to_codes(synthesizer, drawing, points.reshape(-1, *points.shape[2:]))

    # Pictures.
    moves: dict = {}
    if edit:
        strengths = eased_path(np.array(edit.strengths)[:, None], times, loop=loop)
        moves = {"edits": (edit.operands,), "strengths": strengths.repeat(len(cells), axis=0)}
    seeds = list(range(len(cells))) * len(times)
    pictures = draw(synthesizer, codes, seeds=seeds, **moves)
    write_animation(out, _frames(pictures, columns=columns, rows=rows, side=side), fps=fps)
    say(f"wrote {len(times)} frames to {out}")
