"""The published edits of faces and cars: formula, safe range and meaning, one row each.

Ranges were found empirically by the authors of SFE. Some signs are inverted: read the meaning.

Source: StyleFeatureEditor available_directions.txt and editings/latent_editor.py.
"""

import difflib
from collections.abc import Sequence

from sfe_jax.core.errors import EditError
from sfe_jax.edits.direction import (
    INTERFACEGAN_FACTOR,
    MAPPER_LEVELS,
    Direction,
    GanSpace,
    Linear,
    Mapper,
    StyleSpace,
)

CONVOLUTION_OF_STYLE = (0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 14,
                        15, 16, 16)  # fmt: skip
"""Number of a style among all 26 of StyleGAN2 at 1024 -> number among its 17 convolutions.

A ToRGB (1, 4, 7, ..., 25) gives the convolution before it, but the first gives the one after it;
no published edit uses one. Source: StyleFeatureEditor editings/latent_editor.py, STYLESPACE_IDX.
"""


def convolution_name(number: int) -> str:
    """The name of convolution `number`: 0 is b4.conv1, then conv0 and conv1 of b8, b16, ..."""
    level, part = divmod(number + 1, 2)
    return f"b{4 << level}.conv{part}"


def style_name(number: int) -> str:
    """The layer that SFE edits for style `number` of 26: 12 is convolution 8, b64.conv1."""
    return convolution_name(CONVOLUTION_OF_STYLE[number])


def _interfacegan(name: str, low: float, high: float, positive: str) -> Direction:
    """A row of SFE's InterFaceGAN table."""
    source = "InterFaceGAN (arXiv:2005.09635), vectors of encoder4editing"
    rule = Linear(f"interfacegan/{name}", INTERFACEGAN_FACTOR)
    return Direction(name, "InterFaceGAN", rule, low, high, positive, source)


def _boundary(name: str, array: str, low: float, high: float, positive: str) -> Direction:
    """A row of SFE's table of W+ boundaries."""
    source = "Feature-Style Encoder (arXiv:2202.02183)"
    rule = Linear(f"boundary/{array}", 1.0)
    return Direction(name, "boundary", rule, low, high, positive, source)


def _pca(
    name: str,
    constants: tuple[str, int, int, int],
    low: float | None,
    high: float | None,
    positive: str,
) -> Direction:
    """A row of SFE's GANSpace tables; constants: file, component, first row, one past the last."""
    source = "GANSpace (arXiv:2004.02546), components of encoder4editing"
    file, component, start, end = constants
    rule = GanSpace(f"ganspace/{file}", component, start, end)
    return Direction(name, "GANSpace", rule, low, high, positive, source)


def _style(
    name: str, low: float | None, high: float | None, positive: str, channels: str
) -> Direction:
    """A row of SFE's StyleSpace tables; channels: the paper's "style_channel", between blanks."""
    source = "StyleSpace (arXiv:2011.12799), channels of StyleFeatureEditor"
    pairs = (entry.split("_") for entry in channels.split())
    rule = StyleSpace(tuple((style_name(int(style)), int(channel)) for style, channel in pairs))
    return Direction(name, "StyleSpace", rule, low, high, positive, source)


def _mapper(name: str, high: float, levels: tuple[str, ...], positive: str) -> Direction:
    """A row of SFE's table of latent mappers; strengths begin at 0."""
    source = "StyleCLIP (arXiv:2103.17249), mappers of StyleFeatureEditor"
    rule = Mapper(f"mapper/{name}", levels)
    return Direction(name, "StyleCLIP mapper", rule, 0, high, positive, source)


_ALL = tuple(MAPPER_LEVELS)
"""Levels of the mappers that move every row."""

_FORM = ("coarse", "medium")
"""Levels of the mappers that leave the fine rows, which hold the colours, as they are."""


