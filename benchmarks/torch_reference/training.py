"""A step of StyleGAN2's training in plain PyTorch, phase by phase, each with its optimiser.

Random numbers are given, so that results can be compared with those of another program. Weights
and moments are float32; the networks compute with copies of them in the type of the inputs.

Source: StyleGAN2 (arXiv:1912.04958), section 3.2 and appendix B; R1 (arXiv:1801.04406), equation 9.
"""

# pyright: reportMissingImports=false

import math

import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.swa_utils import get_ema_multi_avg_fn

from benchmarks.torch_reference.discriminator import Discriminator
from benchmarks.torch_reference.stylegan2 import Generator
from sfe_jax.training.gan import GanOptions

# Regularisers.


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean squared slope of logits by the pictures [N, 3, R, R] that they judge."""
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.float().square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, ws: Tensor, y: Tensor) -> Tensor:
    """How far pictures [N, 3, R, R] move per step of their codes [N, L, W], along y: [N]."""
    projected = (images * y).sum() / math.sqrt(images.shape[2] * images.shape[3])
    (slope,) = torch.autograd.grad(projected, ws, create_graph=True)
    return slope.float().square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor | float) -> tuple[Tensor, Tensor]:
    """Deviation of lengths [N] from their moving mean, and that mean after."""
    moved = mean + 0.01 * (lengths.mean() - mean)
    return (lengths - moved).square().mean(), moved.detach()


# What a step moves.


def weights_like(module: nn.Module, like: Tensor) -> dict[str, Tensor]:
    """Parameters in the type of `like`, through which slopes reach the parameters themselves."""
    return {name: x.to(like.dtype) for name, x in module.named_parameters()}


def as_pictures(images: Tensor) -> Tensor:
    """Pictures in [-1, 1] of those in [0, 255]."""
    return (images.float() / 127.5 - 1).to(images.dtype)


def lazy_adam(module: nn.Module, learning_rate: float, interval: int) -> torch.optim.Adam:
    """Adam of StyleGAN2, corrected for a regulariser of every `interval` steps, 0 for none."""
    share = interval / (interval + 1) if interval else 1.0
    rate, betas = learning_rate * share, (0.0, 0.99**share)
    return torch.optim.Adam(module.parameters(), lr=rate, betas=betas, eps=1e-8, fused=True)


class Players(nn.Module):
    """Both networks, the averaged generator, their optimisers and the moving mean of lengths."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        average: Generator,
        options: GanOptions,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.average = generator, discriminator, average
        self.register_buffer("path_length", torch.zeros((), device=generator.mapping.w_avg.device))
        self.optimizers = {
            "generator": lazy_adam(
                generator, options.generator_learning_rate, options.path_length_interval
            ),
            "discriminator": lazy_adam(
                discriminator, options.discriminator_learning_rate, options.r1_interval
            ),
        }
        self._first = {name: x.cpu().clone() for name, x in self.state_dict().items()}

    def reset(self) -> None:
        """Goes back to the first weights, and to optimisers that have seen nothing."""
        self.load_state_dict(self._first)
        for optimizer in self.optimizers.values():
            for moments in optimizer.state.values():
                for x in moments.values():
                    x.zero_()

    def codes(self, z: Tensor, first: Tensor) -> Tensor:
        """Mixed codes [N, L, W] of two z each [N, 2, Z]; `first` [1, L, 1] is 1 or, then, 0."""
        weights = weights_like(self.generator.mapping, z)
        ws, other = (functional_call(self.generator.mapping, weights, (x,)) for x in z.unbind(1))
        return torch.where(first > 0, ws[:, None], other[:, None])

    def pictures(self, ws: Tensor, *noise: Tensor) -> Tensor:
        """Pictures [N, 3, R, R] of codes, under noise [N, 1, r, r] of every layer."""
        synthesis = self.generator.synthesis
        stored = [name for name, _ in synthesis.named_buffers()]
        given = weights_like(synthesis, ws) | dict(zip(stored, noise, strict=True))
        return functional_call(synthesis, given, (ws,)).image

    def judge(self, images: Tensor) -> Tensor:
        """Logits [N, 1] of pictures, float32."""
        weights = weights_like(self.discriminator, images)
        return functional_call(self.discriminator, weights, (images,)).float()


