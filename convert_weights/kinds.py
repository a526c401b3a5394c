"""The kinds of official files: how each is recognised, and which networks it gives.

Source: the savers of the original repositories, as described beside each kind.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import flax.linen as nn
import numpy as np

from convert_weights.assemble import convert_state
from convert_weights.layouts import Entry, State
from convert_weights.name_maps import (
    encoders,
    inception,
    lpips,
    moco,
    mtcnn,
    projector_vgg,
    stylegan1,
    stylegan2,
    stylegan3,
    tensorflow,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.edits.direction import Direction
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from sfe_jax.perceptual.lpips import TRUNKS, Lpips
from sfe_jax.pipelines.bundle import Network
from sfe_jax.readers import (
    Record,
    init_arguments,
    is_tensorflow_network,
    module_attribute,
    module_tensors,
    network_arguments,
    network_function,
    network_variables,
)

IGNORED = (
    *stylegan2.IGNORED,
    *stylegan3.IGNORED,
    *tensorflow.IGNORED,
    *encoders.IGNORED,
    *lpips.IGNORED,
    *projector_vgg.IGNORED,
    "__metadata__",
)
"""Patterns of keys that networks do not need; safetensors files have the last."""


@dataclass(frozen=True)
class Converted:
    """What one file gives."""

    kind: str  # A name of `KINDS`.
    networks: dict[str, Network] = field(default_factory=dict)  # By role.
    directions: dict[str, np.ndarray] = field(default_factory=dict)  # By name.
    lacks_average: tuple[str, ...] = ()  # Encoders trained from an average that the file lacks.
    records: tuple[Direction, ...] = ()  # Fitted directions of a bundle of ours.


@dataclass(frozen=True)
class Kind:
    """A kind of official file."""

    name: str  # As given to --kind.
    what: str  # One line for listings.
    matches: Callable[[Any], bool]  # Whether a file's content is of this kind.
    convert: Callable[[Any, str], Converted]  # Content and file name to networks.


def _check_filters(state: State, where: str) -> None:
    """Raises unless every resampling filter in a file is the one that our networks compute.

    Raises:
        WeightsError: If one is another; the pictures would be others too.
    """
    pattern = re.compile("|".join(stylegan2.IGNORED))
    for key in filter(pattern.fullmatch, state):
        taps = np.asarray(state[key], np.float64)
        if taps.shape != RESAMPLE_FILTER.shape or not taps.sum():
            fits = False
        else:
            fits = np.allclose(taps / taps.sum(), RESAMPLE_FILTER, atol=1e-6)
        if not fits:
            raise WeightsError(f"{where}: {key} is another filter than [1, 3, 3, 1]; not supported")


def network(
    state: State,
    build: Callable[..., nn.Module],
    entries: Callable[..., list[Entry]],
    where: str,
    *,
    w_avg: np.ndarray | None = None,
    **settings: Any,
) -> Network:
    """A network from its state dict.

    Args:
        state: Official key -> array.
        build: Reads the architecture from the state dict.
        entries: Lists the arrays of the architecture.
        where: File and network, for messages.
        w_avg: Average code that stands beside the state dict, if any.
        **settings: Of `build`, for what shapes do not show.

    Returns:
        The module and its variables.

    Raises:
        WeightsError: If the state dict is not of that network.
    """
    try:
        module = build(state, **settings)
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    except KeyError as error:
        raise WeightsError(f"{where}: {error.args[0]} is missing; it tells a size") from error
    _check_filters(state, where)
    extra = {}
    if w_avg is not None:
        generator = "mapping_layers" in module.__dataclass_fields__
        extra["buffers/mapping/w_avg" if generator else "buffers/w_avg"] = w_avg
    variables = convert_state(
        state, module, entries(module), ignored=IGNORED, extra=extra, where=where
    )
    return Network(module, variables)


def below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries whose key begins with `prefix` and a dot, without it."""
    start = prefix + "."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}


def _is_state(content: Any, *keys: str) -> bool:
    """Whether `content` is a state dict that holds all of `keys`."""
    return isinstance(content, Mapping) and all(key in content for key in keys)


def _inner_state(content: Any, *keys: str) -> bool:
    """Whether `content["state_dict"]` holds all of `keys`."""
    return _is_state(content, "state_dict") and _is_state(content["state_dict"], *keys)


