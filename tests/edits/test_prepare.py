import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import EditError
from sfe_jax.edits.catalogue import CARS, FACES, find
from sfe_jax.edits.direction import Direction, GanSpace, Linear, Mapper, StyleSpace
from sfe_jax.edits.files import load_directions, mapper_arrays
from sfe_jax.edits.operands import apply_to_styles, apply_to_ws, stack
from sfe_jax.edits.prepare import operands_for
from sfe_jax.models.layer_table import FFHQ_CHANNELS, num_ws, synthesis_layers
from tests.edits import formulas
from tests.edits.mapper_files import official

L, W = 6, 8
CHANNELS = {"b4.conv1": 5, "b4.torgb": 5, "b8.conv0": 4}
STRENGTHS = np.array([3.0, -2.5], np.float32)
LINEAR = Linear("interfacegan/age", 0.5)
FLAT = Linear("boundary/smiling", 1.0)
COMPONENT = GanSpace("ganspace/ffhq", component=1, start=2, end=4)
STYLE = StyleSpace((("b8.conv0", 3),))


@pytest.fixture
def draw():
    return np.random.default_rng(0)


@pytest.fixture
def arrays(draw):
    components = draw.normal(size=(3, W))
    components /= np.linalg.norm(components, axis=1, keepdims=True)
    drawn = {
        "interfacegan/age": draw.normal(size=(1, W)),
        "boundary/smiling": draw.normal(size=(1, L * W)),
        "ganspace/ffhq/mean": draw.normal(size=W),
        "ganspace/ffhq/components": components,
        "ganspace/ffhq/std": draw.uniform(0.5, 2, size=3),
    }
    return {name: array.astype(np.float32) for name, array in drawn.items()}


@pytest.fixture
def ws(draw):
    return draw.normal(size=(2, L, W)).astype(np.float32)


def _direction(rule):
    return Direction("edit", "method", rule, None, None, "", "source")


def _operands(rule, arrays):
    return operands_for(_direction(rule), arrays, num_ws=L, w_dim=W, style_channels=CHANNELS)


def _expected(rule, arrays, codes, strength):
    """The specification's formula for one sample."""
    match rule:
        case Linear(array="interfacegan/age"):
            return formulas.interfacegan(codes, arrays[rule.array], strength)
        case Linear():
            return formulas.boundary(codes, arrays[rule.array], strength)
        case GanSpace():
            parts = (arrays[f"{rule.array}/{part}"] for part in ("mean", "components", "std"))
            mean, components, std = parts
            rows = range(rule.start, rule.end)
            component, scale = components[rule.component], std[rule.component]
            return formulas.ganspace(codes, mean, component, scale, rows, strength)
    return codes


# Tolerances: float32 sums of eight terms in another order.
@pytest.mark.parametrize("rule", [LINEAR, FLAT, COMPONENT, STYLE])
def test_codes_follow_the_specification_for_each_rule(rule, arrays, ws):
    edited = apply_to_ws(jnp.asarray(ws), _operands(rule, arrays), jnp.asarray(STRENGTHS))
    pairs = zip(ws, STRENGTHS, strict=True)
    expected = [_expected(rule, arrays, codes, strength) for codes, strength in pairs]
    np.testing.assert_allclose(edited, np.stack(expected), rtol=1e-5, atol=1e-5)


def test_codes_follow_the_specification_for_mixed_edits_in_one_program(arrays, draw):
    rules, strengths = (LINEAR, FLAT, COMPONENT, STYLE), (3.0, -2.5, 7.0, 4.0)
    ws = draw.normal(size=(4, L, W)).astype(np.float32)
    edits = stack([_operands(rule, arrays) for rule in rules])
    edited = jax.jit(apply_to_ws)(jnp.asarray(ws), edits, jnp.array(strengths))
    rows = zip(rules, ws, strengths, strict=True)
    expected = [_expected(rule, arrays, codes, strength) for rule, codes, strength in rows]
    np.testing.assert_allclose(edited, np.stack(expected), rtol=1e-5, atol=1e-5)