# fmt: off
FACES = (
    _interfacegan("age",      -10, 10, "older"),
    _interfacegan("smile",     -5,  5, "adds a smile; may disturb hair, fs_smiling is better"),
    _interfacegan("rotation",  -7,  7, "turns the face right"),

    _boundary("fs_glasses", "eyeglasses",   -20, 30, "adds glasses; may open the mouth"),
    _boundary("fs_smiling", "smiling",      -10, 10, "adds a smile"),
    _boundary("fs_makeup",  "heavy_makeup", -10, 15, "adds make-up; poor on men"),

    _pca("eye_openness",      ("ffhq", 54,  7,  8), -30, 45, "closes the eyes"),
    _pca("trimmed_beard",     ("ffhq", 58,  7,  9), -30, 30, "removes the beard; poor on women"),
    _pca("lipstick",          ("ffhq", 34, 10, 11), -30, 30, "adds lipstick; poor on men"),
    _pca("face_roundness",    ("ffhq", 37,  0,  5), -20, 15, "rounds the face"),
    _pca("nose_length",       ("ffhq", 51,  4,  5), -30, 30, "shortens the nose; may open mouth"),
    _pca("eyebrow_thickness", ("ffhq", 37,  8,  9), -20, 20, "thins the eyebrows"),
    _pca("head_angle_up",     ("ffhq", 11,  1,  4), None, None, ""),
    _pca("displeased",        ("ffhq", 36,  4,  7), -10, 10, "adds sadness"),

    _style("black hair",          -7,   10, "darkens the hair",                        "12_479"),
    _style("blond hair",         -10,    7, "darkens the hair: negative is blond", "12_479 12_266"),
    _style("grey hair",           -7,    7, "colours the hair: negative is grey",      "11_286"),
    _style("wavy hair",           -7,    7, "lengthens the hair", "6_500 8_128 5_92 6_394 6_323"),
    _style("bangs",             None, None, "", "3_259 6_285 5_414 6_128 9_295 6_322 6_487 6_504"),
    _style("receding hairline",  -10,   10, "makes less bald",    "5_414 6_322 6_497 6_504"),
    _style("smiling",            -10,   10, "removes the smile; fs_smiling is better", "6_501"),
    _style("sslipstick",        None, None, "",                                        "15_45"),
    _style("sideburns",           -7,    7, "removes sideburns; poor on women",        "12_237"),
    _style("goatee",              -7,    7, "removes the goatee; poor on women",       "9_421"),
    _style("earrings",             0,   15, "adds earrings; poor on men",              "8_81"),
    _style("glasses",            -10,   10, "removes glasses",    "3_288 2_175 3_120 2_97"),
    _style("wear suit",         None, None, "",                   "9_441 8_292 11_358 6_223"),
    _style("gender",             -10,    7, "adds femininity",                         "9_6"),

    _mapper("afro",           0.14, _FORM, "gives an afro"),
    _mapper("angry",          0.14, _FORM, "adds anger; may disturb the background"),
    _mapper("bobcut",         0.18, _FORM, "gives a bob cut; may disturb the background"),
    _mapper("bowlcut",        0.14, _FORM, "gives a bowl cut; may disturb the background"),
    _mapper("curly_hair",     0.12, _FORM, "adds curls"),
    _mapper("mohawk",         0.10, _FORM, "gives a mohawk; may disturb the background"),
    _mapper("surprised",      0.10, _FORM, "adds surprise"),
    _mapper("purple_hair",    0.12, _ALL,  "dyes the hair purple"),
    _mapper("beyonce",        0.12, _ALL,  "adds likeness to Beyonce"),
    _mapper("depp",           0.12, _ALL,  "adds likeness to Johnny Depp"),
    _mapper("hilary_clinton", 0.10, _ALL,  "adds likeness to Hillary Clinton"),
    _mapper("taylor_swift",   0.10, _ALL,  "adds likeness to Taylor Swift"),
    _mapper("trump",          0.10, _ALL,  "adds likeness to Donald Trump"),
    _mapper("zuckerberg",     0.10, _ALL,  "adds likeness to Mark Zuckerberg"),
)
"""Edits of FFHQ generators at 1024: 18 rows of W+."""

CARS = (
    _pca("pose_1", ("cars",  0, 0,  5), None, None, "published at strength 2"),
    _pca("pose_2", ("cars",  0, 0,  5), None, None, "as pose_1; published at strength -2"),
    _pca("cube",   ("cars", 16, 3,  6), None, None, "published at strength 25"),
    _pca("color",  ("cars", 22, 9, 11), None, None, "published at strength -8"),
    _pca("grass",  ("cars", 41, 9, 11), None, None, "published at strength -18"),

    _style("front",       None, None, "", "8_411"),
    _style("headlights",  None, None, "", "8_441 9_355"),
    _style("grill",       None, None, "", "9_191"),
    _style("trees",       None, None, "", "9_108"),
    _style("grass_ss",    None, None, "", "12_107"),
    _style("sky",         None, None, "", "12_76"),
    _style("hubcap",      None, None, "", "12_113 12_439"),
    _style("car color",   None, None, "", "12_142 15_227"),
    _style("logo",        None, None, "", "9_185"),
    _style("wheel angle", None, None, "", "8_420"),
)
"""Edits of LSUN Cars generators at 512: 16 rows of W+."""
# fmt: on

HEADER = ("name", "method", "space", "layers", "range", "unit", "positive strength")
"""Heads of the columns of `table`."""


FITTED_HEADER = ("name", "method", "range", "positive strength", "source")
"""Heads of the columns of `fitted_table`."""


ABSENT_PREFIXES = ("styleclip_global_", "deltaedit_")
"""Of SFE's edits by free text, which are not here: they need CLIP."""


def find(name: str, directions: Sequence[Direction]) -> Direction:
    """The direction called `name`.

    Raises:
        EditError: If there is none, with the nearest names.
    """
    by_name = {direction.name: direction for direction in directions}
    if name in by_name:
        return by_name[name]
    if name.startswith(ABSENT_PREFIXES):
        raise EditError(
            f"edit `{name}` is one of SFE's by free text, which need CLIP and are not supported; "
            "`sfe directions` lists those that are"
        )
    near = difflib.get_close_matches(name, by_name, n=3, cutoff=0.4)
    hint = f"nearest: {', '.join(near)}; " if near else ""
    raise EditError(
        f"edit `{name}` is unknown; {hint}`sfe directions` lists the published edits, "
        "`sfe directions --weights BUNDLE` those fitted in a bundle"
    )


def table(directions: Sequence[Direction]) -> list[tuple[str, ...]]:
    """Rows of text to print, one per direction, under `HEADER`."""
    return [
        (
            direction.name,
            direction.method,
            direction.space,
            direction.layers,
            direction.range,
            direction.unit,
            direction.positive or "not documented",
        )
        for direction in directions
    ]


def fitted_table(directions: Sequence[Direction]) -> list[tuple[str, ...]]:
    """Rows of text to print, one per direction of one's own, under `FITTED_HEADER`."""
    return [
        (
            direction.name,
            direction.method,
            direction.range,
            direction.positive or "not documented",
            direction.source,
        )
        for direction in directions
    ]
