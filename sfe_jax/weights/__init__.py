"""Beside the floors: weights that come with the package."""

import importlib.resources
import pathlib

from sfe_jax.core.errors import WeightsError


def faces64() -> pathlib.Path:
    """The bundle of the procedural faces at 64x64: generator, encoders, editors, directions.

    Raises:
        WeightsError: If this installation lacks it.
    """
    path = pathlib.Path(str(importlib.resources.files("sfe_jax.weights") / "faces64.safetensors"))
    if not path.is_file():
        raise WeightsError(
            f"{path}: the bundled weights are not in this installation; required is one file of "
            "about 20 MB: install a release, or train them with `make train-faces`"
        )
    return path
