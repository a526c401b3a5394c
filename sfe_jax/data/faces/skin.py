"""Skin: its light from normals, its colour, and what age, sun and pencils leave on it."""

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    blob,
    colour,
    coverage,
    mix,
    palette,
    smooth_step,
    spots,
    stroke,
    value_noise,
    visible,
)

# Evenly spaced sRGB stops from very light to very dark skin.
_TONES = (
    (243, 212, 193),
    (234, 192, 164),
    (222, 172, 136),
    (186, 132, 94),
    (140, 92, 62),
    (92, 58, 42),
)


def skin_colour(face: Faces) -> Array:
    """Colour of the bare skin, [3, 1, 1]."""
    return palette(_TONES, face.attributes.skin_tone)


def hair_colour(face: Faces) -> Array:
    """Colour of the hair, [3, 1, 1]: black, brown, auburn, blond."""
    stops = ((22, 19, 20), (58, 40, 30), (104, 62, 40), (152, 110, 68), (222, 190, 134))
    return palette(stops, face.attributes.hair_colour)


def facial_hair_colour(face: Faces) -> Array:
    """Colour of brows and beard, [3, 1, 1]: that of the hair, darker, and grey with age."""
    grey = 0.75 * smooth_step(0.5, 1.0, face.attributes.age)
    return mix(0.75 * hair_colour(face), colour(176, 172, 168), grey)


def _relief(view: View) -> tuple[tuple[Array, Array, Array | float, float, Array | float], ...]:
    """Hills of the face: (dx to the right, dy, rx, ry, height); each pair is drawn as one."""
    size, y = view.anatomy, view.y

    def mirrored(u: Array, column: Array | float) -> Array:
        return (jnp.abs(u) - column) * jnp.sign(u)

    middle = 0.5 * (size.eye_y + size.nose_y)
    ala_x, ala_y = 0.8 * size.nose_width, size.nose_y + 0.008
    lift = jnp.maximum(size.mouth_lift, 0.0)
    cheek_y = 0.14 - 0.3 * lift
    return (
        (view.nose_u, y - middle, 0.042, 0.13, 0.036),
        (view.nose_u, y - size.nose_y + 0.02, 0.055, 0.045, 0.036),
        (mirrored(view.nose_u, ala_x), y - ala_y, 0.03, 0.03, 0.014),
        (mirrored(view.u, 0.18), y - size.brow_y - 0.035, 0.13, 0.045, 0.016),
        (mirrored(view.u, size.eye_x - 0.03), y - size.eye_y, 0.10, 0.06, -0.022),
        (mirrored(view.u, 0.26), y - cheek_y, 0.10, 0.085, 0.022 + 0.4 * lift),
        (view.u, y - size.mouth_y + 0.035, 0.10, 0.028, 0.007),
        (view.u, y - size.mouth_y - 0.045, 0.09, 0.035, 0.012),
        (view.u, y - size.chin_y + 0.10, 0.09, 0.06, 0.024),
    )


def face_normals(view: View) -> tuple[Array, Array, Array]:
    """Unit normals (right, down, to the camera) of head and features, each [1, R, R]."""
    nx = (view.x - 0.10 * view.turn) / 0.58
    ny = (view.y + 0.02) / 0.88
    nz = jnp.sqrt(jnp.maximum(1.0 - nx * nx - ny * ny, 0.10))
    for dx, dy, rx, ry, height in _relief(view):
        hill = height * blob(dx, dy, rx, ry)
        nx = nx + hill * dx / rx**2
        ny = ny + hill * dy / ry**2
    length = jnp.sqrt(nx * nx + ny * ny + nz * nz)
    return nx / length, ny / length, nz / length


def illuminate(albedo: Array, view: View) -> Array:
    """Lights skin-like matter [3, R, R]: soft diffuse light, red in the shade, and a sheen."""
    nx, ny, nz = face_normals(view)
    lx, ly, lz = view.light
    diffuse = jnp.clip((nx * lx + ny * ly + nz * lz + 0.25) / 1.25, 0.0, 1.0)
    shade = 0.13 + 0.99 * diffuse
    # Light that has travelled through skin comes out red.
    bleed = jnp.array([0.045, 0.008, 0.0]).reshape(3, 1, 1)
    scatter = bleed * 4.0 * diffuse * (1.0 - diffuse)
    halfway = jnp.sqrt(lx * lx + ly * ly + (lz + 1.0) ** 2)
    facing = jnp.maximum((nx * lx + ny * ly + nz * (lz + 1.0)) / halfway, 0.0)
    square = facing * facing
    sheen = 0.045 * square**9 + 0.06 * square**30
    return albedo * (shade + scatter) + sheen * smooth_step(0.0, 0.1, -view.head)


