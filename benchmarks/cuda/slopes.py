"""What follows a linear map, over two kernels: an operation, and its slopes by everything.

    u = x scale + noise + bias,    y = m D(u)

D is an activation with its gain and bound, or one of its first two derivatives; m is one in the
forward pass and a product of cotangents in the derivatives. So one function stands for all orders:
its slope by u is itself, one order higher, with m times the cotangent.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array
from sfe_jax.ops.bias_act import ACTIVATIONS

HIGHEST_ORDER = 2
"""Of the derivatives that kernels know: enough for the slope of a squared slope."""

PIECEWISE_LINEAR = ("linear", "relu", "lrelu")
"""Activations whose second derivative is 0."""


class Nonlinearity(NamedTuple):
    """An activation with its gain and bound."""

    activation: str
    alpha: float
    gain: float
    clamp: float  # Infinite for no bound.


class Affine(NamedTuple):
    """What is added and multiplied before the activation; None for nothing."""

    x: Array  # [N, P, C], float32 or bfloat16.
    scale: Array | None  # [N, C], float32.
    noise: Array | None  # [1 or N, P], float32.
    bias: Array | None  # [C], float32.


def sum_to(noise: Array, like: Array) -> Array:
    """Sums samples [N, P] where one noise [1, P] served all."""
    return noise if len(like) == len(noise) else noise.sum(0, keepdims=True)


def _spread(v: Array, a: Affine) -> Affine:
    """The slopes by all of `a` from that by u, v [N, P, C]; JAX differentiates these steps."""
    v, x = v.astype(jnp.float32), a.x.astype(jnp.float32)
    dx = v if a.scale is None else v * a.scale[:, None]
    return Affine(
        dx.astype(a.x.dtype),
        None if a.scale is None else jnp.sum(v * x, axis=1),
        None if a.noise is None else sum_to(v.sum(2), a.noise),
        None if a.bias is None else v.sum((0, 1)),
    )


def chosen_nonlinearity(
    activation: str, alpha: float | None, gain: float | None, clamp: float | None
) -> Nonlinearity:
    """With the defaults of the activation.

    Raises:
        OptionError: If `activation` is unknown, or `alpha` is given to one that has none.
    """
    if activation not in ACTIVATIONS:
        raise OptionError(f"`activation` is {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
    chosen = ACTIVATIONS[activation]
    if alpha is not None and chosen.alpha is None:
        raise OptionError(
            f"`alpha` is {alpha}; {activation} has none, choose lrelu or leave it out"
        )
    return Nonlinearity(
        activation,
        (chosen.alpha or 0.0) if alpha is None else alpha,
        chosen.gain if gain is None else gain,
        float("inf") if clamp is None else clamp,
    )


def _single(array: Array | None) -> Array | None:
    return None if array is None else array.astype(jnp.float32)


class Kernels(NamedTuple):
    """Two kernels, and what is made of them."""

    forward: Callable[[Affine, Array | None, int, Nonlinearity], Array]
    """From m [N, P, C] or None for one, and the order of D: m D(u), [N, P, C]."""
    backward: Callable[[Affine, Array, Nonlinearity], Affine]
    """From the cotangent [N, P, C]: the slopes by all operands of the forward pass."""

    def derivative(
        self, a: Affine, factor: Array | None, *, order: int, nonlinearity: Nonlinearity
    ) -> Array:
        """The product m D(u), with reverse derivatives.

        Args:
            a: What makes u.
            factor: m [N, P, C] in the dtype of x; None for one, at order 0.
            order: Of the derivative of the activation, 0 to 2.
            nonlinearity: The activation.

        Returns:
            [N, P, C], dtype of x.

        Raises:
            OptionError: If `order` is above 2 and the activation is not piecewise linear.
        """
        if order >= HIGHEST_ORDER and nonlinearity.activation in PIECEWISE_LINEAR:
            return jnp.zeros_like(a.x)
        if order > HIGHEST_ORDER:
            raise OptionError(
                f"the derivative of order {order} of {nonlinearity.activation} is asked for; the "
                f"kernels have those up to {HIGHEST_ORDER}; use the XLA form"
            )

        @jax.custom_vjp
        def run(a: Affine, factor: Array | None) -> Array:
            return self.forward(a, factor, order, nonlinearity)

        def pull_back(kept: tuple[Affine, Array | None], h: Array) -> tuple[Affine, Array | None]:
            a, factor = kept
            if factor is None:
                return self.slopes(a, h, nonlinearity), None
            higher = self.derivative(a, factor * h, order=order + 1, nonlinearity=nonlinearity)
            return _spread(higher, a), self.derivative(a, h, order=order, nonlinearity=nonlinearity)

        run.defvjp(lambda a, factor: (run(a, factor), (a, factor)), pull_back)
        return run(a, factor)

    def slopes(self, a: Affine, g: Array, nonlinearity: Nonlinearity) -> Affine:
        """The slopes of the forward pass under the cotangent g [N, P, C]; differentiable again."""

        def composed(a: Affine, g: Array) -> Affine:
            return _spread(self.derivative(a, g, order=1, nonlinearity=nonlinearity), a)

        @jax.custom_vjp
        def run(a: Affine, g: Array) -> Affine:
            return self.backward(a, g, nonlinearity)

        run.defvjp(
            lambda a, g: (run(a, g), (a, g)),
            lambda kept, h: jax.vjp(composed, *kept)[1](h),
        )
        return run(a, g)

    def bias_act(
        self,
        x: Array,
        bias: Array | None = None,
        *,
        activation: str = "lrelu",
        alpha: float | None = None,
        gain: float | None = None,
        clamp: float | None = None,
    ) -> Array:
        """`sfe_jax.ops.bias_act.bias_act` in one kernel; reverse derivatives up to the second.

        Arguments, result and errors are those of the original.
        """
        nonlinearity = chosen_nonlinearity(activation, alpha, gain, clamp)
        if bias is not None:
            check_shape("bias", bias.shape, x.shape[-1:])
        flat = Affine(x.reshape(1, -1, x.shape[-1]), None, None, _single(bias))
        return self.derivative(flat, None, order=0, nonlinearity=nonlinearity).reshape(x.shape)

    def epilogue(
        self,
        x: Array,
        demodulation: Array | None = None,
        noise: Array | None = None,
        bias: Array | None = None,
        *,
        activation: str = "lrelu",
        gain: float | None = None,
        clamp: float | None = None,
    ) -> Array:
        """What follows the convolution of a styled layer, in one kernel.

        Args:
            x: [N, H, W, C], float32 or bfloat16.
            demodulation: [N, C], factor of each sample's channels, or None.
            noise: [1 or N, H, W, 1], already multiplied by its strength, or None.
            bias: [C], or None.
            activation: A name of `ACTIVATIONS`.
            gain: Factor of the activation's result. None = the activation's default.
            clamp: Bound of the absolute value. None = no bound.

        Returns:
            [N, H, W, C], dtype of `x`: clamp(gain act(x demodulation + noise + bias)).

        Raises:
            ShapeError: If an operand does not fit `x`.
            OptionError: If `activation` is unknown.

        Source: StyleGAN2 (arXiv:1912.04958), figure 2 (c).
        """
        count, height, width, channels = x.shape
        if demodulation is not None:
            check_shape("demodulation", demodulation.shape, (count, channels))
        if bias is not None:
            check_shape("bias", bias.shape, (channels,))
        if noise is not None:
            check_shape("noise", noise.shape, (count if len(noise) > 1 else 1, height, width, 1))
            noise = noise.reshape(len(noise), height * width)
        flat = x.reshape(count, height * width, channels)
        operands = Affine(flat, _single(demodulation), _single(noise), _single(bias))
        nonlinearity = chosen_nonlinearity(activation, None, gain, clamp)
        return self.derivative(operands, None, order=0, nonlinearity=nonlinearity).reshape(x.shape)
