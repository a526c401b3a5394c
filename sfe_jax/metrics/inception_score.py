"""Inception score: are pictures of one class each, and of many classes together?

Source: Improved Techniques for Training GANs (arXiv:1606.03498), section 4.
"""

import numpy as np
from scipy.special import rel_entr

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.estimates import Estimate, estimate

SPLITS = 10
"""Parts of the pictures that are scored apart."""

ENOUGH = 10_000
"""A split must fill the 1008 classes; published scores have 50,000 pictures."""


def inception_score(probabilities: np.ndarray, *, splits: int = SPLITS) -> Estimate:
    """exp(E KL(p(y|x) || p(y))), by parts.

    Args:
        probabilities: [N, C], each row of sum 1, in the order of generation. StyleGAN2-ADA takes
            the softmax of the logits without their bias.
        splits: Parts of equal size, up to one.

    Returns:
        Mean and deviation over the parts; 1 at worst, C at best.

    Raises:
        ShapeError: If there are fewer pictures than parts.
    """
    check_shape("probabilities", probabilities.shape, (None, None))
    if len(probabilities) < splits:
        raise ShapeError(
            f"there are {len(probabilities)} pictures in {splits} splits; required is at least "
            "one in each"
        )
    bounds = np.arange(splits + 1) * len(probabilities) // splits
    parts = np.split(np.asarray(probabilities, np.float64), bounds[1:-1])
    entropies = [rel_entr(p, p.mean(axis=0, keepdims=True)).sum(axis=1).mean() for p in parts]
    return estimate(np.exp(entropies))
