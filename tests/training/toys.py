"""A method, data and recipes so small that a run takes a second: for the tests of the loop."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import PartitionSpec

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.core.trees import apply
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.optim.ema import update_ema
from sfe_jax.parallel.mesh import data_shard, global_batch, make_mesh, replicated
from sfe_jax.parallel.sharding import with_shardings
from sfe_jax.pipelines.bundle import Bundle, Network, load_bundle
from sfe_jax.training import loop
from sfe_jax.training.loop import Programs
from sfe_jax.training.method import Phase, Trainer, TrainState, abstract_state, as_float
from sfe_jax.training.recipe import Recipe, Schedule
from sfe_jax.writers import LOG, read_log
from tests.compiling import quick

BATCH, SIDE = 8, 4
WIDTH = SIDE * SIDE

RULES = ((r"/kernel$", lambda shape: PartitionSpec(None, "model" if shape[-1] > 1 else None)),)
"""Kernels are divided along `model`, however narrow."""


@dataclass(frozen=True)
class Toy:
    """A network that learns the brightness of pictures' corners from noisy ones."""

    options: "ToyOptions"

    @property
    def module(self):
        return LatentDiscriminator(features=WIDTH, num_layers=2)

    @property
    def frozen(self):
        return {"target": {"params": {"gain": jnp.full((1, 1), 0.5)}}}

    @property
    def _trainer(self):
        optimizer = optax.adam(self.options.learning_rate)
        return Trainer("judge", optimizer, self.options.accumulate)

    @property
    def phases(self):
        return Phase("train", self.train), Phase("decay", self.decay, interval=4)

    @property
    def given(self):
        return {}

    def init(self, key, given):
        del given
        variables = self.module.init(key, jnp.zeros((1, WIDTH)))
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            networks={"judge": variables},
            optimizers={"judge": self._trainer.init(variables["params"])},
            averages={"judge": jax.tree.map(jnp.copy, variables)},
            extra={"mean": jnp.zeros(())},
        )

    def _loss(self, frozen, variables, batch, noise):
        image = as_float(batch["image"])[:, :SIDE, :SIDE, 0].reshape(-1, WIDTH)
        target = frozen["target"]["params"]["gain"] * jnp.mean(image, axis=1, keepdims=True)
        return jnp.mean(jnp.square(apply(self.module, variables, image + noise) - target))

    def train(self, state, frozen, batch, key):
        def loss(params, mean, part, key):
            noise = 0.1 * jax.random.normal(key, (len(part["image"]), WIDTH))
            value = self._loss(frozen, {"params": params}, part, noise)
            options = self.options
            too_fast = options.learning_rate == options.breaking_rate
            breaks = 2 if too_fast else options.loss_breaks
            broken = jnp.where(state.step == breaks, jnp.nan, value)
            return broken, (mean + jnp.mean(noise), {"loss/train": broken})

        mean = state.extra["mean"]
        state, mean, scalars = self._trainer.update(state, loss, mean, batch, key)
        mean = jnp.where(state.step == self.options.state_breaks, jnp.nan, mean)
        average = update_ema(state.averages["judge"], state.networks["judge"], 0.9)
        return state._replace(averages={"judge": average}, extra={"mean": mean}), scalars

    def decay(self, state, frozen, batch, key):
        del frozen

        def loss(params, carry, part, key):
            del part, key
            value = 1e-3 * optax.tree_utils.tree_norm(params, squared=True)
            return value, (carry, {"loss/decay": value})

        state, _, scalars = self._trainer.update(state, loss, None, batch, key)
        return state, scalars

    def show(self, state, frozen, examples):
        del state, frozen
        return {"examples": as_float(examples["image"])[None]}

    def evaluate(self, state, frozen, batch):
        value = self._loss(frozen, state.averages["judge"], batch, jnp.float32(0))
        wanted = self.options.figures
        if not wanted:
            return {"loss": value}
        return {"loss": value, "wanted": jnp.asarray(wanted, jnp.float32)[state.step]}

    def bundle(self, state):
        return Bundle({"judge": Network(self.module, state.averages["judge"])})


