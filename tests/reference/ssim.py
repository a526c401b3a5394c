"""MS-SSIM in plain NumPy: windows one by one, float64."""

import numpy as np

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def window():
    """[11, 11] of sum 1."""
    x = np.arange(-5, 6)
    taps = np.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 1.5**2))
    return taps / taps.sum()


def terms(x, y, data_range):
    """Mean similarity and structure of two channels [H, W]."""
    c1, c2, weight = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2, window()
    views = [np.lib.stride_tricks.sliding_window_view(channel, (11, 11)) for channel in (x, y)]
    mean_x, mean_y = [(view * weight).sum((-2, -1)) for view in views]
    centred = [
        view - mean[..., None, None] for view, mean in zip(views, (mean_x, mean_y), strict=True)
    ]
    var_x, var_y = [(view**2 * weight).sum((-2, -1)) for view in centred]
    covariance = (centred[0] * centred[1] * weight).sum((-2, -1))
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * structure).mean(), structure.mean()


def halve(x):
    """Means of 2x2 cells; where a side is odd, both repeat their first line."""
    if x.shape[0] % 2 or x.shape[1] % 2:
        x = np.pad(x, ((1, 0), (1, 0)), mode="edge")
    height, width = x.shape[0] // 2, x.shape[1] // 2
    return x[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def ms_ssim(images, target, *, data_range, scales):
    """[N, H, W, C] in [0, data_range] twice -> [N]."""
    weights = WEIGHTS[:scales] * WEIGHTS.sum() / WEIGHTS[:scales].sum()
    result = np.zeros(len(images))
    for n in range(images.shape[0]):
        products = []
        for c in range(images.shape[3]):
            x, y = (np.asarray(a[n, :, :, c], np.float64) for a in (images, target))
            product = 1.0
            for scale, weight in enumerate(weights):
                if scale:
                    x, y = halve(x), halve(y)
                similarity, structure = terms(x, y, data_range)
                last = scale == scales - 1
                product *= max(similarity if last else structure, 0) ** weight
            products.append(product)
        result[n] = np.mean(products)
    return result
