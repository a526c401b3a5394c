"""How pictures reach the networks, by pictures of 16 that networks of 4 read."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.methods import InverterMethod, encoder_input


@pytest.fixture(scope="module")
def images():
    """[2, 16, 16, 3] in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)


def test_sfe_reads_the_mean_of_the_central_pixels_of_each_cell(images):
    method = InverterMethod(Generator(), Inverter(input_size=4))
    cells = images.reshape(2, 4, 4, 4, 4, 3)
    expected = cells[:, :, 1:3, :, 1:3].mean(axis=(2, 4))
    np.testing.assert_allclose(method.network_input(images), expected, atol=1e-6)


def test_sfe_reads_pictures_in_the_precision_of_the_generator(images):
    method = InverterMethod(Generator(precision="bfloat16"), Inverter(input_size=4))
    assert method.network_input(images).dtype == jnp.bfloat16


def test_psp_and_e4e_read_what_pillow_makes_of_a_picture(images):
    bilinear = Image.Resampling.BILINEAR
    planes = [Image.fromarray(x).resize((4, 4), bilinear) for x in np.moveaxis(images[0], 2, 0)]
    # Pillow rounds its weights to float32 after a sum in float64.
    expected = np.stack(planes, axis=2)
    np.testing.assert_allclose(encoder_input(images, 4)[0], expected, atol=1e-5)
