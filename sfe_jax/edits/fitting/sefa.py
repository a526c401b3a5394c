"""SeFa: the directions of W that change styles most, read off the weights of a generator.

Source: SeFa (arXiv:2007.06600), section 3.
"""

from collections.abc import Sequence

import numpy as np

from sfe_jax.core.errors import EditError
from sfe_jax.core.types import Variables
from sfe_jax.models.layer_table import Layer


def affine_kernels(variables: Variables, layers: Sequence[Layer]) -> list[np.ndarray]:
    """The weights [W, in_channels] that turn w into the styles of some layers of a generator."""
    synthesis = variables["params"]["synthesis"]
    return [np.asarray(synthesis[layer.block][layer.part]["affine"]["kernel"]) for layer in layers]


def factorise(kernels: Sequence[np.ndarray], count: int) -> np.ndarray:
    """The directions that styles answer to most: eigenvectors of A A^T, A all weights side by side.

    Columns of A, one per style channel, are brought to unit length as in the authors' code. That
    code uses a solver that does not sort, and takes the weights of one layer beside those it
    edits; here the eigenvectors are sorted, and the caller edits the rows of the same layers.

    Args:
        kernels: [W, C] each, of the layers to edit.
        count: Directions K, at most W.

    Returns:
        [K, W] of unit length, the most influential first; the largest entry is positive.

    Raises:
        EditError: If there are no kernels or not so many directions.
    """
    most = len(kernels[0]) if kernels else 0
    if not 1 <= count <= most:
        raise EditError(
            f"{count} directions of {len(kernels)} layers are wanted; required is 1 to {most}: "
            "choose rows that drive convolutions"
        )
    weights = np.concatenate(kernels, axis=1).astype(np.float64)
    lengths = np.linalg.norm(weights, axis=0)
    weights = weights[:, lengths > 0] / lengths[lengths > 0]
    vectors = np.linalg.eigh(weights @ weights.T)[1].T[::-1][:count]  # Falling eigenvalues.
    largest = np.abs(vectors).argmax(axis=1)
    return vectors * np.sign(vectors[np.arange(count), largest])[:, None]
