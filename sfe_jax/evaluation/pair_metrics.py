"""What is measured of a picture and its target: L2, perceptual distance, SSIM, MS-SSIM, identity.

Pictures are resized in 8 bits by Pillow's antialiased filters, as the published figures were.

Source: SFE (arXiv:2406.10601), section 4.1; StyleFeatureEditor metrics/metrics.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax.sharding import Mesh
from PIL import Image

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.images import to_float
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.programs import Program
from sfe_jax.losses.reconstruction import perceptual_distance
from sfe_jax.metrics.ms_ssim import ms_ssim, ssim
from sfe_jax.metrics.pairs import squared_error
from sfe_jax.metrics.rows import PADDING, Rows, rows_of
from sfe_jax.perceptual.arcface import ArcFace, identity_similarity
from sfe_jax.perceptual.curricular_face import CROP_SIZE, CurricularFace, crop_face
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.face_detection import FaceDetector

ARCFACE_SIZE = 256
"""Pixels a side of the aligned pictures that ArcFace's crop is made for."""


@dataclass
class PairOptions:
    """How pictures are compared with their targets. Sizes of 0 leave pictures as they are."""

    size: int = 256  # Pixels a side for L2, SSIM and LPIPS.
    ms_ssim_size: int = 1024  # Pixels a side for MS-SSIM; it has five scales from 161 on.
    perceptual: str = "lpips_alex"  # Role of LPIPS, or "features"; "" for none.
    identity: str = "curricular_face"  # Role of this or of ArcFace, or "features"; "" for none.


# What is done to pictures first.


class Prepared(NamedTuple):
    """Pictures as a metric wants them."""

    images: np.ndarray  # uint8 [N, h, w, 3].
    usable: np.ndarray  # bool [N]; False where a picture lacks what the metric looks at.


class Preparation(Protocol):
    """What is done to pictures uint8 [N, H, W, 3]; its text goes into the provenance."""

    def __call__(self, images: np.ndarray, /) -> Prepared:
        """Prepares pictures."""
        ...


@dataclass(frozen=True)
class Resize:
    """Pictures become squares."""

    size: int  # Pixels a side; 0 leaves pictures as they are.
    filter: str = "bilinear"  # Pillow's, antialiased.

    def __str__(self) -> str:
        return f"{self.size}, Pillow's {self.filter}" if self.size else "none"

    def __call__(self, images: np.ndarray) -> Prepared:
        """Resizes what is of another size."""
        if self.size and images.shape[1:3] != (self.size, self.size):
            resample, shape = Image.Resampling[self.filter.upper()], (self.size, self.size)
            resized = [Image.fromarray(image).resize(shape, resample) for image in images]
            images = np.stack([np.asarray(image) for image in resized])
        return Prepared(images, np.ones(len(images), bool))


class FaceCrop:
    """The face of each picture, found by MTCNN and laid on CurricularFace's five points."""

    def __init__(self, bundle: Bundle) -> None:
        """Takes MTCNN from a bundle.

        Raises:
            WeightsError: If it is not there.
        """
        self._detector = FaceDetector(bundle)

    def __str__(self) -> str:
        return f"{CROP_SIZE}, on the five points of MTCNN"

    def __call__(self, images: np.ndarray) -> Prepared:
        """Crops the most certain face; where there is none, the crop is black and not usable."""
        found = [self._detector.detect(image)[:1] for image in images]
        blank = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        crops = [
            crop_face(image, faces[0].points) if faces else blank
            for image, faces in zip(images, found, strict=True)
        ]
        return Prepared(np.stack(crops), np.array([bool(faces) for faces in found]))


# Metrics.


@dataclass(frozen=True, eq=False)
class PairMetric:
    """A number for every pair of pictures, the mean of which stands in tables."""

    name: str
    prepare: Preparation
    compare: Callable[[Variables, Array, Array], Array]  # [N, h, w, 3] twice, in [-1, 1] -> [N].
    variables: Variables | None = None  # Of its network, if it has one.

    @property
    def network(self) -> str:
        """SHA-256 of its network; "" if it has none."""
        return "" if self.variables is None else digest_arrays(self.variables)


def pixel_metrics(options: PairOptions) -> list[PairMetric]:
    """L2, MS-SSIM and SSIM."""
    plain, large = Resize(options.size), Resize(options.ms_ssim_size, "bicubic")
    return [
        PairMetric("L2", plain, lambda _, x, y: squared_error(x, y)),
        PairMetric("MS-SSIM", large, lambda _, x, y: ms_ssim(x, y)),
        PairMetric("SSIM", plain, lambda _, x, y: ssim(x, y)),
    ]


def _refuse(bundle: Bundle, role: str, module: Any, required: str) -> WeightsError:
    kind = type(module).__name__
    return WeightsError(f"{bundle.path}: {role!r} is a {kind}; required is {required}")


