"""What each method does beyond taking steps: its schedules, its tables, its pairs."""

from dataclasses import replace
from functools import reduce
from operator import getitem
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import EditError, OptionError, WeightsError
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.ops.resize import pool_to
from sfe_jax.pipelines.bundle import Network
from sfe_jax.training.adversary import AdversaryOptions, build_adversary
from sfe_jax.training.criteria import Criteria, CriteriaOptions, build_criteria
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.edits import build_edit_table
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.features import attribute_loss, identity_contrast
from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.method import TrainState, abstract_state, columns
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import Setting
from tests.compiling import jit
from tests.configs.shrinking import BODY, small_weights
from tests.training.weighing import terms

FEATURES = CriteriaOptions(size=64, perceptual_network="features", identity_network="features")
SMALL = {**BODY, "input_size": 64, "initial_body": "", "criteria": FEATURES}
LITTLE = {**SMALL, "input_size": 32, "criteria": replace(FEATURES, size=32)}
ALONE = AdversaryOptions(start=-1)


@pytest.fixture(scope="module")
def setting():
    """Random small networks, pictures of 64, batches of 8."""
    weights = small_weights()
    # LPIPS has no 64x64 maps of its own here; the network of faces judges.
    from sfe_jax.data.faces import ATTRIBUTES
    from sfe_jax.perceptual.face_features import FaceFeatures

    module = FaceFeatures(tuple(row.name for row in ATTRIBUTES), (8, 8, 8, 8, 8), 8)
    variables = jit(module.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    networks = {**weights.networks, "features": Network(module, variables)}
    weights = replace(weights, networks=networks)
    return Setting(
        resolution=64,
        channels=3,
        label_size=0,
        batch_size=8,
        precision="float32",
        network=weights.network,
        directions=weights.directions,
        records=weights.records,
    )


@pytest.fixture(scope="module")
def little(setting):
    """The same for pictures of 32, which the generator makes, and so can be judged."""
    return replace(setting, resolution=32, network=small_weights().network)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


# e4e.


@pytest.mark.parametrize(
    ("step", "stage"), [(0, 0), (19, 0), (20, 1), (21, 1), (22, 2), (32, 7), (1000, 7)]
)
def test_e4e_gives_rows_their_offsets_one_after_the_other(setting, step, stage):
    options = E4eOptions(**SMALL, progressive_start=160, progressive_every=16)
    assert options.build(setting).stage(jnp.asarray(step)) == stage


# Encoders begin with a known body, around the average code.


@pytest.mark.parametrize(
    ("options", "role", "body", "place"),
    [
        (PspOptions, "arcface", "body/unit0", ("pyramid", "body", "unit0")),
        (E4eOptions, "arcface", "body/stem", ("pyramid", "body", "stem")),
        (InverterOptions, "iresnet", "stage2_unit0", ("backbone", "stage2_unit0")),
    ],
)
@pytest.mark.parametrize("collection", ["params", "batch_stats"])
def test_encoder_starts_with_the_body_it_is_given(setting, options, role, body, place, collection):
    small = {"adversary": ALONE} if options is InverterOptions else {}
    method = options(**{**SMALL, **small, "initial_body": role}).build(setting)

    def begin(key):
        name = "inverter" if options is InverterOptions else method.role
        return reduce(getitem, place, method.init(key, method.given).networks[name][collection])

    expected = reduce(getitem, body.split("/"), setting.network(role).variables[collection])
    jax.tree.map(np.testing.assert_array_equal, jit(begin)(jax.random.key(0)), expected)


def test_body_of_other_sizes_is_refused_by_name(setting):
    wide = {**SMALL, "initial_body": "arcface", "widths": (8, 8, 8, 16)}
    method = PspOptions(**wide).build(setting)
    with pytest.raises(WeightsError, match=r"^arcface: .*/body/unit3/.* choose the recipe's sizes"):
        abstract_state(method)


@pytest.mark.parametrize("options", [PspOptions(**SMALL), E4eOptions(**SMALL)])
def test_encoder_starts_from_the_average_code_of_the_generator(setting, options):
    method = options.build(setting)
    # Of the whole state only the average is asked for, and so computed.
    rows = jit(lambda key: method.init(key, method.given).networks[method.role]["buffers"]["w_avg"])
    w_avg = setting.network("generator").variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_array_equal(
        rows(jax.random.key(0)), np.tile(w_avg, (setting.network("generator").module.num_ws, 1))
    )


def test_fresh_encoder_gives_codes_near_the_average():
    module = E4eEncoder(1, w_dim=64, depths=(1, 1, 1, 1), widths=(8, 8, 8, 64))
    images = draw(2, 128, 128, 3)

    def encode(key, images):
        return module.apply(module.init(key, images), images, train=True, mutable=["batch_stats"])

    ws, _ = jit(encode)(jax.random.key(0), images)
    # Codes are about 8 long. With kernels of unit gain these would be about 4.
    assert 0 < np.linalg.norm(ws, axis=2).max() < 1


@pytest.fixture(scope="module")
def e4e(little):
    """A method whose rows get offsets from step 1 on, and a state of random networks."""
    method = E4eOptions(**LITTLE, progressive_start=8, progressive_every=8).build(little)
    codes = jnp.zeros((1, method.generator.w_dim))
    networks = {
        "e4e": little.network("e4e").variables,
        "latent_discriminator": jit(method.latent_discriminator.init)(jax.random.key(0), codes),
    }
    return method, TrainState(jnp.int32(0), networks, {}, {}, {})


def test_offsets_of_rows_that_are_not_open_are_not_evaluated(e4e):
    method, state = e4e
    encoder = state.networks["e4e"]
    heads = {
        name: jax.tree.map(lambda x: x + 1, head) if name in ("style1", "style7") else head
        for name, head in encoder["params"]["pyramid"].items()
    }
    wild = {**encoder, "params": {**encoder["params"], "pyramid": heads}}
    evaluate, batch = jit(method.evaluate), {"image": draw(2, 32, 32, 3)}
    states = [state, state._replace(networks={**state.networks, "e4e": wild})]
    closed = [evaluate(s, method.frozen, batch)["loss"] for s in states]
    opened = [evaluate(s._replace(step=jnp.int32(1)), method.frozen, batch)["loss"] for s in states]
    assert closed[0] == closed[1]
    assert opened[0] != opened[1]


@pytest.mark.parametrize(
    ("role", "options"),
    [
        ("e4e", E4eOptions(**{**LITTLE, "initial": True})),
        (
            "inverter",
            InverterOptions(**{**LITTLE, "initial": True}, num_units=1, adversary=ALONE),
        ),
        (
            "feature_editor",
            FeatureEditorOptions(
                num_units=1,
                initial=True,
                edits={"smile": (1.0,)},
                criteria=FEATURES,
                adversary=ALONE,
            ),
        ),
    ],
)
def test_encoder_goes_on_from_the_trained_one(setting, role, options):
    editor = FeatureFuser(8, 1)
    shapes = jax.eval_shape(editor.init, jax.random.key(0), *[jnp.zeros((1, 4, 4, 8))] * 2)
    held = {"feature_editor": Network(editor, jax.tree.map(lambda x: np.ones(x.shape), shapes))}
    given = replace(setting, network=lambda name: held.get(name) or setting.network(name))
    method = options.build(given)
    begun = jit(lambda key: method.init(key, method.given).networks[role])(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, begun, given.network(role).variables)


def test_trained_encoder_of_fewer_rows_is_refused_with_what_it_lacks(setting):
    options = E4eOptions(**{**SMALL, "initial": True})  # One convolution more for pictures of 64.
    with pytest.raises(WeightsError, match=r"^e4e: \d+ arrays of the network to train are missing"):
        abstract_state(options.build(setting))


# Inverter.


@pytest.mark.parametrize(("step", "strength"), [(0, 0.0), (5, 0.5), (10, 1.0), (99, 1.0)])
def test_feature_replaces_gradually(setting, step, strength):
    options = InverterOptions(**SMALL, num_units=1, feature_ramp=80, adversary=ALONE)
    assert options.build(setting)._strength(jnp.asarray(step)) == strength


def test_feature_is_as_wide_as_its_layer_of_the_generator(setting):
    options = InverterOptions(**SMALL, num_units=1, adversary=ALONE)
    method = options.build(setting)
    widths = {layer.name: layer.channels for layer in method.generator.layers}
    assert method.method.feature_layer == "b16.conv1"
    assert method.inverter.features == widths["b16.conv1"]


def test_pictures_of_codes_alone_do_not_depend_on_the_feature(setting):
    method = InverterOptions(**SMALL, num_units=1, adversary=ALONE).build(setting)
    variables = setting.network("inverter").variables
    method = replace(method, inverter=setting.network("inverter").module)
    read = jit(method.read)
    images = draw(2, 64, 64, 3)
    none, whole = (read(variables, method.frozen, images, jnp.asarray(s)) for s in (0.0, 1.0))
    np.testing.assert_allclose(none.images[2:], whole.images[2:], atol=1e-5)
    np.testing.assert_allclose(none.images[:2], none.images[2:], atol=1e-5)
    assert jnp.max(jnp.abs(whole.images[:2] - whole.images[2:])) > 1e-3


# Adversary.


def test_adversary_that_never_starts_needs_no_network(setting):
    assert build_adversary(ALONE, replace(setting, network=None)) is None


def test_inverter_changes_its_program_when_the_adversary_starts(setting):
    adversary = AdversaryOptions(start=16)
    method = InverterOptions(**SMALL, num_units=1, adversary=adversary).build(setting)
    due = [[p.name for p in method.phases if p.is_due(step, 8 * step)] for step in (0, 1, 2, 16)]
    alone, judged = ["inverter"], ["inverter_against_adversary", "discriminator"]
    with_r1 = ["inverter_against_adversary", "discriminator_with_r1"]
    assert due == [alone, alone, judged, with_r1]


# Weights of the losses are those of the originals.


def test_adversary_weighs_both_kinds_of_pictures_by_a_half_and_r1_by_eighty(setting):
    adversary = build_adversary(AdversaryOptions(), setting)
    method = SimpleNamespace(phases=adversary.phases(lambda *_: draw(1, 32, 32, 3)), frozen={})
    state = TrainState(jnp.int32(0), adversary.given, {}, {}, {})
    found = terms(method, "discriminator_with_r1", state, {"image": draw(1, 32, 32, 3, seed=1)})
    softplus = jax.nn.softplus
    main = (softplus(-found["logits/real"]) + softplus(found["logits/fake"])) / 2
    np.testing.assert_allclose(found["loss/discriminator"], main, rtol=1e-5)
    np.testing.assert_allclose(found["whole"], main + 80 * found["loss/r1"], rtol=1e-5)
    assert found["loss/r1"] > 0


def test_adversary_has_r1_in_every_sixteenth_step_in_place_of_its_plain_one(setting):
    first, second = build_adversary(AdversaryOptions(start=0), setting).phases(lambda *_: None)
    due = [[p.is_due(step, 0) for p in (first, second)] for step in range(33)]
    assert due == [[step % 16 > 0, step % 16 == 0] for step in range(33)]


def test_adversary_without_r1_has_one_phase(setting):
    options = AdversaryOptions(start=0, r1_interval=0)
    (phase,) = build_adversary(options, setting).phases(lambda *_: None)
    assert phase.is_due(16, 0)


def test_e4e_weighs_offsets_and_the_opinion_on_codes(e4e):
    method, state = e4e
    found = terms(
        method, "encoder", state._replace(step=jnp.int32(3)), {"image": draw(2, 32, 32, 3)}
    )
    criteria = found["loss/l2"] + 0.8 * found["loss/perceptual"] + 0.1 * found["loss/identity"]
    latent = 2e-4 * found["loss/delta"] + 0.1 * found["loss/latent_adversarial"]
    np.testing.assert_allclose(found["whole"], criteria + latent, rtol=1e-5)
    assert found["loss/delta"] > 0


def test_e4e_weighs_r1_of_codes_by_eighty(e4e):
    method, state = e4e
    found = terms(method, "latent_r1", state, {"image": draw(2, 32, 32, 3)})
    np.testing.assert_allclose(found["whole"], 80 * found["loss/latent_r1"], rtol=1e-5)
    assert found["loss/latent_r1"] > 0


def test_inverter_weighs_feature_and_adversary(little):
    method = InverterOptions(**LITTLE, num_units=1, adversary=AdversaryOptions(start=0)).build(
        little
    )
    roles = ("inverter", "discriminator")
    networks = {role: little.network(role).variables for role in roles}
    state = TrainState(jnp.int32(0), networks, {}, {}, {})
    found = terms(method, "inverter_against_adversary", state, {"image": draw(2, 32, 32, 3)})
    criteria = found["loss/l2"] + 0.8 * found["loss/perceptual"] + 0.1 * found["loss/identity"]
    more = 0.01 * (found["loss/feature"] + found["loss/adversarial"])
    np.testing.assert_allclose(found["whole"], criteria + more, rtol=1e-5)
    assert found["loss/feature"] > 0


# Edits.


def test_edits_are_drawn_with_strengths_of_their_own(setting):
    edits = {"smile": (-2.0, 2.0), "age": (5.0,)}
    generator = setting.network("generator").module
    arrays = {**setting.directions, "interfacegan/age": np.ones((1, generator.w_dim), np.float32)}
    table = build_edit_table(edits, replace(setting, directions=arrays), generator)
    operands, strength = jit(table.draw, static_argnums=1)(jax.random.key(0), 64)
    ages = np.isclose(operands.shift, table.operands.shift[1]).all(axis=(1, 2))
    assert 0 < ages.sum() < 64
    assert set(np.asarray(strength)[ages]) == {5.0}
    assert set(np.asarray(strength)[~ages]) == {-2.0, 2.0}


def test_edits_of_the_weights_are_taken_over_their_measured_range(setting):
    table = build_edit_table({}, setting, setting.network("generator").module)
    assert table.strengths.shape == (1, 8)
    assert table.strengths.min() == -2.0
    assert table.strengths.max() == 2.0


def test_edits_are_drawn_as_often_as_their_weights_say(setting):
    generator = setting.network("generator").module
    arrays = {**setting.directions, "interfacegan/age": np.ones((1, generator.w_dim), np.float32)}
    given = replace(setting, directions=arrays)
    edits = {"smile": (1.0,), "age": (5.0,)}
    table = build_edit_table(edits, given, generator, weights={"smile": 3.0})
    _, strength = jit(table.draw, static_argnums=1)(jax.random.key(0), 4_000)
    share = np.mean(np.asarray(strength) == 1.0)
    assert share == pytest.approx(0.75, abs=0.03)  # Four deviations of the mean of 4,000 draws.


def test_weight_of_an_edit_that_is_not_drawn_is_refused(setting):
    with pytest.raises(
        EditError, match=r"^`edit_weights` names 'frown'; required is one of smile$"
    ):
        build_edit_table({}, setting, setting.network("generator").module, weights={"frown": 2.0})


def test_training_without_any_edit_is_refused(setting):
    bare = replace(setting, records=())
    with pytest.raises(EditError, match="fit directions first"):
        build_edit_table({}, bare, setting.network("generator").module)


# Feature Editor.


@pytest.fixture(scope="module")
def pairs(setting):
    """Pairs of two pictures: the first two unedited, made by a table of strength 0."""
    options = FeatureEditorOptions(
        num_units=1, edits={"smile": (0.0,)}, criteria=FEATURES, adversary=ALONE
    )
    method = options.build(setting)

    def make(images, key):
        return method.pairs(method.frozen, method.method.invert(method.frozen, images), key)

    return jit(make)(draw(2, 64, 64, 3), jax.random.key(0))


def test_an_edit_of_no_strength_has_no_difference(pairs):
    assert jnp.max(jnp.abs(pairs.delta)) == 0


def test_an_edit_of_no_strength_has_the_picture_itself_as_target(pairs):
    np.testing.assert_array_equal(pairs.images, pairs.target)


# Criteria.


def test_equal_pictures_cost_nothing(setting):
    criteria, frozen = build_criteria(FEATURES, setting)
    images = draw(2, 64, 64, 3)
    value, scalars = jit(lambda *a: criteria(*a))(frozen, images, images)
    assert set(scalars) == {"loss/l2", "loss/perceptual", "loss/identity"}
    assert abs(value) < 1e-5


def test_criteria_are_the_weighted_sum_of_their_terms(setting):
    options = replace(FEATURES, l2=2.0, perceptual=0.5, identity=0.25)
    criteria, frozen = build_criteria(options, setting)
    value, terms = jit(lambda *a: criteria(*a))(
        frozen, draw(2, 64, 64, 3), draw(2, 64, 64, 3, seed=1)
    )
    wanted = 2 * terms["loss/l2"] + terms["loss/perceptual"] / 2 + terms["loss/identity"] / 4
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_larger_pictures_are_averaged_and_smaller_ones_kept():
    images = draw(1, 8, 8, 3)
    mean = images.reshape(1, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(pool_to(jnp.asarray(images), 4), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(pool_to(jnp.asarray(images), 16), images)


@pytest.mark.parametrize("term", ["l2_crop", "perceptual_crop"])
def test_crop_term_alone_is_computed_alone(setting, term):
    weights = {"l2": 0, "perceptual": 0, "identity": 0, term: 2.0}
    options = CriteriaOptions(**weights, perceptual_network="lpips_vgg")
    criteria, frozen = build_criteria(options, setting)
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    _, scalars = jax.eval_shape(criteria, frozen, image, image)
    assert set(scalars) == {f"loss/{term}"}


def test_crop_terms_need_pictures_of_the_papers():
    with pytest.raises(OptionError, match="crop terms need pictures of 256, `size` is 64"):
        Criteria(CriteriaOptions(size=64, l2_crop=1.0), {})


# Features.


def test_attribute_loss_is_in_units_of_ranges():
    true = np.zeros((1, 12), np.float32)
    high = np.zeros((1, 12), np.float32)
    high[0, 0] = 2.0  # Of smile, which spans 2.
    np.testing.assert_allclose(attribute_loss(high, true), 1 / 12, rtol=1e-6)


def test_partners_that_agree_are_found():
    people = np.repeat(np.eye(4, dtype=np.float32), 2, axis=0)
    loss, found = identity_contrast(jnp.asarray(people), temperature=0.1)
    assert found == 1
    assert loss < 1e-3


def test_partners_that_differ_are_not_found():
    people = np.tile(np.eye(4, dtype=np.float32), (2, 1))
    _, found = identity_contrast(jnp.asarray(people), temperature=0.1)
    assert found == 0


# Grids.


def test_columns_put_pictures_beside_their_results():
    images = jnp.arange(8.0).reshape(8, 1, 1, 1)
    grid = columns(images, -images, pairs=4)[..., 0, 0, 0]
    np.testing.assert_array_equal(grid[0], [0, -0, 1, -1, 2, -2, 3, -3])
    assert grid.shape == (2, 8)
