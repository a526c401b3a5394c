"""Small bundles that translate, shared by tests."""

import numpy as np

from sfe_jax.models.psp import GradualStyleEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import random_variables

INPUT_SIZE, ROWS = 32, 8
"""Pixels a side that the encoder reads, and rows of the codes."""


def translating(channels):
    """A bundle whose pSp reads so many channels, and whose generator makes 32x32."""
    generator = Generator(channels=(8, 8, 8, 8), z_dim=6, w_dim=8, mapping_layers=2)
    sizes = {"num_styles": generator.num_ws, "w_dim": 8, "input_size": INPUT_SIZE}
    body = {"depths": (1, 1, 1, 1), "widths": (4, 5, 6, 7)}
    encoder = GradualStyleEncoder(image_channels=channels, **sizes, **body)
    rng = np.random.default_rng(channels)
    modules = {"generator": generator, "psp": encoder}
    return Bundle({role: Network(m, random_variables(m, rng)) for role, m in modules.items()})
