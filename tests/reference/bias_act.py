"""Activations from their formulas, in float64."""

import numpy as np

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # arXiv:1706.02515, equation 14.

FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "lrelu": lambda x: np.where(x > 0, x, 0.2 * x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * (np.exp(x) - 1)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
}

GAINS = dict.fromkeys(FORMULAS, 1.0) | dict.fromkeys(("relu", "lrelu", "swish"), np.sqrt(2))


def bias_act(x, bias, activation):
    """x [..., C], bias [C]."""
    return FORMULAS[activation](x + bias) * GAINS[activation]
