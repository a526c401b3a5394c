"""Randomly initialised networks: to try, test and time the programs without any weights.

Pictures of such networks show coloured noise, not faces.
"""

import re
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.types import Array, Variables
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.psp import GradualStyleEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.pipelines.bundle import Bundle, Network, abstract_variables


def full_size_modules() -> dict[str, nn.Module]:
    """The networks of SFE at the published size, 1024x1024, by role."""
    return {
        "generator": Generator(),
        "inverter": Inverter(),
        "feature_editor": FeatureFuser(),
        "e4e": E4eEncoder(),
    }


def small_modules() -> dict[str, nn.Module]:
    """Every network of a bundle for 64x64 pictures, narrow, by role.

    The feature is b16.conv1, of 32 channels: a quarter of the picture's side, as at full size.
    """
    rows, size = 10, 32
    encoder: dict[str, Any] = {"num_styles": rows, "w_dim": size, "input_size": 64}
    body: dict[str, Any] = {"depths": (1, 1, 1, 1), "widths": (8, 16, 24, 32)}
    return {
        "generator": Generator(
            channels=(32, 32, 32, 16, 16), z_dim=size, w_dim=size, mapping_layers=2
        ),
        "discriminator": Discriminator(channels=(32, 32, 32, 16, 16)),
        "inverter": Inverter(**encoder, **body, features=32, num_units=1),
        "feature_editor": FeatureFuser(features=32, num_units=1),
        "e4e": E4eEncoder(**encoder, **body),
        "psp": GradualStyleEncoder(**encoder, **body),
        "arcface": ArcFace(features=16, depths=(1, 1, 1, 1), widths=(8, 8, 16, 16)),
    }


def _is_equalized(path: str) -> bool:
    """Whether an array belongs to a layer that scales its weights when it uses them."""
    if "['linear']" in path:
        return False
    return bool(re.search(r"synthesis|mapping|dense|\['b\d+", path))


def random_variables(module: nn.Module, rng: np.random.Generator) -> Variables:
    """Variables of `module`: kernels of unit gain, norms and biases near their neutral values."""

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> Array:
        name, shape = jax.tree_util.keystr(path), leaf.shape
        x = rng.standard_normal(shape, np.float32)
        if "mapping" in name and "dense" in name:
            x *= 100  # Undoes the learning-rate multiplier, 0.01.
        elif name.endswith("['kernel']") and not _is_equalized(name):
            x /= np.sqrt(np.prod(shape[:-1]))
        elif name.endswith(("['scale']", "['var']", "['affine']['bias']")):
            x = 1 + 0.05 * np.abs(x)
        elif name.endswith("['slope']"):
            x = np.full(shape, 0.25, np.float32)
        elif not name.endswith(("['kernel']", "['const']", "['noise_const']")):
            x *= 0.05
        return jnp.asarray(x, jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, abstract_variables(module))


def random_bundle(modules: dict[str, nn.Module], *, seed: int) -> Bundle:
    """A bundle of random networks and random directions.

    Args:
        modules: Networks by role, such as `small_modules()`.
        seed: Of every number.

    Returns:
        The bundle, with the InterFaceGAN directions age and smile.
    """
    rng = np.random.default_rng(seed)
    networks = {
        role: Network(module, random_variables(module, rng)) for role, module in modules.items()
    }
    w_dim = modules["generator"].w_dim  # pyright: ignore
    directions = {}
    for name in ("age", "smile"):
        vector = rng.standard_normal((1, w_dim)).astype(np.float32)
        directions[f"interfacegan/{name}"] = vector / np.linalg.norm(vector)
    return Bundle(networks, directions)
