"""Pickles of NVIDIA's TensorFlow code: names, layouts, and pictures against the stored arrays."""

import pickle
from functools import cache

import numpy as np
import pytest

from convert_weights.convert import convert_source
from convert_weights.name_maps import stylegan1 as stylegan1_names
from convert_weights.name_maps import tensorflow as names
from sfe_jax.core.errors import SfeError, WeightsError
from sfe_jax.models import stylegan1, stylegan2
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.readers import network_variables, read
from tests.compiling import jit
from tests.convert_weights import tensorflow_pickles as originals
from tests.models.networks import assert_near, draw
from tests.reference import tensorflow as reference

CHANNELS = (6, 5, 4)  # At 4, 8 and 16.
SIZES = {"z_dim": 7, "w_dim": 8}
WS = draw(2, 6, 8)
LABELS = np.eye(3, dtype=np.float32)[[0, 2]]


def original_stylegan1(**changes):
    return originals.stylegan1(CHANNELS, **{**SIZES, **changes})


def original_stylegan2(**changes):
    return originals.stylegan2(CHANNELS, **{**SIZES, **changes})


@pytest.fixture
def convert(tmp_path):
    """Converts what a pickle of some networks holds."""

    def run(content, protocol=4):
        path = tmp_path / "net.pkl"
        path.write_bytes(originals.dump(content, protocol))
        _, converted = convert_source(path)
        return converted

    return run


def variables_of(network):
    """Every variable of a written network by its full name."""
    found = dict(network.variables)
    for name, inner in network.components.items():
        found |= {f"{name}/{key}": value for key, value in inner.variables}
    return found


@cache
def synthesis(module):
    return jit(lambda variables, ws: module.apply(variables, ws, method="synthesize")["image"])


def picture(network, ws=WS):
    return synthesis(network.module)(network.variables, ws)


# What a file gives.


def test_stylegan_pickle_gives_both_generators(convert):
    converted = convert((original_stylegan1(), None, original_stylegan1(seed=9)))
    assert (converted.kind, set(converted.networks)) == (
        "stylegan1",
        {"generator", "generator_training"},
    )


def test_stylegan2_pickle_gives_three_networks(convert):
    networks = (original_stylegan2(), originals.discriminator(CHANNELS), original_stylegan2(seed=9))
    converted = convert(networks)
    assert (converted.kind, set(converted.networks)) == (
        "stylegan2-tensorflow",
        {"generator", "generator_training", "discriminator"},
    )


def test_averaged_weights_are_the_generator(convert):
    averaged = original_stylegan1(seed=9)
    converted = convert((original_stylegan1(), None, averaged))
    average = converted.networks["generator"].variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_array_equal(average, dict(averaged.variables)["dlatent_avg"])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_network_alone_is_the_generator_in_every_protocol(convert, protocol):
    assert convert(original_stylegan2(), protocol).networks.keys() == {"generator"}


def test_discriminator_that_grows_is_left(convert):
    growing = originals.Network("D_stylegan", {}, {"FromRGB_lod0/weight": np.ones((1, 1, 3, 4))})
    converted = convert((original_stylegan2(), growing, original_stylegan2()))
    assert "discriminator" not in converted.networks


def test_every_variable_reaches_the_reader(tmp_path):
    network = original_stylegan1()
    (tmp_path / "net.pkl").write_bytes(originals.dump((network, None, network)))
    found = network_variables(read(tmp_path / "net.pkl")[2])
    expected = variables_of(network)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


# StyleGAN.


def test_architecture_of_stylegan_is_read_from_names_and_shapes(convert):
    expected = stylegan1.Generator(CHANNELS, **SIZES, mapping_layers=2, mapping_features=8)
    assert convert(original_stylegan1()).networks["generator"].module == expected


@pytest.mark.parametrize("fused_from", [128, 16, 4])
def test_stylegan_picture_equals_that_of_the_stored_arrays(convert, monkeypatch, fused_from):
    """Small networks are fused by pretending that "auto" begins at another resolution."""
    monkeypatch.setattr(stylegan1_names, "FUSED_FROM", fused_from)
    network = original_stylegan1()
    expected = reference.stylegan1_picture(variables_of(network), WS, len(CHANNELS), fused_from)
    assert_near(picture(convert(network).networks["generator"]), expected)


@pytest.mark.parametrize(("fused_scale", "fused_from"), [(True, 4), (False, 999)])
def test_stylegan_kernels_are_turned_as_the_arguments_say(convert, fused_scale, fused_from):
    network = original_stylegan1(fused_scale=fused_scale)
    expected = reference.stylegan1_picture(variables_of(network), WS, len(CHANNELS), fused_from)
    assert_near(picture(convert(network).networks["generator"]), expected)


