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
from sfe_jax.edits.direction import MAPPER_LEVELS
from sfe_jax.edits.files import FILES
from sfe_jax.edits.mappers import DEPTH
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.layer_table import channel_table, num_ws
from sfe_jax.models.psp import GradualStyleEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.iresnet import IResNet
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.perceptual.resnet import MocoResNet
from sfe_jax.pipelines.bundle import Bundle, Network, abstract_variables

COMPONENTS = 80
"""Principal components in a published GANSpace file."""


def full_size_modules(resolution: int = 1024) -> dict[str, nn.Module]:
    """Every network of SFE and of its training at the published size, by role.

    Args:
        resolution: Of the generator: 1024 for faces, 512 for cars. Encoders read 256x256.
    """
    channels, rows = channel_table(resolution), num_ws(resolution)
    return {
        "generator": Generator(channels=channels),
        "discriminator": Discriminator(channels=channels),
        "inverter": Inverter(num_styles=rows),
        "feature_editor": FeatureFuser(),
        "e4e": E4eEncoder(num_styles=rows),
        "psp": GradualStyleEncoder(num_styles=rows),
        "arcface": ArcFace(),
        "iresnet": IResNet(),
        "moco": MocoResNet(),
        "lpips_alex": Lpips("alex"),
        "lpips_vgg": Lpips("vgg"),
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


def _is_equalized(module: nn.Module, path: str) -> bool:
    """Whether an array of `module` belongs to a layer that scales its weights when it uses them."""
    if isinstance(module, FaceFeatures):
        return True
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
        elif name.endswith("['kernel']") and not _is_equalized(module, name):
            x /= np.sqrt(np.prod(shape[:-1]))
        elif name.endswith(("['scale']", "['var']", "['magnitude_ema']", "['affine']['bias']")):
            x = 1 + 0.05 * np.abs(x)
        elif name.endswith("['transform']"):
            x = np.eye(3, dtype=np.float32)
        elif name.endswith("['slope']"):
            x = np.full(shape, 0.25, np.float32)
        elif not name.endswith(
            ("['kernel']", "['const']", "['noise_const']", "['freqs']", "['phases']")
        ):
            x *= 0.05
        return jnp.asarray(x, jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, abstract_variables(module))


def abstract_networks(modules: dict[str, nn.Module]) -> dict[str, Network]:
    """Networks of shapes and types alone, for programs that are compiled and not run."""
    return {role: Network(module, abstract_variables(module)) for role, module in modules.items()}


def random_directions(
    num_ws: int, w_dim: int, *, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Random arrays under the names and in the shapes of all published direction files.

    Args:
        num_ws: Rows L of W+.
        w_dim: Size W of a row.
        rng: Of every number.

    Returns:
        Stable name -> float32 array, as `edits.files.load_directions` gives.
    """

    def unit(rows: int, size: int) -> np.ndarray:
        x = rng.standard_normal((rows, size)).astype(np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    arrays = {}
    for name in FILES:
        match name.partition("/")[0]:
            case "interfacegan":
                arrays[name] = unit(1, w_dim)
            case "boundary":
                arrays[name] = unit(1, num_ws * w_dim)
            case "ganspace":
                arrays[f"{name}/mean"] = unit(1, w_dim)[0]
                arrays[f"{name}/components"] = unit(COMPONENTS, w_dim)
                arrays[f"{name}/std"] = np.ones(COMPONENTS, np.float32)
    mapper = {  # One for all names: at full size it has three million numbers.
        f"{level}_{part}": rng.standard_normal((DEPTH, *shape), np.float32)
        for level in MAPPER_LEVELS
        for part, shape in (("weight", (w_dim, w_dim)), ("bias", (w_dim,)))
    }
    names = (name for name in FILES if name.startswith("mapper/"))
    return arrays | {f"{name}/{part}": mapper[part] for name in names for part in mapper}


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