def test_styles_follow_the_specification(arrays, draw):
    sizes = CHANNELS.items()
    styles = {name: draw.normal(size=(2, size)).astype(np.float32) for name, size in sizes}
    edited = apply_to_styles(
        jax.tree.map(jnp.asarray, styles), _operands(STYLE, arrays), jnp.asarray(STRENGTHS)
    )
    pairs = zip(styles["b8.conv0"], STRENGTHS, strict=True)
    expected = styles | {"b8.conv0": np.stack([formulas.stylespace(s, 3, p) for s, p in pairs])}
    jax.tree.map(np.testing.assert_array_equal, edited, expected)


def test_factor_is_a_half_for_interfacegan(arrays):
    shift = _operands(find("age", FACES).rule, arrays).shift
    np.testing.assert_array_equal(shift[0, 5], arrays["interfacegan/age"][0] / 2)


def test_factor_is_one_for_a_boundary(arrays):
    shift = _operands(find("fs_smiling", FACES).rule, arrays).shift
    np.testing.assert_array_equal(shift.reshape(1, -1), arrays["boundary/smiling"])


def test_factor_is_the_deviation_for_ganspace(arrays):
    expected = arrays["ganspace/ffhq/std"][1] * arrays["ganspace/ffhq/components"][1]
    np.testing.assert_array_equal(_operands(COMPONENT, arrays).shift[0, 2], expected)


def test_factor_is_three_for_stylespace(arrays):
    np.testing.assert_array_equal(_operands(STYLE, arrays).offsets["b8.conv0"], [[0, 0, 0, 3]])


def test_channel_listed_twice_in_one_layer_is_kept_apart(arrays):
    rule = StyleSpace((("b8.conv0", 0), ("b8.conv0", 2)))
    np.testing.assert_array_equal(_operands(rule, arrays).offsets["b8.conv0"], [[3, 0, 3, 0]])


@pytest.mark.parametrize("rule", [LINEAR, FLAT, STYLE])
def test_strength_0_is_the_identity_for_linear_rules(rule, arrays, ws):
    edited = apply_to_ws(jnp.asarray(ws), _operands(rule, arrays), jnp.zeros(2))
    np.testing.assert_array_equal(edited, ws)


def _coordinate(ws, arrays):
    """[N], in standard deviations."""
    component, std = arrays["ganspace/ffhq/components"][1], arrays["ganspace/ffhq/std"][1]
    return (ws[:, 0] - arrays["ganspace/ffhq/mean"]) @ component / std


def test_strength_equal_to_the_coordinate_is_the_identity_for_ganspace(arrays, ws):
    strength = jnp.asarray(_coordinate(ws, arrays))
    edited = apply_to_ws(jnp.asarray(ws), _operands(COMPONENT, arrays), strength)
    np.testing.assert_allclose(edited, ws, rtol=1e-5, atol=1e-6)


def test_strength_0_is_not_the_identity_for_ganspace(arrays, ws):
    edited = apply_to_ws(jnp.asarray(ws), _operands(COMPONENT, arrays), jnp.zeros(2))
    assert np.abs(np.asarray(edited) - ws).max() > 0.1


def test_strength_becomes_the_coordinate_for_ganspace_that_moves_row_0(arrays, ws):
    rule = GanSpace("ganspace/ffhq", component=1, start=0, end=L)
    strength = jnp.asarray(STRENGTHS)
    edited = apply_to_ws(jnp.asarray(ws), _operands(rule, arrays), strength)
    np.testing.assert_allclose(_coordinate(np.asarray(edited), arrays), STRENGTHS, rtol=1e-4)


@pytest.mark.parametrize("shape", [(W,), (1, W), (L, W), (1, L * W), (L * W,)])
def test_own_vector_is_taken_in_each_shape(shape, draw):
    vector = draw.normal(size=shape).astype(np.float32)
    shift = _operands(Linear("own/a", 1.0), {"own/a": vector}).shift
    np.testing.assert_array_equal(shift[0], np.broadcast_to(vector.reshape(-1, W), (L, W)))


@pytest.mark.parametrize("shape", [(W - 1,), (1, W - 1), (L + 2, W), (1, (L + 2) * W), (W, L)])
def test_vector_of_another_generator_is_refused(shape):
    with pytest.raises(EditError, match=r"edit `edit` has a vector of shape .* this generator of"):
        _operands(Linear("own/a", 1.0), {"own/a": np.zeros(shape)})