@pytest.mark.parametrize("resolution", [64, 128])
def test_stylegan_kernels_are_turned_from_128_on_by_default(resolution):
    module = stylegan1.Generator((4,) * (resolution.bit_length() - 2), w_dim=4, z_dim=4)
    entries = {entry.key: entry for entry in stylegan1_names.generator_entries(module)}
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    layout = entries[f"synthesis/{resolution}x{resolution}/Conv0_up/weight"].layout
    expected = kernel[::-1, ::-1] if resolution == 128 else kernel
    np.testing.assert_array_equal(layout.to_ours(kernel), expected)


def test_stylegan_codes_are_those_of_its_labels(convert):
    network = convert(original_stylegan1(c_dim=3)).networks["generator"]
    first, second = network.module.apply(
        network.variables, np.tile(draw(1, 7), (2, 1)), LABELS, method="map"
    )
    assert np.abs(first - second).max() > 1e-3


def test_stylegan_that_still_grows_shows_the_level_that_it_reached(convert):
    network = convert(original_stylegan1(lod=1.0)).networks["generator"]
    assert network.module.lod == 1.0
    image = np.asarray(picture(network))
    np.testing.assert_array_equal(image[:, ::2, ::2], image[:, 1::2, 1::2])


def test_stylegan_entries_are_every_variable_of_the_published_size():
    """18 layers at 1024, each with noise; 9 heads; the names of the original's list."""
    module = stylegan1.Generator()
    shapes = {
        **{f"mapping/{k}": v for k, v in originals.stylegan1_mapping(512, 512, 8).items()},
        **{
            f"synthesis/{k}": v
            for k, v in originals.stylegan1_synthesis(module.channels, 512).items()
        },
        "dlatent_avg": (512,),
    }
    del shapes["synthesis/lod"]
    assert {entry.key for entry in stylegan1_names.generator_entries(module)} == shapes.keys()


# StyleGAN2.


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_architecture_of_stylegan2_is_read_from_names_and_shapes(convert, architecture):
    expected = stylegan2.Generator(
        CHANNELS, **SIZES, mapping_layers=2, mapping_features=8, architecture=architecture
    )
    network = original_stylegan2(architecture=architecture)
    assert convert(network).networks["generator"].module == expected


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_stylegan2_picture_equals_that_of_the_stored_arrays(convert, architecture):
    network = original_stylegan2(architecture=architecture)
    expected = reference.stylegan2_picture(variables_of(network), WS, len(CHANNELS))
    assert_near(picture(convert(network).networks["generator"]), expected)


def test_stylegan2_with_heads_of_growth_shows_the_finest(convert):
    """Configurations B to D of StyleGAN2."""
    network = original_stylegan2(heads=True, structure="linear")
    variables = variables_of(network)
    expected = reference.stylegan2_picture(variables, WS, len(CHANNELS), colours="ToRGB_lod0")
    assert_near(picture(convert(network).networks["generator"]), expected)


def test_stylegan2_with_heads_of_growth_is_refused_while_it_grows(convert):
    network = original_stylegan2(heads=True)
    network.variables[0] = ("lod", np.float32(1.5))
    with pytest.raises(WeightsError, match=r"net\.pkl: Gs: it has 1\.5 levels still to grow"):
        convert(network)


def test_ada_labels_and_clamp_are_read(convert):
    network = original_stylegan2(c_dim=3, conv_clamp=256, num_fp16_res=4)
    module = convert(network).networks["generator"].module
    assert (module.c_dim, module.embed_features, module.conv_clamp) == (3, 8, 256)


def test_stylegan2_entries_are_every_variable_of_configuration_f():
    module = stylegan2.Generator()
    shapes = {
        **{f"mapping/{k}": v for k, v in originals.stylegan2_mapping(512, 512, 8).items()},
        **{
            f"synthesis/{k}": v
            for k, v in originals.stylegan2_synthesis(module.channels, 512).items()
        },
        "dlatent_avg": (512,),
    }
    assert {entry.key for entry in names.generator_entries(module)} == shapes.keys()


# StyleGAN2's discriminator.


@pytest.mark.parametrize(
    ("changes", "group_size"),
    [
        ({}, 4),
        ({"function": "D_main"}, None),
        ({"function": "D_main", "c_dim": 3, "mbstd_group_size": 2}, 2),
    ],
    ids=["of 2019", "ada", "ada conditional"],
)
def test_logits_equal_those_of_the_stored_arrays(convert, changes, group_size):
    original = originals.discriminator(CHANNELS, **changes)
    generator = original_stylegan2()
    network = convert((generator, original, generator)).networks["discriminator"]
    images, labels = draw(4, 16, 16, 3), LABELS[[0, 1, 1, 0]] if "c_dim" in changes else None
    expected = reference.stylegan2_logits(variables_of(original), images, labels, group_size)
    logits = jit(lambda v, x: network.module.apply(v, x, labels))(network.variables, images)
    assert_near(logits, expected)