def _latent_average(content: Mapping, num_ws: int) -> np.ndarray | None:
    """The file's `latent_avg`, [1 or L, W], repeated to [L, W]; None if it has none."""
    average = content.get("latent_avg")
    if average is None:
        return None
    average = np.asarray(average, np.float32).reshape(-1, average.shape[-1])
    return np.repeat(average, num_ws, axis=0) if average.shape[0] == 1 else average


def _generator_average(content: Mapping) -> np.ndarray | None:
    """The file's `latent_avg` as one code [W] where its rows agree, else [L, W]; None if absent."""
    rows = _latent_average(content, 1)
    return rows[0] if rows is not None and (rows == rows[0]).all() else rows


# StyleGAN2 and 3 as NVIDIA pickles them: {"G": module, "D": module, "G_ema": module, ...}. The
# discriminator of either is StyleGAN2's.


def _is_nvidia(content: Any, key: str) -> bool:
    """Whether `content` is an official pickle whose generator has the tensor `key`."""
    if not isinstance(content, Mapping):
        return False
    generator = content.get("G_ema", content.get("G"))
    return isinstance(generator, Record) and key in module_tensors(generator)


def _ada_generator(record: Record, where: str) -> Network:
    """A pickled generator. The clamp stands on its layers, whatever the default was."""
    clamp: Any = module_attribute(record, "synthesis.b4.conv1", "conv_clamp")
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    return network(module_tensors(record), build, entries, where, conv_clamp=clamp)


def _ada_discriminator(record: Record, where: str) -> Network:
    """A pickled discriminator, with the clamp and the group that stand on its layers."""
    settings: dict[str, Any] = {
        "conv_clamp": module_attribute(record, "b4.conv", "conv_clamp"),
        "group_size": module_attribute(record, "b4.mbstd", "group_size"),
    }
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    return network(module_tensors(record), build, entries, where, **settings)


ADA_NETWORKS = {
    "G_ema": ("generator", _ada_generator),
    "G": ("generator_training", _ada_generator),
    "D": ("discriminator", _ada_discriminator),
}
"""Role and converter of every network of an official pickle."""


def _convert_pickle(content: Any, where: str, converters: Mapping) -> dict[str, Network]:
    networks = {}
    for name, (role, convert) in converters.items():
        if isinstance(content.get(name), Record):
            networks[role] = convert(content[name], f"{where}: {name}")
    if "generator" not in networks:  # Some community files keep only the raw generator.
        networks["generator"] = networks.pop("generator_training")
    return networks


def _convert_ada(content: Any, where: str) -> Converted:
    return Converted("stylegan2-ada", _convert_pickle(content, where, ADA_NETWORKS))


def _convert_ada_generator(content: Any, where: str) -> Converted:
    """A state dict; our own export writes the clamp, which no array shows, in its metadata."""
    clamp = content.get("__metadata__", {}).get("conv_clamp")
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    net = network(
        content, build, entries, where, conv_clamp=None if clamp is None else float(clamp)
    )
    return Converted("stylegan2-ada-generator", {"generator": net})


def _convert_ada_discriminator(content: Any, where: str) -> Converted:
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    return Converted(
        "stylegan2-ada-discriminator", {"discriminator": network(content, build, entries, where)}
    )


def _stylegan3_generator(record: Record, where: str) -> Network:
    """A pickled generator, with the settings that it was made with."""
    try:
        settings = stylegan3.settings(init_arguments(record))
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    build, entries = stylegan3.generator, stylegan3.generator_entries
    return network(module_tensors(record), build, entries, where, **settings)


STYLEGAN3_NETWORKS = {
    "G_ema": ("generator", _stylegan3_generator),
    "G": ("generator_training", _stylegan3_generator),
    "D": ("discriminator", _ada_discriminator),
}
"""Role and converter of every network of an official pickle."""


def _convert_stylegan3(content: Any, where: str) -> Converted:
    return Converted("stylegan3", _convert_pickle(content, where, STYLEGAN3_NETWORKS))


def _convert_stylegan3_generator(content: Any, where: str) -> Converted:
    net = network(content, stylegan3.generator, stylegan3.generator_entries, where)
    return Converted("stylegan3-generator", {"generator": net})


