"""Every phase of a GAN changes what it should, by the formulas, and nothing else."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.augment.ada import ADJUSTMENT_INTERVAL
from sfe_jax.core.errors import FileFormatError, WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.training.gan import GanOptions, first_layers, lazy_adam, mix_codes
from sfe_jax.training.method import abstract_state
from sfe_jax.training.recipe import Setting
from sfe_jax.weights import faces64
from tests import compiling
from tests.compiling import quick
from tests.training import games
from tests.training.toys import assert_same
from tests.training.weighing import terms

GENERATOR, DISCRIMINATOR = "generator", "discriminator"


def _turn(turns, phase, step=0):
    (found,) = (turn for turn in turns if (turn.phase, turn.step) == (phase, step))
    return found


def _changed(one, other):
    """Parts in which two states differ, such as "networks/generator"."""
    parts = {}
    for field in one._fields:
        before, after = getattr(one, field), getattr(other, field)
        if not isinstance(before, dict):
            before, after = {"": before}, {"": after}
        for name in before:
            pairs = zip(jax.tree.leaves(before[name]), jax.tree.leaves(after[name]), strict=True)
            parts[f"{field}/{name}"] = any((a != b).any() for a, b in pairs)
    return {name for name, changed in parts.items() if changed}


# What a phase changes.


@pytest.mark.parametrize(
    ("phase", "parts"),
    [
        ("generator", {"networks/generator"}),
        ("path_length", {"networks/generator", "extra/path_length"}),
        ("discriminator", {"networks/discriminator", "networks/generator", "extra/ada"}),
        ("r1", {"networks/discriminator", "extra/ada"}),
        ("average", {"averages/generator"}),
    ],
)
def test_phase_changes_its_own_parts_alone(turns, phase, parts):
    turn = _turn(turns, phase)
    assert _changed(turn.before, turn.after) == parts


def test_discriminator_phase_moves_no_parameter_of_the_generator(turns):
    turn = _turn(turns, DISCRIMINATOR)
    assert_same(*(state.networks[GENERATOR]["params"] for state in (turn.before, turn.after)))


def test_generator_phase_moves_every_layer(turns):
    turn = _turn(turns, "generator")
    states = (turn.before, turn.after)
    before, after = (flatten(state.networks[GENERATOR]["params"]) for state in states)
    # Kernels of the mapping are about 100, so that a step of one may be less than its rounding.
    moved = {name.rpartition("/")[0] for name in before if (before[name] != after[name]).any()}
    assert moved == {name.rpartition("/")[0] for name in before}


# Averages.


def _codes(method, variables, key, count, labels=None):
    """Codes W of the random z that a discriminator phase draws."""
    z_key, _ = jax.random.split(jax.random.split(key, 5)[1])
    z = jax.random.normal(z_key, (count, 2, games.Z))[:, 0]
    mapping = compiling.jit(partial(method.generator.apply, method="map"))
    return mapping(variables, z, labels)[:, 0]


@pytest.mark.parametrize("step", [0, 1])
def test_average_code_moves_by_its_decay_towards_the_codes_of_the_step(gan, turns, step):
    turn = _turn(turns, DISCRIMINATOR, step)
    codes = _codes(gan, turn.before.networks[GENERATOR], games.phase_key(step, 2), 32)
    mean, (old, new) = (
        np.mean(codes, axis=0),
        (
            state.networks[GENERATOR]["buffers"]["mapping"]["w_avg"]
            for state in (turn.before, turn.after)
        ),
    )
    np.testing.assert_allclose(new, mean + 0.995 * (old - mean), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("step", [0, 1])
def test_averaged_generator_moves_by_its_half_life(turns, step):
    turn = _turn(turns, "average", step)
    decay = 0.5 ** (32 / 100)
    old, average = (state.averages[GENERATOR] for state in (turn.before, turn.after))
    new = turn.after.networks[GENERATOR]
    jax.tree.map(
        lambda a, b, c: np.testing.assert_allclose(a, c + decay * (b - c), rtol=1e-5, atol=1e-6),
        average["params"],
        old["params"],
        new["params"],
    )
    assert_same(average["buffers"], new["buffers"])


def test_mean_of_path_lengths_moves_by_a_hundredth(turns):
    turn = _turn(turns, "path_length")
    expected = 0.01 * turn.scalars["path_length"]
    np.testing.assert_allclose(turn.after.extra["path_length"], expected, rtol=1e-5)
    deviation = (turn.scalars["path_length"] - expected) ** 2
    assert turn.scalars["loss/path_length"] >= deviation > 0


def test_both_discriminator_phases_count_the_signs_of_real_pictures(turns):
    first, second = (_turn(turns, phase).after.extra["ada"] for phase in (DISCRIMINATOR, "r1"))
    assert (first.count, second.count, second.p) == (32, 64, 0)
    signs = _turn(turns, DISCRIMINATOR).scalars["signs/real"]
    np.testing.assert_allclose(first.sign_sum, 32 * signs, rtol=1e-6)


@pytest.mark.parametrize(
    ("phase", "term", "weight"), [("r1", "loss/r1", 80), ("path_length", "loss/path_length", 8)]
)
def test_lazy_regulariser_weighs_as_in_the_originals(gan, begun, phase, term, weight):
    found = terms(gan, phase, begun, games.pictures(32))
    np.testing.assert_allclose(found["whole"], weight * found[term], rtol=1e-5)
    assert found[term] > 0


# Optimisers and intervals.


def test_phases_are_lazy_by_their_intervals():
    method = games.game(batch_size=8, path_length_interval=4, r1_interval=16)
    expected = {"generator": 1, "path_length": 4, "discriminator": 1, "r1": 16, "average": 1}
    assert {phase.name: phase.interval for phase in method.phases} == expected
    assert [phase.name for phase in method.phases] == list(expected)


def test_phase_of_interval_zero_is_left_out():
    method = games.game(batch_size=8, path_length_interval=0, r1_interval=0)
    assert [phase.name for phase in method.phases] == ["generator", "discriminator", "average"]


def test_lazy_adam_is_corrected_for_its_regulariser():
    optimizer, parameter = lazy_adam(0.1, 4), jnp.float32(0)
    with quick():
        state = optimizer.init(parameter)
        for gradient in (3.0, -0.5):
            update, state = optimizer.update(jnp.float32(gradient), state)
    share = 4 / 5
    b2 = 0.99**share
    # Bias of the second moment: v / (1 - b2^2) after two steps; b1 = 0 leaves the last gradient.
    moment = (1 - b2) * (b2 * 3.0**2 + 0.5**2) / (1 - b2**2)
    np.testing.assert_allclose(update, 0.1 * share * 0.5 / np.sqrt(moment), rtol=1e-4)


def test_adam_without_a_regulariser_keeps_its_rates():
    optimizer = lazy_adam(0.1, 0)
    with quick():
        update, _ = optimizer.update(jnp.float32(3), optimizer.init(jnp.float32(0)))
    np.testing.assert_allclose(update, -0.1, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_first_layers_exist_from_the_picture_on(architecture):
    module = Discriminator(channels=(6, 5, 4), mapping_layers=1, architecture=architecture)
    variables = jax.eval_shape(module.init, games.KEY, jnp.zeros((4, 16, 16, 3)))
    names, layers = flatten(variables["params"]), first_layers(module, 100)
    assert layers[0] == "b16_fromrgb"
    assert all(any(name.startswith(f"{layer}/") for name in names) for layer in layers)
    assert first_layers(module, 2) == layers[:2] == ["b16_fromrgb", "b16/conv0"]


def test_codes_are_mixed_from_a_row_on():
    ws, other = jnp.zeros((2, 6, 3)), jnp.ones((2, 6, 3))
    mix, cutoffs = compiling.jit(lambda key: mix_codes(ws, other, key, probability=0.5)), set()
    for key in jax.random.split(games.KEY, 40):
        rows = np.asarray(mix(key))
        assert (rows == rows[:1, :, :1]).all()
        assert (np.diff(rows[0, :, 0]) >= 0).all()
        cutoffs.add(int((rows[0, :, 0] == 0).sum()))
    assert cutoffs == {1, 2, 3, 4, 5, 6}


# A conditional game with adaptive augmentation, freeze-D and a batch in two parts.

LABELS, BATCH, ADA_IMAGES = 3, 8, 1_000


@pytest.fixture(scope="module")
def conditional():
    """The method, its state, and its phases compiled."""
    method = games.game(
        batch_size=BATCH, labels=LABELS, accumulate=2, frozen_layers=3, ema_ramp_up=0.5,
        mixing=0.0, augmentation="adaptive", pipeline="blit", p=0.2, ada_images=ADA_IMAGES,
    )  # fmt: skip
    with quick():
        state = jax.jit(method.init)(games.KEY, method.given)
        programs = {
            phase.name: jax.jit(phase.run)
            for phase in method.phases
            if phase.name in (DISCRIMINATOR, "average")
        }
    return method, state, programs


def _run(conditional, name, *, step=0, **extra):
    """State before and after a phase, and its scalars."""
    _, state, programs = conditional
    before = state._replace(step=jnp.int32(step), extra={**state.extra, **extra})
    with quick():
        after, scalars = programs[name](before, {}, games.pictures(BATCH, labels=LABELS), games.KEY)
    return before, after, scalars


@pytest.fixture(scope="module")
def judged(conditional):
    return _run(conditional, DISCRIMINATOR)


def _ada(conditional, signs, count):
    ada = conditional[1].extra["ada"]
    return {"ada": ada._replace(sign_sum=jnp.float32(signs), count=jnp.float32(count))}


@pytest.mark.parametrize(("signs", "change"), [(100.0, 1), (-100.0, -1)])
def test_augmentation_moves_towards_its_target(conditional, signs, change):
    before = _ada(conditional, signs, 100.0)
    _, after, scalars = _run(conditional, DISCRIMINATOR, step=ADJUSTMENT_INTERVAL, **before)
    ada = after.extra["ada"]
    # 100 signs of one kind outweigh the 8 of this step: their mean is above 0.6, or below.
    expected = 0.2 + change * BATCH * ADJUSTMENT_INTERVAL / ADA_IMAGES
    np.testing.assert_allclose([ada.p, scalars["augmentation/p"]], expected, rtol=1e-5)
    assert (ada.sign_sum, ada.count) == (0, 0)


def test_augmentation_waits_for_its_interval(conditional):
    before = _ada(conditional, 100.0, 100.0)
    _, after, _ = _run(conditional, DISCRIMINATOR, step=ADJUSTMENT_INTERVAL - 1, **before)
    assert after.extra["ada"].p == np.float32(0.2)
    assert after.extra["ada"].count == 100 + BATCH


def test_phase_moves_the_optimiser_of_its_network_alone(judged):
    changed = _changed(*judged[:2])
    assert {part for part in changed if part.startswith("optimizers")} == {
        "optimizers/discriminator"
    }


def test_frozen_layers_stay_and_all_others_move(conditional, judged):
    before, after = (flatten(state.networks[DISCRIMINATOR]["params"]) for state in judged[:2])
    frozen = tuple(f"{layer}/" for layer in first_layers(conditional[0].discriminator, 3))
    still = {name for name in before if (before[name] == after[name]).all()}
    assert still == {name for name in before if name.startswith(frozen)}
    assert {name.split("/")[0] for name in still} == {"b8_fromrgb", "b8"}


def test_labels_reach_the_discriminator(judged):
    before, after = (state.networks[DISCRIMINATOR]["params"]["mapping"] for state in judged[:2])
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("name", ["generator", "discriminator", "r1"])
def test_labels_of_the_data_are_left_alone_by_networks_that_know_none(name):
    method = games.game(batch_size=BATCH)
    (phase,) = (phase for phase in method.phases if phase.name == name)
    batch = games.pictures(BATCH, labels=LABELS)
    with quick():
        state = abstract_state(method)
        _, scalars = jax.eval_shape(phase.run, state, {}, batch, games.KEY)
    assert scalars


def test_labels_of_fakes_are_those_of_the_batch_in_another_order(conditional):
    batch = games.pictures(BATCH, labels=LABELS)
    labels = conditional[0]._labels(batch, games.KEY)
    assert sorted(map(tuple, np.asarray(labels))) == sorted(map(tuple, batch["label"]))
    assert (labels != batch["label"]).any()


def test_average_code_is_of_all_parts_of_the_batch(conditional):
    method, _, _ = conditional
    before, after, _ = _run(conditional, DISCRIMINATOR)
    label = games.pictures(BATCH, labels=LABELS)["label"]
    codes = []
    for part, key in enumerate(jax.random.split(games.KEY, 2)):
        c = method._labels({"label": label[part::2]}, jax.random.split(key, 5)[0])
        codes.append(_codes(method, before.networks[GENERATOR], key, BATCH // 2, c).mean(axis=0))
    new = after.networks[GENERATOR]["buffers"]["mapping"]["w_avg"]
    half = 0.995**0.5  # Each part moves it by half of the step, one after the other.
    expected = (1 - half) * (half * codes[0] + codes[1])
    np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("step", "decay"), [(0, 0.0), (4, 0.5 ** (8 / 16))])
def test_average_follows_faster_in_the_beginning(conditional, step, decay):
    _, state, _ = conditional
    new = state.networks[GENERATOR]
    new = {**new, "params": jax.tree.map(lambda x: x + 1, new["params"])}
    networks = {**state.networks, GENERATOR: new}
    with quick():
        before = state._replace(step=jnp.int32(step), networks=networks)
        after, _ = conditional[2]["average"](before, {}, {}, games.KEY)
    old = state.averages[GENERATOR]["params"]
    expected = jax.tree.map(lambda a, b: b + decay * (a - b), old, new["params"])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        after.averages[GENERATOR]["params"],
        expected,
    )


# Transfer.


def _bundle(gan, state, roles):
    average, networks = state.averages[GENERATOR], state.networks
    held = {
        "generator": Network(gan.generator, average),
        "generator_training": Network(gan.generator, networks[GENERATOR]),
        "discriminator": Network(gan.discriminator, networks[DISCRIMINATOR]),
    }
    return Bundle({role: held[role] for role in roles}, path="initial.safetensors")


def _begin(initial, **options):
    with quick():
        method = games.game(batch_size=8, initial=initial, **options)
        return jax.device_get(jax.jit(method.init)(jax.random.key(9), method.given))


def test_transfer_takes_training_and_averaged_networks(gan, turns):
    trained = turns[-1].after
    bundle = _bundle(gan, trained, ("generator", "generator_training", "discriminator"))
    state = _begin(bundle)
    assert_same(state.networks, trained.networks)
    assert_same(state.averages, trained.averages)
    assert (state.step, state.extra["path_length"]) == (0, 0)


def test_transfer_from_a_released_pair_trains_the_average_on(gan, turns):
    trained = turns[-1].after
    state = _begin(_bundle(gan, trained, ("generator", "discriminator")))
    assert_same(state.networks[GENERATOR], trained.averages[GENERATOR])
    assert_same(state.averages[GENERATOR], trained.averages[GENERATOR])


def test_transfer_between_other_sizes_is_refused_with_the_array(gan, begun):
    bundle = _bundle(gan, begun, ("generator", "discriminator"))
    shape = r"has shape \(.*\), the network to train needs \(.*\); choose the recipe's sizes"
    with pytest.raises(WeightsError, match=f"^initial.safetensors: generator/params/.* {shape}"):
        _begin(bundle, channels=(8, 6))


def test_transfer_without_a_discriminator_is_refused(gan, begun):
    with pytest.raises(WeightsError, match="no 'discriminator' in this bundle"):
        _begin(_bundle(gan, begun, ("generator",)))


def test_missing_bundle_to_transfer_from_is_refused():
    setting = Setting(8, 3, 0, 8, "float32", network=lambda role: pytest.fail(role))
    with pytest.raises(FileFormatError, match=r"nowhere\.safetensors: no such file"):
        GanOptions(channel_base=64, channel_max=8, initial="nowhere.safetensors").build(setting)


@pytest.mark.parametrize(("ada_images", "expected"), [(500_000.0, 100_000.0), (5e4, 5e4)])
def test_transfer_begins_without_blur_and_ramp_and_adapts_faster(ada_images, expected):
    options = GanOptions(
        initial=str(faces64()), blur_sigma=10.0, ema_ramp_up=0.05, ada_images=ada_images
    )
    setting = Setting(64, 3, 0, 8, "float32", network=lambda role: pytest.fail(role))
    built = options.build(setting).options
    assert (built.blur_sigma, built.ema_ramp_up, built.ada_images) == (0, None, expected)


# Results.


def test_grid_shows_pictures_of_the_average(conditional):
    method, state, _ = conditional
    with quick():
        grids = jax.jit(method.show)(state, {}, games.pictures(48, labels=LABELS))
        z = jax.random.normal(jax.random.key(0), (6, 8, games.Z))
        c = np.resize(games.pictures(48, labels=LABELS)["label"], (6, 8, LABELS))
        picture = jax.jit(method.generator.apply)(state.averages[GENERATOR], z[5], c[5])
    assert grids["fakes"].shape == (6, 8, 8, 8, 3)
    np.testing.assert_allclose(grids["fakes"][5], picture, rtol=1e-4, atol=1e-5)


def test_release_holds_the_average_and_both_networks(gan, turns):
    state = turns[-1].after
    networks = gan.bundle(state).networks
    assert networks["generator"].variables is state.averages[GENERATOR]
    assert networks["generator_training"].variables is state.networks[GENERATOR]
    assert networks["discriminator"].variables is state.networks[DISCRIMINATOR]
