import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.models.layer_table import (
    FFHQ_CHANNELS,
    channel_table,
    num_ws,
    resolutions,
    synthesis_layers,
)

LAYERS = {layer.name: layer for layer in synthesis_layers(FFHQ_CHANNELS)}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("b4.conv1", 0),
        ("b4.torgb", 1),
        ("b8.conv0", 1),
        ("b64.conv0", 7),
        ("b64.conv1", 8),
        ("b64.torgb", 9),
        ("b128.conv0", 9),
        ("b1024.conv1", 16),
        ("b1024.torgb", 17),
    ],
)
def test_row_of_layer_at_1024(name, row):
    assert LAYERS[name].row == row


def test_rows_of_every_block_follow_its_level():
    for level in range(3, 11):  # r = 2^l: conv0, conv1, ToRGB read rows 2l-5, 2l-4, 2l-3.
        rows = [LAYERS[f"b{2**level}.{part}"].row for part in ("conv0", "conv1", "torgb")]
        assert rows == [2 * level - 5, 2 * level - 4, 2 * level - 3]


def test_layers_at_1024_are_17_convolutions_and_9_torgbs():
    kinds = [layer.kind for layer in LAYERS.values()]
    assert (kinds.count("conv"), kinds.count("torgb")) == (17, 9)


def test_convolutions_at_1024_have_6048_style_channels():
    convs = [layer for layer in LAYERS.values() if layer.kind == "conv"]
    assert sum(layer.in_channels for layer in convs) == 6048


def test_style_channels_at_1024():
    sizes = [layer.in_channels for layer in LAYERS.values() if layer.kind == "conv"]
    assert sizes == [512] * 10 + [256, 256, 128, 128, 64, 64, 32]


def test_feature_of_sfe_is_ninth_convolution():
    convs = [layer.name for layer in LAYERS.values() if layer.kind == "conv"]
    assert convs[9 - 1] == "b64.conv1"  # Entry 0 of the reference is the constant.


def test_offsets_are_running_sums_of_style_channels():
    end = 0
    for layer in LAYERS.values():
        assert layer.offset == end
        end += layer.in_channels


def test_conv0_changes_channels_and_conv1_keeps_them():
    sizes = [
        (LAYERS[f"b128.conv{i}"].in_channels, LAYERS[f"b128.conv{i}"].channels) for i in (0, 1)
    ]
    assert sizes == [(512, 256), (256, 256)]


def test_name_splits_into_block_and_part():
    assert (LAYERS["b64.conv1"].block, LAYERS["b64.conv1"].part) == ("b64", "conv1")


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_only_last_block_has_torgb_unless_skip(architecture):
    layers = synthesis_layers((4, 4, 4), architecture=architecture)
    assert [layer.name for layer in layers if layer.kind == "torgb"] == ["b16.torgb"]


def test_torgb_has_channels_of_picture():
    assert synthesis_layers((4,), image_channels=1)[-1].channels == 1


@pytest.mark.parametrize(
    ("resolution", "rows"), [(4, 2), (32, 8), (64, 10), (256, 14), (512, 16), (1024, 18)]
)
def test_num_ws_of_resolution(resolution, rows):
    assert num_ws(resolution) == rows


def test_channel_table_of_default_base_is_configuration_f():
    assert channel_table(1024) == FFHQ_CHANNELS


def test_channel_table_is_capped_quotient():
    assert channel_table(64, base=512, maximum=100) == (100, 64, 32, 16, 8)


def test_resolutions_double_from_four():
    assert resolutions(32) == (4, 8, 16, 32)


@pytest.mark.parametrize("resolution", [-4, 0, 2, 24, 1000])
def test_resolutions_refuses_other_than_power_of_two(resolution):
    with pytest.raises(ShapeError, match=f"`resolution` is {resolution}; required is a power of"):
        resolutions(resolution)
