"""`sfe generate`: pictures from seeds or saved codes."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from sfe_jax.cli.drawing import (
    DEFAULTS,
    Codes,
    Drawing,
    Drawn,
    Side,
    check_side,
    draw,
    draw_table,
    open_synthesizer,
    read_sources,
    rounded,
    truncate,
)
from sfe_jax.cli.options import Out
from sfe_jax.core.errors import EditError, OptionError

if TYPE_CHECKING:
    from sfe_jax.pipelines.generation import Synthesizer

SHEET_COLUMNS = 8
"""Pictures in a row of the sheet, which has as many rows at most."""


def parse_sweep(text: str) -> tuple[float, ...]:
    """Truncations such as 0,0.7,1 or 0:1.5:4, written as strengths of edits are.

    Raises:
        OptionError: If the text is anything else.
    """
    from sfe_jax.edits.parsing import parse_edit

    try:
        strengths = parse_edit(f"psi={text}")[1]
    except EditError as error:
        required = "required are numbers, such as 0,0.7,1 or 0:1.5:4 (first:last:count)"
        raise OptionError(f"--sweep is {text!r}; {required}") from error
    return tuple(map(rounded, strengths))


def _write_pictures(synthesizer: "Synthesizer", codes: Codes, out: pathlib.Path) -> None:
    """Writes a picture of every code, and the first of them as sheet.png."""
    import numpy as np

    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import grid

    shown = []
    pictures = draw(synthesizer, codes.ws, seeds=codes.seeds)
    for name, picture in zip(codes.names, pictures, strict=True):
        save_image(out / f"{name}.png", picture)
        shown += [picture] if len(shown) < SHEET_COLUMNS**2 else []
    columns = min(len(shown), SHEET_COLUMNS)
    shown += [np.full_like(shown[0], 255)] * (-len(shown) % columns)
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    save_image(out / "sheet.png", grid(rows))


def _write_sweep(
    synthesizer: "Synthesizer",
    drawing: Drawing,
    codes: Codes,
    psis: tuple[float, ...],
    path: pathlib.Path,
    *,
    side: int,
) -> None:
    """Writes a sheet with a row for every code and a column for every truncation."""
    import numpy as np

    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import fit_table, grid

    drawings = [dataclasses.replace(drawing, psi=psi) for psi in psis]
    swept = np.stack([truncate(synthesizer, one, codes.ws) for one in drawings], axis=1)
    table = draw_table(synthesizer, swept, seeds=np.array(codes.seeds)[:, None])
    heads = [f"psi {psi:g}" for psi in psis]
    sheet = grid(fit_table(table, side=side), column_labels=heads, row_labels=codes.names)
    save_image(path, sheet)


def generate(
    seeds: str = "0-5",
    ws: pathlib.Path | None = None,
    sweep: str | None = None,
    codes_name: str = "ws.npy",
    side: Side = 192,
    out: Out = pathlib.Path("out"),
    drawing: Drawn = DEFAULTS,
) -> None:
    """Generates pictures.

    Seeds are numbered as stylegan2-ada-pytorch numbers them, so a seed shows what it shows there.
    Writes DIR/seed0000.png, ..., the first 64 as DIR/sheet.png, and the codes as DIR/ws.npy. With
    --sweep it writes DIR/truncation.png alone, to choose a psi by.

    Example: sfe generate --weights ffhq.safetensors --seeds 0-7 --psi 0.7 -o out

    Args:
        seeds: Numbers and ranges, such as 0-3,7.
        ws: Codes to show instead of seeds: .npy, .npz or .pt with [N, L, W], [L, W] or [N, W]. They
            are truncated too, if --psi asks for it.
        sweep: Truncations to compare instead of --psi, such as 0,0.7,1 or -0.5:1.5:9
            (first:last:count).
        codes_name: Name of the file of codes; its suffix .npy, .npz or .pt chooses the format.
        side: Pixels a side of pictures on the sheet of --sweep, about.
        out: Folder for the results; it is made.
        drawing: How pictures are drawn.
    """
    from sfe_jax.latents.files import check_code_file
    from sfe_jax.latents.parsing import parse_seeds

    numbers = parse_seeds(seeds)
    psis = () if sweep is None else parse_sweep(sweep)
    check_code_file(codes_name)
    check_side(side)
    synthesizer = open_synthesizer(drawing)
    codes = read_sources(synthesizer, numbers if ws is None else [ws])
    if ws is not None:
        codes = codes._replace(names=[f"code{index:04d}" for index in codes.seeds])

    from sfe_jax.cli.console import say
    from sfe_jax.latents.files import save_codes

    if psis:
        path = out / "truncation.png"
        _write_sweep(synthesizer, drawing, codes, psis, path, side=side)
        say(f"wrote {path}")
        return
    codes = codes._replace(ws=truncate(synthesizer, drawing, codes.ws))
    _write_pictures(synthesizer, codes, out)
    save_codes(out / codes_name, codes.ws)
    say(f"wrote {len(codes.ws)} pictures, sheet.png and {codes_name} to {out}")
