from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import EditError, ImageError, OptionError, ShapeError, WeightsError
from sfe_jax.core.images import to_float, to_uint8
from sfe_jax.edits.direction import Direction, GanSpace, Linear, Mapper, StyleSpace
from sfe_jax.edits.files import mapper_arrays
from sfe_jax.edits.operands import Operands
from sfe_jax.edits.prepare import operands_for
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.editor import METHOD_ROLES, Editor, available_methods
from sfe_jax.pipelines.methods import SfeMethod
from tests.edits.mapper_files import official
from tests.pipelines.translation import translating
from tests.reference.mappers import levels_mapper

ROUNDING = 1  # Levels of 255: rounding moves values across the border of two.


def direction(name, rule):
    return Direction(name, "test", rule, None, None, "", "")


DIRECTIONS = (
    direction("age", Linear("interfacegan/age", 3.0)),
    direction("roundness", GanSpace("ganspace/own", 1, 2, 6)),
    direction("hair", StyleSpace((("b16.conv1", 3), ("b32.conv0", 5), ("b8.conv1", 2)))),
)


@pytest.fixture(scope="session")
def arrays():
    """Principal components of a random GANSpace."""
    rng = np.random.default_rng(3)
    components = rng.standard_normal((2, 32)).astype(np.float32)
    return {
        "ganspace/own/mean": rng.standard_normal(32).astype(np.float32),
        "ganspace/own/components": components / np.linalg.norm(components, axis=1, keepdims=True),
        "ganspace/own/std": np.array([2, 3], np.float32),
    }


def make_editor(bundle, arrays, **options):
    return Editor(bundle, directions=DIRECTIONS, direction_arrays=arrays, **options)


@pytest.fixture(scope="session")
def editors(small_bundle, arrays):
    """One editor per method, pictures in pairs."""
    return {
        name: make_editor(small_bundle, arrays, method=name, batch_size=2) for name in METHOD_ROLES
    }


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def inversions(editors, images):
    return {name: editor.invert(images) for name, editor in editors.items()}


@pytest.fixture(scope="session")
def sfe(editors):
    return editors["sfe"]


@pytest.fixture(scope="session")
def inversion(inversions):
    return inversions["sfe"]


def assert_same_pictures(found, expected):
    difference = np.abs(np.asarray(found, np.int16) - np.asarray(expected, np.int16))
    assert difference.max() <= ROUNDING


def rows(inversion, picked):
    return jax.tree.map(lambda x: x[picked], inversion)


# The four methods through one interface.


@pytest.mark.parametrize("name", METHOD_ROLES)
def test_inversion_has_one_row_per_picture(inversions, name):
    assert inversions[name].ws.shape == (3, 10, 32)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sfe", {"ws", "feature", "ws_e4e", "feature_e4e"}),
        ("inverter", {"ws", "feature"}),
        ("e4e", {"ws"}),
        ("psp", {"ws"}),
    ],
)
def test_inversion_holds_what_the_method_needs(inversions, name, fields):
    held = {field for field, value in inversions[name]._asdict().items() if value is not None}
    assert held == fields


