"""Ranger: rectified Adam with centralised gradients, inside Lookahead.

Each part is an optax transformation of its own. optax has parts of these names too; they differ
from Ranger's, and each docstring says how.

Source: pixel2style2pixel, training/ranger.py (Ranger 20.4.11), which SFE and e4e share.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array


def centralize_gradients() -> optax.GradientTransformation:
    """Subtracts each output channel's mean from gradients of more than one axis.

        g <- g - mean(g over all axes but the last)

    Weights here are HWIO and [in, out], so the output channel is the last axis. `optax.centralize`
    keeps the first, as PyTorch's OIHW needs.

    Returns:
        A transformation without state. Biases and other vectors pass unchanged.

    Source: Gradient Centralization (arXiv:2004.01461), equation 1.
    """

    def centralize(g: Array) -> Array:
        return g - jnp.mean(g, axis=range(g.ndim - 1), keepdims=True) if g.ndim > 1 else g

    def update_fn(updates, params=None):
        del params
        return jax.tree.map(centralize, updates)

    return optax.stateless(update_fn)


def _effective_length(count: Array, b2: float) -> Array:
    """Length N_t of the moving average of squares after `count` steps.

        N_t = N - 2 t b2^t / (1 - b2^t),    N = (1 + b2) / (1 - b2)

    In float32 that difference of numbers near 2000 keeps three digits at t = 6. With L = -ln b2 and
    g(x) = x/2 coth(x/2) - 1 it is (N - 2/L) + t - 2/L g(t L), whose terms are of the size of N_t.

    Source: RAdam (arXiv:1908.03265), section 4.1.
    """
    rate = -math.log(b2)
    x = count * rate
    series = x**2 / 12 * (1 - x**2 / 60 * (1 - x**2 / 42))  # Right to 4e-9 for x below 1/2.
    exact = x / 2 / jnp.tanh(x / 2) - 1
    return (1 + b2) / (1 - b2) - 2 / rate + count - 2 / rate * jnp.where(x < 0.5, series, exact)


class ScaleByRAdamState(NamedTuple):
    """State of `scale_by_radam`."""

    count: Array  # [], int32, steps taken.
    mu: optax.Updates  # Moving average of gradients.
    nu: optax.Updates  # Moving average of squared gradients.


def scale_by_radam(
    *, b1: float = 0.95, b2: float = 0.999, eps: float = 1e-5, threshold: float = 5.0
) -> optax.GradientTransformation:
    """Rescales gradients by rectified Adam.

        m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) g^2
        u = r_t sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)    if N_t > threshold
        u = m / (1 - b1^t)                                         otherwise
        r_t^2 = (N_t - 4)(N_t - 2) N / ((N - 4)(N - 2) N_t)

    `optax.scale_by_radam` adds eps to sqrt(v / (1 - b2^t)), so that its eps is smaller by
    sqrt(1 - b2^t), which is 0.08 at t = 6; and its float32 N_t is wrong by 1% there.

    Args:
        b1: Decay of the average of gradients.
        b2: Decay of the average of squares.
        eps: Added to the root of the uncorrected average of squares.
        threshold: Of N_t, from which on the adaptive step is taken; at least 4. With 5 and
            b2 = 0.999 this is the sixth step.

    Returns:
        A transformation with state `ScaleByRAdamState`.

    Source: RAdam (arXiv:1908.03265), algorithm 2; pixel2style2pixel, training/ranger.py.
    """
    longest = (1 + b2) / (1 - b2)

    def init_fn(params):
        zeros = optax.tree.zeros_like
        return ScaleByRAdamState(jnp.zeros([], jnp.int32), zeros(params), zeros(params))

    def update_fn(updates, state, params=None):
        del params
        count = jnp.asarray(optax.safe_increment(state.count))
        mu = optax.tree.update_moment(updates, state.mu, b1, 1)
        nu = optax.tree.update_moment(updates, state.nu, b2, 2)

        t = count.astype(jnp.float32)
        length = _effective_length(t, b2)
        adaptive = length > threshold
        n = jnp.maximum(length, threshold)  # Keeps the root real where it is not used.
        rectified = (n - 4) / (longest - 4) * (n - 2) / (longest - 2) * longest / n
        # expm1 keeps the digits that 1 - b^t loses.
        unbias = -1 / jnp.expm1(t * math.log(b1))
        factor = unbias * jnp.sqrt(-jnp.expm1(t * math.log(b2)) * rectified)

        def rescale(m: Array, v: Array) -> Array:
            step = factor.astype(m.dtype) * m / (jnp.sqrt(v) + eps)
            return jnp.where(adaptive, step, unbias.astype(m.dtype) * m)

        return jax.tree.map(rescale, mu, nu), ScaleByRAdamState(count, mu, nu)

    return optax.GradientTransformation(init_fn, update_fn)


class LookaheadState(NamedTuple):
    """State of `lookahead`."""

    count: Array  # [], int32, steps since the last synchronisation.
    slow: optax.Params  # Slow parameters; those before the first update at the start.
    inner: optax.OptState  # State of the inner optimiser.


def lookahead(
    inner: optax.GradientTransformation, *, sync_period: int = 6, slow_step: float = 0.5
) -> optax.GradientTransformation:
    """Every `sync_period` steps, pulls parameters back towards a slow copy of them.

        p <- p + u                                 every step
        slow <- slow + slow_step (p - slow)        every `sync_period` steps,
        p <- slow                                  after it

    `optax.lookahead` makes the caller hold a pair of fast and slow parameters. Here, as in the
    original, the slow ones are state and the caller holds one tree, the fast parameters. No update
    may be changed after this transformation: it must be the outermost.

    Args:
        inner: The optimiser of the fast parameters.
        sync_period: Steps, at least 1.
        slow_step: In (0, 1].

    Returns:
        A transformation with state `LookaheadState`; `update` needs the parameters.

    Raises:
        OptionError: If `sync_period` is below 1.

    Source: Lookahead (arXiv:1907.08610), algorithm 1; pixel2style2pixel, training/ranger.py.
    """
    if sync_period < 1:
        raise OptionError(f"`sync_period` is {sync_period}; required is at least 1")

    def init_fn(params):
        # A copy, since a buffer that is both parameter and state cannot be donated.
        slow = jax.tree.map(jnp.copy, params)
        return LookaheadState(jnp.zeros([], jnp.int32), slow, inner.init(params))

    def update_fn(updates, state, params=None):
        if params is None:
            raise OptionError("`params` is None; lookahead needs them, pass them to `update`")
        updates, inner_state = inner.update(updates, state.inner, params)
        count = (state.count + 1) % sync_period
        sync = count == 0

        def pull(slow: Array, p: Array, u: Array) -> Array:
            return jnp.where(sync, slow + slow_step * (p + u - slow), slow)

        slow = jax.tree.map(pull, state.slow, params, updates)
        updates = jax.tree.map(
            lambda slow, p, u: jnp.where(sync, slow - p, u), slow, params, updates
        )
        return updates, LookaheadState(count, slow, inner_state)

    return optax.GradientTransformation(init_fn, update_fn)


def ranger(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: float = 0.95,
    b2: float = 0.999,
    eps: float = 1e-5,
    weight_decay: float = 0.0,
    sync_period: int = 6,
    slow_step: float = 0.5,
) -> optax.GradientTransformation:
    """The optimiser of the pSp, e4e and SFE encoders.

    Args:
        learning_rate: Step size, or a schedule of the step; 1e-4 in pSp and e4e.
        b1: Decay of the average of gradients.
        b2: Decay of the average of squares.
        eps: Added to the root of the average of squares.
        weight_decay: Decoupled: `learning_rate * weight_decay` of each parameter is taken away.
        sync_period: Steps between two synchronisations of Lookahead.
        slow_step: Lookahead's step of the slow parameters, in (0, 1].

    Returns:
        A transformation for `optax.apply_updates`; `update` needs the parameters.

    Raises:
        OptionError: If `sync_period` is below 1.

    Source: pixel2style2pixel, training/ranger.py.
    """
    radam = optax.chain(
        centralize_gradients(),
        scale_by_radam(b1=b1, b2=b2, eps=eps),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )
    return lookahead(radam, sync_period=sync_period, slow_step=slow_step)
