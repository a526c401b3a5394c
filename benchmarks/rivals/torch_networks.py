"""Whole networks in PyTorch: what is computed with them, and how they get our weights."""

# pyright: reportMissingImports=false

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rivals.torch_forms import half_square
from benchmarks.torch_reference.discriminator import Discriminator
from benchmarks.torch_reference.editing import Sfe
from benchmarks.torch_reference.encoders import E4e, Fuser, Inverter
from benchmarks.torch_reference.inception import Inception
from benchmarks.torch_reference.loading import load
from benchmarks.torch_reference.stylegan2 import Generator
from benchmarks.torch_reference.stylegan3 import FourierInput
from benchmarks.torch_reference.stylegan3 import Generator as AliasFree
from benchmarks.torch_reference.training import (
    PHASES,
    Phase,
    Players,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.training.gan import Gan
from sfe_jax.training.method import TrainState


def _placed(build: Callable[[], nn.Module], variables: Any, like: Tensor) -> Any:
    """A module with our weights, of the type and on the device of `like`, to be trained."""
    return load(build, variables).to(device=like.device, dtype=like.dtype).requires_grad_(True)


def _generator(module: Any) -> Callable[[], Generator]:
    """Builds StyleGAN2's generator."""
    sizes = {"z_dim": module.z_dim, "w_dim": module.w_dim}
    return partial(Generator, module.channels, **sizes, layers=module.mapping_layers)


def _alias_free(module: AliasFreeGenerator, variables: Any, like: Tensor) -> nn.Module:
    """StyleGAN3's generator, whose waves are float32 throughout, as in the originals."""
    build = partial(
        AliasFree,
        module.layers,
        z_dim=module.z_dim,
        w_dim=module.w_dim,
        mapping_layers=module.mapping_layers,
        output_scale=module.output_scale,
        clamp=module.conv_clamp,
    )
    network = _placed(build, variables, like.float())
    for part in (network.mapping, *network.synthesis.children()):
        if not isinstance(part, FourierInput):
            part.to(like.dtype)
    return network


def generator(module: Any, variables: Any) -> Callable[[Tensor], nn.Module]:
    """Z to pictures."""
    if isinstance(module, AliasFreeGenerator):
        return lambda like: _alias_free(module, variables, like)
    return lambda like: _placed(_generator(module), variables, like)


def synthesis(module: Any, variables: Any) -> Callable[[Tensor], Any]:
    """Codes of W+ to pictures."""

    class Pictures(nn.Module):
        """The synthesis network, which gives its picture alone."""

        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, ws: Tensor) -> Tensor:
            """Pictures of codes [N, L, W]."""
            return self.network(ws).image

    return lambda like: Pictures(_placed(_generator(module), variables, like).synthesis)


def discriminator(module: Any, variables: Any) -> Callable[[Tensor], nn.Module]:
    """Pictures to logits."""
    return lambda like: _placed(lambda: Discriminator(module.channels), variables, like)


def inception(module: FidInception, variables: Any) -> Callable[[Tensor], nn.Module]:
    """Pictures to FID's features."""
    sizes = {"narrowing": module.narrowing, "input_size": module.input_size}
    return lambda like: _placed(partial(Inception, **sizes), variables, like)


def _edit_builders(modules: Mapping[str, Any]) -> dict[str, Callable[[], nn.Module]]:
    """Builds the networks of an edit, by role."""
    inverter, e4e, editor = modules["inverter"], modules["e4e"], modules["feature_editor"]
    sizes = {"rows": inverter.num_styles, "w_dim": inverter.w_dim}
    body = {"depths": inverter.depths, "widths": inverter.widths}
    fused = {"features": inverter.features, "units": inverter.num_units}
    e4e_body = {"depths": e4e.depths, "widths": e4e.widths, "input_size": e4e.input_size}
    return {
        "generator": _generator(modules["generator"]),
        "inverter": partial(Inverter, **sizes, **body, **fused),
        "feature_editor": partial(Fuser, editor.features, editor.num_units),
        "e4e": partial(E4e, **sizes, **e4e_body),
    }