@pytest.mark.parametrize("name", METHOD_ROLES)
def test_reconstruction_is_uint8_at_full_size(editors, inversions, name):
    pictures = editors[name].reconstruct(inversions[name])
    assert (pictures.shape, pictures.dtype) == ((3, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("edit", ["age", "hair"])
@pytest.mark.parametrize("name", METHOD_ROLES)
def test_edit_of_strength_zero_is_the_reconstruction(editors, inversions, name, edit):
    editor, inversion = editors[name], inversions[name]
    edited = editor.edit(inversion, edit, [0.0])
    assert_same_pictures(edited[:, 0], editor.reconstruct(inversion))


@pytest.mark.parametrize("edit", [direction.name for direction in DIRECTIONS])
@pytest.mark.parametrize("name", METHOD_ROLES)
def test_edit_changes_pictures(editors, inversions, name, edit):
    editor, inversion = editors[name], inversions[name]
    edited = editor.edit(inversion, edit, [5.0])[:, 0].astype(int)
    assert np.abs(edited - editor.reconstruct(inversion)).mean() > 1


# Batches.


@pytest.fixture(scope="session")
def edited(sfe, inversion):
    """Three pictures in three strengths, computed in pairs: the last pair is padded."""
    return sfe.edit(inversion, "age", [-2.0, 0.5, 4.0])


def test_edits_are_ordered_by_picture_then_strength(edited):
    assert edited.shape == (3, 3, 64, 64, 3)


@pytest.mark.parametrize("picture", range(3))
@pytest.mark.parametrize(("index", "strength"), list(enumerate([-2.0, 0.5, 4.0])))
def test_edits_in_batches_equal_edits_one_by_one(sfe, inversion, edited, picture, index, strength):
    alone = sfe.edit(rows(inversion, slice(picture, picture + 1)), "age", [strength])
    assert_same_pictures(edited[picture, index], alone[0, 0])


def test_inversion_in_batches_equals_inversion_one_by_one(sfe, images, inversion):
    alone = jax.tree.leaves(sfe.invert(images[2:]))
    together = jax.tree.leaves(rows(inversion, slice(2, 3)))
    for found, expected in zip(alone, together, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_nothing_is_compiled_again_for_another_number_of_pictures(small_bundle, arrays, images):
    traces = []
    editor = make_editor(small_bundle, arrays, method="psp", batch_size=2)
    editor._invert = jax.jit(lambda v, x: traces.append(x.shape) or editor._method.invert(v, x))
    for count in (1, 2, 3):
        editor.invert(images[:count])
    assert traces == [(2, 64, 64, 3)]


def test_one_compiled_program_serves_every_edit(small_bundle, arrays, inversions):
    editor = make_editor(small_bundle, arrays, method="e4e", batch_size=2)
    for name in ("age", "roundness", "hair"):
        editor.edit(inversions["e4e"], name, [1.0, 2.0, 3.0])
    assert editor._edit._cache_size() == 1


# What SFE's edit is made of.


class DeltaMethod(SfeMethod):
    """SFE whose pictures are the differences that its Feature Editor is given."""

    def edited_feature(self, variables, inversion, delta):
        del variables, inversion
        return delta

    def upper(self, variables, styles, start, feature):
        del variables, styles, start
        return feature


@pytest.fixture(scope="session")
def deltas(sfe):
    """The method that shows differences, its edit compiled."""
    method = sfe._method
    modules = (method.generator, method.inverter, method.feature_editor, method.e4e)
    return DeltaMethod(*modules)


@pytest.fixture(scope="session")
def delta_of(sfe, deltas):
    """From an inversion, operands and strengths to the difference, compiled once."""
    run = jax.jit(deltas.edit)
    return lambda *arguments: run(sfe._variables, *arguments)


@pytest.fixture(scope="session")
def feature_of(sfe):
    """From codes to the generator's own feature, compiled once."""
    method = sfe._method

    @jax.jit
    def run(weights, ws):
        styles = method.generator.apply(weights, ws, method="styles")
        return method.lower(weights, styles).feature

    return lambda ws: run(sfe._variables["generator"], ws)


def test_feature_is_a_quarter_of_the_pictures_side(sfe, inversion):
    assert (sfe._method.feature_layer, inversion.feature.shape) == ("b16.conv1", (3, 16, 16, 32))


def test_feature_of_a_full_size_inverter_is_b64_conv1():
    from sfe_jax.models.feature_editor import FeatureFuser
    from sfe_jax.models.inverter import Inverter
    from sfe_jax.models.stylegan2 import Generator

    method = SfeMethod(Generator(), Inverter(), FeatureFuser(), Generator())
    assert method.feature_layer == "b64.conv1"


def test_difference_is_the_original_minus_the_edited(sfe, inversion, delta_of, feature_of):
    one = rows(inversion, slice(0, 1))
    operands = sfe.operands("age")
    found = delta_of(one, operands, jnp.full((1,), 2.0))
    expected = feature_of(one.ws_e4e) - feature_of(one.ws_e4e + 2 * operands.shift)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_difference_is_zero_when_a_picture_is_only_reconstructed(sfe, inversion, deltas):
    one = rows(inversion, slice(0, 1))
    assert not np.any(jax.jit(deltas.reconstruct)(sfe._variables, one))


def test_ganspace_measures_the_coordinates_of_both_codes_independently(
    sfe, inversion, delta_of, feature_of
):
    """Strength 0 moves e4e's codes by their own coordinate, not by that of the Inverter's."""
    one = rows(inversion, slice(0, 1))
    operands = sfe.operands("roundness")
    found = delta_of(one, operands, jnp.zeros(1))
    coordinate = jnp.sum((one.ws_e4e[:, 0] - operands.centre) * operands.probe, axis=-1)
    moved = one.ws_e4e - coordinate[:, None, None] * operands.back
    expected = feature_of(one.ws_e4e) - feature_of(moved)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_mapper_makes_the_shift_of_e4es_codes_of_e4es_codes(sfe, inversion, delta_of, feature_of):
    one, content = rows(inversion, slice(0, 1)), official(size=32)
    arrays = {f"own/m/{name}": value for name, value in mapper_arrays(content, "m.pt").items()}
    edit = direction("m", Mapper("own/m", ("coarse", "medium", "fine")))
    operands = operands_for(edit, arrays, **sfe._method.generator.code_sizes)
    found = delta_of(one, operands, jnp.full((1,), 0.5))
    shift = levels_mapper(np.asarray(one.ws_e4e), content["state_dict"]).astype(np.float32)
    expected = feature_of(one.ws_e4e) - feature_of(one.ws_e4e + 0.5 * shift)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_difference_is_zero_where_the_background_is_protected(sfe, inversion, delta_of):
    one = rows(inversion, slice(0, 1))
    left = np.zeros((1, 64, 64), np.float32)
    left[:, :, :32] = 1
    free = delta_of(one, sfe.operands("age"), jnp.full((1,), 2.0))
    found = delta_of(sfe.protect(one, left), sfe.operands("age"), jnp.full((1,), 2.0))
    expected = np.where(np.arange(16)[:, None] < 8, 0, free)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_background_is_refused_where_no_feature_is_edited(editors, inversions):
    with pytest.raises(OptionError, match="'psp' edits no feature; required is 'sfe'"):
        editors["psp"].protect(inversions["psp"], np.zeros((3, 64, 64), np.float32))


def test_a_background_of_another_number_is_refused(sfe, inversion):
    with pytest.raises(ShapeError, match=r"`background` has shape \(1, 64, 64\)"):
        sfe.protect(inversion, np.zeros((1, 64, 64), np.float32))


def test_inverter_alone_keeps_the_feature_when_it_edits(editors, inversions):
    """Only what stands behind the feature, and the colours before it, see the edited codes."""
    editor = editors["inverter"]
    one = rows(inversions["inverter"], slice(0, 1))
    generator, operands = editor._method.generator, editor.operands("age")

    @jax.jit
    def expected(weights):
        ws, replaced = one.ws + operands.shift, {"b16.conv1": one.feature}
        return generator.apply(weights, ws, replace=replaced, method="synthesize")["image"]

    image = to_uint8(expected(editor._variables["generator"]))
    assert_same_pictures(editor.edit(one, operands, [1.0])[0], image)


def test_w_plus_methods_show_the_codes_alone(editors, inversions):
    editor, inversion = editors["e4e"], inversions["e4e"]
    generator = editor._method.generator
    run = jax.jit(lambda weights, ws: generator.apply(weights, ws, method="synthesize")["image"])
    expected = to_uint8(run(editor._variables["generator"], inversion.ws))
    assert_same_pictures(editor.reconstruct(inversion), expected)


def test_networks_see_pictures_between_minus_one_and_one(editors, inversions, images):
    editor = editors["e4e"]
    ws = jax.jit(editor._method.encoder.apply)(editor._variables["e4e"], to_float(images))
    np.testing.assert_allclose(inversions["e4e"].ws, ws, rtol=1e-4, atol=1e-4)


def test_bfloat16_stays_near_float32(small_bundle, arrays, editors, inversions):
    fast = make_editor(small_bundle, arrays, method="psp", precision="bfloat16")
    one = rows(inversions["psp"], slice(0, 1))
    expected = editors["psp"].reconstruct(one).astype(int)
    assert np.abs(fast.reconstruct(one) - expected).mean() < 4


# Fitted directions.


@pytest.fixture(scope="session")
def fitted(small_bundle):
    """An editor of a bundle with directions of its own: one as the catalogue has, one more."""
    records = [direction(name, Linear(f"fitted/{name}", 2.0)) for name in ("age", "freckles")]
    arrays = {record.rule.array: np.full((1, 32), 3, np.float32) for record in records}
    arrays = {**small_bundle.directions, **arrays}
    bundle = replace(small_bundle, directions=arrays, records=tuple(records))
    return Editor(bundle, method="psp", directions=DIRECTIONS)


def test_a_direction_of_the_bundle_replaces_the_one_of_its_name(fitted):
    np.testing.assert_array_equal(fitted.operands("age").shift, np.full((1, 10, 32), 6))


def test_directions_of_the_bundle_are_known_beside_those_given(fitted):
    assert [d.name for d in fitted.directions] == ["age", "roundness", "hair", "freckles"]


# Which method.


def without(bundle, *roles):
    return Bundle({role: net for role, net in bundle.networks.items() if role not in roles})


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ((), ["sfe", "inverter", "e4e", "psp"]),
        (("feature_editor",), ["inverter", "e4e", "psp"]),
        (("inverter", "psp"), ["e4e"]),
        (("generator",), []),
    ],
)
def test_available_methods_are_those_whose_networks_are_there(small_bundle, missing, expected):
    assert available_methods(without(small_bundle, *missing)) == expected


def test_the_fullest_method_is_taken_when_none_is_named(small_bundle):
    assert Editor(without(small_bundle, "feature_editor")).method_name == "inverter"


NEEDED = [(name, role) for name, roles in METHOD_ROLES.items() for role in roles]


@pytest.mark.parametrize(("name", "role"), NEEDED)
def test_a_method_is_refused_when_a_network_is_missing(small_bundle, name, role):
    with pytest.raises(WeightsError, match=rf"no '{role}' in this bundle; it holds .*arcface"):
        Editor(without(small_bundle, role), method=name)


def test_a_bundle_of_a_generator_alone_is_refused(small_bundle):
    bundle = Bundle({"generator": small_bundle.networks["generator"]})
    with pytest.raises(WeightsError, match="it holds generator"):
        Editor(bundle)


def test_an_unknown_method_is_refused(small_bundle):
    with pytest.raises(OptionError, match=r"'hyperstyle'.*sfe, inverter, e4e, psp"):
        Editor(small_bundle, method="hyperstyle")


# What is refused.


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (64, 64, 3), (1, 64, 64, 1), (1, 64, 32, 3)])
def test_pictures_of_another_shape_are_refused(sfe, shape):
    with pytest.raises(ShapeError, match=r"images.*any, 64, 64, 3"):
        sfe.invert(np.zeros(shape, np.uint8))


