"""What chips can do, as their makers state it, and how targets name them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sfe_jax.core.errors import OptionError

CUDA_TARGET = re.compile(r"cuda-(\w+)x(\d+)")
"""GPUs of one host, chip and number: "cuda-h100x8"."""

TPU_PASSES = {"half": 1.0, "default": 1.0, "highest": 6.0}
"""XLA multiplies float32 as bfloat16 on a TPU: once, or six times for the highest precision."""

HOPPER_PASSES = {"half": 1.0, "default": 2.0, "highest": 989.5 / 67}
"""Dense peaks of bfloat16 over those of TF32 and of float32 outside the tensor cores."""


@dataclass(frozen=True)
class Chip:
    """Peaks of one chip."""

    name: str  # As targets are called: "v5e" of "v5e:16x16", "h100" of "cuda-h100x8".
    flops: float  # FLOP/s of bfloat16 products.
    memory: float  # Bytes.
    bandwidth: float  # Bytes/s of the memory.
    link: float  # Bytes/s to other chips, all links together, one way.
    passes: Mapping[str, float]  # Precision of a product -> bfloat16 products of the same time.


TPUS = (
    # Google Cloud, "TPU v5e": 197 TFLOP/s, 16 GB, 819 GB/s, 1600 Gbit/s between chips.
    Chip("v5e", 197e12, 16e9, 819e9, 200e9, TPU_PASSES),
    # Google Cloud, "TPU v6e": 918 TFLOP/s, 32 GB, 1640 GB/s, 3584 Gbit/s between chips.
    Chip("v6e", 918e12, 32e9, 1640e9, 448e9, TPU_PASSES),
)
"""Named by topologies such as "v5e:16x16"."""

GPUS = (
    # NVIDIA, "H100 Tensor Core GPU" data sheet, SXM: bfloat16 1,979 TFLOP/s with sparsity, half of
    # it dense; TF32 half of that; float32 67; 80 GB, 3.35 TB/s; NVLink 900 GB/s, both ways in one.
    Chip("h100", 989.5e12, 80e9, 3350e9, 450e9, HOPPER_PASSES),
    # NVIDIA, "H200 Tensor Core GPU" data sheet, SXM: as the H100, with 141 GB and 4.8 TB/s.
    Chip("h200", 989.5e12, 141e9, 4800e9, 450e9, HOPPER_PASSES),
)
"""Named by targets such as "cuda-h100x8"."""


def chip_of(target: str) -> Chip:
    """The chip of a target such as "v5e:16x16" or "cuda-h100x8".

    Raises:
        OptionError: If it is not in the tables.
    """
    gpus = CUDA_TARGET.fullmatch(target)
    name = gpus[1] if gpus else target.partition(":")[0]
    for chip in GPUS if gpus else TPUS:
        if chip.name == name:
            return chip
    known = [f"{chip.name}:2x2" for chip in TPUS] + [f"cuda-{chip.name}x8" for chip in GPUS]
    raise OptionError(
        f"chip {name!r} of target {target!r} is unknown; known are such as {', '.join(known)}"
    )
