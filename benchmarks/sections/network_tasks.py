"""What is computed with whole networks, in JAX and in PyTorch, with inputs that change.

Results stand for all gradients: that by the input, where there is one, and the sum of squares of
those by all weights, which needs each of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.forms import Arrays
from benchmarks.rivals import torch_forms
from benchmarks.sections.operations import half_square
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.edits.operands import identity
from sfe_jax.losses.adversarial import path_length_penalty, path_lengths_along, r1_penalty
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.pipelines.methods import SfeMethod
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.training.gan import Gan, GanOptions
from sfe_jax.training.method import TrainState
from sfe_jax.training.recipe import Setting

STRENGTH = 1.5
"""Of the edit."""

STEP = "step: "
"""What stands before the name of a phase."""


@dataclass(frozen=True)
class Task:
    """What is computed with a network."""

    name: str
    images: int  # Pictures per call.
    fixed: tuple[Any, ...]  # Weights.
    draw: Callable[[Array], Arrays]
    function: Callable[..., Any]  # Of `fixed` and what is drawn.
    compared: Callable[[Any], Any] = lambda results: results
    torch: Callable[[Any], Any] | None = None  # As `torch_form` has it; None if there is none.
    order: Callable[[Callable], Callable] = torch_forms.forward
    compiled: bool = True  # Whether PyTorch's compiler takes part; it differentiates once at most.
    kinds: tuple[str, ...] = ("vector",)  # Of what is drawn.
    results: tuple[str, ...] = ("image",)
    interval: int = 0  # Steps from one run to the next, if it is a phase of a step; or 0.


def _torch() -> Any:
    """The networks in PyTorch, imported once it is known to be installed."""
    from benchmarks.rivals import torch_networks

    return torch_networks


def _weights(module: nn.Module) -> Any:
    """Random variables of a network."""
    return random_variables(module, np.random.default_rng(0))


def _normal(*shapes: Sequence[int], dtype: Any = jnp.float32) -> Callable[[Array], Arrays]:
    """Draws arrays of these shapes."""

    def draw(key: Array) -> Arrays:
        keys = jax.random.split(key, len(shapes))
        drawn = [jax.random.normal(k, s, dtype) for k, s in zip(keys, shapes, strict=True)]
        return tuple(drawn)

    return draw


def total_square(gradients: Any) -> Array:
    """Sum of squares of all numbers of a tree."""
    return sum((jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradients)), jnp.zeros(()))


# Tasks.


def forward(name: str, module: Any, batch: int, *, torch: bool = True) -> Task:
    """A generator: z to pictures."""
    variables = _weights(module)
    return Task(
        name=f"{name}, batch {batch}, {{}}, forward",
        images=batch,
        fixed=(variables,),
        draw=_normal((batch, module.z_dim)),
        function=partial(apply, module),
        torch=(lambda like: _torch().generator(module, variables)(like)) if torch else None,
    )


def by_weights(name: str, module: Any, batch: int, *, torch: bool = True) -> Task:
    """A generator forward and backward."""
    task = forward(name, module, batch, torch=torch)

    def run(variables: Any, z: Array) -> tuple[Array, Array]:
        def loss(params: Any, z: Array) -> Array:
            return half_square(apply(module, {**variables, "params": params}, z), 1.0)

        params, slope = jax.grad(loss, (0, 1))(variables["params"], z)
        return slope, total_square(params)

    return replace(
        task,
        name=f"{name}, batch {batch}, {{}}, by weights",
        function=run,
        order=lambda network: _torch().by_weights(network),
        results=("vector", "vector"),
    )


def r1(name: str, module: Discriminator, batch: int) -> Task:
    """A discriminator's R1 penalty and its gradient by the weights."""
    variables, side = _weights(module), module.resolution

    def run(variables: Any, images: Array) -> tuple[Array, Array]:
        def loss(params: Any) -> Array:
            judge = partial(apply, module, {**variables, "params": params})
            return jnp.mean(r1_penalty(judge, images)[0])

        penalty, found = jax.value_and_grad(loss)(variables["params"])
        return penalty, total_square(found)

    return Task(
        name=f"{name}, batch {batch}, {{}}, R1",
        images=batch,
        fixed=(variables,),
        draw=_normal((batch, side, side, 3)),
        function=run,
        torch=lambda like: _torch().discriminator(module, variables)(like),
        order=lambda network: _torch().r1(network),
        compiled=False,
        kinds=("image",),
        results=("vector", "vector"),
    )


