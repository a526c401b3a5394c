"""e4e for the procedural faces: the third link of `make train-faces`.

    python train.py --config=configs/faces64_e4e.py --workdir=runs/faces64_e4e

The proportions of the published schedule on a smaller scale: the first row's offset comes after a
fifth of the run. Learning rates are higher than the published ones, for a shorter run.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

FEATURES = "runs/faces64_features/faces64_features.safetensors"
GENERATOR = "runs/faces64_gan/faces64_gan.safetensors"


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_e4e",
        method=E4eOptions(
            initial_body="",
            input_size=64,
            depths=(1, 1, 2, 1),
            widths=(16, 32, 64, 96),
            learning_rate=2e-3,
            decay=(64_000, 72_000),
            criteria=CriteriaOptions(
                size=64,
                identity=0.5,
                perceptual_network="features",
                identity_network="features",
            ),
            progressive_start=12_000,
            progressive_every=3_000,
            discriminator_learning_rate=2e-4,
        ),
        weights=(FEATURES, GENERATOR),
        data=DataOptions(source="faces", resolution=64, count=40_000),
        evaluation_data=DataOptions(source="faces", resolution=64, count=1_024, seed=1),
        batch_size=16,
        schedule=Schedule(
            total=72_000, log=2_000, show=16_000, save=8_000, evaluate=16_000, evaluated=256
        ),
    )