def _creases(view: View) -> tuple[Array, Array]:
    """Folds of a smile and wrinkles of age, each [1, R, R] in about [0, 1]."""
    size, y, side = view.anatomy, view.y, jnp.abs(view.u)
    # From the wings of the nose around the corners of the mouth.
    down = y - size.nose_y
    reach = size.mouth_width - size.nose_width + 0.03
    fold_u = size.nose_width + 0.02 + reach * (1.0 - (1.0 - jnp.clip(down / 0.22, 0.0, 1.0)) ** 1.6)
    extent = smooth_step(-0.06, 0.06, down) * (1.0 - smooth_step(0.12, 0.26, down))
    fold = stroke(side - fold_u, 0.018, view.texel) * extent
    # Forehead, crow's feet, bags under the eyes, from mouth to chin.
    wave = 0.012 * jnp.sin(9.0 * view.u + 6.3 * jnp.sin(4.0 * view.u)) - 0.12 * side * side
    rows = sum(stroke(y + offset + wave, 0.009, view.pixel) for offset in (0.30, 0.365, 0.43))
    forehead = rows * (1.0 - smooth_step(0.18, 0.34, side))
    ex, ey = side - size.eye_x - size.eye_width, y - size.eye_y
    rays = sum(stroke(ey - slope * ex - 0.006, 0.007, view.texel) for slope in (-0.75, 0.0, 0.7))
    crow = rays * smooth_step(0.015, 0.04, ex) * (1.0 - smooth_step(0.07, 0.13, ex))
    bag_x = (side - size.eye_x) / 0.11
    bag_y = ey - 0.075 + 0.035 * bag_x * bag_x
    bag = stroke(bag_y, 0.013, view.pixel) * (1.0 - smooth_step(0.5, 1.1, jnp.abs(bag_x)))
    jowl_u = size.mouth_width + 0.015 + 0.1 * (y - size.mouth_y)
    jowl = stroke(side - jowl_u, 0.018, view.texel)
    jowl = jowl * blob(y - size.mouth_y - 0.09, 0.0 * y, 0.04, 1.0)
    return fold, 0.7 * forehead + 0.7 * crow + 0.9 * bag + 0.45 * jowl + 0.75 * fold


def _occlusion(view: View) -> Array:
    """Soft shadows in hollows, [1, R, R] in [0, 1]."""
    size, y, side = view.anatomy, view.y, jnp.abs(view.u)
    socket = blob(side - size.eye_x + 0.03, y - size.eye_y + 0.035, 0.10, 0.05)
    under_nose = blob(view.nose_u, y - size.nose_y - 0.055, size.nose_width, 0.022)
    under_lip = blob(view.u, y - size.mouth_y - 0.095 - 0.4 * size.mouth_opening, 0.09, 0.022)
    rim = jnp.exp(jnp.minimum(view.head, 0.0) / 0.03)
    return 0.26 * socket + 0.42 * under_nose + 0.28 * under_lip + 0.30 * rim


def _ring(dx: Array, dy: Array, radius: Array) -> Array:
    """Signed distance to a circle, [1, R, R]."""
    return jnp.sqrt(dx * dx + dy * dy + 1e-8) - radius


def _nostrils(view: View) -> Array:
    """Dark openings and the crease around the wings of the nose, [1, R, R]."""
    size, side = view.anatomy, jnp.abs(view.nose_u)
    down = view.y - size.nose_y
    opening = blob(side - 0.5 * size.nose_width, down - 0.030, 0.022, 0.011)
    wing = _ring(side - 0.72 * size.nose_width, down - 0.004, 0.38 * size.nose_width)
    crease = stroke(wing, 0.009, view.texel) * smooth_step(0.0, 0.02, side - 0.75 * size.nose_width)
    return 0.75 * opening + 0.35 * crease * (1.0 - smooth_step(0.02, 0.045, jnp.abs(down)))


def _flush(view: View) -> Array:
    """Where blood shows: cheeks, nose, chin; [1, R, R] in [0, 1]."""
    size, side = view.anatomy, jnp.abs(view.u)
    cheeks = blob(side - 0.27, view.y - 0.15, 0.10, 0.075)
    tip = blob(view.nose_u, view.y - size.nose_y, 0.06, 0.045)
    return cheeks + 0.7 * tip + 0.4 * blob(view.u, view.y - size.chin_y + 0.09, 0.08, 0.05)


def freckle_pattern(view: View) -> Array:
    """Freckles on nose and cheeks, [1, R, R] in [0, 1]."""
    cells = 27.0
    u, y, pixel = cells * view.u, cells * view.y, cells * view.pixel
    dots = spots(u, y, view.seed, pixel=pixel) + spots(
        u + 0.47, y + 0.61, view.seed + 7, pixel=pixel
    )
    side = jnp.abs(view.u)
    place = blob(side - 0.17, view.y - 0.13, 0.14, 0.10) + 0.35 * blob(
        side, view.y + 0.3, 0.2, 0.12
    )
    return jnp.clip(1.5 * dots, 0.0, 1.0) * jnp.clip(1.5 * place, 0.0, 1.0)


def _sallow(base: Array) -> Array:
    """The skin tone, paler and yellower, [3, 1, 1]."""
    grey = jnp.mean(base)
    return mix(base, grey * jnp.array([1.05, 0.98, 0.85]).reshape(3, 1, 1), 0.6) * 0.97


