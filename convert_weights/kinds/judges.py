"""Networks that know faces or pictures: those of losses and metrics but LPIPS.

All are flat state dicts, but MoCo's, {"state_dict": {...}}. Those of ArcFace and CurricularFace
differ in the latter's body without squeezes and its last norm without weights.
"""

from typing import Any

from convert_weights.kinds.kind import Converted, Kind, inner_state, is_state
from convert_weights.kinds.network import network
from convert_weights.name_maps import encoders, inception, moco, mtcnn


def _is_curricular_face(content: Any) -> bool:
    absent = ("output_layer.4.weight", "body.0.res_layer.5.fc1.weight")
    given = is_state(content, "input_layer.0.weight", "output_layer.3.weight")
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


def _convert_inception(content: Any, where: str) -> Converted:
    net = network(content, inception.inception, inception.inception_entries, where)
    return Converted("fid-inception", {"fid_inception": net})


def _convert_moco(content: Any, where: str) -> Converted:
    state = moco.trunk_of(content["state_dict"])
    net = network(state, moco.resnet, moco.resnet_entries, f"{where}: encoder_q")
    return Converted("moco", {"moco": net})


KINDS = (
    Kind(
        "curricular-face",
        "CurricularFace IR-101 (CurricularFace_Backbone.pth)",
        _is_curricular_face,
        _convert_curricular_face,
    ),
    Kind(
        "arcface",
        "ArcFace IR-SE50 (model_ir_se50.pth)",
        lambda c: is_state(c, "input_layer.0.weight", "output_layer.3.weight"),
        _convert_arcface,
    ),
    Kind(
        "iresnet",
        "InsightFace's iResNet (iresnet50-7f187506.pth)",
        lambda c: is_state(c, "layer1.0.prelu.weight", "fc.weight", "features.weight"),
        _convert_iresnet,
    ),
    Kind(
        "mtcnn",
        "a network of MTCNN (pnet.npy, rnet.npy or onet.npy)",
        lambda c: is_state(c, "features.conv1.weight", "features.prelu1.weight"),
        _convert_mtcnn,
    ),
    Kind(
        "fid-inception",
        "Inception of FID (pt_inception-2015-12-05-6726825d.pth)",
        lambda c: is_state(c, "Conv2d_1a_3x3.conv.weight", "fc.bias"),
        _convert_inception,
    ),
    Kind(
        "moco",
        "ResNet-50 of MoCo v2 (moco_v2_800ep_pretrain.pth.tar)",
        lambda c: inner_state(c, f"{moco.PREFIX}conv1.weight"),
        _convert_moco,
    ),
)
"""Faces, then pictures."""
