"""The `.npz` statistics of pytorch-fid: `mu` and `sigma`, and `n` where we wrote them.

Source: pytorch-fid, fid_score.py, compute_statistics_of_path and save_fid_stats.
"""

import pathlib

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.files import written_whole
from sfe_jax.metrics.gaussians import Gaussian
from sfe_jax.readers import read


def _array(content: object) -> np.ndarray:
    """An array as it is, and anything else as one that fits nowhere."""
    return content if isinstance(content, np.ndarray) else np.array(None)


def _is_covariance(matrix: np.ndarray) -> bool:
    """Whether [D, D] is symmetric, but for rounding in float32, with variances as diagonal."""
    variances = np.diagonal(matrix)
    rounding = 1e-4 * variances.max(initial=0)
    return bool((variances >= 0).all() and np.abs(matrix - matrix.T).max(initial=0) <= rounding)


def _read_count(content: object, path: str | pathlib.Path) -> int:
    """The number of pictures that a file says."""
    if isinstance(content, np.ndarray) and content.size == 1 and content.dtype.kind in "iuf":
        count = float(content.item())
        if count >= 2 and count.is_integer():
            return int(count)
    raise FileFormatError(f"{path}: `n` is {str(content)[:40]!r}; required is a number, at least 2")


def read_statistics(path: str | pathlib.Path) -> Gaussian:
    """Reads the statistics of a data set.

    Args:
        path: Of an `.npz` file with `mu` [D] and `sigma` [D, D], and maybe `n` [].

    Raises:
        FileFormatError: If the file is broken, or holds something else.
    """
    content = read(path)
    names = set(content) if isinstance(content, dict) else set()
    if not isinstance(content, dict) or not {"mu", "sigma"} <= names:
        raise FileFormatError(
            f"{path}: holds {sorted(map(str, names)) or 'no named arrays'}; required are `mu` and "
            "`sigma`, as `pytorch-fid --save-stats` writes them"
        )
    mean, covariance = (_array(content[name]) for name in ("mu", "sigma"))
    fits = mean.ndim == 1 and covariance.shape == 2 * mean.shape
    floating = all(np.issubdtype(x.dtype, np.floating) for x in (mean, covariance))
    if not fits or not floating or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise FileFormatError(
            f"{path}: `mu` is {mean.dtype} {mean.shape} and `sigma` {covariance.dtype} "
            f"{covariance.shape}; required are finite floats of shapes (D,) and (D, D)"
        )
    if not _is_covariance(covariance):
        raise FileFormatError(
            f"{path}: `sigma` is no covariance; required is a symmetric one, variances from 0 on"
        )
    count = _read_count(content["n"], path) if "n" in names else None
    return Gaussian(mean.astype(np.float64), covariance.astype(np.float64), count)


def write_statistics(path: str | pathlib.Path, statistics: Gaussian) -> None:
    """Writes statistics so that pytorch-fid reads them; the file appears whole or not at all.

    Args:
        path: Ends in `.npz`.
        statistics: From `FeatureStatistics.gaussian`, whose divisor is pytorch-fid's.

    Raises:
        OSError: If the file cannot be written.
    """
    count = {} if statistics.count is None else {"n": np.asarray(statistics.count)}
    with written_whole(pathlib.Path(path)) as partial:
        np.savez(
            partial, allow_pickle=False, mu=statistics.mean, sigma=statistics.covariance, **count
        )