# StyleGAN and StyleGAN2 as NVIDIA's TensorFlow code pickles them: (G, D, Gs), Gs with averaged
# weights. The discriminators of StyleGAN, and of StyleGAN2's configurations that grow, are left.


def _tensorflow_networks(content: Any) -> dict[str, Record]:
    """The networks of a pickle by name; a network alone is Gs. Empty for other content."""
    if is_tensorflow_network(content):
        return {"Gs": content}
    networks = content if isinstance(content, tuple | list) and len(content) == 3 else ()
    named = zip(("G", "D", "Gs"), networks, strict=False)
    return {name: network for name, network in named if is_tensorflow_network(network)}


def _is_tensorflow(content: Any, key: str) -> bool:
    """Whether `content` is a TensorFlow pickle whose generator has the variable `key`."""
    networks = _tensorflow_networks(content)
    generator = networks.get("Gs", networks.get("G"))
    return generator is not None and key in network_variables(generator)


def _stylegan1_generator(record: Record, where: str) -> Network:
    arguments = network_arguments(record)
    entries = partial(stylegan1.generator_entries, fused=stylegan1.first_fused(arguments))
    build = partial(stylegan1.generator, arguments=arguments)
    return network(network_variables(record), build, entries, where)


def _tensorflow_generator(record: Record, where: str) -> Network:
    try:
        state = tensorflow.finished(network_variables(record))
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    build = partial(tensorflow.generator, arguments=network_arguments(record))
    return network(state, build, tensorflow.generator_entries, where)


def _tensorflow_discriminator(record: Record, where: str) -> Network:
    """A pickled discriminator; StyleGAN2's of 2019 has its group of 4 in its code alone."""
    group_size = 4 if network_function(record) == "D_stylegan2" else None
    arguments = network_arguments(record)
    build = partial(tensorflow.discriminator, arguments=arguments, group_size=group_size)
    return network(network_variables(record), build, tensorflow.discriminator_entries, where)


STYLEGAN1_NETWORKS = {
    "Gs": ("generator", _stylegan1_generator),
    "G": ("generator_training", _stylegan1_generator),
}
"""Role and converter of the networks of a StyleGAN pickle."""

TENSORFLOW_NETWORKS = {
    "Gs": ("generator", _tensorflow_generator),
    "G": ("generator_training", _tensorflow_generator),
    "D": ("discriminator", _tensorflow_discriminator),
}
"""The same of a StyleGAN2 pickle."""


def _convert_stylegan1(content: Any, where: str) -> Converted:
    networks = _convert_pickle(_tensorflow_networks(content), where, STYLEGAN1_NETWORKS)
    return Converted("stylegan1", networks)


def _convert_tensorflow(content: Any, where: str) -> Converted:
    records = _tensorflow_networks(content)
    if "D" in records and "FromRGB_lod0/weight" in network_variables(records["D"]):
        del records["D"]
    networks = _convert_pickle(records, where, TENSORFLOW_NETWORKS)
    return Converted("stylegan2-tensorflow", networks)


# StyleGAN2 as rosinality writes it: {"g_ema": state, "latent_avg": [W], "g": ..., "d": ...}.


def _convert_rosinality(content: Any, where: str) -> Converted:
    average = _generator_average(content)
    networks = {}
    for name, role in (("g_ema", "generator"), ("g", "generator_training")):
        if name in content:
            networks[role] = network(
                content[name],
                stylegan2.rosinality_generator,
                stylegan2.rosinality_generator_entries,
                f"{where}: {name}",
                w_avg=average,
            )
    if "d" in content:
        networks["discriminator"] = network(
            content["d"],
            stylegan2.rosinality_discriminator,
            stylegan2.rosinality_discriminator_entries,
            f"{where}: d",
        )
    return Converted("rosinality", networks)


def _convert_rosinality_generator(content: Any, where: str) -> Converted:
    """A state dict alone; our own export has `latent_avg` among its keys."""
    state = {key: value for key, value in content.items() if key != "latent_avg"}
    return _convert_rosinality({"g_ema": state, "latent_avg": content.get("latent_avg")}, where)


def _convert_rosinality_discriminator(content: Any, where: str) -> Converted:
    return _convert_rosinality({"d": content}, where)


