"""The method `gan` with StyleGAN3's generator: what it moves, where, and that it goes on."""

import dataclasses
import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.trees import apply
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan3 import Generator
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.training import gan, loop
from sfe_jax.training.gan import Gan, GanOptions
from sfe_jax.training.loop import Programs
from tests.compiling import quick
from tests.training import games
from tests.training.toys import (
    assert_same,
    assert_same_runs,
    one_device,
    saved_state,
    saved_steps,
    toy_recipe,
)

SIZE, BATCH = 16, 4
ROLES = GENERATOR, DISCRIMINATOR = "generator", "discriminator"
OPTIONS = GanOptions(
    path_length_interval=0, mixing=0.0, r1_interval=2, w_avg_decay=0.9, magnitude_images=8.0
)


def game(**changes):
    """A game of 16x16 pictures and two layers."""
    generator = Generator(
        channels=(4,),
        resolution=SIZE,
        num_critical=0,
        margin=2,
        z_dim=games.Z,
        w_dim=games.W,
        mapping_layers=1,
    )
    discriminator = Discriminator(channels=(4, 4, 4), neighbours=True)
    return Gan(generator, discriminator, BATCH, dataclasses.replace(OPTIONS, **changes))


class Pictures:
    """Random pictures, each batch from its number."""

    def __init__(self, at=0):
        self.at = at

    def __next__(self):
        self.at += 1
        levels = np.random.default_rng(self.at).integers(0, 256, (BATCH, SIZE, SIZE, 3))
        return {"image": levels.astype(np.uint8)}

    def go_to(self, step):
        self.at = step


@functools.cache
def programs():
    """Compiled once; they hold no state."""
    with quick():
        return Programs(game(), one_device(), rules=games.RULES, key=games.KEY)


@functools.cache
def turns():
    """States before and after each phase of the first step, by phase."""
    found, batch = {}, next(Pictures())
    with quick():
        state = programs().init()
        for phase, run in programs().phases:
            before = jax.device_get(state)
            state, _ = run(state, {}, batch, games.KEY)
            found[phase.name] = (before, jax.device_get(state))
    return found


def buffers(state, tree="networks"):
    return getattr(state, tree)[GENERATOR]["buffers"]


def magnitudes(state):
    layers = buffers(state)["synthesis"]
    return {n: layer["magnitude_ema"] for n, layer in layers.items() if "magnitude_ema" in layer}


# What is tracked, and where.


def test_generator_phase_leaves_what_is_tracked():
    assert_same(*(buffers(state) for state in turns()[GENERATOR]))


def test_discriminator_phase_moves_every_magnitude_and_the_average_code():
    before, after = turns()[DISCRIMINATOR]
    old, new = magnitudes(before), magnitudes(after)
    assert len(old) == len(game().generator.layers)
    assert all(old[name] != new[name] for name in old)
    assert (buffers(before)["mapping"]["w_avg"] != buffers(after)["mapping"]["w_avg"]).all()


def test_average_takes_over_what_is_tracked():
    _, after = turns()["average"]
    assert_same(buffers(after, "averages"), buffers(after))


def test_first_magnitude_moves_by_its_half_life_in_two_parts_of_a_batch():
    """The Fourier input has the same power in both, before its affine layer learns."""
    method = game(accumulate=2)
    (phase,) = (phase for phase in method.phases if phase.name == DISCRIMINATOR)
    before, _ = turns()[GENERATOR]
    with quick():
        after, _ = jax.jit(phase.run)(before, {}, next(Pictures()), games.KEY)
        layer, variables = method.generator.layers[0], before.networks[GENERATOR]
        ws = jnp.zeros((1, method.generator.num_ws, games.W))
        waves = jax.jit(lambda: _waves(method.generator, variables, ws))()
    decay = 0.5 ** (BATCH / 8)
    expected = decay + (1 - decay) * np.mean(np.square(waves))
    np.testing.assert_allclose(magnitudes(after)[layer.name], expected, rtol=1e-4)


def _waves(generator, variables, ws):
    """What the first layer reads."""

    def read(module, ws):
        return module.synthesis.input(module.synthesis.input.style(ws[:, 0]))

    return apply(generator, variables, ws, method=read)


# Blur.


def blurring():
    """A StyleGAN2 game that blurs."""
    return games.game(batch_size=BATCH, blur_sigma=3.0, blur_images=16.0)


@pytest.mark.parametrize(("name", "seen"), [(GENERATOR, 1), (DISCRIMINATOR, 2), ("r1", 1)])
def test_discriminator_sees_nothing_that_is_not_blurred(name, seen, monkeypatch):
    blurred = []
    spy = lambda images, sigma, largest: blurred.append(images.shape) or images  # noqa: E731
    monkeypatch.setattr(gan, "gaussian_blur", spy)
    method = blurring()
    (phase,) = (phase for phase in method.phases if phase.name == name)
    with quick():
        state = jax.eval_shape(method.init, games.KEY, method.given)
        jax.eval_shape(phase.run, state, {}, games.pictures(BATCH), games.KEY)
    assert blurred == [(BATCH, games.SIZE, games.SIZE, 3)] * seen


@pytest.fixture(scope="module")
def blur():
    """A point under the blur of a step."""
    point = np.zeros((1, 31, 31, 1), np.float32)
    point[0, 15, 15] = 1
    with quick():
        program = jax.jit(blurring()._blur)
        return lambda step: np.asarray(program(point, jnp.int32(step)))[0, 15, :, 0]


@pytest.mark.parametrize(("step", "sigma"), [(0, 3.0), (2, 1.5), (3, 0.75)])
def test_blur_falls_linearly_with_the_images_seen(blur, step, sigma):
    row = blur(step)
    assert row[16] / row[15] == pytest.approx(2 ** -((1 / sigma) ** 2), rel=1e-5)
    assert np.count_nonzero(row) == 2 * int(3 * sigma) + 1


@pytest.mark.parametrize("step", [4, 1_000_000])
def test_blur_is_gone_after_its_images(blur, step):
    assert np.flatnonzero(blur(step)).tolist() == [15]


# A run.


def run(folder, *, steps):
    recipe = toy_recipe(total=steps, log=1, save=1, batch_size=BATCH)
    with quick(), mock.patch.object(loop, "Programs", return_value=programs()):
        return loop.fit(
            recipe,
            game(),
            data=Pictures(),
            examples=next(Pictures(99)),
            evaluation=None,
            mesh=one_device(),
            workdir=folder,
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three steps that was not stopped: its folder and its bundle."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder, steps=3)


def test_run_that_goes_on_is_bit_for_bit_one_that_was_not_stopped(whole, tmp_path):
    run(tmp_path, steps=1)
    assert saved_steps(tmp_path) == [1]
    (tmp_path / "toy.safetensors").unlink()
    run(tmp_path, steps=3)
    assert_same_runs(tmp_path, whole[0], game())


def test_release_holds_the_averaged_generator_as_it_was_saved(whole):
    folder, path = whole
    networks = load_bundle(path).networks
    assert networks[GENERATOR].module == game().generator
    assert_same(networks[GENERATOR].variables, saved_state(folder, game()).averages[GENERATOR])
    assert set(networks) == {*ROLES, "generator_training"}