def test_pictures_of_another_type_are_refused(sfe):
    with pytest.raises(ImageError, match=r"float32.*uint8"):
        sfe.invert(np.zeros((1, 64, 64, 3), np.float32))


def test_no_pictures_are_refused(sfe):
    with pytest.raises(ShapeError, match="no rows"):
        sfe.invert(np.zeros((0, 64, 64, 3), np.uint8))


def test_no_strengths_are_refused(sfe, inversion):
    with pytest.raises(ShapeError, match="no rows"):
        sfe.edit(inversion, "age", [])


def test_an_unknown_edit_is_refused_with_the_nearest(sfe, inversion):
    with pytest.raises(EditError, match=r"`agee` is unknown; nearest: age"):
        sfe.edit(inversion, "agee", [1.0])


def test_an_edit_is_refused_when_its_arrays_are_missing(small_bundle, inversions):
    editor = Editor(small_bundle, method="psp", directions=DIRECTIONS)
    with pytest.raises(EditError, match=r"roundness.*direction_arrays"):
        editor.edit(inversions["psp"], "roundness", [1.0])


def test_one_strength_needs_no_list(editors, inversions):
    editor, inversion = editors["psp"], inversions["psp"]
    found = editor.edit(inversion, "age", 2)
    np.testing.assert_array_equal(found, editor.edit(inversion, "age", [2.0]))


def test_operands_can_be_given_in_place_of_a_name(editors, inversions):
    editor, inversion = editors["psp"], inversions["psp"]
    operands = editor.operands("age")
    assert isinstance(operands, Operands)
    doubled = replace(operands, shift=2 * operands.shift)
    found = editor.edit(inversion, doubled, [1.0])
    assert_same_pictures(found, editor.edit(inversion, "age", [2.0]))


def test_an_encoder_of_sketches_is_sent_to_translation():
    with pytest.raises(WeightsError, match=r"1 channels; .*; sketches .* are for `sfe translate`"):
        Editor(translating(1), method="psp")