def skin_albedo(face: Faces, view: View) -> Array:
    """Colour of the skin of the face before light, [3, R, R]."""
    attributes, details = face.attributes, face.details
    base = skin_colour(face)
    grain = value_noise(40.0 * view.u, 40.0 * view.y, view.seed) * visible(20.0, view.pixel)
    patches = value_noise(7.0 * view.u, 7.0 * view.y, view.seed + 1)
    blotches = 0.5 + 0.5 * value_noise(11.0 * view.u, 11.0 * view.y, view.seed + 2)

    # Blood, and rouge over it.
    flush = _flush(view)
    rosy = base * jnp.array([1.0, 0.66, 0.62]).reshape(3, 1, 1)
    skin = mix(base, rosy, jnp.clip(0.55 * flush, 0.0, 0.7))
    rouge = blob(jnp.abs(view.u) - 0.29, view.y - 0.12, 0.09, 0.07)
    skin = mix(
        skin,
        base * jnp.array([1.0, 0.45, 0.50]).reshape(3, 1, 1),
        0.75 * attributes.makeup * rouge,
    )
    skin = skin * (1.0 + 0.05 * patches + 0.05 * grain)

    # Age: sallow, blotched, wrinkled.
    fold, wrinkles = _creases(view)
    sallow = _sallow(base)
    skin = mix(skin, sallow, 0.30 * attributes.age)
    skin = skin * (1.0 - 0.30 * attributes.age * smooth_step(0.55, 0.95, blotches))
    grin = jnp.maximum(attributes.smile, 0.0)
    crease = 0.32 * grin * fold + 0.66 * attributes.age * (0.25 + 0.75 * attributes.age) * wrinkles
    red = jnp.array([0.75, 1.0, 1.05]).reshape(3, 1, 1)
    skin = skin * (1.0 - jnp.clip(red * crease, 0.0, 0.85))

    # Hollows and freckles.
    skin = skin * (1.0 - jnp.clip(red * _occlusion(view), 0.0, 0.8))
    skin = skin * (1.0 - jnp.clip(_nostrils(view), 0.0, 0.85))
    brown = jnp.array([0.50, 0.72, 0.82]).reshape(3, 1, 1)
    return skin * (1.0 - brown * details.freckles * freckle_pattern(view))


def add_brows(skin: Array, face: Faces, view: View) -> Array:
    """Draws the brows, hair by hair where pixels show it, [3, R, R]."""
    size, identity = view.anatomy, face.identity
    along = (jnp.abs(view.u) - size.eye_x) / 0.135  # -1 inner end, 1 outer end.
    arch = 0.022 * (along - 0.15) ** 2 - 0.012 * identity.eye_tilt * along
    offset = view.y - size.brow_y - arch + 0.012
    thickness = (0.020 + 0.007 * identity.brow_thickness) * (
        1.0 - 0.45 * smooth_step(-0.2, 1.0, along)
    )
    hairs = value_noise(130.0 * view.u + 60.0 * view.y, 22.0 * view.y, view.seed + 3)
    ragged = 0.008 * hairs * visible(65.0, view.texel)
    distance = jnp.maximum(jnp.abs(offset) - thickness + ragged, (jnp.abs(along) - 1.0) * 0.12)
    alpha = 0.82 * coverage(distance, view.texel + 0.012)
    return mix(skin, facial_hair_colour(face), alpha)


def add_beard(skin: Array, face: Faces, view: View) -> Array:
    """Draws beard and moustache: stubble when sparse, locks when full, [3, R, R]."""
    size, density = view.anatomy, face.attributes.beard
    ragged = 0.035 * value_noise(11.0 * view.u, 9.0 * view.y, view.seed + 4)
    side = jnp.abs(view.u)
    # Bare: forehead and cheeks, down to a line from the ear to the wing of the nose.
    line = (
        size.nose_y
        + 0.055
        - 0.10 * smooth_step(0.10, 0.36, side)
        - 0.30 * smooth_step(0.36, 0.44, side)
    )
    grown = smooth_step(-0.05, 0.09, view.y - line + ragged)
    mouth = blob(view.u, view.y - size.mouth_y - 0.10, 0.08, 0.012)
    strand = value_noise(70.0 * view.u + 12.0 * view.y, 13.0 * view.y, view.seed + 5)
    strand = strand * visible(35.0, view.texel) + 0.5 * ragged / 0.035
    stubble = value_noise(110.0 * view.u, 110.0 * view.y, view.seed + 6) * visible(55.0, view.texel)
    thin = 0.55 + 0.6 * stubble
    alpha = grown * jnp.clip(mix(thin * density * 1.3, 0.97, smooth_step(0.45, 0.9, density)), 0, 1)
    hair = facial_hair_colour(face) * (1.0 + 0.45 * strand)
    return mix(skin, hair, alpha * (1.0 - 0.4 * mouth))


def beard_growth(face: Faces, view: View) -> Array:
    """How far a full beard stands out below the jaw, [1, R, R]."""
    full = smooth_step(0.35, 1.0, face.attributes.beard)
    ragged = 1.0 + 0.25 * value_noise(30.0 * view.x, 9.0 * view.y, view.seed + 8)
    return 0.065 * full * ragged * smooth_step(0.15, 0.55, view.y)
