"""The door to a generator: codes, centres, edits and batches, against the generator itself."""

import re

import jax
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError, WeightsError
from sfe_jax.core.images import to_uint8
from sfe_jax.edits.direction import Direction, Linear, StyleSpace
from sfe_jax.latents.sampling import one_hot, sample_w
from sfe_jax.models import stylegan3
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.generation import Synthesizer, row_layers
from sfe_jax.pipelines.random_bundle import random_variables

SIZES = {"channels": (8, 8), "z_dim": 6, "w_dim": 5, "mapping_layers": 2}


def bundle_of(module, **averages):
    variables = random_variables(module, np.random.default_rng(0))
    if averages:
        variables = {**variables, "buffers": {**variables["buffers"], "mapping": averages}}
    return Bundle({"generator": Network(module, variables)}, path="own.safetensors")


@pytest.fixture(scope="module")
def bundle():
    return bundle_of(Generator(**SIZES))


@pytest.fixture(scope="module")
def synthesizer(bundle):
    return Synthesizer(bundle, batch_size=2)


@pytest.fixture(scope="module")
def draw(bundle):
    """Pictures of codes by the generator alone."""
    network = bundle.network("generator")
    run = jax.jit(lambda v, ws: network.module.apply(v, ws, method="synthesize")["image"])
    return lambda ws: to_uint8(run(network.variables, ws), offset=128.0).astype(int)


@pytest.fixture(scope="module")
def ws():
    return np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)


def drawn(synthesizer, ws, **options):
    return np.stack(list(synthesizer.pictures(ws, **options))).astype(int)


def test_pictures_are_the_generators_whatever_the_batch(synthesizer, draw, ws):
    # One level, since values round in another order.
    assert np.abs(drawn(synthesizer, ws) - draw(ws)).max() <= 1


@pytest.mark.parametrize("noise_mode", ["none", "random"])
def test_a_picture_is_its_own_in_any_batch(bundle, ws, noise_mode):
    together, alone = (
        drawn(Synthesizer(bundle, noise_mode=noise_mode, batch_size=size), ws, seeds=[5, 6, 7])
        for size in (3, 1)
    )
    assert np.abs(together - alone).max() <= 1


def test_random_noise_is_of_the_seed(bundle, ws):
    synthesizer = Synthesizer(bundle, noise_mode="random", batch_size=3)
    first, same, other = drawn(synthesizer, ws[[0, 0, 0]], seeds=[5, 5, 6])
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 10


def groups_of_convolutions(synthesizer, ws):
    """How many kernels each convolution of the program has."""
    given = (ws, np.zeros(len(ws), np.uint32), np.zeros((len(ws), 0), np.float32))
    draw = synthesizer._draw.trace(synthesizer._variables, *given, ())
    return set(re.findall(r"feature_group_count=(\d+)", str(draw.jaxpr)))


@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_pictures_share_their_kernels(bundle, ws, noise_mode):
    assert groups_of_convolutions(Synthesizer(bundle, noise_mode=noise_mode), ws) == {"1"}


def test_an_edit_of_codes_moves_them(synthesizer, draw, ws):
    vector = np.arange(5, dtype=np.float32)
    direction = Direction("own", "", Linear("own", 2.0), None, None, "", "")
    edit = synthesizer.operands(direction, {"own": vector})
    found = drawn(synthesizer, ws, edits=[edit], strengths=np.array([[0.0], [1.0], [-0.5]]))
    shift = np.float32([0, 2, -1])[:, None, None] * vector
    assert np.abs(found - draw(ws + shift)).max() <= 1


def test_an_edit_of_styles_changes_the_picture(synthesizer, ws):
    rule = StyleSpace((("b4.conv1", 3), ("b8.conv0", 1)))
    direction = Direction("own", "", rule, None, None, "", "")
    edit = synthesizer.operands(direction, {})
    still, moved = (
        drawn(synthesizer, ws[:1], edits=[edit], strengths=np.array([[strength]]))
        for strength in (0.0, 3.0)
    )
    assert np.abs(still - drawn(synthesizer, ws[:1])).max() <= 1
    assert np.abs(moved - still).max() > 10


