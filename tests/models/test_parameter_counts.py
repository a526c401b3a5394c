"""Sizes of every network at the published size, by shapes alone."""

import math
from itertools import pairwise

import jax
import pytest

from sfe_jax.models.alias_free_table import Growth, alias_free_channels
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.models.layer_table import channel_table
from sfe_jax.models.psp import GradualStyleEncoder, WEncoder, WPlusEncoder
from sfe_jax.models.stylegan1 import Generator as AdaInGenerator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.curricular_face import CurricularFace
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.perceptual.iresnet import IResNet
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.perceptual.mtcnn import ONet, PNet, RNet
from sfe_jax.perceptual.resnet import MocoResNet
from sfe_jax.pipelines.bundle import ARCHITECTURES, abstract_variables


def unit(inputs, outputs, project):
    """Norm, conv, norm, PReLU, conv, norm; and 1x1 convolution and norm on a projected shortcut."""
    branch = 2 * inputs + 9 * inputs * outputs + 3 * outputs + 9 * outputs**2 + 2 * outputs
    return branch + project * (inputs * outputs + 2 * outputs)


# The Inverter: stem and units of iResNet-50, content branch, 18 heads of 9 x 960 inputs; fuser.
STEM = 9 * 3 * 64 + 3 * 64
UNITS = sum(
    unit(inputs, width, True) + (depth - 1) * unit(width, width, False)
    for depth, inputs, width in ((3, 64, 64), (4, 64, 128), (14, 128, 256), (3, 256, 512))
)
CONTENT = 9 * (256 * 512 + 512 * 512) + 2 * (256 + 512 + 512) + 512
HEADS = 18 * (9 * 960 * 512 + 512)
FUSER = 1024 * 512 + 512 + 5 * (2 * 9 * 512 * 512 + 3 * 2 * 512 + 512)

# Features of procedural faces at 64: convolutions, a dense layer at 4x4, 12 attributes, embedding.
FACE_WIDTHS = (3, 16, 32, 64, 96, 128)
FACE_CONVS = sum(
    (9 * before + 1) * width + (9 * width + 1) * width for before, width in pairwise(FACE_WIDTHS)
)
FACE_HEADS = (16 * 128 + 1) * 256 + 257 * 12 + 257 * 64

SMALL_256 = channel_table(256, base=16384)
CIFAR = channel_table(32)
R_1024 = alias_free_channels(Growth(1024), base=65536, maximum=1024)

PINNED = {  # Trainable numbers, those of the original networks where there are some.
    "stylegan1_1024": (AdaInGenerator(), 26_219_627),
    "generator_1024": (Generator(), 30_370_060),
    "generator_512": (Generator(channels=channel_table(512)), 30_276_583),
    "generator_256": (Generator(channels=channel_table(256)), 30_034_338),
    "generator_256_half": (Generator(channels=SMALL_256), 24_767_458),
    "generator_256_half_map2": (Generator(channels=SMALL_256, mapping_layers=2), 23_191_522),
    "generator_32_map2": (Generator(channels=CIFAR, mapping_layers=2), 19_947_539),
    "stylegan3_t_1024": (AliasFreeGenerator(), 22_313_167),
    "stylegan3_r_1024": (AliasFreeGenerator(R_1024, kernel_size=1, radial=True), 15_093_151),
    "discriminator_1024": (Discriminator(), 29_012_513),
    "discriminator_512": (Discriminator(channels=channel_table(512)), 28_982_849),
    "discriminator_256": (Discriminator(channels=channel_table(256)), 28_864_129),
    "discriminator_256_half": (Discriminator(channels=SMALL_256), 24_001_089),
    "discriminator_32_orig": (Discriminator(channels=CIFAR, architecture="orig"), 20_720_641),
    "psp": (GradualStyleEncoder(), 267_136_704),
    "psp_16_styles": (GradualStyleEncoder(num_styles=16), 238_293_696),
    "psp_14_styles": (GradualStyleEncoder(num_styles=14), 209_450_688),
    "psp_sketch": (GradualStyleEncoder(image_channels=1), 267_135_552),
    "psp_segmentation": (GradualStyleEncoder(image_channels=19), 267_145_920),
    "psp_w": (WEncoder(), 31_212_736),
    "psp_w_plus": (WPlusEncoder(), 48_524_480),
    "e4e": (E4eEncoder(), 267_136_704),
    "latent_discriminator": (LatentDiscriminator(), 788_481),
    "inverter": (Inverter(), STEM + UNITS + CONTENT + HEADS + FUSER),
    "feature_editor": (FeatureFuser(), FUSER),
    "arcface": (ArcFace(), 43_797_696),
    "lpips_alex": (Lpips("alex"), 2_470_848),
    "lpips_vgg": (Lpips("vgg"), 14_716_160),
    "lpips_squeeze": (Lpips("squeeze"), 724_736),
    "curricular_face": (CurricularFace(), 65_128_768),
    "iresnet": (IResNet(), 43_590_848),
    "moco": (MocoResNet(), 23_508_032),
    "fid_inception": (FidInception(), 23_850_960),
    "mtcnn_pnet": (PNet(), 6_632),
    "mtcnn_rnet": (RNet(), 100_178),
    "mtcnn_onet": (ONet(), 389_040),
    "face_features": (FaceFeatures(("",) * 12), FACE_CONVS + FACE_HEADS),
}

RUNNING = {  # Running statistics of batch normalisation.
    "psp": (GradualStyleEncoder(), 24_320),
    "psp_w_plus": (WPlusEncoder(), 25_344),
    "arcface": (ArcFace(), 26_368),
    "curricular_face": (CurricularFace(), 47_360),
    "moco": (MocoResNet(), 53_120),
    "fid_inception": (FidInception(), 34_432),
}


def count(module, collection):
    leaves = jax.tree.leaves(abstract_variables(module)[collection])
    return sum(math.prod(leaf.shape) for leaf in leaves)


@pytest.mark.parametrize("name", PINNED)
def test_parameter_count_is_pinned(name):
    module, expected = PINNED[name]
    assert count(module, "params") == expected


@pytest.mark.parametrize("name", RUNNING)
def test_running_statistics_count_equals_original(name):
    module, expected = RUNNING[name]
    assert count(module, "batch_stats") == expected


def test_buffers_of_generator_are_noise_and_average():
    noise = 4**2 + 2 * sum(4**level for level in range(3, 11))
    assert count(Generator(), "buffers") == noise + 512


def test_every_architecture_is_pinned():
    assert {type(module) for module, _ in PINNED.values()} == set(ARCHITECTURES.values())
