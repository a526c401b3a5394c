"""Official files of pSp that read sketches and maps of labels, from the file to the picture."""

import jax
import numpy as np
import pytest

from convert_weights.__main__ import main
from convert_weights.assemble import export_state
from convert_weights.name_maps import encoders, stylegan2
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.pipelines.translation import Translator
from tests.convert_weights.official import torch_bytes
from tests.pipelines.translation import INPUT_SIZE, translating

pytestmark = pytest.mark.usefixtures("quick_programs")


def official_file(bundle):
    """A checkpoint of an encoder with its generator, as pSp saves them."""
    encoder, generator = (bundle.networks[role] for role in ("psp", "generator"))
    listed = {
        "encoder": (encoder, encoders.pyramid_entries(encoder.module)),
        "decoder": (generator, stylegan2.rosinality_generator_entries(generator.module)),
    }
    state = {
        f"{prefix}.{key}": value
        for prefix, (network, entries) in listed.items()
        for key, value in export_state(network.variables, entries).items()
    }
    channels = encoder.module.image_channels
    average = np.asarray(encoder.variables["buffers"]["w_avg"])
    options = {"encoder_type": "GradualStyleEncoder", "input_nc": channels, "label_nc": channels}
    return torch_bytes({"state_dict": state, "latent_avg": average, "opts": options})


@pytest.mark.parametrize("channels", [1, 19])
def test_a_checkpoint_of_psp_translates_with_its_own_generator(tmp_path, channels):
    bundle, levels = translating(channels), np.arange(INPUT_SIZE**2, dtype=np.uint8) % 19
    (tmp_path / "psp.pt").write_bytes(official_file(bundle))
    assert main([str(tmp_path / "psp.pt"), "-o", str(tmp_path / "psp.safetensors")]) == 0
    translator = Translator(load_bundle(tmp_path / "psp.safetensors"))
    for role, network in translator.bundle.networks.items():
        own = bundle.networks[role].variables["params"]
        jax.tree.map(np.testing.assert_array_equal, network.variables["params"], own)
    found = translator.translate(levels.reshape(1, INPUT_SIZE, INPUT_SIZE, 1))
    assert np.ptp(found.images) > 0
