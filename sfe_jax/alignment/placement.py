"""Where an aligned picture lies in its photograph."""

from dataclasses import dataclass

import numpy as np


def apply(matrix: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places [..., 2] moved by an affine matrix [2, 3]."""
    return places @ matrix[:, :2].T + matrix[:, 2]


@dataclass(frozen=True, eq=False)
class Placement:
    """The affine map between an aligned picture and its photograph, both counted from pixel edges.

    It is a similarity but for the rounding of sizes where the photograph was shrunk.
    """

    to_photo: np.ndarray  # float64 [2, 3]: (U, V, 1) in [0, size] to x, y.
    size: int  # Pixels a side of the aligned picture.

    @property
    def to_aligned(self) -> np.ndarray:
        """The inverse of `to_photo`, float64 [2, 3]."""
        linear = np.linalg.inv(self.to_photo[:, :2])
        return np.concatenate([linear, -linear @ self.to_photo[:, 2:]], axis=1)

    @property
    def scale(self) -> float:
        """Pixels of the photograph per pixel of the aligned picture, along a side."""
        return float(np.sqrt(abs(np.linalg.det(self.to_photo[:, :2]))))

    @property
    def corners(self) -> np.ndarray:
        """Of the aligned picture in the photograph, float64 [4, 2], in the order of a quad."""
        square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
        return apply(self.to_photo, self.size * square)
