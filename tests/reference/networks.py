"""Metric networks in float64, on official state dicts: pictures [N, H, W, C], kernels OIHW."""

import numpy as np


def convolve(x, kernel, *, stride=1, pad=(0, 0)):
    """y[i] = sum_a x[stride i + a - pad] kernel[a], zeros outside."""
    x = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    rows, columns = kernel.shape[2:]
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    taps = [
        x[:, a : a + height, b : b + width] @ kernel[:, :, a, b].T
        for a in range(rows)
        for b in range(columns)
    ]
    y = np.sum(taps, axis=0)
    return y[:, ::stride, ::stride]


def pool(x, window, reduce, *, stride, pad=0, over=0):
    """`reduce` of windows; what lies outside is not a number and does not count."""
    sides = ((0, 0), (pad, pad + over), (pad, pad + over), (0, 0))
    x = np.pad(x, sides, constant_values=np.nan)
    rows = range(0, x.shape[1] - window + 1, stride)
    columns = range(0, x.shape[2] - window + 1, stride)
    cells = [[x[:, i : i + window, j : j + window] for j in columns] for i in rows]
    return np.stack(
        [np.stack([reduce(cell, axis=(1, 2)) for cell in row], axis=1) for row in cells], axis=1
    )


def batch_norm(x, state, key, epsilon):
    scaled = (x - state[f"{key}.running_mean"]) / np.sqrt(state[f"{key}.running_var"] + epsilon)
    return scaled * state[f"{key}.weight"] + state[f"{key}.bias"]


# Inception, as pytorch-fid describes it.


