"""`sfe generate`: pictures from seeds or saved codes."""

import math
import pathlib
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from sfe_jax.cli.options import Out, Precision, Weights, one_hot, read_array
from sfe_jax.core.errors import OptionError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.models.stylegan2 import Generator

MAX_SEEDS = 100_000
"""More seeds than this in one range are a slip of the keyboard."""


SHEET_COLUMNS = 8
"""Pictures in a row of the sheet, which has as many rows at most."""


def parse_seeds(text: str) -> list[int]:
    """Seeds such as 0-3,7: [0, 1, 2, 3, 7].

    Raises:
        OptionError: If the text is anything else.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match:
            raise OptionError(f"--seeds is {text!r}; write numbers and ranges such as 0-3,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < min(first + MAX_SEEDS, 2**32):
            raise OptionError(f"--seeds has {part!r}; a range goes up, by less than {MAX_SEEDS}")
        seeds.extend(range(first, last + 1))
    return seeds


def generate(
    weights: Weights,
    seeds: str = "0-5",
    psi: float = 1.0,
    cutoff: int | None = None,
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None,
    noise_mode: Literal["const", "random", "none"] = "const",
    ws: pathlib.Path | None = None,
    out: Out = pathlib.Path("out"),
    precision: Precision = "float32",
    batch: int = 4,
) -> None:
    """Generates pictures.

    Seeds are numbered as stylegan2-ada-pytorch numbers them, so a seed shows what it shows there.
    Writes DIR/seed0000.png, ..., the first 64 as DIR/sheet.png, and the codes as DIR/ws.npy.

    Example: sfe generate --weights ffhq.safetensors --seeds 0-7 --psi 0.7 -o out

    Args:
        weights: Bundle written by `python -m convert_weights`.
        seeds: Numbers and ranges, such as 0-3,7.
        psi: Truncation: 1 for none, 0 gives the average picture.
        cutoff: Only the first rows of W+ are truncated; by default all.
        class_index: Class of a conditional generator, from 0.
        noise_mode: Stored noise, fresh noise of each seed, or none.
        ws: Codes to show instead of seeds: .npy, .npz or .pt with [N, L, W], [L, W] or [N, W].
        out: Folder for the results; it is made.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together.
    """
    if batch < 1:
        raise OptionError(f"--batch is {batch}; required is at least 1")
    if not math.isfinite(psi):
        raise OptionError(f"--psi is {psi}; required is a number, such as 0.7")
    if cutoff is not None and cutoff < 0:
        raise OptionError(f"--cutoff is {cutoff}; required is a number of rows, such as 8")
    numbers = parse_seeds(seeds)

    import jax
    import numpy as np

    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.core.console import progress
    from sfe_jax.core.images import grid, save_image, to_uint8
    from sfe_jax.pipelines.bundle import load_bundle

    keep_compiled()
    network = load_bundle(weights).network("generator")
    generator: Generator = network.module.clone(precision=precision)  # pyright: ignore
    if generator.image_channels not in (1, 3):
        raise WeightsError(
            f"{weights}: pictures of {generator.image_channels} channels cannot be shown; "
            "required are 1 or 3"
        )
    if ws is not None:
        codes = read_codes(ws, generator.num_ws, generator.w_dim)
        numbers = list(range(len(codes)))
    else:
        z = np.concatenate(
            [np.random.RandomState(seed).randn(1, generator.z_dim) for seed in numbers]
        ).astype(np.float32)
        labels = one_hot(class_index, generator.c_dim, len(numbers))
        mapping = jax.jit(partial(generator.apply, psi=psi, cutoff=cutoff, method="map"))
        codes = np.asarray(mapping(network.variables, z, labels))

    @jax.jit
    def synthesize(variables, ws, seeds):
        def one(ws, seed):  # A key for each, so that a seed's noise does not depend on its batch.
            rngs = {"noise": jax.random.key(seed)}
            options = {"noise_mode": noise_mode, "rngs": rngs, "method": "synthesize"}
            return generator.apply(variables, ws[None], **options)["image"][0]  # pyright: ignore

        return jax.vmap(one)(ws, seeds)

    def pictures(rows: slice) -> np.ndarray:
        """uint8 pictures of some codes; the batch is filled up so that one shape compiles."""
        filled = np.minimum(np.arange(rows.start, rows.start + batch), len(codes) - 1)
        noise_seeds = np.asarray(numbers, np.uint32)[filled]
        images = np.asarray(synthesize(network.variables, codes[filled], noise_seeds))
        images = np.broadcast_to(images, (*images.shape[:3], 3))  # Grey shown as colours.
        return to_uint8(images[: len(codes[rows])], offset=128.0)

    announce_compilation()
    stem = "seed" if ws is None else "code"
    sheet = []
    starts = range(0, len(codes), batch)
    for start in progress(starts, "generating", total=len(starts)):
        rows = slice(start, start + batch)
        for number, picture in zip(numbers[rows], pictures(rows), strict=True):
            save_image(out / f"{stem}{number:04d}.png", picture)
            sheet += [picture] if len(sheet) < SHEET_COLUMNS**2 else []
    np.save(out / "ws.npy", codes)
    columns = min(len(sheet), SHEET_COLUMNS)
    sheet += [np.full_like(sheet[0], 255)] * (-len(sheet) % columns)
    rows_of = [sheet[i : i + columns] for i in range(0, len(sheet), columns)]
    save_image(out / "sheet.png", grid(rows_of))
    say(f"wrote {len(codes)} pictures, sheet.png and ws.npy to {out}")


def read_codes(path: pathlib.Path, num_ws: int, w_dim: int) -> "np.ndarray":
    """Codes [N, L, W] from a .npy, .npz or .pt file.

    Raises:
        OptionError: If the codes are not those of this generator.
        FileFormatError: If the file holds anything but one array.
    """
    import numpy as np

    given = codes = read_array(path)
    if given.shape == (num_ws, w_dim):
        codes = given[None]
    elif given.ndim == 2:
        codes = np.repeat(given[:, None], num_ws, axis=1)
    if codes.shape[1:] != (num_ws, w_dim) or not len(codes):
        wanted = f"[N, {num_ws}, {w_dim}], [{num_ws}, {w_dim}] or [N, {w_dim}]"
        raise OptionError(f"{path}: codes have shape {given.shape}; required is {wanted}")
    return codes
