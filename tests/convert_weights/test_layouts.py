import numpy as np
import pytest

from convert_weights import layouts

SHAPES = {
    "SAME": [(), (3,)],
    "CONV": [(2, 3, 5, 4)],
    "DENSE": [(2, 3)],
    "CONST": [(2, 3, 4)],
    "BATCHED_CONV": [(1, 2, 3, 5, 4)],
    "BATCHED_CONST": [(1, 2, 3, 4)],
    "IMAGE_BIAS": [(1, 3, 1, 1)],
    "NOISE": [(1, 1, 4, 5)],
    "ONE_ELEMENT": [(1,)],
    "REVERSED": [(2, 3, 5, 4)],
    "PLUS_ONE": [(3,)],
}
CASES = [
    pytest.param(getattr(layouts, name), shape, id=f"{name}-{shape}")
    for name, shapes in SHAPES.items()
    for shape in shapes
]
FLATTENED = layouts.flattened_dense(2, 3)
CASES.append(pytest.param(FLATTENED, (5, 4 * 2 * 3), id="flattened_dense"))
CASES.append(pytest.param(layouts.transposed(FLATTENED), (4 * 2 * 3, 5), id="transposed"))


def test_every_layout_is_tested():
    defined = {name for name, value in vars(layouts).items() if isinstance(value, layouts.Layout)}
    assert defined == SHAPES.keys()


@pytest.mark.parametrize(("layout", "shape"), CASES)
def test_to_official_undoes_to_ours(layout, shape):
    official = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    back = layout.to_official(np.asarray(layout.to_ours(official)))
    np.testing.assert_array_equal(back, official, strict=True)


def test_conv_moves_outputs_last():
    official = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)
    assert layouts.CONV.to_ours(official)[4, 3, 2, 1] == official[1, 2, 4, 3]


def test_flattened_dense_reads_rows_columns_channels():
    channels, height, width = 4, 2, 3
    official = np.arange(5 * channels * height * width).reshape(5, -1)
    ours = layouts.flattened_dense(height, width).to_ours(official)
    c, h, w, out = 3, 1, 2, 4
    assert ours[(h * width + w) * channels + c, out] == official[out, (c * height + h) * width + w]


def test_reversed_turns_both_spatial_axes():
    official = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)
    assert layouts.REVERSED.to_ours(official)[0, 0, 3, 1] == official[1, 2, 3, 1]


def test_transposed_exchanges_inputs_and_outputs():
    official = np.arange(5 * 4 * 2 * 3).reshape(5, -1)
    ours = layouts.transposed(FLATTENED).to_ours(official.T)
    np.testing.assert_array_equal(ours, FLATTENED.to_ours(official))


def test_prefixed_puts_the_module_behind_the_collection():
    entry = layouts.Entry("weight", "params/kernel", layouts.SAME)
    (moved,) = layouts.prefixed([entry], "mapping.fc0.", "mapping/dense0")
    assert (moved.key, moved.path) == ("mapping.fc0.weight", "params/mapping/dense0/kernel")
