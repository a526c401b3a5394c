"""`sfe layers`: what each row of W+ does."""

import pathlib

from sfe_jax.cli.drawing import (
    DEFAULTS,
    Drawn,
    OutFile,
    Side,
    check_side,
    codes_of,
    draw_table,
    one_code,
    open_synthesizer,
)


def layers(
    base: str = "0",
    donors: str = "1-4",
    side: Side = 128,
    out: OutFile = pathlib.Path("out/layers.png"),
    drawing: Drawn = DEFAULTS,
) -> None:
    """Shows what each row of W+ does: one code with a single row of others.

    The sheet has a row for each donor: the donor, then the base with row 0 of the donor, with row
    1, and so on. Above them stands the base, and where each row acts: black where it changes
    nothing, white where any row changes most. Heads name the layers that a row drives, and by how
    many levels of 255 it changes the picture, in the mean over pixels and donors.

    Example: sfe layers --weights ffhq.safetensors --base 0 --donors 1-4 --psi 0.7 -o layers.png

    Args:
        base: Seed, or a file of one code (.npy, .npz, .pt).
        donors: Seeds such as 1-4, and files of codes.
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
    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import fit_table, grid
    from sfe_jax.latents.mixing import change_maps, row_by_row
    from sfe_jax.pipelines.generation import row_layers

    # Pictures: the base and the donors alone, then the base with single rows of each.
    own = one_code(synthesizer, drawing, base, option="--base")
    given = codes_of(synthesizer, drawing, donors, option="--donors")
    seeds = np.array(own.seeds)
    alone = draw_table(synthesizer, np.concatenate([own.ws, given.ws])[:, None], seeds=seeds)
    table = draw_table(synthesizer, row_by_row(own.ws[0], given.ws), seeds=seeds)

    # Where the rows act.
    maps = change_maps(alone[0][0], np.array(table))
    brightness = (255 * maps / max(maps.max(), 1)).astype(np.uint8)
    shown = np.repeat(brightness[..., None], 3, axis=3)

    # Sheet.
    names = row_layers(synthesizer.generator)
    heads = [f"row {row}: {name}" for row, name in enumerate(names)]
    changes = maps.mean(axis=(1, 2))
    heads = [f"{head}, moves {change:.1f}" for head, change in zip(heads, changes, strict=True)]
    whole = [[*a, *b] for a, b in zip(alone, [list(shown), *table], strict=True)]
    labels = {"column_labels": ["alone", *heads], "row_labels": [*own.names, *given.names]}
    save_image(out, grid(fit_table(whole, side=side), **labels))
    say(f"wrote {out}")
