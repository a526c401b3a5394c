"""pSp for the procedural faces, on the bundled generator: trained by `make table-faces`.

    python train.py --config=configs/faces64_psp.py --workdir=runs/faces64_psp

Nothing but the table of results needs it. The learning rate is higher than the published one, for a
shorter run.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = ("sfe_jax/weights/faces64.safetensors",)


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_psp",
        method=PspOptions(
            initial_body="",
            input_size=64,
            depths=(1, 1, 2, 1),
            widths=(16, 32, 64, 96),
            learning_rate=2e-3,
            decay=(24_000, 32_000),
            criteria=CriteriaOptions(
                size=64,
                identity=0.1,
                perceptual_network="features",
                identity_network="features",
            ),
        ),
        weights=WEIGHTS,
        data=DataOptions(source="faces", resolution=64, count=40_000),
        evaluation_data=DataOptions(source="faces", resolution=64, count=1_024, seed=1),
        batch_size=16,
        schedule=Schedule(
            total=32_000, log=2_000, show=16_000, save=8_000, evaluate=16_000, evaluated=256
        ),
    )
