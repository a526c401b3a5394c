"""From an official state dict to our variables, and back, strictly."""

import re
from collections.abc import Iterable, Mapping

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from convert_weights.layouts import Entry, State
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.core.types import Variables
from sfe_jax.pipelines.bundle import abstract_variables, fits, refuse_faults


def _misfits(module: nn.Module, flat: State, expected: Mapping) -> list[str]:
    """What is wrong with the shapes of arrays that stand beside the state dict."""
    shapes = ((path, value.shape, expected[path].shape) for path, value in flat.items())
    return [
        f"{path} has shape {have}, required is {want}"
        for path, have, want in shapes
        if not fits(module, path, have, want)
    ]


def _float32(value: np.ndarray, key: str, faults: list[str]) -> np.ndarray:
    """`value` as float32; adds to `faults` if it does not hold weights."""
    if not jnp.issubdtype(value.dtype, jnp.floating):  # Knows bfloat16 and float8 too.
        faults.append(f"{key} is {value.dtype}, required are floating numbers")
        return value
    with np.errstate(over="ignore"):  # Answered below, by name.
        array = np.asarray(value, np.float32)
    if not np.isfinite(array).all():
        faults.append(f"{key} holds numbers that are not finite, or too large for float32")
    return array


def convert_state(
    state: State,
    module: nn.Module,
    entries: Iterable[Entry],
    *,
    ignored: Iterable[str] = (),
    extra: Mapping[str, np.ndarray] | None = None,
    where: str = "state dict",
) -> Variables:
    """Our variables of `module` from an official state dict.

    Args:
        state: Official key -> array.
        module: The architecture.
        entries: Where each array goes.
        ignored: Patterns of keys that may be there and are not needed.
        extra: Arrays that stand beside the state dict, by our path.
        where: File and network, for messages.

    Returns:
        Collection -> nested dict of float32 arrays.

    Raises:
        WeightsError: With all keys together that are missing, unexpected, mis-shaped, or hold what
            is no finite floating number.
    """
    expected, faults, known = flatten(abstract_variables(module)), [], set()
    flat = {path: _float32(value, path, faults) for path, value in (extra or {}).items()}
    faults += _misfits(module, flat, expected)
    for entry in entries:
        known.add(entry.key)
        if entry.key not in state:
            faults.append(f"missing {entry.key}")
            continue
        want = tuple(
            entry.layout.to_official(
                np.broadcast_to(np.float32(0), expected[entry.path].shape)
            ).shape
        )
        have = tuple(state[entry.key].shape)
        if not fits(module, entry.path, have, want):
            faults.append(f"{entry.key} has shape {have}, required is {want}")
            continue
        flat[entry.path] = entry.layout.to_ours(_float32(state[entry.key], entry.key, faults))
    pattern = re.compile("|".join(ignored) or r"(?!)")
    unexpected = sorted(key for key in state if key not in known and not pattern.fullmatch(key))
    faults += [f"unexpected {key}" for key in unexpected]
    for path in sorted(expected.keys() - flat.keys()) if not faults else ():
        if path.endswith("w_avg"):
            flat[path] = np.zeros(expected[path].shape, np.float32)
        else:
            faults.append(f"no entry gives {path}")
    refuse_faults(faults, where)
    return unflatten(flat)


def export_state(variables: Variables, entries: Iterable[Entry]) -> dict[str, np.ndarray]:
    """An official state dict from our variables; the inverse of `convert_state`."""
    flat = flatten(variables)
    return {
        entry.key: np.asarray(entry.layout.to_official(np.asarray(flat[entry.path])), order="C")
        for entry in entries
    }
