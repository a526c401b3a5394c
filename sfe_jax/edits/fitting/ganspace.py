"""GANSpace: the principal components of W.

Source: GANSpace (arXiv:2004.02546), section 3.
"""

import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import EditError


def principal_components(codes: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """The directions in which codes vary most.

    Signs are arbitrary in theory; here the largest entry of a component is positive.

    Args:
        codes: [N, W].
        count: Components K, at most W and below N.

    Returns:
        What the rule `GanSpace` reads: "mean" [W], "components" [K, W] of unit length and "std"
        [K], falling; float32.

    Raises:
        ShapeError: If `codes` is not [N, W].
        EditError: If there are not so many components.
    """
    check_shape("codes", codes.shape, (None, None))
    most = min(codes.shape[0] - 1, codes.shape[1])
    if not 1 <= count <= most:
        raise EditError(f"{count} components are wanted; required is 1 to {most} for these codes")
    codes = np.asarray(codes, np.float64)
    mean = codes.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(codes, rowvar=False).reshape(len(mean), -1))
    components = vectors.T[::-1][:count]
    std = np.sqrt(np.maximum(variances[::-1][:count], 0))  # Rounding can go below 0.
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(count), largest])[:, None]
    parts = {"mean": mean, "components": components, "std": std}
    return {name: value.astype(np.float32) for name, value in parts.items()}
