"""Scores of inversions, printed and kept as JSON beside the pictures."""

import json
import pathlib
from typing import Any

import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.core.files import written_whole


def describe_scores(scores: dict[str, float]) -> str:
    """Scores in a few words, such as "L2 0.0021, identity 0.93"."""
    words = [f"L2 {scores['l2']:.4f}"]
    if "identity" in scores:
        words.append(f"identity {scores['identity']:.3f}")
    return ", ".join(words)


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes `content`, arrays as lists: whole, or not at all.

    Raises:
        OptionError: If the file cannot be written.
    """

    def plain(value: object) -> object:
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)

    try:
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2, default=plain) + "\n")
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise OptionError(f"{path}: {reason}; choose another folder") from error
