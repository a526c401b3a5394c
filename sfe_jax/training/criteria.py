"""How far pictures are from what they should be: L2, perceptual distance and identity, weighted.

Photographs are judged by converted networks: LPIPS, and ArcFace for faces or MoCo for anything
else; procedural faces by the network of `training.features`, which gives both in one pass.

Source: pSp (arXiv:2008.00951), section 3.2; SFE (arXiv:2406.10601), section 3.2.
"""

from dataclasses import dataclass
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.losses.reconstruction import crop_face, identity_loss, l2_loss, perceptual_distance
from sfe_jax.ops.resize import pool_to, resize_bilinear
from sfe_jax.training.method import Frozen, Scalars
from sfe_jax.training.recipe import Setting

LPIPS_ROLES = ("lpips_alex", "lpips_vgg", "lpips_squeeze")
"""Networks that measure perceptual distance of photographs."""


@dataclass
class CriteriaOptions:
    """Weights of the terms, and the networks that judge. Defaults are those of SFE."""

    l2: float = 1.0
    perceptual: float = 0.8
    identity: float = 0.1
    l2_crop: float = 0.0  # Of the face alone, as pSp's frontalisation weighs it; 256x256 only.
    perceptual_crop: float = 0.0
    size: int = 256  # Pixels a side at which pictures are compared; larger ones are averaged.
    perceptual_network: Literal["lpips_alex", "lpips_vgg", "lpips_squeeze", "features"] = (
        "lpips_vgg"
    )
    identity_network: Literal["arcface", "moco", "features"] = "arcface"


def resize_for(role: str, images: Array) -> Array:
    """Pictures at the size that a network of identity reads: 256 for ArcFace."""
    if role == "arcface" and images.shape[1] != 256:
        return resize_bilinear(images, 256)
    return images


@dataclass(frozen=True)
class Criteria:
    """The weighted terms, as a function of pictures and targets."""

    options: CriteriaOptions
    modules: dict[str, nn.Module]  # Judging networks by role.

    def __post_init__(self) -> None:
        """Refuses crops of pictures that are not those of the papers."""
        if (self.options.l2_crop or self.options.perceptual_crop) and self.options.size != 256:
            raise OptionError(
                f"crop terms need pictures of 256, `size` is {self.options.size}; set their "
                "weights to 0"
            )

    def _perceptual(self, frozen: Frozen, images: Array, target: Array) -> Array:
        """Mean perceptual distance, []."""
        role = self.options.perceptual_network
        module, variables = self.modules[role], frozen[role]
        if role in LPIPS_ROLES:
            return jnp.mean(apply(module, variables, images, target))
        maps = apply(module, variables, images)["maps"]
        wanted = apply(module, variables, target)["maps"]
        return jnp.mean(perceptual_distance(maps, wanted)) / len(maps)

    def _embedding(self, frozen: Frozen, images: Array) -> Array:
        """Whose face it is, [N, E] of unit length."""
        role = self.options.identity_network
        out = apply(self.modules[role], frozen[role], resize_for(role, images))
        return out["embedding"] if role == "features" else out

    def __call__(self, frozen: Frozen, images: Array, target: Array) -> tuple[Array, Scalars]:
        """Judges pictures.

        Args:
            frozen: Variables of the judging networks, by role.
            images: [N, R, R, 3] in [-1, 1].
            target: [N, R', R', 3]; both are averaged to `size` where they are larger.

        Returns:
            [] weighted sum, and its terms.
        """
        options = self.options
        images, target = (pool_to(x.astype(jnp.float32), options.size) for x in (images, target))
        total, scalars = jnp.zeros(()), {}

        def add(name: str, weight: float, value: Array) -> None:
            nonlocal total
            total = total + weight * value
            scalars[f"loss/{name}"] = value

        if options.l2:
            add("l2", options.l2, l2_loss(images, target))
        if options.perceptual:
            add("perceptual", options.perceptual, self._perceptual(frozen, images, target))
        if options.identity:
            found, wanted = (self._embedding(frozen, x) for x in (images, target))
            add("identity", options.identity, identity_loss(found, wanted))
        if options.l2_crop:
            add("l2_crop", options.l2_crop, l2_loss(crop_face(images), crop_face(target)))
        if options.perceptual_crop:
            distance = self._perceptual(frozen, crop_face(images), crop_face(target))
            add("perceptual_crop", options.perceptual_crop, distance)
        return total, scalars

    def figures(self, frozen: Frozen, images: Array, target: Array) -> Scalars:
        """The weighted sum as "loss", and its terms: what evaluation reports."""
        value, scalars = self(frozen, images, target)
        return {"loss": value, **scalars}


def build_criteria(options: CriteriaOptions, setting: Setting) -> tuple[Criteria, Frozen]:
    """The criteria and the variables of the networks that they need."""
    roles = set()
    if options.perceptual or options.perceptual_crop:
        roles.add(options.perceptual_network)
    if options.identity:
        roles.add(options.identity_network)
    networks = {role: setting.network(role) for role in sorted(roles)}
    criteria = Criteria(options, {role: network.module for role, network in networks.items()})
    return criteria, {role: network.variables for role, network in networks.items()}