# Phases. Each is a module whose call gives the loss, and a figure to compare.

Loss = tuple[Tensor, Tensor]
"""What is differentiated, and the loss before its weights; both []."""


class Phase(nn.Module):
    """A phase that trains one network while nothing else takes slopes."""

    role = ""
    """Of that network."""

    def __init__(self, players: Players, options: GanOptions, batch: int) -> None:
        super().__init__()
        self.players, self.options, self.batch = players, options, batch
        players.requires_grad_(False)
        if self.role:
            getattr(players, self.role).requires_grad_(True)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Of the network in training."""
        return self.players.optimizers[self.role]


class GeneratorPhase(Phase):
    """The generator's part in the game."""

    role = "generator"

    def forward(self, z: Tensor, first: Tensor, *noise: Tensor) -> Loss:
        """Loss of pictures of z [N, 2, Z], mixed by `first` [1, L, 1]."""
        players = self.players
        logits = players.judge(players.pictures(players.codes(z, first), *noise))
        loss = F.softplus(-logits).mean()
        return loss, loss


class PathLengthPhase(Phase):
    """Paths of equal length; differentiates twice."""

    role = "generator"

    def forward(self, z: Tensor, first: Tensor, y: Tensor, *noise: Tensor) -> Loss:
        """Penalty of pictures of z [N, 2, Z] along y [N, 3, R, R]."""
        players, options = self.players, self.options
        ws = players.codes(z, first)
        lengths = path_lengths(players.pictures(ws, *noise), ws, y)
        penalty, mean = path_length_penalty(lengths, players.path_length)
        players.path_length.copy_(mean)
        return penalty * (options.path_length_weight * options.path_length_interval), penalty


class DiscriminatorPhase(Phase):
    """The discriminator's part in the game; the average code follows."""

    role = "discriminator"

    def forward(self, images: Tensor, z: Tensor, first: Tensor, *noise: Tensor) -> Loss:
        """Loss of pictures [N, 3, R, R] in [0, 255], and of those of z [N, 2, Z]."""
        players = self.players
        ws = players.codes(z, first)
        fake, real = players.pictures(ws, *noise), as_pictures(images)
        loss = F.softplus(players.judge(fake)).mean() + F.softplus(-players.judge(real)).mean()
        mean = ws[:, 0].float().mean(dim=0)
        players.generator.mapping.w_avg.lerp_(mean, 1 - self.options.w_avg_decay)
        return loss, loss


class R1Phase(Phase):
    """Small slopes at real pictures; differentiates twice."""

    role = "discriminator"

    def forward(self, images: Tensor) -> Loss:
        """Penalty of pictures [N, 3, R, R] in [0, 255]."""
        images = as_pictures(images).requires_grad_()
        penalty = r1_penalty(self.players.judge(images), images)
        return penalty * (self.options.r1_gamma / 2 * self.options.r1_interval), penalty


class AveragePhase(Phase):
    """The averaged generator follows the one in training."""

    def forward(self) -> None:
        """Moves the average's weights, and copies its buffers."""
        average, generator = self.players.average, self.players.generator
        decay = 0.5 ** (self.batch / self.options.ema_images)
        move = get_ema_multi_avg_fn(decay)
        move(list(average.parameters()), list(generator.parameters()), None)
        for old, new in zip(average.buffers(), generator.buffers(), strict=True):
            old.copy_(new)


PHASES = {
    "generator": GeneratorPhase,
    "path_length": PathLengthPhase,
    "discriminator": DiscriminatorPhase,
    "r1": R1Phase,
    "average": AveragePhase,
}
"""By name, in the order of a step."""
