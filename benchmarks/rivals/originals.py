"""NVIDIA's own kernels, from a checkout of stylegan2-ada-pytorch or stylegan3 that the user has.

Nothing of theirs is copied here: their modules are imported from the folder, and build themselves
when first called. They need an NVIDIA GPU, PyTorch and nvcc. Each function here takes a tensor of
the type and on the device of the inputs, and gives a function of tensors.
"""

# pyright: reportMissingImports=false

import importlib
import pathlib
import sys
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measuring.forms import MissingFormError


def open_originals(folder: pathlib.Path) -> None:
    """Makes the modules of a checkout importable.

    Raises:
        MissingFormError: If the folder is no such checkout.
    """
    needed = folder / "torch_utils" / "ops" / "upfirdn2d.py"
    if not needed.is_file():
        raise MissingFormError(f"{needed} is not there; give the folder of a checkout.")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _operation(name: str) -> ModuleType:
    """A module of `torch_utils.ops`.

    Raises:
        MissingFormError: If the checkout has none.
    """
    try:
        return importlib.import_module(f"torch_utils.ops.{name}")
    except ModuleNotFoundError as error:
        raise MissingFormError(f"This checkout has no {error.name}.") from error


def bias_act(like: Any) -> Any:
    """Bias, leaky ReLU and gain of x [N, C, H, W] and bias [C]."""
    del like
    function = _operation("bias_act").bias_act
    return lambda x, bias: function(x, bias, act="lrelu")


def upfirdn2d(like: Any, f: np.ndarray, **options: Any) -> Any:
    """Resampling of x [N, C, H, W]; `options` are up, down, padding and gain."""
    import torch

    function, filters = _operation("upfirdn2d").upfirdn2d, torch.tensor(f, device=like.device)
    return lambda x: function(x, filters, **options)


def downsample_conv(like: Any, f: np.ndarray) -> Any:
    """Low-pass filter and convolution of stride 2 of x [N, C, H, W] and weight [O, I, 3, 3]."""
    import torch

    function, filters = (
        _operation("conv2d_resample").conv2d_resample,
        torch.tensor(f, device=like.device),
    )
    return lambda x, weight: function(x, weight.to(x.dtype), f=filters, down=2, padding=1)


def modulated_conv_up(like: Any, f: np.ndarray) -> Any:
    """Modulated convolution at twice the resolution, from the checkout's networks.

    Raises:
        MissingFormError: If they are those of stylegan3, whose convolution does not resample.
    """
    import torch

    for name in ("training.networks", "training.networks_stylegan2"):  # Of either repository.
        try:
            function = importlib.import_module(name).modulated_conv2d
        except ModuleNotFoundError:
            continue
        filters = torch.tensor(f, device=like.device)
        options = {"up": 2, "padding": 1, "resample_filter": filters, "flip_weight": False}
        return lambda x, weight, styles: function(x, weight, styles, **options)
    raise MissingFormError("This checkout has no modulated_conv2d that resamples.")


def filtered_lrelu(like: Any, up: np.ndarray, down: np.ndarray, **options: Any) -> Any:
    """Filtered leaky ReLU of x [N, C, H, W] and bias [C]; `options` are padding and clamp."""
    import torch

    function = _operation("filtered_lrelu").filtered_lrelu
    fu, fd = (torch.tensor(f, device=like.device) for f in (up, down))
    return lambda x, bias: function(x, fu=fu, fd=fd, b=bias, up=2, down=2, **options)
