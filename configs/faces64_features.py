"""The network that knows procedural faces: the first link of `make train-faces`.

    python train.py --config=configs/faces64_features.py --workdir=runs/faces64_features

It stands in this domain for LPIPS (its maps), ArcFace (its embedding) and attribute classifiers.
Every batch holds two pictures of each person.
"""

from sfe_jax.training.features import FeaturesOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_features",
        method=FeaturesOptions(),
        data=DataOptions(source="faces", resolution=64, count=40_000, neighbours=2),
        evaluation_data=DataOptions(source="faces", resolution=64, count=1_024, seed=1),
        batch_size=64,
        schedule=Schedule(
            total=256_000, log=6_400, show=64_000, save=32_000, evaluate=32_000, evaluated=1_024
        ),
    )
