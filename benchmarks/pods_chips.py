"""What chips can do, as their makers state it."""

from dataclasses import dataclass

from sfe_jax.core.errors import OptionError


@dataclass(frozen=True)
class Chip:
    """Peaks of one chip."""

    name: str  # As topologies are called: "v5e" of "v5e:16x16".
    flops: float  # FLOP/s of bfloat16 products.
    memory: float  # Bytes.
    bandwidth: float  # Bytes/s of the memory.
    link: float  # Bytes/s to other chips, all links together, one way.
    float32_passes: int  # bfloat16 products for one float32 product of the highest precision.


CHIPS = (
    # Google Cloud, "TPU v5e": 197 TFLOP/s, 16 GB, 819 GB/s, 1600 Gbit/s between chips.
    Chip("v5e", 197e12, 16e9, 819e9, 200e9, 6),
    # Google Cloud, "TPU v6e": 918 TFLOP/s, 32 GB, 1640 GB/s, 3584 Gbit/s between chips.
    Chip("v6e", 918e12, 32e9, 1640e9, 448e9, 6),
)
"""A float32 product of the highest precision is six bfloat16 ones on a TPU (XLA, `bf16_6x`)."""


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as "v5e:16x16".

    Raises:
        OptionError: If it is not in the table.
    """
    name = topology.partition(":")[0]
    for chip in CHIPS:
        if chip.name == name:
            return chip
    known = ", ".join(chip.name for chip in CHIPS)
    raise OptionError(f"chip {name!r} of topology {topology!r} is unknown; known are {known}")
