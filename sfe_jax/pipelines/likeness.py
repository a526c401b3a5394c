"""Which network of a bundle sees how alike two pictures look.

Photographs are judged by LPIPS, procedural faces by the network that knows them. The VGG-16 of the
StyleGAN2 projector (vgg16.pt) is LPIPS over VGG-16; it is converted as such.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.latents.projection import Distance
from sfe_jax.losses.reconstruction import perceptual_distance
from sfe_jax.ops.resize import pool_to
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.pipelines.bundle import Bundle

LIKENESS_ROLES = ("lpips_vgg", "features", "lpips_alex", "lpips_squeeze")
"""Networks that see likeness, the first choice first."""

PROJECTOR_SIZE = 256
"""Pixels a side to which the StyleGAN2 projector averages larger pictures."""


@dataclass(frozen=True)
class LpipsDistance:
    """LPIPS, whose maps of a target are computed once."""

    network: Lpips
    size: int | None  # Pixels a side to which larger pictures are averaged; None for no limit.

    def look(self, variables: Variables, images: Array) -> list[Array]:
        """Maps of pictures [N, R, R, 3] in [-1, 1]."""
        return apply(self.network, variables, pool_to(images, self.size), method="features")

    def compare(self, variables: Variables, seen: list[Array], target: list[Array]) -> Array:
        """Distances [N] of two results of `look`."""
        return apply(self.network, variables, seen, target, method="compare").sum(axis=1)


@dataclass(frozen=True)
class FeatureDistance:
    """The feature distance of the tables: maps of a network of faces, without learned weights."""

    network: FaceFeatures

    def look(self, variables: Variables, images: Array) -> tuple[Array, ...]:
        """Maps of pictures [N, R, R, 3] in [-1, 1]; larger ones are averaged down."""
        return apply(self.network, variables, pool_to(images, self.network.input_size))["maps"]

    def compare(self, variables: Variables, seen: Any, target: Any) -> Array:
        """Distances [N] of two results of `look`."""
        del variables  # The maps are compared as they are.
        return perceptual_distance(seen, target)


class Likeness(NamedTuple):
    """A distance, ready for use."""

    role: str  # Of its network in the bundle.
    distance: Distance
    variables: Variables


def choose_likeness(bundle: Bundle, role: str | None = None, *, size: int | None) -> Likeness:
    """The network that judges likeness.

    Args:
        bundle: Holds it.
        role: A name of `LIKENESS_ROLES`; None for the first that the bundle holds.
        size: Pixels a side to which LPIPS averages larger pictures: 256 in the projector, None in
            pivotal tuning.

    Raises:
        OptionError: If the role is unknown.
        WeightsError: If the bundle lacks the network.
    """
    if role is not None and role not in LIKENESS_ROLES:
        raise OptionError(f"distance {role!r} is unknown; choose from {', '.join(LIKENESS_ROLES)}")
    held = [known for known in LIKENESS_ROLES if known in bundle.networks]
    if role is None and not held:
        raise WeightsError(
            f"{bundle.path}: no network in this bundle sees likeness; required is one of "
            f"{', '.join(LIKENESS_ROLES)}: convert vgg16.pt of StyleGAN2, or LPIPS, into it"
        )
    role = role or held[0]
    network = bundle.network(role)
    module: Any = network.module
    distance = FeatureDistance(module) if role == "features" else LpipsDistance(module, size)
    return Likeness(role, distance, network.variables)
