"""Several files, one bundle: who gives which network, and whose average code counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convert_weights.kinds.kind import Converted
from convert_weights.kinds.lpips import join_lpips
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.latents.sampling import map_to_w
from sfe_jax.pipelines.bundle import Bundle, Network, Source
from sfe_jax.pipelines.methods import InverterMethod

GENERATOR_AVERAGE = "buffers/mapping/w_avg"
"""Path of a generator's average code."""

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
    module: Any = generator.module
    z = np.random.RandomState(0).standard_normal((AVERAGE_SAMPLES, module.z_dim))
    labels = np.zeros((AVERAGE_SAMPLES, module.c_dim), np.float32)
    return map_to_w(module, generator.variables, z.astype(np.float32), labels).mean(0)


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
                        + ", or the generator's own file, which comes first" * lesser
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
    encoder: Any = networks[role].module
    generator: Any = networks["generator"].module
    want = (generator.num_ws, generator.w_dim)
    have = (getattr(encoder, "num_styles", generator.num_ws), encoder.w_dim)  # W repeats its code.
    if have != want:
        raise WeightsError(
            f"{role} gives codes {have}, the generator reads {want}; they must agree"
        )


def _check_feature(networks: dict[str, Network], role: str) -> None:
    """Raises unless the network `role` works on features as the generator has them.

    Raises:
        WeightsError: If the generator has no such layer, or another number of channels there.
    """
    generator: Any = networks["generator"].module
    inverter: Any = networks["inverter"].module
    layer = InverterMethod(generator, inverter).feature_layer
    widths = {layer.name: layer.channels for layer in generator.layers}
    have = networks[role].module.features  # pyright: ignore
    if widths.get(layer) != have:
        raise WeightsError(
            f"{role} works on {have} channels of {layer}, where the generator has "
            f"{widths.get(layer, 'no layer')}; they must have been trained together"
        )


def _complete_averages(networks: dict[str, Network], lacking: Sequence[str]) -> list[str]:
    """Gives an average code to the generators and encoders that should have one and lack it.

    Args:
        networks: By role, with a generator; changed in place.
        lacking: Encoders that were trained from the average and whose files do not hold it.

    Returns:
        Notes for the user.
    """
    notes = []
    average = _average(networks["generator"])
    if not average.any():
        average = estimate_average(networks["generator"])
        networks["generator"] = _replace(networks["generator"], GENERATOR_AVERAGE, average)
        notes.append(f"w_avg: absent, estimated from {AVERAGE_SAMPLES} codes of seed 0")
    training = networks.get("generator_training")
    if training is not None and not _average(training).any():
        networks["generator_training"] = _replace(training, GENERATOR_AVERAGE, average)
    for role in lacking:
        networks[role] = _with_average(networks[role], "buffers/w_avg", average)
        notes.append(f"{role}: its file lacks latent_avg, the generator's is used")
    return notes


def _average(generator: Network) -> np.ndarray:
    """The average code of a generator, [W] or [L, W]."""
    return np.asarray(generator.variables["buffers"]["mapping"]["w_avg"])


def _with_average(encoder: Network, path: str, average: np.ndarray) -> Network:
    """The encoder with an average code in every row of its own."""
    shape = np.shape(flatten(encoder.variables)[path])
    rows = np.atleast_2d(average)
    rows = rows[0] if len(shape) == 1 else np.broadcast_to(rows, shape)
    return _replace(encoder, path, rows.astype(np.float32))


def combine(parts: Sequence[tuple[Source, Converted]]) -> tuple[Bundle, list[str]]:
    """One bundle of several converted files.

    SFE adds the generator's average code to the codes of the Inverter and of e4e, whatever their
    own files hold; so does the bundle.

    Args:
        parts: Each file and what it gave.

    Returns:
        The bundle, unsaved, and notes for the user.

    Raises:
        WeightsError: If a network is given twice, the Inverter's generator is missing, or networks
            do not fit each other.
    """
    networks, notes = join_lpips(_claim_roles(parts)), []
    directions = {name: v for _, part in parts for name, v in part.directions.items()}
    records = {record.name: record for _, part in parts for record in part.records}.values()
    sources = tuple(source for source, _ in parts)
    if "generator" not in networks:
        if "inverter" in networks:
            raise WeightsError(
                "the Inverter needs the generator that it was trained with; add its file, such as "
                "stylegan2-ffhq-config-f.pt"
            )
        return Bundle(networks, directions, sources, tuple(records)), notes
    for role in ENCODER_ROLES:
        if role in networks:
            _check_codes(networks, role)
    notes += _complete_averages(networks, [r for _, part in parts for r in part.lacks_average])
    if "inverter" in networks:
        for role, path in (("inverter", "buffers/backbone/w_avg"), ("e4e", "buffers/w_avg")):
            if role in networks:
                average = _average(networks["generator"])
                networks[role] = _with_average(networks[role], path, average)
        for role in ("inverter", "feature_editor"):
            if role in networks:
                _check_feature(networks, role)
    return Bundle(networks, directions, sources, tuple(records)), notes