# pSp and e4e: {"state_dict": {"encoder.*", "decoder.*"}, "opts": {...}, "latent_avg": [L, W]}.

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
    average = _latent_average(content, getattr(module, "num_styles", 1))
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
            w_avg=_generator_average(content),
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
    networks = _convert_encoder(content, where, "e4e", build, entries)
    if "discriminator_state_dict" in content:
        networks["latent_discriminator"] = network(
            content["discriminator_state_dict"],
            encoders.latent_discriminator,
            encoders.latent_discriminator_entries,
            f"{where}: discriminator_state_dict",
        )
    return Converted("e4e", networks, lacks_average=_lacks_average(content, "e4e"))


# Networks that know faces: flat state dicts. Those of ArcFace and CurricularFace differ in the
# latter's body without squeezes and its last norm without weights.


def _is_curricular_face(content: Any) -> bool:
    absent = ("output_layer.4.weight", "body.0.res_layer.5.fc1.weight")
    given = _is_state(content, "input_layer.0.weight", "output_layer.3.weight")
    return given and not any(key in content for key in absent)


def _convert_arcface(content: Any, where: str) -> Converted:
    net = network(content, encoders.arcface, encoders.arcface_entries, where)
    return Converted("arcface", {"arcface": net})


def _convert_curricular_face(content: Any, where: str) -> Converted:
    net = network(content, encoders.curricular_face, encoders.curricular_face_entries, where)
    return Converted("curricular-face", {"curricular_face": net})


def _convert_iresnet(content: Any, where: str) -> Converted:
    net = network(content, encoders.iresnet, encoders.iresnet_entries, where)
    return Converted("iresnet", {"iresnet": net})


def _convert_mtcnn(content: Any, where: str) -> Converted:
    net = network(content, mtcnn.mtcnn, mtcnn.mtcnn_entries, where)
    return Converted("mtcnn", {mtcnn.ROLES[type(net.module)]: net})  # pyright: ignore


# Networks that know pictures: FID's Inception, a flat state dict; MoCo, {"state_dict": {...}}.


def _convert_inception(content: Any, where: str) -> Converted:
    net = network(content, inception.inception, inception.inception_entries, where)
    return Converted("fid-inception", {"fid_inception": net})


def _convert_moco(content: Any, where: str) -> Converted:
    state = moco.trunk_of(content["state_dict"])
    net = network(state, moco.resnet, moco.resnet_entries, f"{where}: encoder_q")
    return Converted("moco", {"moco": net})


# LPIPS: the `lpips` package's module; or its halves, torchvision's trunk and the linear layers that
# the package holds, a file each. All are flat state dicts. Roles name the trunk, so that a bundle
# can hold VGG's for a loss and AlexNet's for a metric.


def _convert_lpips(content: Any, where: str) -> Converted:
    net = network(content, lpips.package, lpips.package_entries, where)
    return Converted("lpips", {f"lpips_{net.module.trunk}": net})  # pyright: ignore


def _convert_lpips_trunk(content: Any, where: str) -> Converted:
    net = network(content, lpips.trunk, lpips.trunk_entries, where)
    return Converted("lpips-trunk", {f"lpips_{lpips.trunk_name(net.module)}_trunk": net})


def _convert_lpips_heads(content: Any, where: str) -> Converted:
    net = network(content, lpips.heads, lpips.heads_entries, where)
    name = lpips.trunk_of_heads(net.module)  # pyright: ignore
    return Converted("lpips-heads", {f"lpips_{name}_heads": net})


def _convert_projector_vgg(content: Any, where: str) -> Converted:
    """The VGG-16 of the StyleGAN2 projector, which is LPIPS in a TorchScript archive."""
    build, entries = projector_vgg.projector_vgg, projector_vgg.projector_vgg_entries
    net = network(projector_vgg.tensors_of(content), build, entries, where)
    return Converted("projector-vgg16", {"lpips_vgg": net})


