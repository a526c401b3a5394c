"""Procedural faces of which several show one person, so that a likeness can be learned."""

import functools

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces import Details, Faces, Identity, Split, sample_faces


def sample_people(key: Array, people: int, *, pictures_per_identity: int, split: Split) -> Faces:
    """Draws P people and K faces of each, whose attributes are independent.

    Args:
        key: Random key.
        people: P.
        pictures_per_identity: K; the faces of a person share `Identity` and `Details`.
        split: As for `sample_faces`.

    Returns:
        P * K faces, those of one person side by side.
    """
    people_key, attributes_key = jax.random.split(key)
    persons = sample_faces(people_key, people, split=split)
    varied = sample_faces(attributes_key, people * pictures_per_identity, split=split)
    repeat = functools.partial(jnp.repeat, repeats=pictures_per_identity)
    return Faces(
        varied.attributes,
        Identity(*map(repeat, persons.identity)),
        Details(*map(repeat, persons.details)),
    )


def attribute_vectors(faces: Faces) -> Array:
    """Attributes of N faces, [N, 12] float32 in the order of `faces.ATTRIBUTES`."""
    return jnp.stack(faces.attributes, axis=-1)
