"""`sfe grid`: two edits of one code, each at several strengths."""

import pathlib
from typing import Annotated

import tyro

from sfe_jax.cli.drawing import (
    DEFAULTS,
    Drawn,
    OutFile,
    Side,
    Strengths,
    check_side,
    draw,
    one_code,
    open_edit,
    open_synthesizer,
)
from sfe_jax.cli.options import Domain


def grid(
    across: Annotated[Strengths, tyro.conf.arg(aliases=["-x"])],
    down: Annotated[Strengths, tyro.conf.arg(aliases=["-y"])],
    base: str = "0",
    directions: pathlib.Path | None = None,
    domain: Domain = "faces",
    side: Side = 128,
    out: OutFile = pathlib.Path("out/grid.png"),
    drawing: Drawn = DEFAULTS,
) -> None:
    """Shows two edits of one code: strengths of one from left to right, of the other downwards.

    Example: sfe grid --across smile=-4:4:5 --down yaw=-2:2:5 --base 3 --psi 0.7 -o grid.png

    Args:
        across: Name and strengths of the edit along the columns, such as smile=-5,0,5 or
            smile=-5:5:7 (first:last:count); `sfe directions` lists names and ranges.
        down: Likewise, along the rows; it acts after the first.
        base: Seed, or a file of one code (.npy, .npz, .pt).
        directions: Folder of published direction files, a file of `sfe fit-directions`, or one
            vector or mapper of your own, if the bundle holds none.
        domain: Whose published names are known.
        side: Pixels a side of pictures on the sheet, about.
        out: The sheet.
        drawing: How pictures are drawn.
    """
    from sfe_jax.core.images import check_image_name

    check_side(side)
    check_image_name(out)
    synthesizer = open_synthesizer(drawing)

    import numpy as np

    from sfe_jax.cli.console import say
    from sfe_jax.core import sheets
    from sfe_jax.core.images import save_image

    x, y = (
        open_edit(synthesizer, text, directions=directions, domain=domain)
        for text in (across, down)
    )
    own = one_code(synthesizer, drawing, base, option="--base")
    strengths = np.array([[a, b] for b in y.strengths for a in x.strengths])
    count, columns = len(strengths), len(x.strengths)
    pictures = draw(
        synthesizer,
        np.repeat(own.ws, count, axis=0),
        seeds=own.seeds * count,
        edits=(x.operands, y.operands),
        strengths=strengths,
    )
    shown = [sheets.fit(picture, side=side) for picture in pictures]
    rows = [shown[start : start + columns] for start in range(0, count, columns)]
    save_image(out, sheets.grid(rows, column_labels=x.labels, row_labels=y.labels))
    say(f"wrote {out}")
