"""SFE's first phase for the procedural faces: the fourth link of `make train-faces`.

    python train.py --config=configs/faces64_inverter.py --workdir=runs/faces64_inverter

The feature is b32.conv1: at 16 the generator has too few channels to keep detail. No adversary
plays: at this size its weight of 0.01 is not worth its time.
"""

from sfe_jax.training.adversary import AdversaryOptions
from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

FEATURES = "runs/faces64_features/faces64_features.safetensors"
GENERATOR = "runs/faces64_gan/faces64_gan.safetensors"


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_inverter",
        method=InverterOptions(
            initial_body="",
            input_size=64,
            depths=(1, 1, 2, 1),
            widths=(16, 32, 48, 96),
            strides=(2, 1, 1, 2),
            num_units=3,
            linear_start=True,
            learning_rate=2e-3,
            decay=(40_000, 56_000),
            feature_ramp=8_000,
            criteria=CriteriaOptions(
                size=64, perceptual_network="features", identity_network="features"
            ),
            adversary=AdversaryOptions(start=-1),
        ),
        weights=(FEATURES, GENERATOR),
        data=DataOptions(source="faces", resolution=64, count=40_000),
        evaluation_data=DataOptions(source="faces", resolution=64, count=1_024, seed=1),
        batch_size=16,
        schedule=Schedule(
            total=56_000, log=2_000, show=16_000, save=8_000, evaluate=16_000, evaluated=256
        ),
    )
