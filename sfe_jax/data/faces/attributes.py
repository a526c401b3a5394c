"""What a face is made of: attributes one edits, identity one keeps, details that are rare."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array

Split = Literal["plain", "detailed"]
"""How often details occur: a few percent each, or in about half of the faces each."""


class Attributes(NamedTuple):
    """What edits change; each [N] float32 in the range of its row of `ATTRIBUTES`."""

    smile: Array
    glasses: Array
    hair_colour: Array
    hair_length: Array
    skin_tone: Array
    age: Array
    yaw: Array
    beard: Array
    eye_opening: Array
    makeup: Array
    lighting: Array
    background: Array


class Identity(NamedTuple):
    """What tells one person, and one place, from another; each [N] float32."""

    face_width: Array  # -1 narrow, 1 wide; all shapes below likewise.
    jaw_width: Array
    chin_length: Array
    eye_distance: Array
    eye_size: Array
    eye_tilt: Array  # 1 has the outer corners high.
    gaze: Array  # 1 looks to the right of the picture.
    brow_height: Array
    brow_thickness: Array
    nose_length: Array
    nose_width: Array
    mouth_width: Array
    lip_fullness: Array
    fringe: Array  # 1 covers most of the forehead.
    parting: Array  # Side of the parting.
    curls: Array  # 1 is wavy.
    iris: Array  # 0..1: brown, hazel, green, blue.
    makeup_hue: Array  # 0..1: red to plum.
    clothes_hue: Array  # 0..1, in turns.
    clothes_value: Array  # 0..1: dark to light.
    backdrop_hue: Array  # 0..1, in turns.
    frame: Array  # 0..1: shape and colour of the glasses.
    seed: Array  # 0..1: skin, hair and backdrop texture.


class Details(NamedTuple):
    """What generators lose; each [N] float32. The first four are 0 where absent."""

    freckles: Array  # 0..1, how dark.
    face_paint: Array  # 0..1, how opaque.
    hat: Array  # 0..1, how opaque.
    earrings: Array  # 0..1, how opaque.
    paint_hue: Array  # 0..1, in turns.
    paint_layout: Array  # 0..1: bars on the cheeks, then dots around the eyes.
    hat_hue: Array  # 0..1, in turns.
    hat_pattern: Array  # 0..1: zigzag, checks, dots, a third each.


class Faces(NamedTuple):
    """N faces, ready to be drawn at any resolution."""

    attributes: Attributes
    identity: Identity
    details: Details


class AttributeRange(NamedTuple):
    """One row of `ATTRIBUTES`."""

    name: str  # Field of `Attributes`.
    low: float  # Smallest value that is drawn well.
    high: float  # Largest value.
    low_looks: str  # What a person sees at `low`.
    high_looks: str  # What a person sees at `high`.


ATTRIBUTES = (
    AttributeRange("smile", -1.0, 1.0, "corners of the mouth down", "broad smile with teeth"),
    AttributeRange("glasses", 0.0, 1.0, "none", "rimmed glasses"),
    AttributeRange("hair_colour", 0.0, 1.0, "black", "light blond"),
    AttributeRange("hair_length", 0.0, 1.0, "cropped", "over the shoulders"),
    AttributeRange("skin_tone", 0.0, 1.0, "very light", "very dark"),
    AttributeRange("age", 0.0, 1.0, "young and smooth", "old and wrinkled"),
    AttributeRange("yaw", -1.0, 1.0, "turned to the left of the picture", "turned to the right"),
    AttributeRange("beard", 0.0, 1.0, "shaven", "full beard"),
    AttributeRange("eye_opening", 0.0, 1.0, "eyes nearly shut", "eyes wide open"),
    AttributeRange("makeup", 0.0, 1.0, "none", "lips, lids, lashes and cheeks coloured"),
    AttributeRange("lighting", -1.0, 1.0, "lit from the left", "lit from the right"),
    AttributeRange("background", 0.0, 1.0, "dark", "bright"),
)
"""Name, range and look of every attribute, in the order of the fields of `Attributes`."""

# Probability of freckles, face paint, hat, earrings.
_DETAIL_RATES = {"plain": (0.05, 0.03, 0.04, 0.05), "detailed": (0.5, 0.45, 0.5, 0.5)}


def _occasional(draws: Array, rate: float) -> Array:
    """Turns uniform draws into strengths: 0.7 to 1 with probability `rate`, 0 otherwise."""
    return jnp.where(draws < rate, 0.7 + 0.3 * draws / rate, 0.0)


def _draw_attributes(draws: Array) -> Attributes:
    """Maps uniform draws [12, N] to attributes."""
    smile, glasses, hair_colour, hair_length, skin_tone, age, yaw, beard, *rest = draws
    eye_opening, makeup, lighting, background = rest
    # The root makes smiles and open eyes more common than their opposites.
    return Attributes(
        smile=2.0 * jnp.sqrt(smile) - 1.0,
        glasses=_occasional(glasses, 0.3),
        hair_colour=hair_colour,
        hair_length=hair_length,
        skin_tone=skin_tone,
        age=age,
        yaw=2.0 * yaw - 1.0,
        beard=jnp.where(beard < 0.4, beard / 0.4, 0.0),
        eye_opening=jnp.sqrt(eye_opening),
        makeup=jnp.where(makeup < 0.45, makeup / 0.45, 0.0),
        lighting=2.0 * lighting - 1.0,
        background=background,
    )


def sample_faces(key: Array, count: int, *, split: Split = "plain") -> Faces:
    """Draws faces whose parameters are all independent.

    Glasses are in 30, beards in 40 and make-up in 45 percent of the faces; the other attributes
    spread over their ranges.

    Args:
        key: Random key.
        count: N.
        split: "plain" has freckles, face paint, a patterned hat and earrings in 3 to 5 percent
            of the faces each; "detailed" in about half.

    Returns:
        Arrays [N] float32.

    Raises:
        OptionError: If `split` is neither.
    """
    if split not in _DETAIL_RATES:
        known = ", ".join(_DETAIL_RATES)
        raise OptionError(f"`split` is {split!r}; required is one of {known}")
    sizes = (len(Attributes._fields), len(Identity._fields), len(Details._fields))
    # One stacked draw, because many small ones compile slowly on CPU.
    draws = jax.random.uniform(key, (sum(sizes), count), jnp.float32)
    attributes, identity, details = jnp.split(draws, [sizes[0], sizes[0] + sizes[1]])
    rates = _DETAIL_RATES[split]
    presence = [_occasional(row, rate) for row, rate in zip(details, rates, strict=False)]
    shapes = Identity._fields.index("iris")
    return Faces(
        _draw_attributes(attributes),
        Identity(*(2.0 * identity[:shapes] - 1.0), *identity[shapes:]),
        Details(*presence, *details[len(rates) :]),
    )


def with_attribute(faces: Faces, name: str, value: Array | float) -> Faces:
    """Makes the true edit: the same faces, with one attribute set.

    Args:
        faces: N faces.
        name: Field of `Attributes`.
        value: [N], or one number for all; see `ATTRIBUTES` for its range.

    Returns:
        N faces; all other parameters are unchanged.

    Raises:
        OptionError: If no attribute has that name.
    """
    if name not in Attributes._fields:
        known = ", ".join(Attributes._fields)
        raise OptionError(f"`name` is {name!r}; required is one of {known}")
    current = getattr(faces.attributes, name)
    wanted = jnp.broadcast_to(jnp.asarray(value, current.dtype), current.shape)
    return faces._replace(attributes=faces.attributes._replace(**{name: wanted}))