def edit(modules: Any, variables: Any, strength: float) -> Callable[[Tensor], Callable]:
    """Pictures and a shift of codes to edited pictures."""
    builders = _edit_builders(modules)

    def make(like: Tensor) -> Callable:
        networks = {r: _placed(build, variables[r], like) for r, build in builders.items()}
        sfe = Sfe(**networks, input_size=modules["inverter"].input_size)  # pyright: ignore
        return lambda images, shift: sfe.edit(images, shift, strength)

    return make


# What is done with a network. Results stand for all gradients: that by the input, if there is one,
# and the sum of squares of those by all weights, which needs each of them.


def total_square(gradients: Any) -> Tensor:
    """Sum of squares of all numbers."""
    return torch.stack([g.float().square().sum() for g in gradients]).sum()


def by_weights(network: Any) -> Callable:
    """Gradient of half the squared distance of the result from 1."""
    weights = list(network.parameters())

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        slope, *others = torch.autograd.grad(half_square(network(x), 1.0), [x, *weights])
        return slope, total_square(others)

    return run


def r1(network: Any) -> Callable:
    """R1 and its gradient: pictures -> penalty, sum of squares."""
    weights = list(network.parameters())

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        images = images.detach().requires_grad_()
        penalty = r1_penalty(network(images), images)
        found = torch.autograd.grad(penalty, weights, allow_unused=True)  # The last bias.
        return penalty, total_square([g for g in found if g is not None])

    return run


def path_length(network: Any) -> Callable:
    """Path-length penalty and its gradient: codes and noise of pictures -> both."""
    weights = list(network.parameters())

    def run(ws: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        ws = ws.detach().requires_grad_()
        penalty, _ = path_length_penalty(path_lengths(network(ws), ws, y), 0.0)
        found = torch.autograd.grad(penalty, weights, allow_unused=True)
        return penalty, total_square([g for g in found if g is not None])

    return run


# Training.


def phase(method: Gan, state: TrainState, name: str) -> Callable[[Tensor], Phase]:
    """A phase of a step of the GAN, whose weights are float32 in every type.

    Args:
        method: With StyleGAN2's networks.
        state: With their variables; its optimisers have seen nothing.
        name: Of the phase.
    """
    judge = partial(Discriminator, method.discriminator.channels)

    def make(like: Tensor) -> Phase:
        draw = partial(_placed, _generator(method.generator), like=like.float())
        players = Players(
            draw(state.networks["generator"]),
            _placed(judge, state.networks["discriminator"], like.float()),
            draw(state.averages["generator"]),
            method.options,
        )
        return PHASES[name](players, method.options, method.batch_size)

    return make


def trained(phase: Any) -> Callable[..., tuple[Players, list[Tensor]]]:
    """A phase, as it is or compiled, and its optimiser: inputs -> players after it, losses."""

    def run(*inputs: Tensor) -> tuple[Players, list[Tensor]]:
        found = phase(*inputs)
        if found is None:
            return phase.players, []
        loss, shown = found
        phase.optimizer.zero_grad()
        loss.backward()
        phase.optimizer.step()
        return phase.players, [shown.detach()]

    return run


def moved(found: tuple[Players, list[Tensor]]) -> list[Tensor]:
    """What stands for a phase: its loss, squares of the networks, of the average, of the slopes."""
    players, losses = found
    networks = (players.generator, players.discriminator)
    weights = [x for network in networks for x in network.state_dict().values()]
    slopes = [
        moments["exp_avg"]  # With a first decay of 0 that is the slope itself.
        for optimizer in players.optimizers.values()
        for moments in optimizer.state.values()
    ]
    average = players.average.state_dict().values()
    groups = (weights, average, slopes or [torch.zeros(())])  # The last phase has no slopes.
    return [*losses, *(total_square(group) for group in groups)]