def path_length(name: str, module: Any, batch: int) -> Task:
    """A generator's path-length penalty and its gradient by the weights."""
    variables, side = _weights(module), module.resolution

    def run(variables: Any, ws: Array, y: Array) -> tuple[Array, Array]:
        def loss(params: Any) -> Array:
            given = {**variables, "params": params}

            def synthesize(ws: Array) -> Array:
                return apply(module, given, ws, method="synthesize")["image"]

            lengths = path_lengths_along(synthesize, ws, lambda _: y)  # PyTorch shares y.
            return path_length_penalty(lengths, jnp.zeros(()))[0]

        penalty, found = jax.value_and_grad(loss)(variables["params"])
        return penalty, total_square(found)

    return Task(
        name=f"{name}, batch {batch}, {{}}, path length",
        images=batch,
        fixed=(variables,),
        draw=_normal((batch, module.num_ws, module.w_dim), (batch, side, side, 3)),
        function=run,
        torch=lambda like: _torch().synthesis(module, variables)(like),
        order=lambda network: _torch().path_length(network),
        compiled=False,
        kinds=("vector", "image"),
        results=("vector", "vector"),
    )


def edit(modules: Mapping[str, Any], batch: int) -> Task:
    """The full SFE edit: a picture in, an edited picture out."""
    roles = ("generator", "inverter", "feature_editor", "e4e")
    chosen: dict[str, Any] = {role: modules[role] for role in roles}
    variables = {role: _weights(module) for role, module in chosen.items()}
    method, module = SfeMethod(**chosen), chosen["generator"]
    side, shape = module.resolution, (module.num_ws, module.w_dim)

    def draw(key: Array) -> Arrays:
        images, shift = _normal((batch, side, side, 3), shape)(key)
        return jnp.tanh(images), shift / jnp.linalg.norm(shift, axis=1, keepdims=True)

    def run(variables: Any, images: Array, shift: Array) -> Array:
        operands = replace(identity(**module.code_sizes), shift=shift[None])
        inversion = method.invert(variables, images)
        return method.edit(variables, inversion, operands, jnp.full(batch, STRENGTH))

    return Task(
        name=f"SFE edit {side}, batch {batch}, {{}}, forward",
        images=batch,
        fixed=(variables,),
        draw=draw,
        function=run,
        torch=lambda like: _torch().edit(chosen, variables, STRENGTH)(like),
        kinds=("image", "vector"),
    )


def _first_state(method: Gan) -> TrainState:
    """Random networks, and optimisers that have seen nothing; nothing is compiled for it."""
    modules = {"generator": method.generator, "discriminator": method.discriminator}
    networks = {role: _weights(module) for role, module in modules.items()}
    shapes = jax.eval_shape(partial(method.init, given={}), jax.random.key(0))
    zeros: TrainState = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return zeros._replace(networks=networks, averages={"generator": networks["generator"]})


def training_phase(
    name: str, options: GanOptions, resolution: int, *, phase: str, batch: int, number: str
) -> Task:
    """One phase of a step of the GAN, with its optimiser; a step runs its phases one by one.

    Args:
        name: Of the networks.
        options: Of the method.
        resolution: Pixels a side.
        phase: Name of one of the method's phases.
        batch: Pictures N.
        number: A key of `limits.PRECISIONS`.
    """
    precision = "bfloat16" if number == "bfloat16" else "float32"
    setting = Setting(resolution, 3, 0, batch, precision, network={}.__getitem__)  # None is frozen.
    method = options.build(setting)
    (chosen,) = (each for each in method.phases if each.name == phase)

    def draw(key: Array) -> Arrays:
        shape = (batch, resolution, resolution, 3)
        images = jax.random.randint(key, shape, 0, 256).astype(jnp.uint8)
        return images, jax.random.bits(key, (2,), jnp.uint32)

    def run(state: TrainState, images: Array, seed: Array) -> tuple[Any, TrainState]:
        key = jax.random.wrap_key_data(seed)
        state, scalars = chosen.run(state, {}, {"image": images}, key)
        trained = [network["params"] for network in state.networks.values()]
        sizes = [total_square(tree) for tree in (trained, state.averages)]
        return (scalars, sizes), state

    return Task(
        name=f"{name}, batch {batch}, {{}}, {STEP}{phase}",
        images=batch,
        fixed=(_first_state(method),),
        draw=draw,
        function=run,
        compared=lambda results: results[0],
        interval=chosen.interval,
    )