def perceptual_metric(bundle: Bundle, role: str, *, size: int) -> PairMetric:
    """How alike pictures look to the network of a role.

    Args:
        bundle: Holds it.
        role: Of LPIPS, or of the network that knows procedural faces.
        size: Pixels a side for LPIPS; 0 leaves pictures as they are.

    Raises:
        WeightsError: If the bundle lacks it, or holds another kind of network.
    """
    network = bundle.network(role)
    module: Any = network.module
    if isinstance(module, Lpips):
        name, prepare = f"LPIPS ({module.trunk})", Resize(size)

        def compare(variables: Variables, images: Array, target: Array) -> Array:
            return apply(module, variables, images, target)

    elif isinstance(module, FaceFeatures):
        name, prepare = "feature distance", Resize(module.input_size)

        def compare(variables: Variables, images: Array, target: Array) -> Array:
            first, second = (apply(module, variables, x)["maps"] for x in (images, target))
            return perceptual_distance(first, second)

    else:
        raise _refuse(bundle, role, module, "LPIPS, or the network of procedural faces")
    return PairMetric(name, prepare, compare, network.variables)


def identity_metric(bundle: Bundle, role: str) -> PairMetric:
    """Whether two pictures show the same person, to the network of a role.

    Args:
        bundle: Holds it; for CurricularFace MTCNN too.
        role: Of CurricularFace, ArcFace, or the network that knows procedural faces.

    Raises:
        WeightsError: If the bundle lacks one, or holds another kind of network.
    """
    network = bundle.network(role)
    module: Any = network.module

    def compare(variables: Variables, images: Array, target: Array) -> Array:
        first, second = (apply(module, variables, x) for x in (images, target))
        if isinstance(module, FaceFeatures):
            first, second = first["embedding"], second["embedding"]
        return identity_similarity(first, second)

    match module:
        case CurricularFace():
            name, prepare = "identity (CurricularFace)", FaceCrop(bundle)
        case ArcFace():
            name, prepare = "identity (ArcFace)", Resize(ARCFACE_SIZE)
        case FaceFeatures():
            name, prepare = "identity", Resize(module.input_size)
        case _:
            required = "CurricularFace, ArcFace, or the network of procedural faces"
            raise _refuse(bundle, role, module, required)
    return PairMetric(name, prepare, compare, network.variables)


def pair_metrics(bundle: Bundle, options: PairOptions) -> list[PairMetric]:
    """All metrics of pairs that are asked for, the perceptual one first.

    Raises:
        WeightsError: If a network is missing or of another kind.
    """
    metrics = pixel_metrics(options)
    if options.perceptual:
        metrics.insert(0, perceptual_metric(bundle, options.perceptual, size=options.size))
    if options.identity:
        metrics.append(identity_metric(bundle, options.identity))
    return metrics


# All at once.


def _together(metrics: list[PairMetric]) -> Callable:
    """Several metrics as one function: (name -> variables, pictures, targets) -> name -> [N]."""

    def compare(variables: Mapping[str, Any], images: Array, target: Array) -> dict[str, Array]:
        return {m.name: m.compare(variables[m.name], images, target) for m in metrics}

    return compare


class PairJudge:
    """Metrics of pairs on a mesh. Those that want pictures alike are computed together."""

    def __init__(self, metrics: list[PairMetric], mesh: Mesh) -> None:
        """Compiles nothing yet."""
        self.metrics = metrics
        groups: dict[Preparation, list[PairMetric]] = {}
        for metric in metrics:
            groups.setdefault(metric.prepare, []).append(metric)
        self._programs = {
            prepare: Program(_together(group), {m.name: m.variables for m in group}, mesh)
            for prepare, group in groups.items()
        }

    def compare(
        self, numbers: np.ndarray, images: np.ndarray, target: np.ndarray
    ) -> dict[str, Rows]:
        """Compares pictures with their targets.

        Args:
            numbers: int64 [B]; rows of `PADDING` are left out.
            images: uint8 [B, H, W, 3].
            target: uint8 [B, h, w, 3].

        Returns:
            Name -> a number for each pair; pairs that lack what a metric looks at are left out.

        Raises:
            ShapeError: If a metric leaves pictures as they are, and their sizes differ.
            ImageError: If a number is not finite.
        """
        found: dict[str, Rows] = {}
        for prepare, program in self._programs.items():
            first, second = prepare(images), prepare(target)
            scores: Mapping[str, np.ndarray] = program(
                to_float(first.images), to_float(second.images)
            )
            usable = np.where(first.usable & second.usable, numbers, PADDING)
            found |= {name: rows_of(usable, values) for name, values in scores.items()}
        return found