def test_boundary_of_18_rows_is_refused_on_16_rows():
    arrays = {"boundary/smiling": np.zeros((1, 9216), np.float32)}
    direction = find("fs_smiling", FACES)
    with pytest.raises(EditError, match=r"\(1, 9216\); required is .* 16 rows of 512"):
        operands_for(direction, arrays, num_ws=16, w_dim=512, style_channels={})


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        ("components", (3, W + 1)),
        ("components", (2, W)),
        ("components", (3 * W,)),
        ("mean", (W + 1,)),
        ("std", (3, 1)),
    ],
)
def test_ganspace_of_another_shape_is_refused(arrays, part, shape):
    arrays[f"ganspace/ffhq/{part}"] = np.zeros(shape, np.float32)
    with pytest.raises(EditError, match=r"required are \(\(8,\), \(K, 8\), \(K,\)\)"):
        _operands(COMPONENT, arrays)


@pytest.mark.parametrize("constants", [(3, 2, 4), (1, 2, 7)])
def test_components_or_rows_that_do_not_exist_are_refused(constants, arrays):
    component, start, end = constants
    rule = GanSpace("ganspace/ffhq", component=component, start=start, end=end)
    with pytest.raises(EditError, match="there are 3 components, and the generator has 6 rows"):
        _operands(rule, arrays)


@pytest.mark.parametrize("channel", [("b64.conv1", 0), ("b8.conv0", 4), ("b8.conv0", -1)])
def test_layer_or_channel_that_the_generator_lacks_is_refused(channel, arrays):
    with pytest.raises(EditError, match=f"needs channel {channel[1]} of layer {channel[0]}"):
        _operands(StyleSpace((channel,)), arrays)


@pytest.mark.parametrize(
    ("rule", "file"),
    [(LINEAR, r"age\.pt"), (FLAT, r"Smiling_boundary\.npy"), (COMPONENT, r"ffhq_pca\.pt")],
)
def test_missing_file_is_named_with_its_remedy(rule, file):
    with pytest.raises(
        EditError, match=f"needs the file {file}, .*; convert it .* by `direction_arrays`"
    ):
        _operands(rule, {})


# Mappers.

FORM = Mapper("mapper/afro", ("coarse", "medium"))


@pytest.fixture
def mapper():
    """Arrays of a mapper that spares the fine rows."""
    parts = mapper_arrays(official(("course", "medium"), size=W), "afro.pt")
    return {f"mapper/afro/{name}": value for name, value in parts.items()}


def test_missing_mapper_is_named_with_its_file():
    with pytest.raises(EditError, match=r"`edit` needs the file afro\.pt, which is not among"):
        _operands(FORM, {})


def test_mapper_without_a_level_of_its_edit_is_refused(mapper):
    rule = Mapper("mapper/afro", ("coarse", "medium", "fine"))
    with pytest.raises(EditError, match="coarse, medium, fine, and its mapper has coarse, medium;"):
        _operands(rule, mapper)


def test_mapper_of_another_width_is_refused(mapper):
    mapper["mapper/afro/medium_bias"] = np.zeros((4, W + 1), np.float32)
    with pytest.raises(EditError, match=r"\(4, 8, 8\) and \(4, 9\); required are .* and \(4, 8\)"):
        _operands(FORM, mapper)


def test_mapper_of_rows_that_the_generator_lacks_is_refused(mapper):
    with pytest.raises(EditError, match="moves rows from 4 on, and the generator has 4"):
        operands_for(_direction(FORM), mapper, num_ws=4, w_dim=W, style_channels=CHANNELS)


@pytest.mark.parametrize(
    ("directions", "channels"), [(FACES, FFHQ_CHANNELS), (CARS, FFHQ_CHANNELS[:-1])]
)
def test_catalogue_fits_its_generator_with_the_published_files(directions, channels, data_folder):
    arrays = load_directions(data_folder / "directions")
    boundaries = ("eyeglasses", "smiling", "heavy_makeup")  # May be absent from the folder.
    arrays = {f"boundary/{name}": np.zeros((1, 9216), np.float32) for name in boundaries} | arrays
    resolution = 2 << len(channels)
    sizes = {layer.name: layer.in_channels for layer in synthesis_layers(channels)}
    trees = [
        operands_for(d, arrays, num_ws=num_ws(resolution), w_dim=512, style_channels=sizes)
        for d in directions
        if not isinstance(d.rule, Mapper)
    ]
    assert len({jax.tree.structure(tree) for tree in trees}) == 1
