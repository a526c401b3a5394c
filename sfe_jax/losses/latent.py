"""Losses on the codes of W+: near the average, near each other, like those of the mapping network.

`stage` is that of e4e's progressive training: rows 1 to `stage` have offsets of their own, the
others repeat row 0. It may be traced; shapes do not depend on it.

Source: pSp (arXiv:2008.00951), section 3.2; e4e (arXiv:2102.02766), section 4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.losses.adversarial import generator_loss

POOL_SIZE = 50
"""Codes that e4e's pools remember."""


def _length(x: Array, axis: int | tuple[int, ...]) -> Array:
    """Euclidean length over `axis`, with slope 0 at 0, where the formula has none."""
    squares = jnp.sum(jnp.square(x), axis=axis)
    present = squares > 0
    return jnp.where(present, jnp.sqrt(jnp.where(present, squares, 1)), 0)


def w_norm(ws: Array, w_avg: Array) -> Array:
    """Mean distance of codes from the average code, over all rows together.

    Args:
        ws: [N, L, W].
        w_avg: [L, W] or [W]; zeros for an encoder that was not trained from the average.

    Returns:
        [].

    Source: pSp (arXiv:2008.00951), section 3.2; pixel2style2pixel criteria/w_norm.py.
    """
    average = jnp.broadcast_to(w_avg, ws.shape[1:])
    return jnp.mean(_length(ws - average[None], axis=(1, 2)))


def delta_loss(ws: Array, *, stage: int | Array) -> Array:
    """Length of the rows' offsets from row 0, so that codes stay near W.

        sum over i = 1 to stage of the mean over the batch of |w_i - w_0|

    Args:
        ws: [N, L, W].
        stage: Last row that has an offset; 0 gives 0.

    Returns:
        [].

    Source: e4e (arXiv:2102.02766), section 4; encoder4editing training/coach.py, delta_norm=2.
    """
    offsets = _length(ws[:, 1:] - ws[:, :1], axis=2)  # [N, L - 1]
    active = jnp.arange(1, ws.shape[1]) <= stage
    return jnp.sum(jnp.where(active, jnp.mean(offsets, axis=0), 0))


def latent_adversarial_loss(logits: Array, *, stage: int | Array) -> Array:
    """Do the rows that are trained look like codes of the mapping network? The encoder's side.

        mean over i = 0 to stage of mean softplus(-D(w_i))

    The discriminator's side is `adversarial.discriminator_loss`.

    Args:
        logits: [N, L] or [N, L, 1], of the latent discriminator on every row.
        stage: Last row that counts; L - 1 without progressive training.

    Returns:
        [].

    Source: e4e (arXiv:2102.02766), section 4; encoder4editing training/coach.py.
    """
    rows = jax.vmap(generator_loss, in_axes=1)(logits)  # [L]
    active = jnp.arange(rows.shape[0]) <= stage
    return jnp.mean(rows, where=active)


def pick_rows(key: Array, ws: Array, *, stage: int | Array) -> Array:
    """One row of each code, at random among rows 0 to `stage`.

    Args:
        key: Of the choice.
        ws: [N, L, W].
        stage: Last row that may be chosen, below L.

    Returns:
        [N, W].

    Source: encoder4editing models/latent_codes_pool.py, which chooses as it stores.
    """
    rows = jax.random.randint(key, ws.shape[:1], 0, stage + 1)
    return jnp.take_along_axis(ws, rows[:, None, None], axis=1)[:, 0]


class LatentPool(NamedTuple):
    """Codes of earlier steps, with which a discriminator meets more than the newest."""

    codes: Array  # [size, W]; those from `count` on mean nothing.
    count: Array  # [], int32, how many are held.


def empty_pool(w_dim: int, *, size: int = POOL_SIZE) -> LatentPool:
    """A pool that holds nothing yet."""
    return LatentPool(jnp.zeros((size, w_dim)), jnp.zeros((), jnp.int32))


def query_pool(key: Array, pool: LatentPool, codes: Array) -> tuple[Array, LatentPool]:
    """Lends codes to the pool and takes as many from it, one after the other.

    Until the pool is full it keeps each code and gives it back. Then, with probability 1/2, it
    gives a random one that it holds and keeps the new one in its place; else it gives the new one.

    Args:
        key: Of the choices.
        pool: What is held.
        codes: [N, W]; slopes end here.

    Returns:
        [N, W] codes, and the pool after.

    Source: encoder4editing models/latent_codes_pool.py; SimGAN (arXiv:1612.07828), section 2.3.
    """
    number, size = codes.shape[0], pool.codes.shape[0]
    swap_key, slot_key = jax.random.split(key)
    swaps = jax.random.bernoulli(swap_key, shape=(number,))
    slots = jax.random.randint(slot_key, (number,), 0, size)

    def lend(pool: LatentPool, item: tuple[Array, Array, Array]) -> tuple[LatentPool, Array]:
        code, swap, slot = item
        full = pool.count == size
        slot = jnp.where(full, slot, pool.count)
        held = pool.codes[slot]
        given = jnp.where(full & swap, held, code)
        kept = jnp.where(full & ~swap, held, code)
        count = jnp.minimum(pool.count + 1, size)
        return LatentPool(pool.codes.at[slot].set(kept), count), given

    codes = jax.lax.stop_gradient(codes).astype(pool.codes.dtype)
    pool, given = jax.lax.scan(lend, pool, (codes, swaps, slots))
    return given, pool
