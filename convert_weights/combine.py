"""Several files, one bundle: who gives which network, and whose average code counts."""

from collections.abc import Sequence

import jax
import numpy as np

from convert_weights.kinds import Converted
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network, Source

ENCODER_KINDS = ("psp", "e4e")
"""Kinds whose generator gives way to that of a generator's own file."""

ENCODER_ROLES = ("inverter", "e4e", "psp")
"""Networks whose codes the generator reads."""

AVERAGE_SAMPLES = 10_000
"""Codes from which a missing average is estimated, as encoder4editing does."""


def _replace(network: Network, path: str, value: np.ndarray) -> Network:
    """`network` with one array replaced."""
    flat = flatten(network.variables)
    return Network(network.module, unflatten({**flat, path: value}))


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
    generators_first = sorted(parts, key=lambda part: part[1].kind in ENCODER_KINDS)
    for source, converted in generators_first:
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


def _check_codes(networks: dict[str, Network], role: str) -> None:
    """Raises unless the generator reads codes of the size that the encoder `role` gives.

    Raises:
        WeightsError: If the sizes differ.
    """
    encoder: Inverter = networks[role].module  # pyright: ignore
    generator: Generator = networks["generator"].module  # pyright: ignore
    want = (generator.num_ws, generator.w_dim)
    have = (getattr(encoder, "num_styles", generator.num_ws), encoder.w_dim)  # W repeats its code.
    if have != want:
        raise WeightsError(
            f"{role} gives codes {have}, the generator reads {want}; they must agree"
        )


def combine(parts: Sequence[tuple[Source, Converted]]) -> tuple[Bundle, list[str]]:
    """One bundle of several converted files.

    SFE adds the generator's average code to the codes of the Inverter and of e4e, whatever their
    own files hold; so does the bundle.

    Args:
        parts: Each file and what it gave.

    Returns:
        The bundle, unsaved, and notes for the user.

    Raises:
        WeightsError: If a network is given twice, the Inverter's generator is missing, or an
            encoder gives codes of another size than the generator reads.
    """
    networks, notes = _claim_roles(parts), []
    directions = {name: v for _, part in parts for name, v in part.directions.items()}
    generator = networks.get("generator")
    if generator is not None:
        average = np.asarray(generator.variables["buffers"]["mapping"]["w_avg"])
        if not average.any():
            average = estimate_average(generator)
            networks["generator"] = _replace(generator, "buffers/mapping/w_avg", average)
            notes.append(f"w_avg: absent, estimated from {AVERAGE_SAMPLES} codes of seed 0")
        for role in ENCODER_ROLES:
            if role in networks:
                _check_codes(networks, role)
    if "inverter" in networks:
        if generator is None:
            raise WeightsError(
                "the Inverter needs the generator that it was trained with; add its file, such as "
                "stylegan2-ffhq-config-f.pt"
            )
        for role, path in (("inverter", "buffers/backbone/w_avg"), ("e4e", "buffers/w_avg")):
            if role in networks:
                shape = networks[role].module.num_styles, average.shape[-1]  # pyright: ignore
                rows = np.broadcast_to(average, shape).astype(np.float32)
                networks[role] = _replace(networks[role], path, rows)
    return Bundle(networks, directions, tuple(source for source, _ in parts)), notes
