import json
import os
import pickle

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from sfe_jax.core.errors import FileFormatError, WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.edits.direction import Direction, GanSpace, Linear
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.pipelines import bundle as bundles
from sfe_jax.pipelines.bundle import (
    Bundle,
    Network,
    Source,
    build_architecture,
    describe_architecture,
    load_bundle,
    save_bundle,
)

SOURCES = (Source("net.pt", "ab" * 32), Source("age.pt", "cd" * 32))

RECORDS = (
    Direction("glasses", "fitted", Linear("fitted/glasses", 0.5), -2, 3.5, "adds glasses", "here"),
    Direction("ganspace0", "GANSpace", GanSpace("fitted/ganspace", 0, 1, 4), None, None, "", ""),
)

REQUIRED = {"face_features": {"attribute_names": ("age", "smile")}}
"""Fields without a default, by architecture."""


@pytest.fixture(scope="module")
def saved(small_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.safetensors"
    save_bundle(path, Bundle(small_bundle.networks, small_bundle.directions, SOURCES, RECORDS))
    return path


@pytest.fixture(scope="module")
def loaded(saved):
    return load_bundle(saved)


def tiny(**changes):
    """A bundle of one small network, which takes no time to check."""
    from sfe_jax.pipelines.random_bundle import random_variables

    module = FeatureFuser(features=4, num_units=1)
    variables = flatten(random_variables(module, np.random.default_rng(0))) | changes
    return Bundle({"feature_editor": Network(module, unflatten(variables))})


def rewrite(path, *, tensors=(), metadata=()):
    """Saves a tiny bundle, with some tensors and metadata in place of its own."""
    save_bundle(path, tiny())
    with safetensors.safe_open(path, framework="numpy") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        described = file.metadata()
    changed = {**described, **dict(metadata)}
    changed = {key: value for key, value in changed.items() if value is not None}
    safetensors.numpy.save_file({**held, **dict(tensors)}, path, changed)
    return path


# What comes back.


def test_every_bit_comes_back(small_bundle, loaded):
    for role, network in small_bundle.networks.items():
        found = flatten(loaded.networks[role].variables)
        assert found.keys() == flatten(network.variables).keys()
        for path, value in flatten(network.variables).items():
            np.testing.assert_array_equal(found[path], value, err_msg=f"{role}/{path}")


def test_architectures_come_back(small_bundle, loaded):
    for role, network in small_bundle.networks.items():
        assert loaded.networks[role].module == network.module


def test_directions_come_back(small_bundle, loaded):
    assert loaded.directions.keys() == small_bundle.directions.keys()
    for name, value in small_bundle.directions.items():
        np.testing.assert_array_equal(loaded.directions[name], value, strict=True)


def test_sources_come_back(loaded):
    assert loaded.sources == SOURCES


def test_fitted_directions_come_back(loaded):
    assert loaded.records == RECORDS


def test_scalars_come_back_as_scalars(loaded):
    params = loaded.networks["generator"].variables["params"]
    assert params["synthesis"]["b4"]["conv1"]["noise_strength"].shape == ()


def test_path_is_known_for_messages(saved, loaded):
    assert loaded.path == str(saved)


def test_metadata_names_the_source_and_its_digest(saved):
    with safetensors.safe_open(saved, framework="numpy") as file:
        sources = json.loads(file.metadata()["sources"])
    assert sources[0] == {"name": "net.pt", "sha256": "ab" * 32}


def test_metadata_does_not_say_how_a_network_runs(small_bundle):
    assert "precision" not in describe_architecture(small_bundle.networks["generator"].module)


def test_precision_is_float32_whatever_it_was_when_saved(small_bundle):
    module = small_bundle.networks["generator"].module.clone(precision="bfloat16")
    assert build_architecture(describe_architecture(module), "x").precision == "float32"


@pytest.mark.parametrize("name", bundles.ARCHITECTURES)
def test_every_architecture_survives_json(name):
    module = bundles.ARCHITECTURES[name](**REQUIRED.get(name, {}))
    description = json.loads(json.dumps(describe_architecture(module)))
    assert build_architecture(description, "x") == module


@pytest.mark.parametrize("name", REQUIRED)
def test_an_architecture_is_refused_when_a_field_is_missing(name):
    (field,) = REQUIRED[name]
    with pytest.raises(WeightsError, match=rf"net: {name} lacks the field '{field}'"):
        build_architecture({"type": name}, "net")


# Some of the networks.


@pytest.fixture(scope="module")
def part(saved):
    """The generator alone, of a file with more."""
    return load_bundle(saved, roles=("generator", "moco"))


def test_only_the_networks_that_are_wanted_are_read(part, loaded):
    assert part.networks.keys() == {"generator"}
    assert {*part.networks, *part.unread} == loaded.networks.keys()


def test_directions_are_read_whatever_the_networks(part, loaded):
    assert part.directions.keys() == loaded.directions.keys()


def test_a_network_that_was_not_read_is_called_so(part):
    with pytest.raises(WeightsError, match="'inverter' was not read; name it in `roles`"):
        part.network("inverter")


def test_a_missing_role_is_named_with_those_that_were_not_read(part):
    with pytest.raises(WeightsError, match=r"no 'moco' in this bundle; it holds .*inverter"):
        part.network("moco")


# Saving.


def test_nothing_is_left_beside_the_bundle(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["small.safetensors"]


def test_the_folder_is_made(tmp_path):
    save_bundle(tmp_path / "a" / "b" / "c.safetensors", tiny())
    assert (tmp_path / "a" / "b" / "c.safetensors").is_file()


def test_the_old_file_stays_when_writing_breaks_off(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    save_bundle(path, tiny())
    before = path.read_bytes()

    def break_off(tensors, partial, metadata):
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", break_off)
    with pytest.raises(WeightsError, match=r"c\.safetensors.*No space left"):
        save_bundle(path, tiny())
    assert (path.read_bytes(), os.listdir(tmp_path)) == (before, ["c.safetensors"])


def test_an_error_of_the_writer_is_one_of_ours(tmp_path, monkeypatch):
    def fail(*_):
        raise safetensors.SafetensorError("IoError")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(WeightsError, match="IoError"):
        save_bundle(tmp_path / "c.safetensors", tiny())


def test_saving_is_refused_when_arrays_do_not_fit(tmp_path):
    broken = tiny(**{"params/conv/bias": np.zeros(5, np.float32)})
    with pytest.raises(WeightsError, match=r"conv/bias has shape \(5,\), required is \(4,\)"):
        save_bundle(tmp_path / "c.safetensors", broken)
    assert not list(tmp_path.iterdir())


# Loading what holds other numbers.


@pytest.mark.parametrize(
    ("bias", "fault"),
    [
        (np.zeros(4, np.int32), "is int32, required is float32 or float16"),
        (np.zeros(4, np.uint64), "is uint64, required"),
        (np.zeros(4, bool), "is bool, required"),
        (np.zeros(4, np.complex64), "is complex64, required"),
        (np.zeros(4, ml_dtypes.bfloat16), "is bfloat16, required"),
        (np.full(4, np.nan, np.float32), "has numbers that are not finite"),
        (np.full(4, np.inf, np.float16), "has numbers that are not finite"),
    ],
)
def test_loading_is_refused_of_an_array_of_other_numbers(tmp_path, bias, fault):
    name = "params/conv/bias"
    path = rewrite(tmp_path / "c.safetensors", tensors={f"feature_editor/{name}": bias})
    with pytest.raises(WeightsError, match=f"{name} {fault}"):
        load_bundle(path)


def test_loading_is_refused_of_an_array_of_float8(tmp_path):
    eight = np.zeros(4, ml_dtypes.float8_e4m3fn)
    path = rewrite(tmp_path / "c.safetensors", tensors={"feature_editor/params/conv/bias": eight})
    with pytest.raises((FileFormatError, WeightsError), match="float32 or float16"):
        load_bundle(path)


@pytest.mark.parametrize("vector", [np.full(4, np.nan, np.float32), np.zeros(4, np.complex64)])
def test_loading_is_refused_of_a_direction_without_finite_numbers(tmp_path, vector):
    path = rewrite(tmp_path / "c.safetensors", tensors={"directions/own/age": vector})
    with pytest.raises(FileFormatError, match=r"c\.safetensors: direction 'own/age' "):
        load_bundle(path)


# Loading what is older, or no bundle.


def test_a_file_from_before_fitted_directions_has_none(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata={"directions": None})
    assert load_bundle(path).records == ()


def test_loading_is_refused_of_a_broken_list_of_directions(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata={"directions": '[{"name": "age"}]'})
    with pytest.raises(FileFormatError, match=r"c\.safetensors: .*describes no direction"):
        load_bundle(path)


def test_loading_is_refused_of_a_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match=r"gone\.safetensors: no such file"):
        load_bundle(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_loading_is_refused_of_a_file_cut_short(saved, tmp_path, kept):
    path = tmp_path / "short.safetensors"
    content = saved.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FileFormatError, match=r"short\.safetensors: not a readable bundle"):
        load_bundle(path)


def test_loading_is_refused_of_a_pickle(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps({"weight": [1.0]}))
    with pytest.raises(FileFormatError, match=r"net\.pkl.*convert_weights"):
        load_bundle(path)


def test_loading_is_refused_of_other_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"x": np.zeros(3)}, path)
    with pytest.raises(FileFormatError, match=r"format is None.*convert_weights"):
        load_bundle(path)


