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
from optax.tree_utils import tree_get

from benchmarks.measuring.forms import Arrays
from benchmarks.rivals import torch_forms
from benchmarks.sections.operations import half_square
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.edits.operands import identity
from sfe_jax.losses.adversarial import path_length_penalty, path_lengths_along, r1_penalty
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.perceptual.inception import FidInception, resize_for_fid
from sfe_jax.pipelines.bundle import abstract_variables
from sfe_jax.pipelines.methods import SfeMethod
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.training.gan import Gan, mix_codes
from sfe_jax.training.method import TrainState

STRENGTH = 1.5
"""Of the edit."""


@dataclass(frozen=True)
class Task:
    """What is computed with a network."""

    images: int  # Pictures per call.
    fixed: tuple[Any, ...]  # Weights.
    draw: Callable[[Array], Arrays]
    function: Callable[..., Any]  # Of `fixed` and what is drawn.
    torch: Callable[[Any], Any]  # As `torch_form` has it.
    compared: Callable[[Any], Any] = lambda results: results
    order: Callable[[Callable], Callable] = torch_forms.forward
    compiled: bool = True  # Whether PyTorch's compiler takes part; it differentiates once at most.
    kinds: tuple[str, ...] = ("vector",)  # Of what is drawn.
    results: tuple[str, ...] = ("image",)
    fresh: Callable[[Any, Arrays], Arrays] = lambda _, arrays: arrays  # As `torch_form` has it.
    torch_compared: Callable[[Any], Any] = lambda found: found
    interval: int = 0  # Steps from one run to the next, if it is a phase of a step; or 0.
    donate: tuple[int, ...] = ()  # As `jax_form` has it.


def _torch() -> Any:
    """The networks in PyTorch, imported once it is known to be installed."""
    from benchmarks.rivals import torch_networks

    return torch_networks


def _weights(module: nn.Module, seed: int = 0) -> Any:
    """Random variables of a network."""
    return random_variables(module, np.random.default_rng(seed))


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


def forward(module: Any, batch: int) -> Task:
    """A generator: z to pictures."""
    variables = _weights(module)
    return Task(
        images=batch,
        fixed=(variables,),
        draw=_normal((batch, module.z_dim)),
        function=partial(apply, module),
        torch=lambda like: _torch().generator(module, variables)(like),
    )


def by_weights(module: Any, batch: int) -> Task:
    """A generator forward and backward."""
    task = forward(module, batch)

    def run(variables: Any, z: Array) -> tuple[Array, Array]:
        def loss(params: Any, z: Array) -> Array:
            return half_square(apply(module, {**variables, "params": params}, z), 1.0)

        params, slope = jax.grad(loss, (0, 1))(variables["params"], z)
        return slope, total_square(params)

    return replace(
        task,
        function=run,
        order=lambda network: _torch().by_weights(network),
        results=("vector", "vector"),
    )


def r1(module: Discriminator, batch: int) -> Task:
    """A discriminator's R1 penalty and its gradient by the weights."""
    variables, side = _weights(module), module.resolution

    def run(variables: Any, images: Array) -> tuple[Array, Array]:
        def loss(params: Any) -> Array:
            judge = partial(apply, module, {**variables, "params": params})
            return jnp.mean(r1_penalty(judge, images)[0])

        penalty, found = jax.value_and_grad(loss)(variables["params"])
        return penalty, total_square(found)

    return Task(
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


def path_length(module: Any, batch: int) -> Task:
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


def edit(modules: Mapping[str, Any], batch: int, *, compiled: bool = True) -> Task:
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
        images=batch,
        fixed=(variables,),
        draw=draw,
        function=run,
        torch=lambda like: _torch().edit(chosen, variables, STRENGTH)(like),
        compiled=compiled,
        kinds=("image", "vector"),
    )


def inception(module: FidInception, batch: int, *, side: int = 256) -> Task:
    """FID's features of pictures, which it resizes."""
    variables = _weights(module)

    def run(variables: Any, images: Array) -> Array:
        return apply(module, variables, resize_for_fid(images, module.input_size))["features"]

    return Task(
        images=batch,
        fixed=(variables,),
        draw=_normal((batch, side, side, 3)),
        function=run,
        torch=lambda like: _torch().inception(module, variables)(like),
        kinds=("image",),
        results=("vector",),
    )


def _first_state(method: Gan) -> TrainState:
    """Random networks, another average, and optimisers that have seen nothing; none is compiled."""
    modules = {"generator": method.generator, "discriminator": method.discriminator}
    networks = {role: _weights(module) for role, module in modules.items()}
    shapes = jax.eval_shape(partial(method.init, given={}), jax.random.key(0))
    zeros: TrainState = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return zeros._replace(networks=networks, averages={"generator": _weights(method.generator, 1)})


# A step of training. PyTorch is given the random numbers that ours draws. Its discriminator has
# groups of strided pictures: it gets them in an order in which these are our neighbours.