def _unit(x, state, key, *, stride=1, valid=False):
    kernel = np.asarray(state[f"{key}.conv.weight"], np.float64)
    pad = (0, 0) if valid or stride == 2 else (kernel.shape[2] // 2, kernel.shape[3] // 2)
    y = convolve(x, kernel, stride=stride, pad=pad)
    return np.maximum(batch_norm(y, state, f"{key}.bn", 1e-3), 0)


def _halve(x):
    return pool(x, 3, np.nanmax, stride=2)


def _block_a(run, x):
    one = run(x, "branch1x1")
    five = run(run(x, "branch5x5_1"), "branch5x5_2")
    three = run(run(run(x, "branch3x3dbl_1"), "branch3x3dbl_2"), "branch3x3dbl_3")
    return [one, five, three, run(pool(x, 3, np.nanmean, stride=1, pad=1), "branch_pool")]


def _block_b(run, x):
    double = run(run(x, "branch3x3dbl_1"), "branch3x3dbl_2")
    return [run(x, "branch3x3", stride=2), run(double, "branch3x3dbl_3", stride=2), _halve(x)]


def _block_c(run, x):
    seven, double = x, x
    for index in (1, 2, 3):
        seven = run(seven, f"branch7x7_{index}")
    for index in (1, 2, 3, 4, 5):
        double = run(double, f"branch7x7dbl_{index}")
    pooled = pool(x, 3, np.nanmean, stride=1, pad=1)
    return [run(x, "branch1x1"), seven, double, run(pooled, "branch_pool")]


def _block_d(run, x):
    seven = run(run(run(x, "branch7x7x3_1"), "branch7x7x3_2"), "branch7x7x3_3")
    three = run(run(x, "branch3x3_1"), "branch3x3_2", stride=2)
    return [three, run(seven, "branch7x7x3_4", stride=2), _halve(x)]


def _block_e(reduce):
    def block(run, x):
        three = run(x, "branch3x3_1")
        double = run(run(x, "branch3x3dbl_1"), "branch3x3dbl_2")
        forks = [run(three, f"branch3x3_2{side}") for side in "ab"]
        forks += [run(double, f"branch3x3dbl_3{side}") for side in "ab"]
        pooled = pool(x, 3, reduce, stride=1, pad=1)
        return [run(x, "branch1x1"), *forks, run(pooled, "branch_pool")]

    return block


INCEPTION_BLOCKS = {
    **{f"Mixed_5{letter}": _block_a for letter in "bcd"},
    "Mixed_6a": _block_b,
    **{f"Mixed_6{letter}": _block_c for letter in "bcde"},
    "Mixed_7a": _block_d,
    "Mixed_7b": _block_e(np.nanmean),
    "Mixed_7c": _block_e(np.nanmax),
}


def inception(x, state):
    """Means of the four blocks, and the scores of the classes without their bias."""
    x = _unit(x, state, "Conv2d_1a_3x3", stride=2)
    x = _unit(x, state, "Conv2d_2a_3x3", valid=True)
    x = _halve(_unit(x, state, "Conv2d_2b_3x3"))
    means = [x.mean(axis=(1, 2))]
    x = _unit(x, state, "Conv2d_3b_1x1")
    x = _halve(_unit(x, state, "Conv2d_4a_3x3", valid=True))
    means.append(x.mean(axis=(1, 2)))
    for name, block in INCEPTION_BLOCKS.items():

        def run(x, branch, name=name, **options):
            return _unit(x, state, f"{name}.{branch}", **options)

        x = np.concatenate(block(run, x), axis=3)
        if name in ("Mixed_6e", "Mixed_7c"):
            means.append(x.mean(axis=(1, 2)))
    return means, means[-1] @ state["fc.weight"].T


# ResNet with bottlenecks.


def resnet(x, state, depths):
    """Mean of the last map, [N, C]."""
    x = convolve(x, state["conv1.weight"], stride=2, pad=(3, 3))
    x = np.maximum(batch_norm(x, state, "bn1", 1e-5), 0)
    x = pool(x, 3, np.nanmax, stride=2, pad=1)
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            key, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            shortcut = x
            if index == 0:
                shortcut = convolve(x, state[f"{key}.downsample.0.weight"], stride=stride)
                shortcut = batch_norm(shortcut, state, f"{key}.downsample.1", 1e-5)
            for number in (1, 2, 3):
                here, pad = (stride, (1, 1)) if number == 2 else (1, (0, 0))
                x = convolve(x, state[f"{key}.conv{number}.weight"], stride=here, pad=pad)
                x = batch_norm(x, state, f"{key}.bn{number}", 1e-5)
                x = np.maximum(x + shortcut if number == 3 else x, 0)
    return x.mean(axis=(1, 2))


# MTCNN.


def _layers(x, state, pools):
    """Convolution, PReLU, and a pool whose last window may stand over the border."""
    for number, window in enumerate(pools, start=1):
        key = f"features.conv{number}"
        x = convolve(x, state[f"{key}.weight"]) + state[f"{key}.bias"]
        x = np.where(x > 0, x, x * state[f"features.prelu{number}.weight"])
        if window:
            padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
            x = pool(padded, window, np.nanmax, stride=2)
            size = [-(-(side - 1 - window) // 2) + 1 for side in padded.shape[1:3]]
            x = x[:, : size[0], : size[1]]
    return x


def proposal_network(x, state):
    x = _layers(x, state, (2, 0, 0))
    heads = ("conv4_1", "conv4_2")
    return [convolve(x, state[f"{head}.weight"]) + state[f"{head}.bias"] for head in heads]


def crop_network(x, state, pools):
    """R-Net or O-Net: flattened as channels, columns, rows."""
    x = _layers(x, state, pools)
    flat = x.transpose(0, 3, 2, 1).reshape(len(x), -1)
    number = len(pools) + 1
    key = f"features.conv{number}"
    hidden = flat @ state[f"{key}.weight"].T + state[f"{key}.bias"]
    hidden = np.where(hidden > 0, hidden, hidden * state[f"features.prelu{number}.weight"])
    heads = [f"conv{number + 1}_{index}" for index in (1, 2, 3)]
    present = [head for head in heads if f"{head}.weight" in state]
    return [hidden @ state[f"{head}.weight"].T + state[f"{head}.bias"] for head in present]
