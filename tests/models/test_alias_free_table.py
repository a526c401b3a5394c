import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.models.alias_free_table import (
    Growth,
    alias_free_channels,
    alias_free_layers,
    levels,
)
from sfe_jax.models.stylegan3 import Generator

PUBLISHED = {  # Sizes and channels of configuration T.
    1024: "36_512 36_512 52_512 52_512 84_512 148_512 148_512 276_323 276_203 532_128 1044_81 "
    "1044_51 1044_32 1024_32 1024_3",
    512: "36_512 36_512 52_512 52_512 84_512 84_512 148_512 148_483 276_323 276_215 532_144 "
    "532_96 532_64 512_64 512_3",
    256: "36_512 36_512 36_512 52_512 52_512 84_512 84_512 148_512 148_512 148_362 276_256 "
    "276_181 276_128 256_128 256_3",
}

R_CHANNELS = (1024,) * 7 + (645, 406, 256, 161, 102, 64, 64)


def layers(resolution=1024, **options):
    growth = Growth(resolution)
    return alias_free_layers(growth, alias_free_channels(growth), **options)


@pytest.mark.parametrize("resolution", PUBLISHED)
def test_names_are_those_of_published_models(resolution):
    names = [f"L{i}_{name}" for i, name in enumerate(PUBLISHED[resolution].split())]
    assert [layer.name for layer in layers(resolution)] == names


def test_rates_are_those_of_published_model():
    rates = [16, 16, 32, 32, 64, 128, 128, 256, 256, 512, *[1024] * 5]
    assert [level.rate for level in levels(Growth(1024))] == rates


def test_channels_of_generator_are_those_of_published_model():
    assert Generator().channels == alias_free_channels(Growth(1024))


def test_channels_of_configuration_r_are_those_of_published_model():
    assert alias_free_channels(Growth(1024), base=65536, maximum=1024) == R_CHANNELS


@pytest.mark.parametrize(
    ("kernel_size", "same", "doubled", "last"),
    [(3, (9, 8), (-6, -9), (-11, -12)), (1, (11, 10), (-2, -5), (-9, -10))],
    ids=["T", "R"],
)
def test_padding_is_that_of_published_models(kernel_size, same, doubled, last):
    expected = [same, same, doubled, same, doubled, doubled, same, doubled, same, doubled, doubled]
    expected += [same, same, last, (0, 0)]
    assert [x.padding[:2] for x in layers(kernel_size=kernel_size)] == expected


def test_only_layers_below_the_critical_are_radial():
    shapes = [x.down_filter.ndim for x in layers(kernel_size=1, radial=True)[:-1]]
    assert shapes == [2] * 12 + [1] * 2


def test_filter_has_twice_the_taps_where_the_rate_doubles():
    assert [len(x.up_filter) for x in layers()[:4]] == [12, 12, 24, 12]


def test_torgb_does_not_resample():
    last = layers()[-1]
    assert (last.up, last.down, last.up_filter, last.down_filter) == (1, 1, None, None)


def test_offsets_count_the_channels_before():
    table = layers()
    assert table[3].offset == sum(layer.in_channels for layer in table[:3])


def test_last_layers_use_the_whole_band_with_any_number_of_layers():
    table = levels(Growth(64, num_layers=9, num_critical=3))
    assert [level.cutoff for level in table[6:]] == [32.0] * 4
    assert table[5].cutoff < 32


def test_margin_surrounds_all_but_the_last_two():
    table = levels(Growth(64, num_layers=6, margin=4))
    assert [level.size - level.rate for level in table] == [8] * 5 + [0] * 2


@pytest.mark.parametrize("resolution", [0, 8, 48])
def test_levels_refuse_resolution(resolution):
    with pytest.raises(ShapeError, match=f"`resolution` is {resolution}; required is a power"):
        levels(Growth(resolution))


def test_levels_refuse_too_few_layers():
    with pytest.raises(ShapeError, match="2 layers, 2 of them critical"):
        levels(Growth(64, num_layers=2))


def test_layers_refuse_other_number_of_channels():
    with pytest.raises(ShapeError, match="3 `channels` for 14 layers"):
        alias_free_layers(Growth(64), (8, 8, 8))