def _noise(generator: Any, count: int, key: Array) -> Arrays:
    """What a generator draws with a key for `count` pictures: [N, r, r, 1] of each layer."""
    shapes = abstract_variables(generator)
    _, drawn = apply(
        generator,
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes),
        jnp.zeros((count, generator.num_ws, generator.w_dim)),
        noise_mode="random",
        rngs={"noise": key},
        method="synthesize",
        capture_intermediates=lambda _, name: name == "_noise",
        mutable=["intermediates"],
    )
    synthesis = drawn["intermediates"]["synthesis"]
    convs = [layer for layer in generator.layers if layer.kind == "conv"]
    return tuple(synthesis[layer.block][layer.part]["_noise"][0] for layer in convs)


def _draws(method: Gan, phase: str, seed: Array) -> Arrays:
    """The random numbers of a phase, from keys that are split as the method splits them.

    Returns:
        z [N, 2, Z], rows that are of its first [1, L, 1], directions [N, R, R, 3] if it is that
        of path lengths, and the noise of each layer.
    """
    generator, options = method.generator, method.options
    along_paths = phase == "path_length"
    count = max(method.batch_size // (options.path_length_shrink if along_paths else 1), 1)
    parts = 5 if phase == "discriminator" else 4
    keys = jax.random.split(jax.random.wrap_key_data(seed), parts)
    z_key, mix_key = jax.random.split(keys[1])
    z = jax.random.normal(z_key, (count, 2, generator.z_dim))
    ones = jnp.ones((1, generator.num_ws, 1))
    first = mix_codes(ones, jnp.zeros_like(ones), mix_key, probability=options.mixing)
    shape = (count, generator.resolution, generator.resolution, 3)
    y = (jax.random.normal(keys[3], shape),) if along_paths else ()
    return z, first, *y, *_noise(generator, count, keys[2])


def _strided(x: Array, group: int) -> Array:
    """Samples [N, ...] in an order in which strided groups are what groups of neighbours were."""
    if len(x) < group:
        return x  # The rows that all samples share.
    return x.reshape(-1, group, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)


def _inputs(method: Gan, phase: str, images: Array, seed: Array) -> Arrays:
    """What PyTorch's phase of a name takes."""
    if phase == "average":
        return ()
    if phase == "path_length":
        return _draws(method, phase, seed)
    seen = (images,) if phase in ("discriminator", "r1") else ()
    drawn = () if phase == "r1" else _draws(method, phase, seed)
    group = min(method.options.group_size, len(images))
    return tuple(_strided(x, group) for x in (*seen, *drawn))


@jax.jit
def _moved(results: tuple[TrainState, dict[str, Array]]) -> list[Array]:
    """What stands for a phase: its loss, squares of the networks, of the average, of the slopes."""
    state, scalars = results
    losses = [scalars[name] for name in sorted(scalars) if name.startswith("loss/")]
    # The first moment: with a first decay of 0 that is the slope itself.
    slopes = [tree_get(optimizer, "mu") for optimizer in state.optimizers.values()]
    return [*losses, *map(total_square, (state.networks, state.averages, slopes))]


def training_phase(method: Gan, batch: int, *, phase: str) -> Task:
    """One phase of a step of the GAN, with its optimiser; a step runs its phases one by one.

    Args:
        method: Of that batch size.
        batch: Pictures N.
        phase: Name of one of the method's phases.
    """
    (chosen,) = (each for each in method.phases if each.name == phase)
    side = method.generator.resolution

    def draw(key: Array) -> Arrays:
        shape = (batch, side, side, 3)
        images = jax.random.randint(key, shape, 0, 256).astype(jnp.uint8)
        return images, jax.random.bits(key, (2,), jnp.uint32)

    def run(state: TrainState, images: Array, seed: Array) -> tuple[TrainState, dict[str, Array]]:
        return chosen.run(state, {}, {"image": images}, jax.random.wrap_key_data(seed))

    inputs = jax.jit(partial(_inputs, method, phase))

    def fresh(made: Any, arrays: Arrays) -> Arrays:
        made.players.reset()
        return inputs(*arrays)

    state = _first_state(method)
    given = jax.eval_shape(inputs, *jax.eval_shape(draw, jax.random.key(0)))
    return Task(
        images=batch,
        fixed=(state,),
        draw=draw,
        function=run,
        torch=lambda like: _torch().phase(method, state, phase)(like),
        compared=_moved,
        order=lambda made: _torch().trained(made),
        compiled=phase in ("generator", "discriminator"),
        kinds=tuple("image" if x.ndim == 4 else "vector" for x in given),
        results=("vector",) * (3 if phase == "average" else 4),
        fresh=fresh,
        torch_compared=lambda found: _torch().moved(found),
        interval=chosen.interval,
        donate=(0,),  # As `training.loop` has it.
    )
