"""Which transforms an ADA pipeline has, and the published pipelines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from sfe_jax.core.errors import OptionError

BLIT = ("xflip", "rotate90", "xint")
GEOMETRY = ("scale", "rotate", "aniso", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")


@dataclass(frozen=True)
class Pipeline:
    """How often each transform is applied: with probability `multiplier * p`, in each sample.

    Each field is in [0, 1]; 0 leaves the transform out. Hashable, hence static under `jax.jit`.

    Source: arXiv:2006.06676, appendix B, table 3; stylegan2-ada-pytorch, training/augment.py.
    """

    xflip: float = 0.0  # Mirrored left to right, in half of the cases.
    rotate90: float = 0.0  # Turned by 0, 90, 180 or 270 degrees.
    xint: float = 0.0  # Moved by whole pixels, up to 1/8 of the size.
    scale: float = 0.0  # Scaled by 2^(0.2 N(0, 1)).
    rotate: float = 0.0  # Turned by any angle, before and after `aniso`.
    aniso: float = 0.0  # Widened and flattened by 2^(0.2 N(0, 1)).
    xfrac: float = 0.0  # Moved by 1/8 N(0, 1) of the size.
    brightness: float = 0.0  # Plus 0.2 N(0, 1).
    contrast: float = 0.0  # Times 2^(0.5 N(0, 1)).
    lumaflip: float = 0.0  # Luma negated, in half of the cases.
    hue: float = 0.0  # Turned about the grey axis by any angle; RGB only.
    saturation: float = 0.0  # Distance from grey times 2^N(0, 1); RGB only.
    imgfilter: float = 0.0  # Each of four frequency bands times 2^N(0, 1).
    noise: float = 0.0  # Plus Gaussian noise of deviation 0.1 |N(0, 1)|.
    cutout: float = 0.0  # A square of half the size becomes grey (0).

    def __post_init__(self) -> None:
        """Refuses multipliers that are no probability."""
        for name, multiplier in asdict(self).items():
            if not 0 <= multiplier <= 1:
                raise OptionError(f"`{name}` is {multiplier}; required is a number in [0, 1]")

    @property
    def has_geometry(self) -> bool:
        """Whether a transform moves pixels."""
        return any(getattr(self, name) for name in BLIT + GEOMETRY)

    @property
    def has_color(self) -> bool:
        """Whether a transform changes colours."""
        return any(getattr(self, name) for name in COLOR)


def _all(*names: str) -> Pipeline:
    return Pipeline(**dict.fromkeys(names, 1.0))


PIPELINES: Mapping[str, Pipeline] = MappingProxyType(
    {
        "blit": _all(*BLIT),
        "geom": _all(*GEOMETRY),
        "color": _all(*COLOR),
        "filter": _all("imgfilter"),
        "noise": _all("noise"),
        "cutout": _all("cutout"),
        "bg": _all(*BLIT, *GEOMETRY),
        "bgc": _all(*BLIT, *GEOMETRY, *COLOR),
        "bgcf": _all(*BLIT, *GEOMETRY, *COLOR, "imgfilter"),
        "bgcfn": _all(*BLIT, *GEOMETRY, *COLOR, "imgfilter", "noise"),
        "bgcfnc": _all(*BLIT, *GEOMETRY, *COLOR, "imgfilter", "noise", "cutout"),
    }
)
"""The published pipelines; the paper trains with "bgc".

Source: stylegan2-ada-pytorch, train.py (augpipe_specs).
"""


def named_pipeline(name: str) -> Pipeline:
    """The published pipeline of this name.

    Raises:
        OptionError: If there is none.
    """
    if name not in PIPELINES:
        raise OptionError(f"augmentation pipeline {name!r} is unknown; choose {sorted(PIPELINES)}")
    return PIPELINES[name]
