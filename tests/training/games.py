"""A GAN of 8x8 pictures, and its programs."""

import contextlib
from dataclasses import dataclass
from unittest import mock

import jax
import numpy as np
import optax
from jax.sharding import PartitionSpec

from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.parallel.mesh import global_batch
from sfe_jax.training import gan
from sfe_jax.training.gan import Gan, GanOptions
from sfe_jax.training.loop import Programs
from sfe_jax.training.method import TrainState
from tests.compiling import quick

CHANNELS = (8, 4)  # At 4 and 8.
SIZE, Z, W, ROWS = 8, 6, 8, 4
KEY = jax.random.key(0)

RULES = (
    (
        r"/kernel$",
        lambda shape: PartitionSpec(*[None] * (len(shape) - 1), None if shape[-1] % 4 else "model"),
    ),
)
"""Kernels are divided along `model`, however narrow; those of colours are whole."""


def game(*, batch_size, labels=0, initial=None, channels=CHANNELS, **options):
    """A GAN."""
    shared = {"channels": channels, "c_dim": labels}
    generator = Generator(z_dim=Z, w_dim=W, mapping_layers=1, use_noise=False, **shared)
    discriminator = Discriminator(mapping_layers=1, neighbours=True, **shared)
    settings = GanOptions(**options)
    return Gan(generator, discriminator, batch_size, settings, initial)


@contextlib.contextmanager
def plain_descent():
    """Gradients as they are: Adam divides by their size, and makes whole steps of rounding."""
    descent = mock.patch.object(gan, "lazy_adam", lambda rate, interval: optax.sgd(rate))
    with descent, quick():
        yield


@dataclass(frozen=True)
class Turn:
    """What a phase made of the state."""

    step: int
    phase: str
    before: TrainState
    after: TrainState
    scalars: dict


def play(method, mesh, *, state, steps=2):
    """Trains for some steps from a state, phase by phase; gives turns, and where the state lies."""
    programs = Programs(method, mesh, rules=RULES, key=KEY)
    state, turns = jax.tree.map(jax.device_put, state, programs.places), []
    for step in range(steps):
        batch = global_batch(mesh, pictures(method.batch_size, seed=step))
        for phase, run in programs.phases:
            if phase.is_due(step, step * method.batch_size):
                before = jax.device_get(state)
                state, scalars = jax.block_until_ready(run(state, {}, batch, KEY))
                after = jax.device_get((state, scalars))
                turns.append(Turn(step, phase.name, before, *after))
        state = state._replace(step=state.step + 1)
    return turns, programs.places


def phase_key(step, index):
    """The key that the loop gives to the phase of this number."""
    return jax.random.fold_in(jax.random.fold_in(KEY, step), index)


def pictures(count, seed=0, labels=0):
    """A batch."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)
    if not labels:
        return {"image": levels}
    kinds = random.integers(0, labels, count)
    return {"image": levels, "label": np.eye(labels, dtype=np.float32)[kinds]}
