import jax
import jax.numpy as jnp
import pytest

from benchmarks.generator_layers import (
    WHOLE,
    Floors,
    LayerTime,
    layer_times,
    page,
    parse,
    slowest,
)
from benchmarks.measuring.flops import count_flops
from benchmarks.measuring.timing import Spread
from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import abstract_variables

GENERATOR = Generator(channels=(4, 4, 2), z_dim=4, w_dim=4, mapping_layers=1)


def row(name, milliseconds, *, gflop=0.0, megabytes=0.0):
    seconds = milliseconds / 1e3
    return LayerTime(name, gflop, megabytes, Spread(seconds, seconds, seconds))


@pytest.fixture(scope="module")
def rows():
    return list(layer_times(GENERATOR, repeats=1))


def test_every_layer_has_a_row(rows):
    names = {layer.name for layer in GENERATOR.layers}
    doubled = {f"b{side}, picture doubled and added" for side in (8, 16)}
    assert {r.name for r in rows} == names | doubled | {WHOLE}


def test_flops_of_layers_are_those_of_the_synthesis(rows):
    styles = {
        layer.name: jax.ShapeDtypeStruct((1, layer.in_channels), jnp.float32)
        for layer in GENERATOR.layers
    }

    def synthesise(variables, styles):
        return apply(GENERATOR, variables, styles=styles, method="synthesize")["image"]

    whole = count_flops(synthesise, abstract_variables(GENERATOR), styles) / 1e9
    assert sum(r.gflop for r in rows[:-1]) == pytest.approx(whole, rel=1e-6)


def test_memory_of_the_whole_is_the_sum_of_its_layers(rows):
    assert rows[-1].megabytes == pytest.approx(sum(r.megabytes for r in rows[:-1]))


def test_floors_are_of_products_and_of_memory():
    floors = Floors(gflop_per_s=100.0, megabytes_per_s=1e4)
    assert floors.seconds(row("a", 5, gflop=1.0, megabytes=30.0)) == pytest.approx((0.01, 0.003))


def test_slowest_are_farthest_above_their_higher_floor():
    floors = Floors(gflop_per_s=100.0, megabytes_per_s=1e4)
    far, near = row("far", 8, megabytes=10.0), row("near", 20, gflop=1.9)
    assert slowest([near, far, row(WHOLE, 28)], floors, count=1) == [far]


def test_page_names_the_share_of_the_ceiling():
    floors = Floors(gflop_per_s=100.0, megabytes_per_s=1e4)
    text = page(
        [row("b4.conv1", 20, gflop=1.0), row(WHOLE, 30, gflop=1.0)], floors, memory_kept=True
    )
    assert "| b4.conv1 | 1.00 | 0.0 | 20.00 | 20.00 to 20.00 | 50% |" in text


def test_a_page_that_its_figures_would_replace_is_refused():
    with pytest.raises(OptionError, match=r"--out is layers\.json; .* ending in \.md"):
        parse(["-o", "layers.json"])
