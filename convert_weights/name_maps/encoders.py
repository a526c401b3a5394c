"""The encoders of pSp and e4e, ArcFace, CurricularFace and iResNet, and the networks of SFE.

Source: eladrich/pixel2style2pixel and omertov/encoder4editing models/encoders; ControlGenAI/
StyleFeatureEditor models/psp/encoders; InsightFace's iresnet.py; the key patterns of their
published files.
"""

import math
import re

import numpy as np

from convert_weights.layouts import (
    CONV,
    DENSE,
    SAME,
    Entry,
    State,
    batch_norm,
    flattened_dense,
    prefixed,
    running_statistics,
    weight_and_bias,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.models.psp import GradualStyleEncoder, WEncoder, WPlusEncoder
from sfe_jax.models.pyramid import COARSE_ROWS, MIDDLE_ROWS
from sfe_jax.nn.irse import unit_plan
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.curricular_face import CROP_SIZE, CurricularFace
from sfe_jax.perceptual.iresnet import IResNet

IGNORED = (r".*num_batches_tracked",)
"""Counters that PyTorch keeps and inference never reads."""


def _indices(state: State, pattern: str) -> list[int]:
    """The sorted numbers that the one group of `pattern` takes in the keys."""
    found = {int(m[1]) for key in state if (m := re.fullmatch(pattern, key))}
    return sorted(found)


def _require(state: State, key: str, what: str) -> np.ndarray:
    if key not in state:
        raise WeightsError(f"no {what}: {key} is missing")
    return state[key]


# The IR-SE body of pSp, e4e, ArcFace and CurricularFace.


def _body_fields(state: State) -> dict:
    """Depths, widths and channels of an IR or IR-SE body, from its shapes."""
    stem = _require(state, "input_layer.0.weight", "IR-SE body")
    widths = [
        state[f"body.{index}.res_layer.1.weight"].shape[0]
        for index in _indices(state, r"body\.(\d+)\.res_layer\.1\.weight")
    ]
    if not widths:
        raise WeightsError("no IR-SE body: body.0.res_layer.1.weight is missing")
    return {
        "depths": tuple(widths.count(width) for width in sorted(set(widths))),
        "widths": tuple(sorted(set(widths))),
        "squeeze_excitation": "body.0.res_layer.5.fc1.weight" in state,
        "image_channels": stem.shape[1],
    }


def _body_entries(
    module: GradualStyleEncoder | WEncoder | WPlusEncoder | E4eEncoder | ArcFace | CurricularFace,
) -> list[Entry]:
    entries = [
        Entry("input_layer.0.weight", "params/stem/conv/kernel", CONV),
        *batch_norm("input_layer.1", "stem/norm"),
        Entry("input_layer.2.weight", "params/stem/prelu/slope", SAME),
    ]
    plan = unit_plan(module.depths, module.widths, stem=module.widths[0])
    for index, (_, _, project) in enumerate(plan):
        key, path = f"body.{index}.res_layer", f"unit{index}/branch"
        entries += batch_norm(f"{key}.0", f"{path}/norm1")
        entries.append(Entry(f"{key}.1.weight", f"params/{path}/conv1/kernel", CONV))
        entries.append(Entry(f"{key}.2.weight", f"params/{path}/prelu/slope", SAME))
        entries.append(Entry(f"{key}.3.weight", f"params/{path}/conv2/kernel", CONV))
        entries += batch_norm(f"{key}.4", f"{path}/norm3")
        if getattr(module, "squeeze_excitation", False):  # CurricularFace has none.
            squeeze = f"params/{path}/squeeze"
            entries.append(Entry(f"{key}.5.fc1.weight", f"{squeeze}/reduce/kernel", CONV))
            entries.append(Entry(f"{key}.5.fc2.weight", f"{squeeze}/expand/kernel", CONV))
        if project:
            shortcut = f"body.{index}.shortcut_layer"
            path = f"unit{index}/shortcut"
            entries.append(Entry(f"{shortcut}.0.weight", f"params/{path}_conv/kernel", CONV))
            entries += batch_norm(f"{shortcut}.1", f"{path}_norm")
    return entries


# pSp and e4e.


def _pyramid_fields(state: State) -> dict:
    """Fields of an encoder with a pyramid; the input size follows from the first head's depth."""
    w_dim = _require(state, "styles.0.linear.weight", "style pyramid").shape[0]
    convs = len(_indices(state, r"styles\.0\.convs\.(\d+)\.weight"))
    return {
        **_body_fields(state),
        "num_styles": len(_indices(state, r"styles\.(\d+)\.linear\.weight")),
        "w_dim": w_dim,
        "input_size": 16 << convs,
    }


def gradual_style_encoder(state: State) -> GradualStyleEncoder:
    """Architecture of pSp's feature pyramid encoder, from its shapes."""
    return GradualStyleEncoder(**_pyramid_fields(state))


def e4e_encoder(state: State, *, rows: tuple[int, int] | None = None) -> E4eEncoder:
    """Architecture of an e4e encoder, from its shapes; `rows` are those of the picture it reads."""
    return E4eEncoder(**_pyramid_fields(state), rows=rows)


def pyramid_entries(module: GradualStyleEncoder | E4eEncoder) -> list[Entry]:
    """Every array of an encoder with a pyramid; its average code stands beside the state dict."""
    entries = prefixed(_body_entries(module), path="body")
    entries += weight_and_bias("latlayer1", "lateral_middle", CONV)
    entries += weight_and_bias("latlayer2", "lateral_fine", CONV)
    coarse_convs = (module.input_size // 16).bit_length() - 1
    for row in range(module.num_styles):
        convs = coarse_convs + (0 if row < COARSE_ROWS else 1 if row < MIDDLE_ROWS else 2)
        for index in range(convs):
            key = f"styles.{row}.convs.{2 * index}"
            entries += weight_and_bias(key, f"style{row}/conv{index}", CONV)
        entries += weight_and_bias(f"styles.{row}.linear", f"style{row}/dense", DENSE)
    return prefixed(entries, path="pyramid")


def w_encoder(state: State) -> WEncoder:
    """Architecture of pSp's W encoder, from its shapes."""
    w_dim = _require(state, "linear.weight", "W encoder").shape[0]
    return WEncoder(w_dim=w_dim, **_body_fields(state))


def w_encoder_entries(module: WEncoder) -> list[Entry]:
    """Every array of pSp's W encoder."""
    return prefixed(_body_entries(module), path="body") + weight_and_bias("linear", "dense", DENSE)


def w_plus_encoder(state: State) -> WPlusEncoder:
    """Architecture of pSp's naive W+ encoder, from its shapes."""
    w_dim = _require(state, "output_layer_2.3.weight", "naive W+ encoder").shape[0]
    rows = _require(state, "linear.weight", "naive W+ encoder").shape[0] // w_dim
    return WPlusEncoder(w_dim=w_dim, num_styles=rows, **_body_fields(state))


def w_plus_encoder_entries(module: WPlusEncoder) -> list[Entry]:
    """Every array of pSp's naive W+ encoder."""
    return [
        *prefixed(_body_entries(module), path="body"),
        *batch_norm("output_layer_2.0", "norm"),
        *weight_and_bias("output_layer_2.3", "hidden/linear", flattened_dense(7, 7)),
        *weight_and_bias("linear", "dense", DENSE),
    ]


def latent_discriminator(state: State) -> LatentDiscriminator:
    """Architecture of e4e's latent discriminator, from its shapes."""
    features = _require(state, "mlp.0.weight", "latent discriminator").shape[0]
    return LatentDiscriminator(features, len(_indices(state, r"mlp\.(\d+)\.weight")))


def latent_discriminator_entries(module: LatentDiscriminator) -> list[Entry]:
    """Every array of e4e's latent discriminator."""
    entries = []
    for index in range(module.num_layers):
        entries += weight_and_bias(f"mlp.{2 * index}", f"dense{index}/linear", DENSE)
    return entries


# ArcFace and CurricularFace.


def _embedding_entries(module: ArcFace | CurricularFace, input_size: int) -> list[Entry]:
    """Every array but those of the last norm."""
    size = input_size // 16
    return [
        *prefixed(_body_entries(module), path="body"),
        *batch_norm("output_layer.0", "norm"),
        *weight_and_bias("output_layer.3", "dense/linear", flattened_dense(size, size)),
    ]


def arcface(state: State) -> ArcFace:
    """Architecture of ArcFace with an IR or IR-SE body, from its shapes."""
    features = _require(state, "output_layer.3.weight", "ArcFace").shape[0]
    fields = _body_fields(state)
    del fields["image_channels"]
    return ArcFace(features=features, **fields)


def arcface_entries(module: ArcFace) -> list[Entry]:
    """Every array of ArcFace."""
    last = batch_norm("output_layer.4", "embedding_norm")
    return _embedding_entries(module, module.input_size) + last


def curricular_face(state: State) -> CurricularFace:
    """Architecture of CurricularFace, from its shapes."""
    features = _require(state, "output_layer.3.weight", "CurricularFace").shape[0]
    fields = _body_fields(state)
    return CurricularFace(features, fields["depths"], fields["widths"])


def curricular_face_entries(module: CurricularFace) -> list[Entry]:
    """Every array of CurricularFace, whose last norm learns neither scale nor bias."""
    last = running_statistics("output_layer.4", "embedding_norm")
    return _embedding_entries(module, CROP_SIZE) + last


# iResNet, whose units the Inverter's backbone has too.


def _iresnet_unit_entries(key: str, path: str, project: bool) -> list[Entry]:
    branch = f"{path}/branch"
    entries = [
        *batch_norm(f"{key}.bn1", f"{branch}/norm1"),
        Entry(f"{key}.conv1.weight", f"params/{branch}/conv1/kernel", CONV),
        *batch_norm(f"{key}.bn2", f"{branch}/norm2"),
        Entry(f"{key}.prelu.weight", f"params/{branch}/prelu/slope", SAME),
        Entry(f"{key}.conv2.weight", f"params/{branch}/conv2/kernel", CONV),
        *batch_norm(f"{key}.bn3", f"{branch}/norm3"),
    ]
    if project:
        shortcut = f"params/{path}/shortcut_conv/kernel"
        entries.append(Entry(f"{key}.downsample.0.weight", shortcut, CONV))
        entries += batch_norm(f"{key}.downsample.1", f"{path}/shortcut_norm")
    return entries


def _iresnet_stage_entries(depths: tuple[int, ...], stage: str) -> list[Entry]:
    """Every array of the stages, whose keys begin with `stage` and the number of each."""
    return [
        entry
        for index, depth in enumerate(depths)
        for unit in range(depth)
        for entry in _iresnet_unit_entries(
            f"{stage}{index + 1}.{unit}", f"stage{index}_unit{unit}", project=unit == 0
        )
    ]


def _iresnet_sizes(state: State, stage: str) -> dict:
    """Depths and widths of the stages, whose keys begin with `stage` and the number of each."""
    stages = range(1, 1 + len(_indices(state, re.escape(stage) + r"(\d+)\.0\.conv1\.weight")))
    pattern = re.escape(stage) + r"{}\.(\d+)\.conv1\.weight"
    return {
        "depths": tuple(len(_indices(state, pattern.format(index))) for index in stages),
        "widths": tuple(state[f"{stage}{index}.0.conv1.weight"].shape[0] for index in stages),
    }


def iresnet(state: State) -> IResNet:
    """Architecture of InsightFace's iResNet, from its shapes."""
    features, flat = _require(state, "fc.weight", "iResNet").shape
    sizes = _iresnet_sizes(state, "layer")
    side = math.isqrt(flat // sizes["widths"][-1])
    return IResNet(features=features, input_size=side << len(sizes["depths"]), **sizes)


def iresnet_entries(module: IResNet) -> list[Entry]:
    """Every array of InsightFace's iResNet."""
    side = module.input_size >> len(module.depths)
    return [
        Entry("conv1.weight", "params/stem/conv/kernel", CONV),
        *batch_norm("bn1", "stem/norm"),
        Entry("prelu.weight", "params/stem/prelu/slope", SAME),
        *_iresnet_stage_entries(module.depths, "layer"),
        *batch_norm("bn2", "norm"),
        *weight_and_bias("fc", "dense/linear", flattened_dense(side, side)),
        *batch_norm("features", "embedding_norm"),
    ]


# SFE.


def _fuser_fields(state: State, prefix: str = "") -> dict:
    features = _require(state, f"{prefix}conv.bias", "feature fuser").shape[0]
    units = _indices(state, re.escape(prefix) + r"body\.(\d+)\.body\.1\.weight")
    return {"features": features, "num_units": len(units)}


def feature_editor(state: State) -> FeatureFuser:
    """Architecture of SFE's Feature Editor, from its shapes."""
    return FeatureFuser(**_fuser_fields(state))


def feature_editor_entries(module: FeatureFuser | Inverter) -> list[Entry]:
    """Every array of SFE's Feature Editor, or of the Inverter's fuser."""
    entries = weight_and_bias("conv", "conv", CONV)
    for index in range(module.num_units):
        entries += _content_entries(f"body.{index}.body", f"unit{index}/branch")
    return entries


def _content_entries(key: str, path: str) -> list[Entry]:
    """Norm, conv, norm, PReLU, conv, norm as the numbered layers of SFE's sequences."""
    return [
        *batch_norm(f"{key}.0", f"{path}/norm1"),
        Entry(f"{key}.1.weight", f"params/{path}/conv1/kernel", CONV),
        *batch_norm(f"{key}.2", f"{path}/norm2"),
        Entry(f"{key}.3.weight", f"params/{path}/prelu/slope", SAME),
        Entry(f"{key}.4.weight", f"params/{path}/conv2/kernel", CONV),
        *batch_norm(f"{key}.5", f"{path}/norm3"),
    ]


def inverter(state: State) -> Inverter:
    """Architecture of SFE's Inverter, from its shapes."""
    head = _require(state, "fs_backbone.styles.0.weight", "SFE Inverter")
    return Inverter(
        num_styles=len(_indices(state, r"fs_backbone\.styles\.(\d+)\.weight")),
        w_dim=head.shape[0],
        **_iresnet_sizes(state, "fs_backbone.block_"),
        image_channels=_require(state, "fs_backbone.conv.0.weight", "SFE Inverter").shape[1],
        **_fuser_fields(state, "fuser."),
    )


def inverter_entries(module: Inverter) -> list[Entry]:
    """Every array of SFE's Inverter; the average code comes from the generator's file."""
    backbone = [
        Entry("conv.0.weight", "params/stem/conv/kernel", CONV),
        *batch_norm("conv.1", "stem/norm"),
        Entry("conv.2.weight", "params/stem/prelu/slope", SAME),
    ]
    backbone += _iresnet_stage_entries(module.depths, "block_")
    backbone += _content_entries("content_layer", "content")
    for row in range(module.num_styles):
        backbone += weight_and_bias(f"styles.{row}", f"style{row}/linear", DENSE)
    fuser = prefixed(feature_editor_entries(module), "fuser.", "fuser")
    return prefixed(backbone, "fs_backbone.", "backbone") + fuser
