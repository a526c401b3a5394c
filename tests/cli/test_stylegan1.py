"""A StyleGAN pickle of TensorFlow, from conversion to pictures and edits."""

import numpy as np
import pytest

from convert_weights.__main__ import main
from sfe_jax.core.images import to_uint8
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.pipelines.generation import Synthesizer
from tests.cli.running import pixels, sfe
from tests.convert_weights import tensorflow_pickles as originals
from tests.reference import stylegan1, tensorflow

CHANNELS = (6, 5, 4)
SEED, PSI, CUTOFF = 3, 0.7, 2


@pytest.fixture(scope="module")
def network():
    return originals.stylegan1(CHANNELS, z_dim=7, w_dim=8)


@pytest.fixture(scope="module")
def variables(network):
    inner = {
        f"{part}/{name}": np.asarray(value, np.float64)
        for part, component in network.components.items()
        for name, value in component.variables
    }
    return {**inner, **dict(network.variables)}


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """The bundle that the converter writes of (G, D, Gs)."""
    folder = tmp_path_factory.mktemp("stylegan1")
    source, bundle = folder / "karras2019stylegan.pkl", folder / "bundle.safetensors"
    source.write_bytes(originals.dump((network, network, network)))
    assert main([str(source), "-o", str(bundle)]) == 0
    return bundle


@pytest.fixture(scope="module")
def generated(weights, tmp_path_factory):
    """One seed, truncated on some rows."""
    out = tmp_path_factory.mktemp("generated")
    arguments = ("--seeds", SEED, "--psi", PSI, "--cutoff", CUTOFF, "-o", out)
    assert sfe("generate", "-w", weights, *arguments) == 0
    return out


@pytest.fixture(scope="module")
def codes(variables):
    """W+ of the seed by definition: truncated about the stored average on the first rows."""
    dense = {
        f"dense{index}": {
            "kernel": variables[f"mapping/Dense{index}/weight"],
            "bias": variables[f"mapping/Dense{index}/bias"],
        }
        for index in (0, 1)
    }
    w = stylegan1.mapping(np.random.RandomState(SEED).randn(1, 7), None, dense)
    ws = np.repeat(w[:, None], 2 * len(CHANNELS), axis=1)
    average = variables["dlatent_avg"]
    ws[:, :CUTOFF] = average + PSI * (ws[:, :CUTOFF] - average)
    return ws


def test_codes_of_a_seed_are_truncated_about_the_stored_average(generated, codes):
    np.testing.assert_allclose(np.load(generated / "ws.npy"), codes, rtol=1e-5, atol=1e-5)


def test_picture_of_a_seed_is_that_of_the_stored_arrays(generated, variables, codes):
    image = tensorflow.stylegan1_picture(variables, codes, len(CHANNELS))
    expected = to_uint8(image.astype(np.float32), offset=128.0)[0].astype(int)
    assert np.abs(pixels(generated / f"seed{SEED:04d}.png") - expected).max() <= 1


def test_direction_of_codes_moves_the_picture(weights, codes):
    """As `sfe grid` draws it: the moved code beside one that stands there from the start."""
    synthesizer, vector = Synthesizer(load_bundle(weights)), np.ones((1, 8), np.float32)
    direction = Direction("own", "own", Linear("own", 1.0), None, None, "", "own")
    edits = (synthesizer.operands(direction, {"own": vector}),)
    both = np.concatenate([codes, codes + 2.0])
    pair = synthesizer.pictures(both, edits=edits, strengths=np.array([[2.0], [0.0]]))
    moved, expected = (picture.astype(int) for picture in pair)
    assert np.abs(moved - expected).max() <= 1
