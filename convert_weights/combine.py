"""Several files, one bundle: who gives which network, and whose average code counts."""

from collections.abc import Sequence

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from convert_weights.kinds import Converted
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network, Source

ENCODER_KINDS = ("psp", "e4e")
"""Kinds whose generator gives way to that of a generator's own file."""

AVERAGE_SAMPLES = 10_000
"""Codes from which a missing average is estimated, as encoder4editing does."""


def _replace(network: Network, path: str, value: np.ndarray) -> Network:
    """`network` with one array replaced."""
    flat = flatten_dict(network.variables, sep="/")
    return Network(network.module, unflatten_dict({**flat, path: value}, sep="/"))


def estimate_average(generator: Network) -> np.ndarray:
    """Mean [W] of mapped normal codes, for files that lack it; always from seed 0."""
    module: Generator = generator.module  # pyright: ignore
    z = np.random.RandomState(0).standard_normal((AVERAGE_SAMPLES, module.z_dim))
    labels = np.zeros((AVERAGE_SAMPLES, module.c_dim), np.float32)

    @jax.jit
    def average(variables, z, labels):
        mapping = lambda m, z, c: m.mapping(z, c)  # noqa: E731
        return module.apply(variables, z, labels, method=mapping)[:, 0].mean(0)  # pyright: ignore

    return np.asarray(average(generator.variables, z.astype(np.float32), labels))


def _claim_roles(parts: Sequence[tuple[Source, Converted]]) -> dict[str, Network]:
    """One network per role.

    Raises:
        WeightsError: If two files give the same role with equal right.
    """
    networks: dict[str, Network] = {}
    giver: dict[str, tuple[Source, bool]] = {}
    for source, converted in parts:
        for role, network in converted.networks.items():
            lesser = role == "generator" and converted.kind in ENCODER_KINDS
            if role in giver:
                other, other_lesser = giver[role]
                if lesser == other_lesser:
                    raise WeightsError(
                        f"{source.name} and {other.name} both hold a {role}; give one of them"
                    )
                if lesser:
                    continue
            networks[role], giver[role] = network, (source, lesser)
    return networks


def _generator_average(parts: Sequence[tuple[Source, Converted]], generator: Network) -> np.ndarray:
    """The average code of the generator, [W] or [L, W]."""
    return np.asarray(flatten_dict(generator.variables, sep="/")["buffers/mapping/w_avg"])


def combine(parts: Sequence[tuple[Source, Converted]]) -> Bundle:
    """One bundle of several converted files.

    SFE adds the generator's average code to the codes of the Inverter and of e4e, whatever their
    own files hold; so does the bundle.

    Args:
        parts: Each file and what it gave.

    Returns:
        The bundle, unsaved.

    Raises:
        WeightsError: If a network is given twice, or the Inverter's generator is missing or of
            another size.
    """
    networks = _claim_roles(parts)
    directions = {name: v for _, part in parts for name, v in part.directions.items()}
    generator = networks.get("generator")
    if generator is not None:
        average = _generator_average(parts, generator)
        if not average.any():
            average = estimate_average(generator)
            networks["generator"] = _replace(generator, "buffers/mapping/w_avg", average)
            print(f"w_avg: absent, estimated from {AVERAGE_SAMPLES} codes of seed 0")
    if "inverter" in networks:
        if generator is None:
            raise WeightsError(
                "the Inverter needs the generator that it was trained with; add its file, such as "
                "stylegan2-ffhq-config-f.pt"
            )
        for role, path in (("inverter", "buffers/backbone/w_avg"), ("e4e", "buffers/w_avg")):
            if role in networks:
                networks[role] = _with_average(networks, role, path, average)
    return Bundle(networks, directions, tuple(source for source, _ in parts))


def _with_average(
    networks: dict[str, Network], role: str, path: str, average: np.ndarray
) -> Network:
    """The encoder `role` with the generator's average code in every row.

    Raises:
        WeightsError: If its codes are of another size than the generator's.
    """
    encoder: Inverter = networks[role].module  # pyright: ignore
    generator: Generator = networks["generator"].module  # pyright: ignore
    have, want = (encoder.num_styles, encoder.w_dim), (generator.num_ws, generator.w_dim)
    if have != want:
        raise WeightsError(
            f"{role} gives codes {have}, the generator reads {want}; they must agree"
        )
    rows = np.broadcast_to(average, have).astype(np.float32)
    return _replace(networks[role], path, rows)
