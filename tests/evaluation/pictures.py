"""Sets of pictures, and a network that reads them so simply that its statistics are known."""

import jax.numpy as jnp
import numpy as np

from sfe_jax.data.folders import FolderSource
from sfe_jax.data.pictures import Form
from sfe_jax.evaluation.feature_networks import STAND_IN_NAMES, FeatureNetwork
from sfe_jax.evaluation.sets import PictureSet
from tests.data.pictures import noise, png, write_folder


def noise_files(count, side=16, *, first=0):
    """`count` PNG files of noise."""
    return {
        f"{index:03d}.png": png(noise(side, side, 3, seed=index))
        for index in range(first, first + count)
    }


def picture_set(folder, *, count=None, resolution=None, threads=0):
    """All pictures of a folder, or the first of them."""
    source = FolderSource(folder)
    numbers = np.arange(len(source) if count is None else count)
    return PictureSet(source, Form(resolution), numbers, threads)


def noise_set(folder, count, side=16):
    """A folder of `count` pictures of noise, as a set."""
    return picture_set(write_folder(folder, noise_files(count, side)))


def colours_of(images):
    """What `colour_network` reads of levels [N, H, W, 3]."""
    return (images.astype(np.float64) / 127.5 - 1).mean(axis=(1, 2))


def colour_network(digest="colours"):
    """Features are the mean colours, times a variable of 1."""

    def read(variables, images):
        return {"features": jnp.mean(images, axis=(1, 2)) * variables["gain"]}

    gain = {"gain": jnp.ones((), jnp.float32)}
    return FeatureNetwork(STAND_IN_NAMES, read, gain, "none", digest, has_classes=False)
