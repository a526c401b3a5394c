"""The network in whose features sets of pictures are compared: FID's, or one that stands in.

Where a domain lacks an Inception, as procedural faces do, the network that knows the domain takes
its place. What it gives is then called by another name, so that nobody takes it for FID.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.ops.resize import adaptive_average_pool
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.inception import RESIZE_FILTER, FidInception, resize_for_fid
from sfe_jax.pipelines.bundle import Bundle


@dataclass(frozen=True)
class SetNames:
    """What comparisons of sets are called in tables."""

    frechet: str
    kernel: str
    precision: str
    recall: str


INCEPTION_NAMES = SetNames("FID", "KID", "precision (Inception)", "recall (Inception)")
"""Of FID's network. Published precision and recall read VGG-16, so theirs say what they read."""

STAND_IN_NAMES = SetNames(
    "Fréchet distance of features", "kernel distance of features", "precision", "recall"
)
"""Of any other network."""


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network that turns pictures into features."""

    names: SetNames
    read: Callable[[Variables, Array], Mapping[str, Array]]  # Pictures [N, H, W, 3] in [-1, 1]
    # -> "features" [N, D], and "probabilities" [N, C] if it knows classes.
    variables: Variables
    resize: str  # How pictures get the size that it reads.
    digest: str  # SHA-256 of its variables.
    has_classes: bool  # Whether it gives probabilities.


def _read_inception(module: FidInception) -> Callable[[Variables, Array], Mapping[str, Array]]:
    def read(variables: Variables, images: Array) -> Mapping[str, Array]:
        reading = apply(module, variables, resize_for_fid(images, module.input_size))
        return {name: reading[name] for name in ("features", "probabilities")}

    return read


def _read_faces(module: FaceFeatures) -> Callable[[Variables, Array], Mapping[str, Array]]:
    def read(variables: Variables, images: Array) -> Mapping[str, Array]:
        """Means over positions of the last map, as FID takes those of Inception."""
        maps = apply(module, variables, adaptive_average_pool(images, module.input_size))["maps"]
        return {"features": jnp.mean(maps[-1], axis=(1, 2))}

    return read


def feature_network(bundle: Bundle, role: str) -> FeatureNetwork:
    """The network of a role, made ready.

    Args:
        bundle: Holds it.
        role: "fid_inception", or "features" for the network that knows procedural faces.

    Raises:
        WeightsError: If the bundle lacks it, or holds another kind of network under its name.
    """
    network = bundle.network(role)
    module: Any = network.module
    if isinstance(module, FidInception):
        resize = f"{module.input_size}, {RESIZE_FILTER}"
        names, read = INCEPTION_NAMES, _read_inception(module)
    elif isinstance(module, FaceFeatures):
        resize = f"{module.input_size}, area"
        names, read = STAND_IN_NAMES, _read_faces(module)
    else:
        raise WeightsError(
            f"{bundle.path}: {role!r} is a {type(module).__name__}, whose features are not for "
            "comparing sets; required is FID's Inception or the network of procedural faces"
        )
    digest = digest_arrays(network.variables)
    classes = isinstance(module, FidInception)
    return FeatureNetwork(names, read, network.variables, resize, digest, classes)