def test_grey_is_shown_as_colours(ws):
    grey = Synthesizer(bundle_of(Generator(**SIZES, image_channels=1)))
    picture = drawn(grey, ws[:1])[0]
    assert (picture == picture[..., :1]).all()


@pytest.mark.parametrize("options", [{"seeds": [1]}, {"strengths": np.zeros((3, 1))}])
def test_seeds_and_strengths_of_another_number_are_refused(synthesizer, ws, options):
    with pytest.raises(ShapeError, match=next(iter(options))):
        drawn(synthesizer, ws, **options)


def test_codes_of_another_width_are_refused(synthesizer):
    with pytest.raises(ShapeError, match=r"`ws` has shape \(1, 4, 6\); required is \(any, 4, 5\)"):
        drawn(synthesizer, np.zeros((1, 4, 6)))


# Centres.


def test_the_average_is_that_of_the_file(bundle, synthesizer):
    average = bundle.network("generator").variables["buffers"]["mapping"]["w_avg"]
    assert synthesizer.is_tracked
    np.testing.assert_array_equal(synthesizer.average(), average)


def test_an_average_that_is_missing_is_the_mean_of_the_samples():
    bundle = bundle_of(Generator(**SIZES), w_avg=np.zeros(5, np.float32))
    network, found = bundle.network("generator"), Synthesizer(bundle)
    samples = sample_w(network.module, network.variables, np.zeros((10_000, 0), np.float32))
    assert not found.is_tracked
    np.testing.assert_allclose(found.average(), samples.mean(axis=0), rtol=1e-5)


@pytest.fixture(scope="module")
def conditional():
    module = Generator(**SIZES, c_dim=3)
    return bundle_of(module, w_avg=np.zeros(5, np.float32))


def test_the_mean_of_a_class_is_of_its_samples(conditional):
    network = conditional.network("generator")
    expected = sample_w(network.module, network.variables, one_hot(2, 3, 10_000)).mean(axis=0)
    found = Synthesizer(conditional, class_index=2).class_average()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_average_that_is_missing_is_over_all_classes(conditional):
    means = [Synthesizer(conditional, class_index=i).class_average() for i in range(3)]
    spread = np.std(means, axis=0).max()
    found = Synthesizer(conditional).average()
    # A third of 10,000 samples of each class: the mean of their means to a few percent of spread.
    np.testing.assert_allclose(found, np.mean(means, axis=0), atol=0.1 * spread)


def test_clusters_are_centres_without_rows(synthesizer):
    assert synthesizer.clusters(2).shape == (2, 1, 5)


# What is asked of a generator.


def test_rows_are_named_by_the_layers_they_drive(bundle):
    names = row_layers(bundle.network("generator").module)
    assert names == ["b4.conv1", "b4.torgb b8.conv0", "b8.conv1", "b8.torgb"]


def test_the_first_row_of_stylegan3_drives_its_input():
    module = stylegan3.Generator(channels=(8, 8, 8), resolution=16, num_critical=1, margin=2)
    names = row_layers(module)
    assert names == ["input", *(layer.name for layer in module.layers)]


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"noise_mode": "stored"}])
def test_an_unknown_word_is_refused_at_once(bundle, options):
    with pytest.raises(OptionError, match=f"`{next(iter(options))}` is '"):
        Synthesizer(bundle, **options)


def test_an_empty_batch_is_refused(bundle):
    with pytest.raises(OptionError, match="`batch_size` is 0"):
        Synthesizer(bundle, batch_size=0)


def test_pictures_of_many_channels_are_refused():
    bundle = bundle_of(Generator(**SIZES, image_channels=4))
    with pytest.raises(WeightsError, match=r"own\.safetensors: pictures of 4 channels"):
        Synthesizer(bundle)


def test_a_bundle_without_a_generator_is_refused():
    with pytest.raises(WeightsError, match="no 'generator'"):
        Synthesizer(Bundle({}))
