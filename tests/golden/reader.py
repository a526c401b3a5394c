"""Reads the reference cases: a manifest of deterministic weights, and vectors beside it.

NAME.json holds "kind", "config", "about", "salt" and "manifest": state-dict key -> shape and rule.
NAME.npz holds "in/<name>", "out/<name>" and, for tensors whose rule is "stored", "buffer/<key>".
Layouts are PyTorch's: NCHW pictures, OIHW convolutions.
"""

import json
import pathlib
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One recorded run of an original implementation."""

    name: str
    kind: str
    config: dict[str, Any]
    state: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def _fill(key: str, spec: dict[str, Any], salt: str) -> np.ndarray:
    """One tensor from its name, rule and salt."""
    shape = tuple(spec["shape"])
    if spec["rule"] == "count":
        return np.zeros(shape, np.int64)
    x = np.random.RandomState(zlib.crc32(f"{salt}/{key}".encode())).standard_normal(shape)
    x = spec["mean"] + spec["std"] * x
    return np.asarray(np.exp(x) if spec["rule"] == "lognormal" else x, np.float32)


def case_names(folder: pathlib.Path) -> list[str]:
    """Names of all cases in `folder`."""
    return sorted(path.stem for path in folder.glob("*.json"))


def case_kind(folder: pathlib.Path, name: str) -> str:
    """Kind of a case, without building its weights."""
    return json.loads((folder / f"{name}.json").read_text())["kind"]


def load_case(folder: pathlib.Path, name: str) -> Case:
    """The case `name` with its weights rebuilt."""
    description = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz") as vectors:
        arrays = {key: vectors[key] for key in vectors.files}
    state = {
        key: arrays[f"buffer/{key}"]
        if spec["rule"] == "stored"
        else _fill(key, spec, description["salt"])
        for key, spec in description["manifest"].items()
    }

    def pick(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    return Case(name, description["kind"], description["config"], state, pick("in/"), pick("out/"))
