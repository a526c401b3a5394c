"""Truncation about any centre: less variety for better pictures, or more for odder ones.

Source: StyleGAN (arXiv:1812.04948), appendix B; several centres: Self-Distilled StyleGAN
(arXiv:2202.12211), section 3.3.
"""

import numpy as np
from scipy.cluster.vq import ClusterError, kmeans2, whiten

from sfe_jax.core.errors import OptionError


def truncate_about(
    ws: np.ndarray, centers: np.ndarray, *, psi: float, cutoff: int | None = None
) -> np.ndarray:
    """Pulls codes towards their centres: centre + psi (w - centre).

    Args:
        ws: [N, L, W].
        centers: [W] or [L, W], one for all; or [N, 1, W] or [N, L, W], one for each.
        psi: 1 keeps the codes, 0 gives the centre, above 1 exaggerates, below 0 gives opposites.
        cutoff: Only rows below it are changed; None for all.

    Returns:
        [N, L, W]; exactly `ws` if `psi` is 1.
    """
    if psi == 1:
        return ws
    truncated = (centers + psi * (ws - centers)).astype(ws.dtype)
    below = np.arange(ws.shape[1]) < (ws.shape[1] if cutoff is None else cutoff)
    return np.where(below[:, None], truncated, ws)


def cluster_centers(w: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Centres of clusters of codes, by k-means where every coordinate has unit variance.

    Args:
        w: [M, W], samples.
        count: Clusters K.
        seed: Of the first centres.

    Returns:
        float32 [K, W], sorted from the largest cluster to the smallest.

    Raises:
        OptionError: If there are fewer different samples than clusters, or a cluster is left empty.

    Source: stylegan3-fun, multimodal_truncation.py.
    """
    most = len(np.unique(w, axis=0))
    if not 1 <= count <= most:
        raise OptionError(f"{count} clusters; required are 1 to {most}, the different samples")
    rng = np.random.default_rng(seed)
    try:
        _, labels = kmeans2(whiten(w), count, minit="++", missing="raise", rng=rng)
    except ClusterError as error:
        raise OptionError(f"{count} clusters; one of them is left empty, use fewer") from error
    sizes = np.bincount(labels, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    return np.stack([w[labels == label].mean(axis=0) for label in order]).astype(np.float32)


def nearest_centers(ws: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """For each code the centre nearest to it, by the means of their rows.

    Args:
        ws: [N, L, W].
        centers: [K, 1, W] or [K, L, W].

    Returns:
        [N, 1, W] or [N, L, W], as `truncate_about` takes them.
    """
    apart = ws.mean(axis=1)[:, None] - centers.mean(axis=1)  # [N, K, W].
    return centers[(apart**2).sum(axis=-1).argmin(axis=1)]