def join_lpips(networks: Mapping[str, Network]) -> dict[str, Network]:
    """The same networks, with the two halves of each LPIPS as one network.

    Args:
        networks: By role; `lpips_TRUNK_trunk` and `lpips_TRUNK_heads` are halves.

    Returns:
        By role; `lpips_TRUNK` in place of its halves.

    Raises:
        WeightsError: If one half is there alone, or both beside a whole.
    """
    joined = dict(networks)
    for name in TRUNKS:
        role = f"lpips_{name}"
        halves = {half: joined.pop(f"{role}_{half}", None) for half in ("trunk", "heads")}
        present = {half: net.variables["params"] for half, net in halves.items() if net}
        if len(present) == 1:
            raise WeightsError(
                f"{role}: its {min(present)} alone; give torchvision's trunk and the linear layers "
                "of the same name together"
            )
        if present and role in networks:
            raise WeightsError(f"{role}: a whole and its halves; give one of them")
        if present:
            params = {"network": present["trunk"], "heads": present["heads"]}
            joined[role] = Network(Lpips(name), {"params": params})
    return joined


# SFE: {"state_dict": {"encoder.*", "inverter.*", ...}, "latent_avg": ...}. In a phase-1 file
# `encoder` is the Inverter, in a phase-2 file the Feature Editor. The generator and e4e are taken
# from their own files, as the reference does.


def _convert_sfe_inverter(content: Any, where: str) -> Converted:
    state = below(content["state_dict"], "encoder")
    net = network(state, encoders.inverter, encoders.inverter_entries, f"{where}: encoder")
    return Converted("sfe-inverter", {"inverter": net})


def _convert_sfe_editor(content: Any, where: str) -> Converted:
    inverter = network(
        below(content["state_dict"], "inverter"),
        encoders.inverter,
        encoders.inverter_entries,
        f"{where}: inverter",
    )
    editor = network(
        below(content["state_dict"], "encoder"),
        encoders.feature_editor,
        encoders.feature_editor_entries,
        f"{where}: encoder",
    )
    return Converted("sfe-editor", {"inverter": inverter, "feature_editor": editor})


def _is_encoder(content: Any) -> bool:
    return _inner_state(content, "encoder.input_layer.0.weight")