def test_loading_is_refused_of_a_newer_format(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata={"format": "sfe_jax bundle 2"})
    with pytest.raises(FileFormatError, match="sfe_jax bundle 2"):
        load_bundle(path)


@pytest.mark.parametrize("name", ["networks", "sources"])
def test_loading_is_refused_when_metadata_is_missing(tmp_path, name):
    path = rewrite(tmp_path / "c.safetensors", metadata={name: None})
    with pytest.raises(FileFormatError, match=name):
        load_bundle(path)


@pytest.mark.parametrize(
    ("entry", "text", "message"),
    [
        ("networks", "{", "networks: is no JSON"),
        ("networks", "[" * 100_000, "networks: is no JSON"),
        ("networks", "[]", "networks are no table"),
        ("networks", '{"generator": "x"}', "'generator' is 'x'; required is a table"),
        ("sources", "null", "sources are no list"),
        ("sources", '[{"nme": 1}]', r"\{'nme': 1\} describes no source"),
    ],
)
def test_loading_is_refused_of_metadata_that_say_nothing(tmp_path, entry, text, message):
    path = rewrite(tmp_path / "c.safetensors", metadata={entry: text})
    with pytest.raises(FileFormatError, match=rf"c\.safetensors: .*{message}"):
        load_bundle(path)


