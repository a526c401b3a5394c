"""What pSp's encoder reads, task by task, and that every task trains it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Network
from sfe_jax.pipelines.conditions import degrade
from sfe_jax.training.criteria import Criteria, CriteriaOptions
from sfe_jax.training.method import abstract_state, as_float
from sfe_jax.training.psp import Psp, PspOptions
from sfe_jax.training.psp_tasks import Frontalize, Invert, SuperResolve, Translate, shown
from sfe_jax.training.recipe import Setting
from tests.compiling import jit, quick
from tests.configs.shrinking import BODY

KEY = jax.random.key(3)
SIDE = 8
ROWS, W = 2, 3


def noise(*shape, highest=256, seed=0):
    return np.random.default_rng(seed).integers(0, highest, shape, np.uint8)


# Frontal views.


def slopes(count):
    """Pictures whose levels rise from left to right."""
    levels = np.arange(SIDE, dtype=np.uint8)[None, None, :, None]
    return jnp.asarray(np.broadcast_to(levels, (count, SIDE, SIDE, 3)))


def falls(images):
    """Which of the slopes are mirrored."""
    return np.asarray(images[:, 0, 0, 0] > images[:, 0, -1, 0])


def mirrored(images, key=KEY):
    """Which of the pictures are read the other way round."""
    source = jit(Frontalize().source)({"image": images}, key)
    return falls(source) != falls(images)


def test_source_of_a_frontal_view_is_mirrored_whatever_its_target_is():
    changed = mirrored(jnp.concatenate([slopes(64), slopes(64)[:, :, ::-1]]))
    assert 20 < changed[:64].sum() < 44
    assert 20 < changed[64:].sum() < 44


def test_coins_of_frontal_views_are_those_of_the_key():
    one, same, other = (mirrored(slopes(64), key) for key in (KEY, KEY, jax.random.key(4)))
    assert (one == same).all()
    assert (one != other).any()


def test_unseen_pictures_are_mirrored_by_their_content_wherever_they_lie():
    images = slopes(64).at[:, 0, 0, 1].set(jnp.arange(64, dtype=jnp.uint8) % 7)
    whole = falls(jit(Frontalize().unseen)({"image": images}))
    odd = np.asarray(images, int).sum(axis=(1, 2, 3)) % 2 == 1
    parts = [falls(jit(Frontalize().unseen)({"image": images[i::2]})) for i in range(2)]
    assert (whole == odd).all()
    assert all((part == whole[i::2]).all() for i, part in enumerate(parts))


# Super-resolution.

FACTORS = (1, 2, 4)


@pytest.fixture(scope="module")
def degraded():
    """Pictures, by which factors they are degraded in training, and unseen."""
    batch = {"image": jnp.asarray(noise(64, SIDE, SIDE, 3))}
    task = SuperResolve(FACTORS, SIDE)

    def read(batch):
        ways = jnp.stack([degrade(as_float(batch["image"]), factor) for factor in FACTORS])
        return ways, task.source(batch, KEY), task.unseen(batch)

    ways, *sources = map(np.asarray, jit(read)(batch))
    near = [np.abs(ways - source).max(axis=(2, 3, 4)) < 1e-5 for source in sources]
    assert all((each.sum(axis=0) == 1).all() for each in near)
    return [np.asarray(FACTORS)[each.argmax(axis=0)].tolist() for each in near]


def test_every_picture_is_degraded_by_a_factor_of_its_own(degraded):
    trained, _ = degraded
    assert all(10 < trained.count(factor) < 35 for factor in FACTORS)


def test_factor_of_an_unseen_picture_follows_from_its_content(degraded):
    _, unseen = degraded
    sums = noise(64, SIDE, SIDE, 3).astype(int).sum(axis=(1, 2, 3))
    assert unseen == [FACTORS[number % 3] for number in sums]


@pytest.mark.parametrize("factors", [(), (0,), (-1,), (1, 3), (2, 8)])
def test_factors_that_do_not_fit_the_encoder_are_refused(factors):
    with pytest.raises(OptionError, match=r"`factors` is .* divisors of 8, .* at least 2 pixels"):
        SuperResolve(factors, SIDE)


# Pairs.


def test_sketch_is_read_from_zero_to_one():
    batch = {"condition": jnp.asarray([[[[0], [255]]]], jnp.uint8)}
    assert Translate(1, SIDE).source(batch, KEY).ravel().tolist() == [0, 1]


def test_labels_are_brought_to_the_encoders_size_before_they_become_channels():
    batch = {"condition": jnp.asarray(noise(2, 4 * SIDE, 4 * SIDE, 1, highest=5))}
    source = np.asarray(Translate(5, SIDE).source(batch, KEY))
    assert source.shape == (2, SIDE, SIDE, 5)
    np.testing.assert_array_equal(np.argmax(source, axis=-1), batch["condition"][:, ::4, ::4, 0])
    assert set(source.ravel()) == {0, 1}


@pytest.mark.parametrize(
    ("source", "expected"),
    [([-1.0, 0.5, 1.0], [-1, 0.5, 1]), ([0.25], [-0.5] * 3), ([0.0, 0, 0, 1, 0], [0.5] * 3)],
)
def test_what_an_encoder_reads_can_be_looked_at(source, expected):
    found = shown(jnp.full((2, 4, 4, len(source)), jnp.asarray(source)), jnp.zeros((2, 8, 8, 3)))
    assert found.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(found[1, 7, 7], expected)


# Options.


GIVEN = {"buffers": {"mapping": {"w_avg": jnp.zeros(W)}}}
"""What is read of the generator to begin with."""

ALONE = CriteriaOptions(perceptual=0, identity=0, size=SIDE)
"""No judging networks."""


def built(task, channels=0):
    """The method of a task for data whose conditions have so many channels."""
    generator = Network(Generator(channels=(4, 4), z_dim=W, w_dim=W, mapping_layers=1), GIVEN)
    setting = Setting(SIDE, 3, 0, 8, "float32", lambda role: generator, condition_channels=channels)
    small = {**BODY, "input_size": SIDE, "initial_body": "", "criteria": ALONE}
    return PspOptions(**small, task=task, factors=FACTORS).build(setting)


@pytest.mark.parametrize(
    ("task", "channels", "found"), [("translate", 0, "has none"), ("super_resolve", 1, "has some")]
)
def test_task_that_does_not_suit_the_data_is_refused(task, channels, found):
    with pytest.raises(OptionError, match=f"`method.task` is '{task}', and the data {found}"):
        built(task, channels)


@pytest.mark.parametrize(
    ("task", "channels", "expected"),
    [
        ("invert", 0, Invert()),
        ("frontalize", 0, Frontalize()),
        ("super_resolve", 0, SuperResolve(FACTORS, SIDE)),
        ("translate", 19, Translate(19, SIDE)),
    ],
)
def test_task_is_that_of_the_options(task, channels, expected):
    method = built(task, channels)
    assert (method.task, method.encoder.image_channels) == (expected, channels or 3)


def test_encoder_of_labels_begins_with_a_stem_of_as_many_channels():
    state = abstract_state(built("translate", 5))
    stem = state.networks["psp"]["params"]["pyramid"]["body"]["stem"]
    assert [leaf.shape for leaf in jax.tree.leaves(stem) if len(leaf.shape) == 4] == [(3, 3, 5, 8)]


# Training.


class Codes(nn.Module):
    """Stands for the encoder: codes that are linear in what is read."""

    image_channels: int
    num_styles: int = ROWS
    w_dim: int = W
    input_size: int = SIDE

    @nn.compact
    def __call__(self, images, *, train=False):
        average = self.variable("buffers", "w_avg", jnp.zeros, (ROWS, W))
        seen = self.variable("batch_stats", "seen", jnp.zeros, ())
        if train:
            seen.value = seen.value + 1
        codes = nn.Dense(ROWS * W)(images.reshape(len(images), -1))
        return codes.reshape(-1, ROWS, W) + average.value[None]


class Pictures(nn.Module):
    """Stands for the generator: pictures that are linear in codes."""

    precision: str = "float32"

    @nn.compact
    def synthesize(self, ws, noise_mode="const"):
        flat = nn.Dense(SIDE * SIDE * 3)(ws.reshape(len(ws), -1))
        return {"image": flat.reshape(-1, SIDE, SIDE, 3)}


TASKS = {
    "frontalize": Frontalize(),
    "super_resolve": SuperResolve(FACTORS, SIDE),
    "translate": Translate(5, SIDE),
}

BATCH = {
    "image": jnp.asarray(noise(8, SIDE, SIDE, 3)),
    "condition": jnp.asarray(noise(8, SIDE, SIDE, 1, highest=5)),
}


@pytest.fixture(scope="module", params=TASKS)
def begun(request):
    """A method of toys for a task, and its state before the first step."""
    task = TASKS[request.param]
    generator: Any = Pictures()
    weights = generator.init(KEY, jnp.zeros((1, ROWS, W)), method="synthesize")
    options = PspOptions(initial_body="", learning_rate=0.01, w_norm=0.005)
    encoder = Codes(task.channels if isinstance(task, Translate) else 3)
    frozen = {"generator": {**weights, **GIVEN}}
    method = Psp(generator, encoder, options, Criteria(ALONE, {}), frozen, {}, 8, task)
    return method, method.init(KEY, method.given)


@pytest.fixture(scope="module")
def stepped(begun):
    """The state after two steps, each with the same key, and the scalars of both."""
    method, state = begun
    with quick():
        step = jax.jit(method.train_encoder)
        after, first = step(state, method.frozen, BATCH, KEY)
        _, second = step(after, method.frozen, BATCH, KEY)
    return after, first, second


def test_step_of_every_task_lowers_its_loss(stepped):
    _, first, second = stepped
    assert second["loss/encoder"] < first["loss/encoder"]


def test_step_of_every_task_penalises_codes_far_from_the_average(stepped):
    _, first, _ = stepped
    whole = first["loss/l2"] + 0.005 * first["loss/w_norm"]
    np.testing.assert_allclose(first["loss/encoder"], whole, rtol=1e-6)


@pytest.fixture(scope="module")
def looked(begun):
    """The grid, its loss, the sources and what is made of them, before the first step."""
    method, state = begun

    def look(state):
        source = method.task.unseen(BATCH)
        codes = method.encoder.apply(state.networks["psp"], source)
        made = method.generator.apply(method.frozen["generator"], codes, method="synthesize")
        (grid,) = method.show(state, method.frozen, BATCH).values()
        rows = grid.reshape(8, -1, SIDE, SIDE, 3)
        loss = method.evaluate(state, method.frozen, BATCH)["loss"]
        return rows, loss, shown(source, rows[:, 0]), made["image"]

    return [np.asarray(each) for each in jit(look)(state)]


def test_grid_shows_source_picture_and_output(looked):
    rows, _, source, made = looked
    np.testing.assert_allclose(rows[:, 0], source, atol=1e-6)
    np.testing.assert_allclose(rows[:, -2], as_float(BATCH["image"]), atol=1e-6)
    np.testing.assert_allclose(rows[:, -1], made, atol=1e-5)


def test_unseen_loss_compares_the_output_with_the_picture(looked):
    _, loss, _, made = looked
    expected = np.mean((made - np.asarray(as_float(BATCH["image"]))) ** 2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
