"""`sfe mix`: codes that take rows of W+ from others."""

import pathlib

from sfe_jax.cli.drawing import (
    DEFAULTS,
    Drawn,
    Side,
    check_side,
    codes_of,
    draw_table,
    open_synthesizer,
)
from sfe_jax.cli.options import Out


def mix(
    bases: str = "0-3",
    donors: str = "4-7",
    rows: str = "0-3",
    codes_name: str = "ws.npy",
    side: Side = 192,
    out: Out = pathlib.Path("out"),
    drawing: Drawn = DEFAULTS,
) -> None:
    """Mixes styles: every base takes the rows of every donor.

    Coarse rows hold pose and shape, fine ones colours; `sfe layers` shows what each row does.
    Writes DIR/mix.png, with donors above and bases on the left, a picture for each pair as
    DIR/BASE-DONOR.png, and their codes [bases * donors, L, W], base after base, as DIR/ws.npy.

    Example: sfe mix --bases 85,100 --donors 55,821 --rows 0-6,8=0.5 --psi 0.7 -o out

    Args:
        bases: Seeds such as 0-3,7, and files of codes (.npy, .npz, .pt): what keeps the other rows.
        donors: Likewise: what gives the rows.
        rows: Rows of W+ that are taken, such as 0-6,8; with weights, such as 0-3,4-7=0.5, which
            goes half-way.
        codes_name: Name of the file of codes; its suffix .npy, .npz or .pt chooses the format.
        side: Pixels a side of pictures on the sheet, about.
        out: Folder for the results; it is made.
        drawing: How pictures are drawn.
    """
    from sfe_jax.latents.files import check_code_file

    check_side(side)
    check_code_file(codes_name)
    synthesizer = open_synthesizer(drawing)

    import numpy as np

    from sfe_jax.cli.console import say
    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import fit_table, grid
    from sfe_jax.latents.files import save_codes
    from sfe_jax.latents.mixing import cross
    from sfe_jax.latents.parsing import parse_rows

    # Codes.
    weights = parse_rows(rows, synthesizer.generator.num_ws)
    base = codes_of(synthesizer, drawing, bases, option="--bases")
    donor = codes_of(synthesizer, drawing, donors, option="--donors")
    mixed = cross(base.ws, donor.ws, weights)

    # Pictures.
    above = draw_table(synthesizer, donor.ws[None], seeds=np.array(donor.seeds))
    left = draw_table(synthesizer, base.ws[:, None], seeds=np.array(base.seeds)[:, None])
    table = draw_table(synthesizer, mixed, seeds=np.array(base.seeds)[:, None])
    for base_name, pictures in zip(base.names, table, strict=True):
        for donor_name, picture in zip(donor.names, pictures, strict=True):
            save_image(out / f"{base_name}-{donor_name}.png", picture)
    save_codes(out / codes_name, mixed.reshape(-1, *weights.shape, mixed.shape[-1]))

    # Sheet.
    corner = np.full_like(left[0][0], 255)
    whole = [[corner, *above[0]], *([*a, *b] for a, b in zip(left, table, strict=True))]
    heads, sides = [f"rows {rows} of", *donor.names], ["", *base.names]
    sheet = grid(fit_table(whole, side=side), column_labels=heads, row_labels=sides)
    save_image(out / "mix.png", sheet)
    say(f"wrote {mixed.shape[0] * mixed.shape[1]} pictures, mix.png and {codes_name} to {out}")
