"""Bias, activation, gain and clamp: what follows every linear map of the StyleGAN family."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import OptionError
from sfe_jax.core.precision import broadcast_like, wide_on_cpu
from sfe_jax.core.types import Array
from sfe_jax.ops.packing import elementwise


class Activation(NamedTuple):
    """An activation and the defaults that go with it."""

    function: Callable[..., Array]  # (x, alpha) -> y.
    gain: float  # Default factor of the result; sqrt(2) where about half the variance is lost.
    alpha: float | None = None  # Default slope of negative values. None = there is none to choose.


def _leaky_relu(x: Array, alpha: float) -> Array:
    """Identity above 0, alpha x elsewhere; the slope at 0 is alpha, as in PyTorch."""
    return jnp.where(x > 0, x, x * alpha)


ACTIVATIONS = {
    "linear": Activation(lambda x, _: x, 1.0),
    "relu": Activation(lambda x, _: jax.nn.relu(x), math.sqrt(2)),
    "lrelu": Activation(_leaky_relu, math.sqrt(2), alpha=0.2),
    "tanh": Activation(lambda x, _: jnp.tanh(x), 1.0),
    "sigmoid": Activation(lambda x, _: jax.nn.sigmoid(x), 1.0),
    "elu": Activation(lambda x, _: jax.nn.elu(x), 1.0),
    "selu": Activation(lambda x, _: jax.nn.selu(x), 1.0),
    "softplus": Activation(lambda x, _: jax.nn.softplus(x), 1.0),
    "swish": Activation(lambda x, _: jax.nn.silu(x), math.sqrt(2)),
}
"""Name -> function and defaults, from stylegan2-ada-pytorch torch_utils/ops/bias_act.py."""


def _choose(name: str, alpha: float | None) -> Activation:
    """The activation `name`, with `alpha` in place of its default unless None."""
    if name not in ACTIVATIONS:
        choices = ", ".join(ACTIVATIONS)
        raise OptionError(f"`activation` is {name!r}; choose one of {choices}")
    chosen = ACTIVATIONS[name]
    if alpha is None:
        return chosen
    if chosen.alpha is None:
        raise OptionError(f"`alpha` is {alpha}; {name} has none, choose lrelu or leave it out")
    return chosen._replace(alpha=alpha)


def bias_act(
    x: Array,
    bias: Array | None = None,
    *,
    activation: str = "lrelu",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Array:
    """Adds a bias, applies an activation, multiplies by a gain, and clamps; in this order.

    Args:
        x: [..., C], float32 or bfloat16.
        bias: [C] in the dtype of `x`, or None.
        activation: A name of `ACTIVATIONS`.
        alpha: Slope of lrelu at negative values. None = 0.2.
        gain: Factor of the activation's result. None = the activation's default.
        clamp: Bound of the absolute value. None = no bound.

    Returns:
        [..., C], dtype of `x`.

    Raises:
        ShapeError: If `bias` does not fit the last axis of `x`.
        OptionError: If `activation` is unknown, or `alpha` is given to one that has none.

    Source: stylegan2-ada-pytorch, torch_utils/ops/bias_act.py.
    """
    chosen = _choose(activation, alpha)
    gain = chosen.gain if gain is None else gain

    @wide_on_cpu
    def finish(x: Array, *bias: Array) -> Array:
        x = chosen.function(sum((broadcast_like(part, x) for part in bias), start=x), chosen.alpha)
        if gain != 1.0:
            x = x * gain
        return x if clamp is None else jnp.clip(x, -clamp, clamp)

    if bias is None:
        return elementwise(finish, x)
    check_shape("bias", bias.shape, x.shape[-1:])
    return elementwise(finish, x, bias.reshape((1,) * (x.ndim - 1) + (-1,)))
