import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers import (
    Record,
    is_tensorflow_network,
    network_arguments,
    network_function,
    network_variables,
    read,
)
from tests.readers import builders
from tests.readers.builders import Call, Name, New

ARRAY = np.arange(6, dtype=np.float32).reshape(1, 2, 3)


def record(**changes):
    """A network as the reader gives it."""
    state = {"variables": [("lod", np.float32(2))], "components": {}, **changes}
    return Record("dnnlib.tflib.network", "Network", state)


@pytest.fixture
def network(tmp_path):
    """A generator of two networks, read from a file."""

    def made(variables, components=None):
        state = {
            "version": 4,
            "static_kwargs": {"resolution": 16},
            "components": components or {},
            "build_module_src": "open('canary', 'w')",
            "build_func_name": "G_main",
            "variables": variables,
        }
        return New(Name("dnnlib.tflib.network", "Network"), state)

    constant = builders.array_state(ARRAY)
    lod = Call(Name("numpy.core.multiarray", "scalar"), constant.state[2], bytes(4))
    synthesis = made([("4x4/Const/const", constant)])
    path = tmp_path / "net.pkl"
    path.write_bytes(builders.dump(made([("lod", lod)], {"synthesis": synthesis}), 4))
    return read(path)


def test_variables_are_named_by_the_networks_that_hold_them(network):
    assert network_variables(network).keys() == {"lod", "synthesis/4x4/Const/const"}


def test_variables_have_their_values(network):
    found = network_variables(network)
    np.testing.assert_array_equal(found["synthesis/4x4/Const/const"], ARRAY, strict=True)


def test_scalar_becomes_an_array_of_rank_0(network):
    assert network_variables(network)["lod"].shape == ()


def test_arguments_are_those_of_the_file(network):
    assert network_arguments(network) == {"resolution": 16}


def test_function_is_that_of_the_file(network):
    assert network_function(network) == "G_main"


def test_source_text_stays_text(network):
    assert network.state["build_module_src"] == "open('canary', 'w')"


@pytest.mark.parametrize("module", ["dnnlib.tflib.network", "tfutil", "network"])
def test_networks_of_every_era_are_known(module):
    assert is_tensorflow_network(Record(module, "Network"))


@pytest.mark.parametrize("value", [None, {}, Record("argparse", "Namespace", {})])
def test_other_content_is_no_network(value):
    assert not is_tensorflow_network(value)


@pytest.mark.parametrize("state", [None, 3, []])
def test_network_without_attributes_is_refused(state):
    with pytest.raises(FileFormatError, match="is not a network"):
        network_variables(Record("dnnlib.tflib.network", "Network", state))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variables": 3}, "no list of variables"),
        ({"variables": [3]}, "without a name"),
        ({"variables": [("lod",)]}, "without a name"),
        ({"variables": [(3, ARRAY)]}, "without a name"),
        ({"variables": [("a" * 1000, ARRAY)]}, "without a name"),
        ({"variables": [("lod", "0")]}, "no array"),
        ({"variables": [("lod", ARRAY), ("lod", ARRAY)]}, "twice"),
        ({"components": [1]}, "without names"),
        ({"components": {3: record()}}, "without names"),
        ({"components": {"synthesis": 3}}, "is not a network"),
    ],
)
def test_variables_are_refused_of_another_structure(changes, message):
    with pytest.raises(FileFormatError, match=message):
        network_variables(record(**changes))


def test_networks_are_refused_that_hold_themselves_over_and_over():
    shared = record()
    for _ in range(30):
        shared = record(components={"a": shared, "b": shared})
    with pytest.raises(FileFormatError, match="too many networks"):
        network_variables(shared)


@pytest.mark.parametrize("arguments", [None, [1], {3: 1}])
def test_arguments_are_refused_that_have_no_names(arguments):
    with pytest.raises(FileFormatError, match="arguments"):
        network_arguments(record(static_kwargs=arguments))


def test_function_is_refused_that_has_no_name():
    with pytest.raises(FileFormatError, match="does not name the function"):
        network_function(record(build_func_name=None))
