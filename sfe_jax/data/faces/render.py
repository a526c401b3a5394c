"""The whole picture: layers from the backdrop to the glasses, and a gentle tone curve."""

import functools

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View, look_at
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.eyes import add_eyes, eye_glints
from sfe_jax.data.faces.hair import add_back_hair, add_ears, add_front_hair, grow_hair
from sfe_jax.data.faces.mouth import add_mouth
from sfe_jax.data.faces.scene import add_body, draw_backdrop
from sfe_jax.data.faces.shapes import coverage, mix
from sfe_jax.data.faces.skin import add_beard, add_brows, beard_growth, illuminate, skin_albedo
from sfe_jax.data.faces.wear import add_earrings, add_face_paint, add_glasses, add_hat


def _add_head(image: Array, face: Faces, view: View) -> Array:
    """Draws the head with all that lies on its skin, [3, R, R]."""
    albedo = skin_albedo(face, view)
    albedo = add_brows(albedo, face, view)
    albedo = add_beard(albedo, face, view)
    albedo = add_mouth(albedo, face, view)
    albedo = add_eyes(albedo, face, view)
    albedo = add_face_paint(albedo, face, view)
    lit = illuminate(albedo, view) + eye_glints(face, view)
    return mix(image, lit, coverage(view.head - beard_growth(face, view), view.pixel))


def tone_curve(light: Array) -> Array:
    """Maps linear light to display values in [-1, 1]: a soft shoulder, then the power 1 / 2.2."""
    exposed = 1.25 * jnp.maximum(light, 0.0)
    compressed = exposed * (1.0 + 0.30) / (1.0 + 0.30 * exposed)
    return 2.0 * jnp.clip(compressed, 1e-6, 1.0) ** (1.0 / 2.2) - 1.0


def _render(face: Faces, resolution: int) -> Array:
    """Draws one face, [R, R, 3]."""
    view = look_at(face, resolution)
    hair = grow_hair(face, view)
    image = draw_backdrop(face, view)
    image = add_back_hair(image, hair, view)
    image = add_body(image, face, view)
    image = _add_head(image, face, view)
    image = add_ears(image, face, view)
    image = add_front_hair(image, hair, view)
    image = add_glasses(image, face, view)
    image = add_hat(image, face, view)
    image = add_earrings(image, face, view)
    return jnp.moveaxis(tone_curve(image), 0, -1)


def render_faces(faces: Faces, resolution: int) -> Array:
    """Draws faces; under `jax.jit`, `resolution` is static.

    The same face at two resolutions is the same picture, seen through smaller or larger pixels.

    Args:
        faces: N faces.
        resolution: R, pixels a side.

    Returns:
        [N, R, R, 3] float32 in [-1, 1].
    """
    return jax.vmap(functools.partial(_render, resolution=resolution))(faces)