def networks_with(**changes):
    description = describe_architecture(FeatureFuser(features=4, num_units=1))
    return {"networks": json.dumps({"feature_editor": {**description, **changes}})}


def test_loading_is_refused_of_an_unknown_type(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata=networks_with(type="unheard"))
    with pytest.raises(WeightsError, match=r"'unheard'; known are stylegan1_generator"):
        load_bundle(path)


def test_loading_is_refused_of_a_type_that_is_no_name(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata=networks_with(type=["arcface"]))
    with pytest.raises(WeightsError, match=r"unknown type of network \['arcface'\]"):
        load_bundle(path)


def test_loading_is_refused_of_fields_out_of_bounds(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata=networks_with(num_units=10**9))
    with pytest.raises(WeightsError, match=r"num_units is 1000000000; .* from 0 to 128"):
        load_bundle(path)


def test_loading_is_refused_of_sizes_that_make_no_network(tmp_path):
    described = json.dumps({"generator": {"type": "stylegan2_generator", "channels": []}})
    path = rewrite(tmp_path / "c.safetensors", metadata={"networks": described})
    with pytest.raises(WeightsError, match="generator: its sizes make no network"):
        load_bundle(path)


def test_saving_is_refused_of_fields_that_could_not_be_read(tmp_path):
    network = Network(FeatureFuser(features=1, num_units=129), {})
    with pytest.raises(WeightsError, match="num_units is 129"):
        save_bundle(tmp_path / "c.safetensors", Bundle({"feature_editor": network}))


def test_loading_is_refused_of_an_unknown_field(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata=networks_with(depth=3))
    with pytest.raises(WeightsError, match=r"feature_editor: .* has no field 'depth'"):
        load_bundle(path)


def test_loading_is_refused_when_arrays_do_not_fit_the_architecture(tmp_path):
    path = rewrite(tmp_path / "c.safetensors", metadata=networks_with(features=6))
    with pytest.raises(WeightsError, match=r"conv/bias has shape \(4,\), required is \(6,\)"):
        load_bundle(path)


def test_loading_lists_all_faults_together(tmp_path):
    extra = {"feature_editor/params/extra": np.zeros(2, np.float32)}
    path = rewrite(tmp_path / "c.safetensors", tensors=extra, metadata=networks_with(num_units=2))
    with pytest.raises(WeightsError, match=r"(?s)missing params/unit1.*unexpected params/extra"):
        load_bundle(path)


def test_a_missing_role_is_named_with_those_that_are_there():
    with pytest.raises(WeightsError, match=r"no 'e4e' in this bundle; it holds feature_editor"):
        tiny().network("e4e")


def test_halved_bundle_is_read_as_float32(small_bundle, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_bundle(whole, small_bundle)
    save_bundle(half, small_bundle, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    read = load_bundle(half).network("e4e").variables
    for have, want in zip(
        jax.tree.leaves(read),
        jax.tree.leaves(small_bundle.network("e4e").variables),
        strict=True,
    ):
        assert have.dtype == jnp.float32
        np.testing.assert_allclose(have, want, rtol=1e-3, atol=1e-6)


def test_numbers_beyond_float16_are_not_halved(small_bundle, tmp_path):
    network = small_bundle.network("e4e")
    large = jax.tree.map(lambda x: x + 1e6, network.variables)
    bundle = Bundle({"e4e": Network(network.module, large)})
    with pytest.raises(WeightsError, match="holds numbers that float16 cannot"):
        save_bundle(tmp_path / "half.safetensors", bundle, half=True)
