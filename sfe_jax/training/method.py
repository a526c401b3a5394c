"""What a training method is to the loop: a state, phases that change it, pictures that show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array, Variables
from sfe_jax.optim.ranger import ranger
from sfe_jax.pipelines.bundle import Bundle

Batch = Mapping[str, Array]
"""Arrays [N, ...] of one step; "image" is [N, R, R, C], uint8 or float32 in [-1, 1]."""

Scalars = dict[str, Array]
"""What is logged: name -> []."""

Frozen = Mapping[str, Variables]
"""Variables of networks that a method is given, by role; those that do not train."""


class TrainState(NamedTuple):
    """Everything that a run changes. A checkpoint holds it whole, and nothing else is needed."""

    step: Array  # [], int32, steps taken.
    networks: dict[str, Variables]  # In training, by role.
    optimizers: dict[str, Any]  # State of each network's optimiser, by role.
    averages: dict[str, Variables]  # Moving averages of networks, by role.
    extra: dict[str, Any]  # A method's own: probability of augmentation, pools, means.


class Phase(NamedTuple):
    """One program of a step. Phases run in order, each as its own compiled program."""

    name: str  # Such as "generator".
    run: Callable[[TrainState, Frozen, Batch, Array], tuple[TrainState, Scalars]]
    interval: int = 1  # Steps from one run to the next; step 0 runs all.
    start: int = 0  # Images seen before it runs.
    stop: int | None = None  # Images seen from which on it no longer runs. None = never.
    yields: int = 0  # At multiples of this step another phase runs in its place; 0 for none.

    @property
    def every(self) -> float:
        """Steps from one run to the next, on average."""
        return 1 / (1 / self.interval - (1 / self.yields if self.yields else 0))

    def is_due(self, step: int, images: int) -> bool:
        """Whether it runs in `step`, before which `images` have been seen."""
        within = self.start <= images and (self.stop is None or images < self.stop)
        yields = bool(self.yields) and step % self.yields == 0
        return within and step % self.interval == 0 and not yields


class Method(Protocol):
    """What the loop asks of a method."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The programs of a step, in order."""
        ...

    @property
    def frozen(self) -> Frozen:
        """Networks that do not train."""
        ...

    @property
    def given(self) -> Frozen:
        """Weights that `init` reads, of networks that training begins with or builds on."""
        ...

    def init(self, key: Array, given: Frozen) -> TrainState:
        """The state before the first step; traced, so that arrays are born sharded."""
        ...

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """Grids of pictures: name -> [rows, columns, R, R, C] in [-1, 1]; not "real"."""
        ...

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """Figures of one batch of unseen data, to be averaged; empty if there are none."""
        ...

    def bundle(self, state: TrainState) -> Bundle:
        """What is released: the trained networks, without the state of training."""
        ...


def abstract_state(method: Method) -> TrainState:
    """Shapes and types of a method's state; nothing is computed."""
    return jax.eval_shape(method.init, jax.random.key(0), method.given)


def as_float(image: Array) -> Array:
    """Pictures as networks see them: uint8 [0, 255] or float32 [-1, 1] -> float32 [-1, 1]."""
    if image.dtype == jnp.uint8:
        return image.astype(jnp.float32) / 127.5 - 1.0
    return image


Loss = Callable[[Any, Any, Batch, Array], tuple[Array, tuple[Any, Scalars]]]
"""(parameters, carry, batch, key) -> (loss [], (carry, scalars)); the carry moves along."""


