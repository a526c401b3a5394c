"""Sheets to look at: pictures side by side and in tables, with captions, and enlarged.

Pictures are uint8 RGB `[H, W, 3]`. Nothing here needs JAX.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sfe_jax.core.errors import ShapeError
from sfe_jax.core.images import check_levels

SHOWN_SIDE = 192
"""Pixels a side below which pictures are enlarged, to be seen by a person."""


def fit(image: np.ndarray, *, side: int) -> np.ndarray:
    """Brings a picture to `side` pixels or somewhat less, to be seen among others.

    Args:
        image: uint8 [H, W, 3].
        side: Of its longer side.

    Returns:
        uint8 [h, w, 3]: a smaller picture with its pixels repeated a whole number of times, a
        larger one shrunk by Pillow's Lanczos filter to exactly `side`.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer <= side:
        return image.repeat(side // longer, axis=0).repeat(side // longer, axis=1)
    size = (max(1, width * side // longer), max(1, height * side // longer))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def fit_table(table: Sequence[Sequence[np.ndarray]], *, side: int) -> list[list[np.ndarray]]:
    """Every picture of a table, as `fit` brings it to `side` pixels."""
    return [[fit(image, side=side) for image in row] for row in table]


def enlarge(image: np.ndarray) -> np.ndarray:
    """As `fit` to `SHOWN_SIDE`, but for larger pictures, which stay as they are."""
    return image if max(image.shape[:2]) > SHOWN_SIDE else fit(image, side=SHOWN_SIDE)


def stack_strips(strips: Sequence[np.ndarray]) -> np.ndarray:
    """Puts strips [h, w, 3] one below the other, filled up with white."""
    widest = max(strip.shape[1] for strip in strips)
    fill = [((0, 0), (0, widest - strip.shape[1]), (0, 0)) for strip in strips]
    padded = [np.pad(strip, f, constant_values=255) for strip, f in zip(strips, fill, strict=True)]
    return np.concatenate(padded)


def _wrap(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, *, width: int
) -> list[str]:
    """Breaks `text` at spaces into lines of at most `width` pixels, or one word."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _caption(text: str, *, width: int) -> np.ndarray:
    """Writes `text`, centred, in lines for a picture `width` pixels wide.

    Returns:
        uint8 [h, w, 3], black on white; wider than `width` only for a word that is wider.
    """
    size = max(11, width // 24)  # 11 is the smallest that can be read.
    spacing = size * 4 // 3
    font = ImageFont.load_default(size)
    lines = _wrap(text, font, width=width - size)
    widest = max((font.getlength(line) for line in lines), default=0)
    shape = (int(widest) + size, len(lines) * spacing + size // 3)
    canvas = Image.new("RGB", shape, "white")
    draw = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        position = (shape[0] / 2, row * spacing + size // 6)
        draw.text(position, line, fill="black", font=font, anchor="ma")
    return np.array(canvas)


def _tabulate(table: Sequence[Sequence[np.ndarray]], *, gap: int) -> np.ndarray:
    """Lays cells [h, w, 3] out as a table on white, each centred in its column and row."""
    heights = [max(cell.shape[0] for cell in row) for row in table]
    widths = [max(cell.shape[1] for cell in column) for column in zip(*table, strict=True)]
    tops = np.cumsum([0, *(height + gap for height in heights)])
    lefts = np.cumsum([0, *(width + gap for width in widths)])
    canvas = np.full((tops[-1] - gap, lefts[-1] - gap, 3), 255, np.uint8)
    for top, height, row in zip(tops, heights, table, strict=False):
        for left, width, cell in zip(lefts, widths, row, strict=False):
            y = top + (height - cell.shape[0]) // 2
            x = left + (width - cell.shape[1]) // 2
            canvas[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return canvas


def _check_table(table: Sequence[Sequence[np.ndarray]]) -> None:
    """Raises unless all rows are equally long and all pictures uint8 [H, W, 3] of one size."""
    lengths = [len(row) for row in table]
    if not lengths or lengths[0] == 0 or len(set(lengths)) > 1:
        raise ShapeError(f"rows hold {lengths} pictures; required is one number, at least 1")
    for row in table:
        for image in row:
            check_levels("image", image, (*table[0][0].shape[:2], 3))


def _captions(labels: Sequence[str], count: int, *, width: int) -> list[np.ndarray]:
    """Renders one caption for each of `count` rows or columns."""
    if len(labels) != count:
        raise ShapeError(f"there are {len(labels)} labels; required are {count}, one for each")
    return [_caption(label, width=width) for label in labels]


def _level(captions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pads captions [h, w, 3] with white above to one height, so that they stand on one line."""
    tallest = max(len(caption) for caption in captions)
    return [
        np.pad(caption, ((tallest - len(caption), 0), (0, 0), (0, 0)), constant_values=255)
        for caption in captions
    ]


def grid(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    column_labels: Sequence[str] | None = None,
    row_labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Puts equally sized pictures in rows and columns, with thin white gaps.

    Args:
        rows: R rows of C pictures, each uint8 [H, W, 3].
        column_labels: C captions above, wrapped at spaces, never cut: a word wider than a picture
            widens its column. None for no captions.
        row_labels: R captions on the left, likewise.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ShapeError: If pictures differ in size, rows in length, or labels in number.
        ImageError: If a picture is not uint8.
    """
    table = [[np.asarray(image) for image in row] for row in rows]
    _check_table(table)
    width = table[0][0].shape[1]
    sides = [] if row_labels is None else _captions(row_labels, len(table), width=width)
    if column_labels is not None:
        heads = _captions(column_labels, len(table[0]), width=width)
        table.insert(0, _level(heads))
        sides.insert(0, np.zeros((0, 0, 3), np.uint8))
    if row_labels is not None:
        table = [[side, *row] for side, row in zip(sides, table, strict=True)]
    return _tabulate(table, gap=max(2, width // 128))


def strip(images: Sequence[np.ndarray], labels: Sequence[str] | None = None) -> np.ndarray:
    """Puts equally sized pictures side by side, with captions above.

    Args:
        images: N pictures, each uint8 [H, W, 3]; an array [N, H, W, 3] will do.
        labels: N captions, or None.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ShapeError: As `grid`.
        ImageError: As `grid`.
    """
    return grid([images], column_labels=labels)
