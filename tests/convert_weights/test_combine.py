import numpy as np
import pytest

from convert_weights import combine
from convert_weights.kinds.kind import Converted
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.pipelines.bundle import Network, Source, abstract_variables
from tests.convert_weights.official import (
    BODY,
    FAMILIES,
    HEADS,
    ROWS,
    SIZE,
    average,
    generator,
    variables_of,
)

AVERAGES = {
    "generator": "buffers/mapping/w_avg",
    "inverter": "buffers/backbone/w_avg",
    "e4e": "buffers/w_avg",
}


def zeros(module):
    """A network of zeros, which takes no time to draw."""
    import jax

    shapes = abstract_variables(module)
    return Network(module, jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes))


def fitted(*names, value=1.0):
    """A file of fitted directions, each with a vector of `value`."""
    records = [Direction(n, "fitted", Linear(f"fitted/{n}", value), -1, 1, "", "") for n in names]
    arrays = {record.rule.array: np.full((1, SIZE), value, np.float32) for record in records}
    return Source("own.safetensors", "0" * 64), Converted("bundle", {}, arrays, (), tuple(records))


def part(kind, name="file.pt", **networks):
    return Source(name, "0" * 64), Converted(kind, networks)


def with_average(network, value):
    return combine._replace(network, "buffers/mapping/w_avg", value)


@pytest.fixture(scope="module")
def networks():
    found = {role: zeros(FAMILIES[role].module) for role in ("inverter", "e4e", "psp")}
    found["generator"] = with_average(zeros(generator()), average())
    return found


@pytest.fixture(scope="module")
def sfe(networks):
    """Generator, Inverter and e4e from three files."""
    parts = [
        part("sfe-inverter", inverter=networks["inverter"]),
        part("rosinality", generator=networks["generator"]),
        part("e4e", e4e=networks["e4e"]),
    ]
    return combine.combine(parts)[0]


@pytest.mark.parametrize("role", ["inverter", "e4e"])
def test_every_row_is_the_generators_average_when_sfe_is_combined(sfe, role):
    rows = flatten(sfe.networks[role].variables)[AVERAGES[role]]
    np.testing.assert_array_equal(rows, np.tile(average(), (ROWS, 1)), strict=True)


def test_e4e_keeps_its_own_average_without_an_inverter(networks):
    own = combine._replace(networks["e4e"], "buffers/w_avg", np.full((ROWS, SIZE), 2, np.float32))
    parts = [part("rosinality", generator=networks["generator"]), part("e4e", e4e=own)]
    bundle, _ = combine.combine(parts)
    assert (bundle.networks["e4e"].variables["buffers"]["w_avg"] == 2).all()


def test_two_files_with_the_same_network_are_refused(networks):
    parts = [part("rosinality", name, generator=networks["generator"]) for name in ("a.pt", "b.pt")]
    with pytest.raises(WeightsError, match=r"b\.pt and a\.pt both hold a generator"):
        combine.combine(parts)


ORDERS = [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)]


@pytest.mark.parametrize("order", ORDERS)
def test_the_generators_own_file_wins_over_those_of_encoders_in_any_order(networks, order):
    other = with_average(networks["generator"], average(5))
    parts = [
        part("psp", psp=networks["psp"], generator=other),
        part("e4e", e4e=networks["e4e"], generator=other),
        part("rosinality", generator=networks["generator"]),
    ]
    bundle, _ = combine.combine([parts[index] for index in order])
    assert bundle.networks["generator"] is networks["generator"]


def test_the_generator_of_an_encoder_is_taken_when_there_is_no_other(networks):
    parts = [part("psp", psp=networks["psp"], generator=networks["generator"])]
    assert combine.combine(parts)[0].networks["generator"] is networks["generator"]


def test_an_inverter_is_refused_without_its_generator(networks):
    with pytest.raises(WeightsError, match=r"Inverter needs the generator.*\.pt"):
        combine.combine([part("sfe-inverter", inverter=networks["inverter"])])


@pytest.mark.parametrize("changes", [{"num_styles": ROWS + 2}, {"w_dim": SIZE + 1}])
def test_codes_of_another_size_than_the_generators_are_refused(networks, changes):
    e4e = zeros(E4eEncoder(**{**HEADS, **BODY, **changes}))
    parts = [part("rosinality", generator=networks["generator"]), part("e4e", e4e=e4e)]
    with pytest.raises(WeightsError, match=rf"e4e gives codes .*reads \({ROWS}, {SIZE}\)"):
        combine.combine(parts)


def test_a_w_encoder_fits_a_generator_of_any_number_of_rows(networks):
    psp = zeros(FAMILIES["psp w"].module)
    parts = [part("rosinality", generator=networks["generator"]), part("psp", psp=psp)]
    assert "psp" in combine.combine(parts)[0].networks


@pytest.fixture(scope="module")
def estimated():
    """A generator without an average, and one with the estimate."""
    network = with_average(
        Network(FAMILIES["ada"].module, variables_of("ada")), np.zeros(SIZE, np.float32)
    )
    return network, combine.combine([part("rosinality", generator=network)])


def test_an_absent_average_is_the_mean_of_mapped_codes(estimated):
    network, (bundle, _) = estimated
    z = np.random.RandomState(0).standard_normal((combine.AVERAGE_SAMPLES, SIZE))
    codes = network.module.apply(
        network.variables, z.astype(np.float32), method=lambda module, z: module.mapping(z)
    )
    found = bundle.networks["generator"].variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_allclose(found, np.asarray(codes)[:, 0].mean(0), rtol=1e-4, atol=1e-4)


def test_an_absent_average_is_said(estimated):
    assert estimated[1][1] == ["w_avg: absent, estimated from 10000 codes of seed 0"]


def test_nothing_is_said_when_the_average_is_there(networks):
    assert combine.combine([part("rosinality", generator=networks["generator"])])[1] == []


def test_fitted_directions_join_the_networks(networks):
    bundle, _ = combine.combine(
        [part("rosinality", generator=networks["generator"]), fitted("age")]
    )
    assert [record.name for record in bundle.records] == ["age"]
    assert bundle.directions.keys() == {"fitted/age"}


def test_the_later_of_two_fitted_directions_of_a_name_counts():
    bundle, _ = combine.combine([fitted("age", "smile"), fitted("age", value=2.0)])
    assert {record.name: record.rule.factor for record in bundle.records} == {"age": 2, "smile": 1}
    assert {name: v[0, 0] for name, v in bundle.directions.items()} == {
        "fitted/age": 2,
        "fitted/smile": 1,
    }


def test_sources_are_kept_in_the_order_given(sfe):
    assert [source.name for source in sfe.sources] == ["file.pt"] * 3