def _split_batch(batch: Any, parts: int) -> Any:
    """[N, ...] -> [parts, N / parts, ...], every part holding samples of every device."""

    def split(x: Array) -> Array:
        if x.shape[0] % parts:
            raise OptionError(
                f"`accumulate` is {parts}; required is a divisor of the batch size {x.shape[0]}"
            )
        return jnp.moveaxis(x.reshape(x.shape[0] // parts, parts, *x.shape[1:]), 1, 0)

    return jax.tree.map(split, batch)


def gradients(
    loss: Loss, params: Any, carry: Any, batch: Batch, key: Array, *, accumulate: int = 1
) -> tuple[Any, Any, Scalars]:
    """Gradients of a loss over a batch, in as many parts as memory asks for.

    Args:
        loss: (parameters, carry, part of the batch, key) -> (loss, (carry, scalars)).
        params: Tree to differentiate by.
        carry: What moves from part to part: batch statistics, running means.
        batch: Arrays [N, ...].
        key: Random key; each part has its own.
        accumulate: Parts. The result is the mean over them: that of the whole batch for losses that
            are means of samples.

    Returns:
        Gradients, carry after the last part, and the means of the scalars.

    Raises:
        OptionError: If `accumulate` does not divide N.
    """
    differentiate = jax.grad(loss, has_aux=True)
    if accumulate == 1:
        grads, (carry, scalars) = differentiate(params, carry, batch, key)
        return grads, carry, scalars

    def body(carry: Any, part: tuple[Batch, Array]) -> tuple[Any, tuple[Any, Scalars]]:
        total, inner = carry
        grads, (inner, scalars) = differentiate(params, inner, *part)
        return (jax.tree.map(jnp.add, total, grads), inner), scalars

    zeros = jax.tree.map(jnp.zeros_like, params)
    parts = (_split_batch(batch, accumulate), jax.random.split(key, accumulate))
    (total, carry), scalars = jax.lax.scan(body, (zeros, carry), parts)
    grads = jax.tree.map(lambda g: g / accumulate, total)
    return grads, carry, jax.tree.map(lambda x: jnp.mean(x, axis=0), scalars)


def decaying_ranger(
    learning_rate: float, decay: tuple[int, ...], batch_size: int
) -> optax.GradientTransformation:
    """Ranger, whose learning rate falls linearly to 0 between two counts of images.

    The originals keep it constant; small networks trained for a short time gain by the fall.

    Args:
        learning_rate: Before the fall.
        decay: Images at its beginning and at its end; () for a constant rate.
        batch_size: Images of a step.

    Raises:
        OptionError: If `decay` is not a pair with an end after its beginning.
    """
    if not decay:
        return ranger(learning_rate)
    if len(decay) != 2 or not 0 <= decay[0] < decay[1]:
        raise OptionError(
            f"`decay` is {decay}; required are two rising counts of images, or () for none"
        )
    first, last = (images // batch_size for images in decay)
    return ranger(
        optax.linear_schedule(learning_rate, 0.0, max(last - first, 1), transition_begin=first)
    )


@dataclass(frozen=True)
class Trainer:
    """An optimiser and the role whose parameters it moves."""

    role: str  # Of the network in `TrainState.networks`.
    optimizer: optax.GradientTransformation
    accumulate: int = 1  # Parts of a batch.

    def init(self, params: Any) -> Any:
        """State of the optimiser before the first step."""
        return self.optimizer.init(params)

    def begin(self, variables: Variables) -> TrainState:
        """The state before the first step of a method that trains this network alone."""
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            networks={self.role: variables},
            optimizers={self.role: self.init(variables["params"])},
            averages={},
            extra={},
        )

    def update(
        self, state: TrainState, loss: Loss, carry: Any, batch: Batch, key: Array
    ) -> tuple[TrainState, Any, Scalars]:
        """Takes one step: the state with new parameters, the carry, and the scalars."""
        variables = state.networks[self.role]
        params = variables["params"]
        grads, carry, scalars = gradients(
            loss, params, carry, batch, key, accumulate=self.accumulate
        )
        updates, opt_state = self.optimizer.update(grads, state.optimizers[self.role], params)
        moved = {**variables, "params": optax.apply_updates(params, updates)}
        state = state._replace(
            networks={**state.networks, self.role: moved},
            optimizers={**state.optimizers, self.role: opt_state},
        )
        return state, carry, scalars

    def update_normalised(
        self, state: TrainState, loss: Loss, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Takes one step of a network whose loss carries its batch statistics along."""
        stats = state.networks[self.role]["batch_stats"]
        state, stats, scalars = self.update(state, loss, stats, batch, key)
        moved = {**state.networks[self.role], "batch_stats": stats}
        return state._replace(networks={**state.networks, self.role: moved}), scalars


def grid_shape(resolution: int) -> tuple[int, int]:
    """Rows and columns of a grid of pictures: 6 x 8, fewer where they would fill more than 8K.

    Source: stylegan2-ada-pytorch, training/training_loop.py (setup_snapshot_image_grid).
    """
    return min(6, max(4320 // resolution, 4)), min(8, max(7680 // resolution, 7))


def columns(*images: Array, pairs: int = 4) -> Array:
    """Pictures beside each other: K arrays [N, R, R, C] -> [rows, K * pairs, R, R, C]."""
    together = jnp.stack(images, axis=1)
    rows = together.shape[0] // pairs
    return together[: rows * pairs].reshape(rows, pairs * len(images), *together.shape[2:])
