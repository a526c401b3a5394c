"""Recipes made small enough to take two steps in seconds, with nothing else changed."""

from dataclasses import replace

import numpy as np

from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.pipelines.random_bundle import random_bundle, small_modules
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.features import FeaturesOptions
from sfe_jax.training.gan import GanOptions
from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import Schedule

BATCH = 4
STEPS = 2
COMPARED = 32  # Pixels a side at which pictures are compared: half those of the generator.
SIZES = {256: 32, 64: 64, 512: 64, 1024: 64}  # Data: of the published size, and here.

BODY = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}


def small_weights():
    """Random networks of every role that recipes freeze, for a generator of 64x64."""
    names = tuple(row.name for row in ATTRIBUTES)
    squeeze = Lpips("squeeze")  # The smallest trunk stands for the others.
    modules = {
        **small_modules(),
        "features": FaceFeatures(names, (8, 8, 8, 8), 8),
        "lpips_alex": squeeze,
        "lpips_vgg": squeeze,
    }
    bundle = random_bundle(modules, seed=0)
    vector = np.random.default_rng(1).standard_normal((10, 32)).astype(np.float32)
    still = Direction("smile", "fitted", Linear("fitted/smile", 1.0), -2.0, 2.0, "", "")
    return replace(bundle, directions={"fitted/smile": vector}, records=(still,))


def shrink_game(adversary):
    """The adversary joins in the second step, if it ever does, with all its phases."""
    start = min(adversary.start, BATCH)
    return replace(adversary, start=start, r1_interval=1)


def shrink_method(options):
    """The options of a method, for small networks and short durations."""
    match options:
        case GanOptions():
            sizes = {"channel_base": 256, "channel_max": 16, "z_dim": 16, "w_dim": 16}
            return replace(options, **sizes, mapping_layers=2)
        case FeaturesOptions():
            return replace(options, channels=(8, 8, 8, 8, 8), embedding_size=8)
    small = {"criteria": replace(options.criteria, size=COMPARED)}
    match options:
        case E4eOptions():
            small |= {"progressive_start": BATCH, "progressive_every": BATCH}
    match options:
        case PspOptions() | E4eOptions():
            small |= {**BODY, "input_size": COMPARED}
        case InverterOptions():
            small |= {**BODY, "input_size": 64, "num_units": 1, "feature_ramp": BATCH}
        case FeatureEditorOptions():
            small |= {"num_units": 1, "edits": {}}  # Published edits need the published channels.
    if hasattr(options, "adversary"):
        small["adversary"] = shrink_game(options.adversary)
    return replace(options, **small)


def shrink(recipe):
    """A recipe of two steps with small networks."""
    size = 32 if isinstance(recipe.method, GanOptions) else SIZES[recipe.data.resolution]
    images = BATCH * STEPS
    return replace(
        recipe,
        method=shrink_method(recipe.method),
        weights=(),
        data=replace(recipe.data, resolution=size),
        batch_size=BATCH,
        schedule=Schedule(
            total=images, log=images, show=images, save=images, evaluate=images, evaluated=BATCH
        ),
    )


class Noise:
    """Batches of noise, two pictures of each person, and a place to go on from."""

    def __init__(self, recipe):
        self.size, self.index = recipe.data.resolution, 0

    def batch(self, count):
        rng = np.random.default_rng(self.index)
        image = rng.integers(0, 256, (count, self.size, self.size, 3), dtype=np.uint8)
        low, high = np.array([(row.low, row.high) for row in ATTRIBUTES], np.float32).T
        attributes = rng.uniform(low, high, (count, len(low))).astype(np.float32)
        return {"image": image, "attributes": attributes}

    def __next__(self):
        self.index += 1
        return self.batch(BATCH)

    def get_state(self):
        return {"index": self.index}

    def set_state(self, state):
        self.index = state["index"]
