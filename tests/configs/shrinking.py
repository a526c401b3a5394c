"""Recipes made small enough to take two steps in seconds, with nothing else changed."""

from dataclasses import replace

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.arcface import ArcFace
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.iresnet import IResNet
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import random_bundle, random_variables
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.features import FeaturesOptions
from sfe_jax.training.gan import GanOptions
from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import Schedule

BATCH = 4
STEPS = 2
SIZE = 32  # Pixels a side of everything.
ROWS, W = 8, 16  # Of the generator's codes.
CHANNELS = (8, 8, 8, 8)

BODY = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}


class PixelDistance(nn.Module):
    """Stands for LPIPS, whose networks take longer to compile than all others together."""

    def __call__(self, images, target):
        return jnp.mean(jnp.square(images - target), axis=(1, 2, 3))


class ColourIdentity(nn.Module):
    """Stands for ArcFace: the mean colour as an embedding of unit length."""

    def __call__(self, images):
        colour = jnp.mean(images, axis=(1, 2))
        return colour / jnp.sqrt(jnp.sum(jnp.square(colour), axis=1, keepdims=True) + 1e-6)


def small_weights():
    """Random networks of every role that recipes freeze, for a generator of 32x32."""
    encoder = {"num_styles": ROWS, "w_dim": W, "input_size": SIZE}
    attributes = tuple(row.name for row in ATTRIBUTES)
    modules = {
        "generator": Generator(channels=CHANNELS, z_dim=W, w_dim=W, mapping_layers=2),
        "discriminator": Discriminator(channels=CHANNELS),
        "inverter": Inverter(**encoder, **BODY, features=8, num_units=1),
        "e4e": E4eEncoder(**encoder, **BODY),
        "features": FaceFeatures(attributes, CHANNELS, embedding_size=8),
        "iresnet": IResNet(8, **BODY, input_size=SIZE),
    }
    body = random_variables(ArcFace(8, **BODY), np.random.default_rng(0))
    judges = {
        "arcface": Network(ColourIdentity(), body),  # Encoders begin with its body.
        "moco": Network(ColourIdentity(), {}),
        "lpips_alex": Network(PixelDistance(), {}),
        "lpips_vgg": Network(PixelDistance(), {}),
    }
    networks = random_bundle(modules, seed=0).networks | judges
    vector = np.random.default_rng(1).standard_normal((ROWS, W)).astype(np.float32)
    smile = Direction("smile", "fitted", Linear("fitted/smile", 1.0), -2.0, 2.0, "", "")
    return Bundle(networks, {"fitted/smile": vector}, records=(smile,))


def shrink_game(adversary):
    """The adversary joins in the second step, if it ever does, with all its phases."""
    start = min(adversary.start, BATCH)
    return replace(adversary, start=start, r1_interval=1)


def shrink_method(options):
    """The options of a method, for small networks and short durations."""
    match options:
        case GanOptions():
            sizes = {"channel_base": 256, "channel_max": 8, "z_dim": W, "w_dim": W}
            if options.alias_free:
                few = {"num_layers": 1, "num_critical": 0, "margin": 2}
                sizes["alias_free"] = replace(options.alias_free, **few)
            return replace(options, **sizes, mapping_layers=2)
        case FeaturesOptions():
            return replace(options, channels=CHANNELS, embedding_size=8)
    small = {"criteria": replace(options.criteria, size=SIZE)}
    match options:
        case E4eOptions():
            small |= {"progressive_start": BATCH, "progressive_every": BATCH}
    match options:
        case PspOptions() | E4eOptions():
            small |= {**BODY, "input_size": SIZE}
        case InverterOptions():
            small |= {**BODY, "input_size": SIZE, "num_units": 1, "feature_ramp": BATCH}
        case FeatureEditorOptions():
            small |= {"num_units": 1, "edits": {}}  # Published edits need the published channels.
    if hasattr(options, "adversary"):
        small["adversary"] = shrink_game(options.adversary)
    return replace(options, **small)


def shrink(recipe):
    """A recipe of two steps with small networks."""
    images = BATCH * STEPS
    return replace(
        recipe,
        method=shrink_method(recipe.method),
        weights=(),
        data=replace(recipe.data, resolution=SIZE),
        batch_size=BATCH,
        schedule=Schedule(
            total=images, log=images, show=images, save=images, evaluate=images, evaluated=BATCH
        ),
    )


class Noise:
    """Batches of noise, two pictures of each person, and a place to go on from."""

    def __init__(self):
        self.index = 0

    def batch(self, count):
        rng = np.random.default_rng(self.index)
        image = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        low, high = np.array([(row.low, row.high) for row in ATTRIBUTES], np.float32).T
        attributes = rng.uniform(low, high, (count, len(low))).astype(np.float32)
        return {"image": image, "attributes": attributes}

    def __next__(self):
        self.index += 1
        return self.batch(BATCH)

    def go_to(self, step):
        self.index = step
