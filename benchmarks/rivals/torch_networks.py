"""Whole networks in PyTorch: what is computed with them, and how they get our weights."""

# pyright: reportMissingImports=false

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rivals.torch_forms import half_square
from benchmarks.torch_reference.contests import generator_builder, sfe_builders
from benchmarks.torch_reference.discriminator import Discriminator
from benchmarks.torch_reference.editing import Sfe
from benchmarks.torch_reference.loading import load


def _placed(build: Callable[[], nn.Module], variables: Any, like: Tensor) -> nn.Module:
    """A module with our weights, of the type and on the device of `like`, to be trained."""
    return load(build, variables).to(device=like.device, dtype=like.dtype).requires_grad_(True)


def generator(module: Any, variables: Any) -> Callable[[Tensor], nn.Module]:
    """Z to pictures."""
    return lambda like: _placed(generator_builder(module), variables, like)


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

    return lambda like: Pictures(_placed(generator_builder(module), variables, like).synthesis)


def discriminator(module: Any, variables: Any) -> Callable[[Tensor], nn.Module]:
    """Pictures to logits."""
    return lambda like: _placed(lambda: Discriminator(module.channels), variables, like)


def edit(modules: Any, variables: Any, strength: float) -> Callable[[Tensor], Callable]:
    """Pictures and a shift of codes to edited pictures."""
    builders = sfe_builders(modules)

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
        (slope,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
        penalty = slope.float().square().sum(dim=(1, 2, 3)).mean()
        found = torch.autograd.grad(penalty, weights, allow_unused=True)  # The last bias.
        return penalty, total_square([g for g in found if g is not None])

    return run


def path_length(network: Any) -> Callable:
    """Path-length penalty and its gradient: codes and noise of pictures -> both."""
    weights = list(network.parameters())

    def run(ws: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        ws = ws.detach().requires_grad_()
        images = network(ws)
        projected = (images * y).sum() / math.sqrt(images.shape[2] * images.shape[3])
        (slope,) = torch.autograd.grad(projected, ws, create_graph=True)
        lengths = slope.float().square().sum(2).mean(1).sqrt()
        penalty = (lengths - 0.01 * lengths.mean()).square().mean()
        found = torch.autograd.grad(penalty, weights, allow_unused=True)
        return penalty, total_square([g for g in found if g is not None])

    return run
