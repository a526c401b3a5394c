"""Small random networks in the layouts of the official files, and such files, written by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import numpy as np

from convert_weights.assemble import export_state
from convert_weights.name_maps import encoders, inception, moco, mtcnn, stylegan2
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.models.psp import GradualStyleEncoder, WEncoder, WPlusEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.curricular_face import CurricularFace
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.perceptual.iresnet import IResNet
from sfe_jax.perceptual.mtcnn import ONet, PNet, RNet
from sfe_jax.perceptual.resnet import MocoResNet
from sfe_jax.pipelines.random_bundle import random_variables
from tests.readers import builders

ROWS, SIZE = 10, 16  # Of the codes; a generator at 64x64 reads ten rows.
CHANNELS = (24, 20, 16, 12, 8)
BODY = {"depths": (1, 2, 1, 1), "widths": (8, 16, 24, 32)}
HEADS = {"num_styles": ROWS, "w_dim": SIZE, "input_size": 64}


def generator(**changes):
    sizes = {"z_dim": SIZE, "w_dim": SIZE, "mapping_features": SIZE}
    return Generator(**{"channels": CHANNELS, "mapping_layers": 2, **sizes, **changes})


@dataclass(frozen=True)
class Family:
    """A network in one official layout: how it is listed, and how it is read from shapes."""

    module: nn.Module
    build: Callable
    entries: Callable


def _ada(module):
    return Family(module, stylegan2.ada_generator, stylegan2.ada_generator_entries)


def _ada_discriminator(module):
    return Family(module, stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries)


FAMILIES = {
    "ada": _ada(generator()),
    "ada conditional": _ada(generator(c_dim=3, embed_features=SIZE)),
    "ada resnet": _ada(generator(architecture="resnet")),
    "ada orig": _ada(generator(architecture="orig")),
    "ada without noise": _ada(generator(use_noise=False)),
    "ada with one dense layer": _ada(generator(mapping_layers=1, mapping_features=None, z_dim=5)),
    "ada with other widths": _ada(generator(c_dim=2, mapping_features=7, embed_features=6)),
    "ada grey": _ada(generator(image_channels=1)),
    "ada discriminator": _ada_discriminator(Discriminator(CHANNELS)),
    "ada discriminator skip": _ada_discriminator(Discriminator(CHANNELS, architecture="skip")),
    "ada discriminator orig": _ada_discriminator(Discriminator(CHANNELS, architecture="orig")),
    "ada discriminator conditional": _ada_discriminator(
        Discriminator(
            CHANNELS, c_dim=3, cmap_dim=6, embed_features=5, mapping_features=4, mapping_layers=3
        )
    ),
    "rosinality": Family(
        generator(), stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    ),
    "rosinality discriminator": Family(
        Discriminator(CHANNELS),
        stylegan2.rosinality_discriminator,
        stylegan2.rosinality_discriminator_entries,
    ),
    "psp": Family(
        GradualStyleEncoder(**HEADS, **BODY),
        encoders.gradual_style_encoder,
        encoders.pyramid_entries,
    ),
    "psp of sketches, without squeeze": Family(
        GradualStyleEncoder(**HEADS, **BODY, image_channels=1, squeeze_excitation=False),
        encoders.gradual_style_encoder,
        encoders.pyramid_entries,
    ),
    "psp w": Family(WEncoder(w_dim=SIZE, **BODY), encoders.w_encoder, encoders.w_encoder_entries),
    "psp w plus": Family(
        WPlusEncoder(num_styles=ROWS, w_dim=SIZE, **BODY),
        encoders.w_plus_encoder,
        encoders.w_plus_encoder_entries,
    ),
    "e4e": Family(E4eEncoder(**HEADS, **BODY), encoders.e4e_encoder, encoders.pyramid_entries),
    "latent discriminator": Family(
        LatentDiscriminator(SIZE, 3),
        encoders.latent_discriminator,
        encoders.latent_discriminator_entries,
    ),
    "arcface": Family(ArcFace(features=16, **BODY), encoders.arcface, encoders.arcface_entries),
    "curricular face": Family(
        CurricularFace(16, BODY["depths"], BODY["widths"]),
        encoders.curricular_face,
        encoders.curricular_face_entries,
    ),
    "iresnet": Family(
        IResNet(16, BODY["depths"], BODY["widths"], 32), encoders.iresnet, encoders.iresnet_entries
    ),
    "fid inception": Family(
        FidInception(narrowing=16), inception.inception, inception.inception_entries
    ),
    "moco": Family(MocoResNet((1, 2, 1, 1), (2, 3, 4, 5)), moco.resnet, moco.resnet_entries),
    "mtcnn pnet": Family(PNet(), mtcnn.mtcnn, mtcnn.mtcnn_entries),
    "mtcnn rnet": Family(RNet(), mtcnn.mtcnn, mtcnn.mtcnn_entries),
    "mtcnn onet": Family(ONet(), mtcnn.mtcnn, mtcnn.mtcnn_entries),
    "inverter": Family(
        Inverter(num_styles=ROWS, w_dim=SIZE, features=8, num_units=2, **BODY),
        encoders.inverter,
        encoders.inverter_entries,
    ),
    "feature editor": Family(
        FeatureFuser(features=8, num_units=2),
        encoders.feature_editor,
        encoders.feature_editor_entries,
    ),
}
"""Every network that has an official layout."""


def variables_of(name):
    """Random variables; averages that do not stand in the state dict are zero."""
    family = FAMILIES[name]
    flat = flatten(random_variables(family.module, np.random.default_rng(0)))
    listed = {entry.path for entry in family.entries(family.module)}
    return unflatten(
        {
            path: np.asarray(value) if path in listed else np.zeros(value.shape, np.float32)
            for path, value in flat.items()
        }
    )


def state_of(name, prefix=""):
    """The official state dict of a family, its keys below `prefix`."""
    family = FAMILIES[name]
    state = export_state(variables_of(name), family.entries(family.module))
    return {prefix + key: value for key, value in state.items()}


def moco_state():
    """What MoCo saves: two networks with their projections, and the queue."""
    projection = {"fc.0.weight": np.ones((3, 3), np.float32), "fc.0.bias": np.ones(3, np.float32)}
    trunks = {f"module.{which}." for which in ("encoder_q", "encoder_k")}
    both = {
        trunk + key: value
        for trunk in sorted(trunks)
        for key, value in {**state_of("moco"), **projection}.items()
    }
    return {**both, "module.queue": np.ones((2, 3), np.float32)}


def average(seed=1):
    return np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)


def torch_bytes(content):
    """What torch.save writes for nested dicts of float32 arrays and plain values."""
    storages = {}

    def convert(value):
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if not isinstance(value, np.ndarray):
            return value
        key, x = str(len(storages)), np.asarray(value, order="C")
        storages[key] = x.tobytes()
        strides = tuple(step // x.itemsize for step in x.strides)
        return builders.tensor(key, "FloatStorage", x.size, shape=x.shape, strides=strides)

    return builders.torch_zip(convert(content), storages)


def persistent_bytes(networks):
    """What stylegan2-ada-pytorch pickles: name -> (state dict, attributes by module's path)."""

    def module(path, state, attributes):
        own = {k: builders.persistent_tensor(v) for k, v in state.items() if "." not in k}
        names = [key.partition(".")[0] for key in state if "." in key]
        below = [other.removeprefix(path) for other in attributes if other.startswith(path)]
        names += [name.partition(".")[0] for name in below if name]
        modules = {}
        for name in dict.fromkeys(names):
            start = f"{name}."
            inner = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
            modules[name] = module(f"{path}{start}", inner, attributes)
        extra = attributes.get(path.removesuffix("."), {})
        return builders.persistent("Part", parameters=own, modules=modules, **extra)

    return builders.dump({name: module("", *net) for name, net in networks.items()})


def files():
    """One small official file of every kind: file name -> its bytes."""
    psp_types = {
        "psp": "GradualStyleEncoder",
        "psp w": "BackboneEncoderUsingLastLayerIntoW",
        "psp w plus": "BackboneEncoderUsingLastLayerIntoWPlus",
    }
    rows = np.tile(average(2), (ROWS, 1))
    contents = {
        f"{name}.pt": {
            "state_dict": {**state_of(name, "encoder."), **state_of("rosinality", "decoder.")},
            "latent_avg": rows[:1] if name == "psp w" else rows,
            "opts": {"encoder_type": encoder_type},
        }
        for name, encoder_type in psp_types.items()
    }
    contents["e4e.pt"] = {
        "state_dict": state_of("e4e", "encoder."),
        "latent_avg": rows,
        "opts": {"encoder_type": "Encoder4Editing"},
        "discriminator_state_dict": state_of("latent discriminator"),
    }
    contents["rosinality.pt"] = {
        "g_ema": state_of("rosinality"),
        "g": state_of("rosinality"),
        "d": state_of("rosinality discriminator"),
        "latent_avg": average(),
    }
    editor = state_of("feature editor", "encoder.")
    contents["sfe_editor.pt"] = {"state_dict": {**state_of("inverter", "inverter."), **editor}}
    contents["sfe_inverter.pt"] = {"state_dict": state_of("inverter", "encoder.")}
    contents["arcface.pth"] = state_of("arcface")
    contents["CurricularFace_Backbone.pth"] = state_of("curricular face")
    contents["iresnet50.pth"] = state_of("iresnet")
    contents["pt_inception.pth"] = state_of("fid inception")
    contents["moco.pth.tar"] = {"state_dict": moco_state()}
    found = {name: torch_bytes(content) for name, content in contents.items()}
    made = {"": {"_init_args": (), "_init_kwargs": {"synthesis_kwargs": {"conv_clamp": 256}}}}
    generator = state_of("ada"), {**made, "synthesis.b4.conv1": {"conv_clamp": 256}}
    layers = {**made, "b4.conv": {"conv_clamp": 256}, "b4.mbstd": {"group_size": 2}}
    discriminator = state_of("ada discriminator"), layers
    networks = {"G_ema": generator, "G": generator, "D": discriminator}
    found["stylegan2.pkl"] = persistent_bytes(networks)
    return found
