"""Forms in PyTorch: on the same device and the same numbers, eager, or through torch.compile.

Arrays are handed over without a copy. Pictures arrive as NCHW: contiguous, as the originals have
them, or in the memory layout "channels last". Nothing here needs torch until a form is built.
"""

# pyright: reportMissingImports=false

import importlib.util
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.forms import MIB, Arrays, Built, Form, MissingFormError
from benchmarks.measuring.limits import PRECISIONS
from sfe_jax.core.types import Array

AXES = {"image": (0, 3, 1, 2), "kernel": (3, 2, 0, 1)}
"""Where PyTorch's axes lie in ours, by kind: NHWC to NCHW, HWIO to OIHW."""

BACK = {"image": (0, 2, 3, 1), "kernel": (2, 3, 1, 0)}
"""Where our axes lie in PyTorch's."""


def torch_device() -> Any:
    """PyTorch's name of the device that JAX computes on.

    Raises:
        MissingFormError: If PyTorch is not installed, or cannot use this device.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingFormError("PyTorch is not installed.")
    import torch

    backend = jax.default_backend()
    if backend == "cpu":
        return torch.device("cpu")
    if backend == "gpu" and torch.cuda.is_available():
        return torch.device("cuda")
    raise MissingFormError(f"PyTorch {torch.__version__} cannot use this {backend}.")


def _tensor(array: Array, kind: str, layout: Any) -> Any:
    """An array as a tensor, in PyTorch's order of axes."""
    import torch

    tensor = torch.from_dlpack(array)
    if kind not in AXES:
        return tensor
    tensor = tensor.permute(AXES[kind])
    return tensor.contiguous(memory_format=layout)


def _array(tensor: Any, kind: str) -> np.ndarray:
    """A tensor as an array, in our order of axes."""
    tensor = tensor.permute(BACK[kind]) if kind in BACK else tensor
    return tensor.detach().float().cpu().numpy()


def half_square(y: Any, target: float = 0.0) -> Any:
    """Half the sum of squared distances from `target`, in float32."""
    return (y.float() - target).square().sum() / 2


def forward(function: Callable) -> Callable:
    """The function without the means to differentiate it."""
    import torch

    return torch.no_grad()(function)


def gradient(function: Callable) -> Callable:
    """Gradient of half the squared distance of the result from 1 by all arguments."""
    import torch

    def run(*arguments: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in arguments]
        return torch.autograd.grad(half_square(function(*leaves), 1.0), leaves)

    return run


def second(function: Callable) -> Callable:
    """Gradient of half the square of the gradient by the first argument, by all arguments."""
    import torch

    def run(*arguments: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in arguments]
        loss = half_square(function(*leaves), 1.0)
        (slope,) = torch.autograd.grad(loss, leaves[:1], create_graph=True)
        return torch.autograd.grad(half_square(slope), leaves)

    return run


ORDERS = {"forward": forward, "gradient": gradient, "second order": second}
"""From a function to what is run, by the name of the order."""


def _wait(_: Any) -> None:
    """Until the device has nothing to do."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _products(*, tf32: bool) -> None:
    """Chooses whether float32 products may lose bits."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True


def _peak_mib(run: Callable[[], Any]) -> dict[str, float]:
    """Runs once; on a GPU, the most memory that tensors took."""
    import torch

    if not torch.cuda.is_available():
        run()
        return {}
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return {"peak MiB": torch.cuda.max_memory_allocated() / MIB}


def torch_form(
    make: Callable[[Any], Callable],
    *,
    order: Callable[[Callable], Callable],
    kinds: Sequence[str],
    results: Sequence[str],
    number: str = "float32",
    cast: bool = False,
    compiled: bool = False,
    last: bool = False,
    fresh: Callable[[Any, Arrays], Arrays] = lambda _, arrays: arrays,
    compared: Callable[[Any], Any] = lambda found: found,
) -> Form:
    """A form of PyTorch's.

    Args:
        make: A tensor of the type and on the device of the inputs -> function of tensors.
        order: From the function to what is run, such as those of `ORDERS`.
        kinds: Of the inputs: "image", "kernel", or another word for what stays as it is.
        results: Of what is returned.
        number: A key of `limits.PRECISIONS`.
        cast: Whether inputs are brought to that type, as networks need that have it throughout.
        compiled: Whether torch.compile takes the function.
        last: Whether pictures are "channels last". The kernels of modules stay as they are: with
            them in that layout PyTorch 2.13 has wrong slopes in narrow grouped convolutions on CPU.
        fresh: (what `make` made, fresh arrays) -> inputs, before the clock runs.
        compared: From what is returned to the results, after it.
    """

    def build(example: Arrays) -> Built:
        device = torch_device()
        import torch

        layout = torch.channels_last if last else torch.contiguous_format
        choose = partial(_products, tf32=number == "TF32")
        choose()
        torch.compiler.reset()
        dtype = getattr(torch, jnp.dtype(PRECISIONS[number][0]).name)
        made: Any = make(torch.empty((), device=device, dtype=dtype))
        function = order(torch.compile(made) if compiled else made)

        def prepare(arrays: Arrays) -> list[Any]:
            choose()
            inputs = zip(fresh(made, arrays), kinds, strict=True)
            tensors = [_tensor(x, kind, layout) for x, kind in inputs]
            return [tensor.to(dtype) for tensor in tensors] if cast else tensors

        def run(tensors: Sequence[Any]) -> Any:
            return function(*tensors)

        def collect(found: Any) -> list[np.ndarray]:
            found = compared(found)
            found = found if isinstance(found, tuple | list) else [found]
            return [_array(x, kind) for x, kind in zip(found, results, strict=True)]

        inputs = prepare(example)
        start = time.perf_counter()
        run(inputs)
        _wait(None)
        figures = {"compile s": time.perf_counter() - start} if compiled else {}
        figures |= _peak_mib(partial(run, inputs))
        return Built("PyTorch", prepare, run, _wait, collect, figures)

    return build
