"""Encoders in float64 from their descriptions; their bodies have one unit per stage."""

import numpy as np

from tests.reference import residual
from tests.reference.convolution import same
from tests.reference.resize import adaptive_average_pool, resize_bilinear_aligned
from tests.reference.stylegan2 import dense


def _add_bias(x, params):
    return same(x, params["kernel"]) + params["bias"]


def style_head(x, params):
    for index in range(len(params) - 1):
        conv = params[f"conv{index}"]
        x = same(x, conv["kernel"], stride=2) + conv["bias"]
        x = np.where(x > 0, x, 0.01 * x)
    return dense(x[:, 0, 0], params["dense"])


def pyramid(images, variables):
    """Styles [N, L, W] before the average code is added."""
    params, stats = variables["params"]["pyramid"], variables["batch_stats"]["pyramid"]
    _, fine, middle, coarse = residual.body(images, params["body"], stats["body"], (2,) * 4)
    lateral = _add_bias(middle, params["lateral_middle"])
    middle = lateral + resize_bilinear_aligned(coarse, lateral.shape[1:3])
    lateral = _add_bias(fine, params["lateral_fine"])
    fine = lateral + resize_bilinear_aligned(middle, lateral.shape[1:3])
    count = sum(name.startswith("style") for name in params)
    sources = [coarse] * 3 + [middle] * 4 + [fine] * (count - 7)
    return np.stack(
        [style_head(x, params[f"style{row}"]) for row, x in enumerate(sources[:count])], axis=1
    )


def w_encoder(images, variables):
    params, stats = variables["params"], variables["batch_stats"]
    coarse = residual.body(images, params["body"], stats["body"], (2,) * 4)[-1]
    return dense(coarse.mean(axis=(1, 2)), params["dense"]) + variables["buffers"]["w_avg"]


def w_plus_encoder(images, variables):
    params, stats, average = (variables[k] for k in ("params", "batch_stats", "buffers"))
    x = residual.body(images, params["body"], stats["body"], (2,) * 4)[-1]
    x = adaptive_average_pool(residual.batch_norm(x, params["norm"], stats["norm"]), (7, 7))
    hidden = params["hidden"]["linear"]
    x = x.reshape(len(x), -1) @ hidden["kernel"] + hidden["bias"]
    return dense(x, params["dense"]).reshape(len(x), *average["w_avg"].shape) + average["w_avg"]


def backbone(images, variables):
    """Codes [N, L, W] and feature of the Inverter's backbone, strides 2, 2, 1, 2."""
    params, stats = variables["params"]["backbone"], variables["batch_stats"]["backbone"]
    x, stages = residual.stem(images, params["stem"], stats["stem"]), []
    for stage, stride in enumerate((2, 2, 1, 2)):
        name = f"stage{stage}_unit0"
        x = residual.unit(x, params[name], stats[name], stride)
        stages.append(x)
    feature = residual.branch(stages[2], params["content"], stats["content"], stride=1)

    average = variables["buffers"]["backbone"]["w_avg"]
    pooled = np.concatenate([adaptive_average_pool(stage, (3, 3)) for stage in stages], axis=3)
    flat = np.stack(  # Feature c*9 + y*3 + x.
        [pooled[:, y, x, c] for c in range(pooled.shape[3]) for y in range(3) for x in range(3)],
        axis=1,
    )
    heads = [params[f"style{row}"]["linear"] for row in range(len(average))]
    ws = np.stack([flat @ head["kernel"] + head["bias"] for head in heads], axis=1)
    return ws + average, feature


def fuser(first, second, params, stats):
    x = _add_bias(np.concatenate([first, second], axis=3), params["conv"])
    for index in range(len(params) - 1):
        x = residual.unit(x, params[f"unit{index}"], stats[f"unit{index}"], stride=1)
    return x