@dataclass(unsafe_hash=True)  # Recipes are changed before they are used, not after.
class ToyOptions:
    learning_rate: float = 1e-2
    accumulate: int = 1
    loss_breaks: int = -1  # Step in which the loss is no number.
    breaking_rate: float = 0.0  # Learning rate with which the loss breaks in step 2.
    state_breaks: int = -1  # Step in which the state is none, while the loss is one.
    figures: tuple[float, ...] = ()  # What the evaluation finds, by steps taken.

    def build(self, setting):
        del setting
        return Toy(self)


def _placed(mesh, seed, count):
    """Random pictures of one channel, of which each process gives its part."""
    levels = np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1))
    index, parts = data_shard(mesh)
    return {"image": np.split(levels.astype(np.uint8), parts)[index]}


@dataclass
class Pictures:
    """Random pictures, each batch from its number; `before` is called with it."""

    mesh: jax.sharding.Mesh
    before: Callable[[int], None] = lambda at: None
    at: int = 0
    batch: int = BATCH

    def __next__(self):
        self.before(self.at)
        self.at += 1
        return global_batch(self.mesh, _placed(self.mesh, self.at, self.batch))

    def go_to(self, step):
        self.at = step


@dataclass(frozen=True)
class Unseen:
    """Two batches of unseen pictures."""

    mesh: jax.sharding.Mesh

    def __iter__(self):
        return (_placed(self.mesh, seed, BATCH) for seed in (1000, 1001))


def one_device():
    return make_mesh(devices=jax.devices()[:1])


def toy_recipe(*, method=None, batch_size=BATCH, **fields):
    """A recipe; `total`, `log`, `show`, `save`, `evaluate` are in steps."""
    names = ("total", "log", "show", "save", "evaluate")
    durations = {"total": 12, "log": 5, "show": 0, "save": 4, "evaluate": 0}
    durations |= {name: fields.pop(name) for name in names if name in fields}
    schedule = Schedule(**{name: value * batch_size for name, value in durations.items()})
    recipe = Recipe(name="toy", method=method or ToyOptions(), batch_size=batch_size)
    return replace(recipe, schedule=schedule, **fields)


@functools.cache
def _programs(method, mesh, seed):
    """Compiled once for all runs of the same toy, since they hold no state."""
    return Programs(method, mesh, rules=RULES, key=jax.random.key(seed))


def run(workdir, recipe=None, *, mesh=None, data=None, before=lambda at: None):
    """Trains a toy in `workdir`; gives the path of the bundle."""
    recipe = recipe or toy_recipe()
    mesh = mesh or one_device()
    method = Toy(recipe.method)
    with quick():
        programs = _programs(method, mesh, recipe.seed)
        with mock.patch.object(loop, "Programs", return_value=programs):
            return loop.fit(
                recipe,
                method,
                data=data or Pictures(mesh, before=before, batch=recipe.batch_size),
                examples=next(Pictures(mesh)),
                evaluation=Unseen(mesh),
                mesh=mesh,
                workdir=workdir,
            )


def saved_state(workdir, method=None, *, step=None):
    """NumPy arrays of a checkpoint, by default the newest."""
    method = method or Toy(ToyOptions())
    with quick():
        shapes = abstract_state(method)
    like = with_shardings(shapes, replicated(one_device()))
    with Checkpoints(workdir / "checkpoints", read_only=True) as checkpoints:
        return jax.device_get(checkpoints.restore(like, step=step)[0])


def saved_steps(workdir):
    with Checkpoints(workdir / "checkpoints", read_only=True) as checkpoints:
        return checkpoints.steps()


def lines(workdir):
    """The log, as text, without the time, which differs from run to run."""
    return [json.dumps({**line, "seconds": None}) for line in read_log(workdir / LOG)]


def values(workdir):
    """The figures of the log: step -> name -> value."""
    found = {}
    for line in read_log(workdir / LOG):
        found.setdefault(line["step"], {}).update(line["values"])
    return found


def released(workdir):
    """Variables of the networks in the bundle of a run, by role."""
    (path,) = workdir.glob("*.safetensors")
    return {role: network.variables for role, network in load_bundle(path).networks.items()}


def assert_same(one, other):
    """Equal bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, one, other)


def assert_same_runs(one, other, method=None):
    """Two folders hold the same log, the same newest state and the same weights."""
    assert lines(one) == lines(other)
    assert_same(saved_state(one, method), saved_state(other, method))
    assert_same(*(released(folder) for folder in (one, other)))