@pytest.mark.parametrize("architecture", ["skip", "orig"])
def test_architecture_of_discriminator_is_read_from_names(convert, architecture):
    original = originals.discriminator(CHANNELS, architecture=architecture)
    converted = convert((original_stylegan2(), original, original_stylegan2()))
    expected = Discriminator(CHANNELS, architecture=architecture)
    assert converted.networks["discriminator"].module == expected


# Refusals.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mapping_lrmul": 0.1}, r"mapping_lrmul=0\.1; supported is 0\.01"),
        ({"resample_kernel": [1, 2, 1]}, r"resample_kernel=\(1, 2, 1\); supported"),
        ({"nonlinearity": "relu"}, "nonlinearity='relu'; supported is 'lrelu'"),
        ({"sharpness": 3}, "sharpness=3, which is not known"),
        ({"conv_clamp": "wide"}, "conv_clamp is 'wide'; required is a number"),
        ({"label_size": 3}, "labels are those of StyleGAN2 of 2019"),
    ],
)
def test_stylegan2_is_refused_that_was_built_otherwise(convert, changes, message):
    network = original_stylegan2()
    network.static_kwargs.update(changes)
    with pytest.raises(WeightsError, match=rf"net\.pkl: Gs: .*{message}"):
        convert(network)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_pixel_norm": True}, "use_pixel_norm=True; supported is False"),
        ({"blur_filter": None}, r"blur_filter=None; supported is \(1, 2, 1\)"),
        ({"fused_scale": "never"}, "fused_scale='never'; supported is 'auto' or True or False"),
    ],
)
def test_stylegan_is_refused_that_was_built_otherwise(convert, changes, message):
    with pytest.raises(WeightsError, match=rf"net\.pkl: Gs: .*{message}"):
        convert(original_stylegan1(**changes))


def test_discriminator_is_refused_whose_labels_learn_at_another_rate(convert):
    original = originals.discriminator(CHANNELS, c_dim=3, function="D_main")
    original.variables += [("Mapping0/weight", np.ones((5, 5))), ("Mapping0/bias", np.ones(5))]
    with pytest.raises(WeightsError, match=r"D: it was built with mapping_lrmul=0\.1"):
        convert((original_stylegan2(), original, original_stylegan2()))


def test_faults_are_listed_under_the_original_names(convert):
    network = original_stylegan1()
    variables = network.components["synthesis"].variables
    variables.remove(next(pair for pair in variables if pair[0] == "8x8/Conv1/bias"))
    variables.append(("8x8/Conv1/beta", np.ones(3, np.float32)))
    with pytest.raises(WeightsError) as caught:
        convert(network)
    assert "missing synthesis/8x8/Conv1/bias" in str(caught.value)
    assert "unexpected synthesis/8x8/Conv1/beta" in str(caught.value)


def test_pickle_of_progressive_gan_is_of_no_kind(convert):
    """It has networks of that class too, and none of these variables."""
    network = originals.Network("G_paper", {}, {"4x4/Dense/weight": np.ones((2, 2), np.float32)})
    with pytest.raises(WeightsError, match=r"net\.pkl: not a kind of weights"):
        convert((network, network, network))


# Hostile files: whatever they hold, nothing of it runs, and the refusal names the file.


class Runs:
    """Pickled as a call of a function of Python."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(**changes):
    network = original_stylegan1()
    network.__dict__.update(changes)
    return network


def entangled():
    network = hostile()
    network.components["synthesis"].components["again"] = network
    return network


WRITE = Runs(exec, "open('canary', 'w').close()")
HOSTILE = {
    "call in the state": hostile(version=WRITE),
    "call as source": hostile(build_module_src=WRITE),
    "call among the arguments": hostile(static_kwargs={"resolution": WRITE}),
    "call among the variables": hostile(variables=[("lod", WRITE)]),
    "call as a name": hostile(variables=[(WRITE, np.ones(2))]),
    "call as a component": hostile(components={"synthesis": WRITE}),
    "network in itself": entangled(),
    "lod that is no number": hostile(variables=[("lod", np.ones(2))]),
    "sizes of nonsense": hostile(
        components={
            "mapping": hostile().components["mapping"],
            "synthesis": originals.Network(
                "G", {}, {"4x4/Const/const": np.ones(3), "4x4/Const/StyleMod/weight": np.ones(3)}
            ),
        }
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [None, "stylegan1", "stylegan2-tensorflow"])
def test_hostile_pickle_is_refused_by_its_name_and_runs_nothing(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pkl"
    path.write_bytes(originals.dump((None, None, HOSTILE[name])))
    with pytest.raises(SfeError, match=r"net\.pkl"):
        convert_source(path, kind)
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.pkl"]


def test_source_of_a_pickle_does_not_run_when_it_converts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pkl"
    path.write_bytes(originals.dump(original_stylegan1()))
    convert_source(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.pkl"]


def test_what_the_fixture_writes_is_an_ordinary_pickle():
    """Python's own reader asks for the original module, which is not here."""
    with pytest.raises(ModuleNotFoundError, match="dnnlib"):
        pickle.loads(originals.dump(original_stylegan1()))