KINDS = (
    Kind(
        "sfe-editor",
        "StyleFeatureEditor phase 2: Inverter and Feature Editor",
        lambda c: _inner_state(c, "encoder.conv.weight", "inverter.fuser.conv.weight"),
        _convert_sfe_editor,
    ),
    Kind(
        "sfe-inverter",
        "StyleFeatureEditor phase 1: Inverter",
        lambda c: _inner_state(c, "encoder.fuser.conv.weight"),
        _convert_sfe_inverter,
    ),
    Kind(
        "e4e",
        "encoder4editing: encoder, and generator if inside",
        lambda c: _is_encoder(c) and _encoder_type(c) in E4E_ENCODERS,
        _convert_e4e,
    ),
    Kind(
        "psp",
        "pixel2style2pixel: encoder, and generator if inside",
        lambda c: _is_encoder(c) and _encoder_type(c) in PSP_ENCODERS,
        _convert_psp,
    ),
    Kind(
        "stylegan2-ada",
        "stylegan2-ada-pytorch or stylegan3 pickle of StyleGAN2: G_ema, G and D",
        lambda c: _is_nvidia(c, "synthesis.b4.const"),
        _convert_ada,
    ),
    Kind(
        "stylegan3",
        "stylegan3 pickle of StyleGAN3: G_ema, G and D",
        lambda c: _is_nvidia(c, "synthesis.input.freqs"),
        _convert_stylegan3,
    ),
    Kind(
        "stylegan1",
        "StyleGAN pickle of TensorFlow: Gs and G",
        lambda c: _is_tensorflow(c, "synthesis/4x4/Const/StyleMod/weight"),
        _convert_stylegan1,
    ),
    Kind(
        "stylegan2-tensorflow",
        "StyleGAN2 or stylegan2-ada pickle of TensorFlow: Gs, G, and D unless it grows",
        lambda c: _is_tensorflow(c, "synthesis/4x4/Conv/mod_weight"),
        _convert_tensorflow,
    ),
    Kind(
        "rosinality",
        "rosinality stylegan2-pytorch: g_ema, g, d and latent_avg",
        lambda c: _is_state(c, "g_ema"),
        _convert_rosinality,
    ),
    Kind(
        "stylegan2-ada-generator",
        "state dict of a stylegan2-ada-pytorch generator",
        lambda c: _is_state(c, "synthesis.b4.const"),
        _convert_ada_generator,
    ),
    Kind(
        "stylegan2-ada-discriminator",
        "state dict of a stylegan2-ada-pytorch discriminator",
        lambda c: _is_state(c, "b4.out.weight", "b8.conv0.weight"),
        _convert_ada_discriminator,
    ),
    Kind(
        "stylegan3-generator",
        "state dict of a stylegan3 generator",
        lambda c: _is_state(c, "synthesis.input.freqs"),
        _convert_stylegan3_generator,
    ),
    Kind(
        "rosinality-generator",
        "state dict of a rosinality generator",
        lambda c: _is_state(c, "input.input", "style.1.weight"),
        _convert_rosinality_generator,
    ),
    Kind(
        "rosinality-discriminator",
        "state dict of a rosinality discriminator",
        lambda c: _is_state(c, "final_linear.1.weight", "convs.0.0.weight"),
        _convert_rosinality_discriminator,
    ),
    Kind(
        "curricular-face",
        "CurricularFace IR-101 (CurricularFace_Backbone.pth)",
        _is_curricular_face,
        _convert_curricular_face,
    ),
    Kind(
        "arcface",
        "ArcFace IR-SE50 (model_ir_se50.pth)",
        lambda c: _is_state(c, "input_layer.0.weight", "output_layer.3.weight"),
        _convert_arcface,
    ),
    Kind(
        "iresnet",
        "InsightFace's iResNet (iresnet50-7f187506.pth)",
        lambda c: _is_state(c, "layer1.0.prelu.weight", "fc.weight", "features.weight"),
        _convert_iresnet,
    ),
    Kind(
        "mtcnn",
        "a network of MTCNN (pnet.npy, rnet.npy or onet.npy)",
        lambda c: _is_state(c, "features.conv1.weight", "features.prelu1.weight"),
        _convert_mtcnn,
    ),
    Kind(
        "fid-inception",
        "Inception of FID (pt_inception-2015-12-05-6726825d.pth)",
        lambda c: _is_state(c, "Conv2d_1a_3x3.conv.weight", "fc.bias"),
        _convert_inception,
    ),
    Kind(
        "moco",
        "ResNet-50 of MoCo v2 (moco_v2_800ep_pretrain.pth.tar)",
        lambda c: _inner_state(c, f"{moco.PREFIX}conv1.weight"),
        _convert_moco,
    ),
    Kind(
        "lpips",
        "LPIPS as the lpips package's module: trunk and linear layers",
        lambda c: _is_state(c, "lin0.model.1.weight", "net.slice1.0.weight"),
        _convert_lpips,
    ),
    Kind(
        "projector-vgg16",
        "LPIPS over VGG-16 of the StyleGAN2 projector (vgg16.pt)",
        projector_vgg.is_projector_vgg,
        _convert_projector_vgg,
    ),
    Kind(
        "lpips-heads",
        "linear layers of LPIPS (alex.pth, vgg.pth or squeeze.pth)",
        lambda c: _is_state(c, "lin0.model.1.weight"),
        _convert_lpips_heads,
    ),
    Kind(
        "lpips-trunk",
        "torchvision's AlexNet, VGG-16 or SqueezeNet 1.1, for LPIPS",
        lambda c: _is_state(c, "features.0.weight", "features.0.bias"),
        _convert_lpips_trunk,
    ),
)
"""Every kind, the more specific first."""


def names() -> tuple[str, ...]:
    """Names for --kind."""
    return tuple(kind.name for kind in KINDS)


def detect(content: Any, where: str) -> Kind:
    """The kind of a file's content.

    Raises:
        WeightsError: If it is of no kind, or of two that only an option tells apart.
    """
    for kind in KINDS:
        if kind.matches(content):
            return kind
    if _is_encoder(content):
        raise WeightsError(
            f"{where}: an encoder of pSp or e4e without `encoder_type` among its options; say "
            "which with --kind psp or --kind e4e"
        )
    raise WeightsError(
        f"{where}: not a kind of weights that is known; see what it holds with --inspect, known "
        f"kinds are {', '.join(names())}"
    )


def by_name(name: str) -> Kind:
    """The kind called `name`.

    Raises:
        WeightsError: If there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise WeightsError(f"--kind is {name!r}; known are {', '.join(names())}")
