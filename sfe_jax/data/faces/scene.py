"""What is around the head: backdrop, neck, clothes."""

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    coverage,
    ellipse,
    hue_colour,
    mix,
    smooth_step,
    smooth_union,
    spots,
    stroke,
    value_noise,
    visible,
)
from sfe_jax.data.faces.skin import skin_colour


def draw_backdrop(face: Faces, view: View) -> Array:
    """A wall or a garden out of focus, [3, R, R]."""
    hue, bright = face.identity.backdrop_hue, face.attributes.background
    value = mix(0.035, 0.80, bright * (0.35 + 0.65 * bright))
    near = hue_colour(hue, saturation=0.55, value=value)
    far = hue_colour(hue + 0.12, saturation=0.40, value=0.75 * value)
    clouds = value_noise(1.7 * view.x, 1.7 * view.y, view.seed + 14)
    image = mix(near, far, smooth_step(-0.9, 0.9, view.y + 0.5 * clouds))
    lights = spots(1.6 * view.x, 1.6 * view.y, view.seed + 15, pixel=1.6 * view.pixel)
    grain = value_noise(60.0 * view.x, 60.0 * view.y, view.seed + 16) * visible(30.0, view.pixel)
    light_fall = 1.0 + 0.22 * clouds + 0.9 * lights + 0.03 * grain
    corner = 1.0 - 0.16 * (view.x * view.x + view.y * view.y)
    return image * light_fall * corner


def add_body(image: Array, face: Faces, view: View) -> Array:
    """Draws neck, shoulders and a knitted jumper, [3, R, R]."""
    lx = view.light[0]
    side_light = jnp.clip(0.55 + 0.55 * lx * view.x / 0.5, 0.15, 1.1)

    # Neck, in the shadow of the chin, which turns with the head.
    centre = view.x - 0.05 * view.turn
    flare = 0.10 * smooth_step(0.72, 1.0, view.y) ** 2
    neck = jnp.abs(centre) - 0.235 - flare
    round_off = 1.0 - 0.5 * (centre / 0.27) ** 2
    shadow = jnp.exp(-jnp.maximum(view.head, 0.0) / 0.10)
    skin = skin_colour(face) * side_light * jnp.clip(round_off, 0.25, 1.0) * (0.95 - 0.62 * shadow)
    image = mix(image, skin, coverage(jnp.maximum(neck, 0.3 - view.y), view.pixel))

    # Jumper: shoulders, a neckline, ribs.
    shoulders = smooth_union(
        ellipse(view.x, view.y - 1.28, 0.98, 0.46), ellipse(view.x, view.y - 1.15, 0.42, 0.36), 0.1
    )
    neckline = ellipse(centre, view.y - 0.78, 0.26, 0.155)
    cloth = jnp.maximum(shoulders, -neckline)
    value = mix(0.03, 0.62, face.identity.clothes_value)
    knit = jnp.sin(70.0 * view.x) * jnp.sin(70.0 * view.y + 1.5 * jnp.sin(70.0 * view.x))
    folds = value_noise(3.0 * view.x, 2.0 * view.y, view.seed + 17)
    light = side_light * (1.0 + 0.16 * folds + 0.15 * knit * visible(11.0, view.pixel))
    light = (
        light * (1.0 - 0.45 * shadow) * (1.0 - 0.30 * stroke(neckline - 0.045, 0.012, view.pixel))
    )
    jumper = hue_colour(face.identity.clothes_hue, saturation=0.65, value=value) * light
    return mix(image, jumper, coverage(cloth, view.pixel))
