"""Files of pSp and e4e.

A file is {"state_dict": {"encoder.*", "decoder.*"}, "opts": {...}, "latent_avg": [L, W]}.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from convert_weights.kinds.kind import Converted, Kind, inner_state
from convert_weights.kinds.network import below, network
from convert_weights.kinds.rosinality import generator_average, latent_average
from convert_weights.name_maps import encoders, stylegan2
from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import Network
from sfe_jax.readers import Record

PSP_ENCODERS = {
    "GradualStyleEncoder": (encoders.gradual_style_encoder, encoders.pyramid_entries),
    "BackboneEncoderUsingLastLayerIntoW": (encoders.w_encoder, encoders.w_encoder_entries),
    "BackboneEncoderUsingLastLayerIntoWPlus": (
        encoders.w_plus_encoder,
        encoders.w_plus_encoder_entries,
    ),
}
"""Builders by the option `encoder_type` of a pSp file."""


E4E_ENCODERS = {
    "Encoder4Editing": (encoders.e4e_encoder, encoders.pyramid_entries),
    "SingleStyleCodeEncoder": (encoders.w_encoder, encoders.w_encoder_entries),
}
"""Builders by the option `encoder_type` of an e4e file."""

CAR_ROWS = (32, 224)
"""Of a picture of 256x256, what e4e's encoder of cars reads: 192x256, from encoder4editing
configs/transforms_config.py."""


def _option(content: Any, name: str) -> Any:
    """An option that a pSp or e4e file was trained with; None if it is not there."""
    options = content.get("opts") if isinstance(content, Mapping) else None
    options = options.state if isinstance(options, Record) else options
    return options.get(name) if isinstance(options, Mapping) else None


def _encoder_type(content: Any) -> str | None:
    return _option(content, "encoder_type")


def _lacks_average(content: Any, role: str) -> tuple[str, ...]:
    """`role`, if it was trained from an average code that the file does not hold."""
    missing = content.get("latent_avg") is None and _option(content, "start_from_latent_avg")
    return (role,) if missing else ()


def _convert_encoder(
    content: Any, where: str, role: str, build: Callable, entries: Callable
) -> dict[str, Network]:
    """An encoder, and the generator if the file holds one, both with the file's average code."""
    state = below(content["state_dict"], "encoder")
    try:
        module = build(state)
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    average = latent_average(content, getattr(module, "num_styles", 1))
    if average is not None and not hasattr(module, "num_styles"):
        average = average[0]
    net = network(state, build, entries, f"{where}: encoder", w_avg=average)
    networks = {role: net}
    if decoder := below(content["state_dict"], "decoder"):
        networks["generator"] = network(
            decoder,
            stylegan2.rosinality_generator,
            stylegan2.rosinality_generator_entries,
            f"{where}: decoder",
            w_avg=generator_average(content),
        )
    return networks


def _convert_psp(content: Any, where: str) -> Converted:
    encoder_type = _encoder_type(content) or "GradualStyleEncoder"
    if encoder_type not in PSP_ENCODERS:
        known = ", ".join(PSP_ENCODERS)
        raise WeightsError(f"{where}: encoder_type is {encoder_type!r}; known are {known}")
    build, entries = PSP_ENCODERS[encoder_type]
    networks = _convert_encoder(content, where, "psp", build, entries)
    return Converted("psp", networks, lacks_average=_lacks_average(content, "psp"))


def _convert_e4e(content: Any, where: str) -> Converted:
    build, entries = E4E_ENCODERS[_encoder_type(content) or "Encoder4Editing"]
    if build is encoders.e4e_encoder and _option(content, "dataset_type") == "cars_encode":
        build = partial(build, rows=CAR_ROWS)
    networks = _convert_encoder(content, where, "e4e", build, entries)
    if "discriminator_state_dict" in content:
        networks["latent_discriminator"] = network(
            content["discriminator_state_dict"],
            encoders.latent_discriminator,
            encoders.latent_discriminator_entries,
            f"{where}: discriminator_state_dict",
        )
    return Converted("e4e", networks, lacks_average=_lacks_average(content, "e4e"))


def is_encoder(content: Any) -> bool:
    """Whether `content` is a file of pSp or e4e, of whichever encoder."""
    return inner_state(content, "encoder.input_layer.0.weight")


KINDS = (
    Kind(
        "e4e",
        "encoder4editing: encoder, and generator if inside",
        lambda c: is_encoder(c) and _encoder_type(c) in E4E_ENCODERS,
        _convert_e4e,
    ),
    Kind(
        "psp",
        "pixel2style2pixel: encoder, and generator if inside",
        lambda c: is_encoder(c) and _encoder_type(c) in PSP_ENCODERS,
        _convert_psp,
    ),
)
"""Both are told apart by an option."""
