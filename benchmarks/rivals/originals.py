"""NVIDIA's own kernels, from a checkout of stylegan2-ada-pytorch or stylegan3 that the user has.

Nothing of theirs is copied here: their modules are imported from the folder, and build their
kernels before anything is computed. They need an NVIDIA GPU, PyTorch and nvcc. Each function here
takes a tensor of the type and on the device of the inputs, and gives a function of tensors.
"""

# pyright: reportMissingImports=false

import pathlib
import sys
from importlib import import_module
from importlib.util import find_spec
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


def _module(name: str) -> ModuleType:
    """A module of the checkout.

    Raises:
        MissingFormError: If it is not there, or lacks what it imports.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingFormError(f"`{name}` of this checkout is not importable: {error}.") from error


def _operation(name: str) -> ModuleType:
    """A module of `torch_utils.ops`, its kernels built.

    That of stylegan2-ada-pytorch warns where they do not build, and goes on in plain PyTorch, which
    is not what is to be measured; that of stylegan3 fails.

    Raises:
        MissingFormError: If there is no such module, or its kernels do not build.
    """
    module = _module(f"torch_utils.ops.{name}")
    remedy = "it needs nvcc and a C++ compiler that PyTorch accepts"
    try:
        built = module._init()
    except (ImportError, OSError, AssertionError, RuntimeError) as error:
        said = str(error).strip().partition("\n")[0]
        raise MissingFormError(
            f"`{name}` of this checkout does not build: {said}; {remedy}."
        ) from error
    if not built:
        raise MissingFormError(f"`{name}` of this checkout does not build; {remedy}.")
    return module


def bias_act(like: Any) -> Any:
    """Bias, leaky ReLU and gain of x [N, C, H, W] and bias [C]."""
    del like
    function = _operation("bias_act").bias_act
    return lambda x, bias: function(x, bias, act="lrelu")


def upfirdn2d(like: Any, f: np.ndarray, **options: Any) -> Any:
    """Resampling of x [N, C, H, W]; `options` are up, down, padding and gain."""
    function = _operation("upfirdn2d").upfirdn2d
    import torch

    filters = torch.tensor(f, device=like.device)
    return lambda x: function(x, filters, **options)


def downsample_conv(like: Any, f: np.ndarray) -> Any:
    """Low-pass filter and convolution of stride 2 of x [N, C, H, W] and weight [O, I, 3, 3]."""
    _operation("upfirdn2d")  # Which the function calls.
    function = _module("torch_utils.ops.conv2d_resample").conv2d_resample
    import torch

    filters = torch.tensor(f, device=like.device)
    return lambda x, weight: function(x, weight.to(x.dtype), f=filters, down=2, padding=1)


def modulated_conv_up(like: Any, f: np.ndarray) -> Any:
    """Modulated convolution at twice the resolution, from the checkout's networks."""
    _operation("upfirdn2d")  # Which the function calls.
    _module("training")
    later = find_spec("training.networks_stylegan2") is not None  # Its name in stylegan3.
    module = _module("training.networks_stylegan2" if later else "training.networks")
    import torch

    filters = torch.tensor(f, device=like.device)
    options = {"up": 2, "padding": 1, "resample_filter": filters, "flip_weight": False}
    return lambda x, weight, styles: module.modulated_conv2d(x, weight, styles, **options)


def filtered_lrelu(like: Any, up: np.ndarray, down: np.ndarray, **options: Any) -> Any:
    """Filtered leaky ReLU of x [N, C, H, W] and bias [C]; `options` are padding and clamp."""
    function = _operation("filtered_lrelu").filtered_lrelu
    import torch

    fu, fd = (torch.tensor(f, device=like.device) for f in (up, down))
    return lambda x, bias: function(x, fu=fu, fd=fd, b=bias, up=2, down=2, **options)
