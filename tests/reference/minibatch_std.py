"""Minibatch standard deviation, sample by sample."""

import numpy as np


def minibatch_std(x, group_size, num_channels):
    """x [N, H, W, C] -> [N, H, W, C + F]; sample i is in group i mod (N / group_size)."""
    groups = len(x) // group_size
    maps = np.zeros((*x.shape[:3], num_channels))
    for i in range(len(x)):
        members = x[i % groups :: groups]
        deviation = np.sqrt(members.var(axis=0) + 1e-8)
        for f, chunk in enumerate(np.split(deviation, num_channels, axis=2)):
            maps[i, :, :, f] = chunk.mean()
    return np.concatenate([x, maps], axis=3)
