"""The `.npz` statistics of pytorch-fid: `mu` and `sigma`, and `n` where we wrote them.

Source: pytorch-fid, fid_score.py, compute_statistics_of_path and save_fid_stats.
"""

import pathlib

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.metrics.gaussians import Gaussian
from sfe_jax.readers import read


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
    mean, covariance = (np.asarray(content[name]) for name in ("mu", "sigma"))
    fits = mean.ndim == 1 and covariance.shape == 2 * mean.shape
    floating = all(np.issubdtype(x.dtype, np.floating) for x in (mean, covariance))
    if not fits or not floating or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise FileFormatError(
            f"{path}: `mu` is {mean.dtype} {mean.shape} and `sigma` {covariance.dtype} "
            f"{covariance.shape}; required are finite floats of shapes (D,) and (D, D)"
        )
    count = int(np.asarray(content["n"])) if "n" in names else None
    return Gaussian(mean.astype(np.float64), covariance.astype(np.float64), count)


def write_statistics(path: str | pathlib.Path, statistics: Gaussian) -> None:
    """Writes statistics so that pytorch-fid reads them; the file appears whole or not at all.

    Args:
        path: Ends in `.npz`.
        statistics: From `FeatureStatistics.gaussian`, whose divisor is pytorch-fid's.
    """
    path = pathlib.Path(path)
    count = {} if statistics.count is None else {"n": np.asarray(statistics.count)}
    partial = path.with_name(f".{path.name}.partial.npz")
    try:
        np.savez(
            partial, allow_pickle=False, mu=statistics.mean, sigma=statistics.covariance, **count
        )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
