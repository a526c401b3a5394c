"""A tiny bundle for the tests of projection and of tuning: a generator and what sees likeness."""

from functools import cache

import numpy as np
from PIL import Image

from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, Network, save_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from tests.models.networks import generator

SIDE = 16


@cache
def tiny_bundle(**fields):
    """A 16x16 generator and a network of features of random weights."""
    features = FaceFeatures(("smile",), channels=(4, 6, 8), embedding_size=4)
    variables = random_variables(features, np.random.default_rng(1))
    networks = {
        "generator": Network(*generator(**fields)),
        "features": Network(features, variables),
    }
    return Bundle(networks, path="tiny.safetensors")


def levels(count, *, seed=0):
    """Random pictures, uint8 [count, 16, 16, 3]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def write_bundle(folder):
    """The tiny bundle as a file; its path."""
    save_bundle(folder / "tiny.safetensors", tiny_bundle())
    return folder / "tiny.safetensors"


def write_faces(folder):
    """Three pictures, face0.png to face2.png; their folder."""
    for index, image in enumerate(levels(3)):
        Image.fromarray(image).save(folder / f"face{index}.png")
    return folder
