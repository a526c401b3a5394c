"""SFE's second phase for the procedural faces: the last link of `make train-faces`.

    python train.py --config=configs/faces64_editor.py --workdir=runs/faces64_editor

Pairs are made with every direction fitted on the generator, over its measured range of strengths.
Edits that change few pixels are drawn more often: they are learned last, since they weigh little in
the losses.
"""

from sfe_jax.training.adversary import AdversaryOptions
from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = (
    "runs/faces64_features/faces64_features.safetensors",
    "runs/faces64_gan/faces64_gan.safetensors",
    "runs/faces64_directions.safetensors",
    "runs/faces64_small_directions.safetensors",
    "runs/faces64_e4e/faces64_e4e.safetensors",
    "runs/faces64_inverter/faces64_inverter.safetensors",
)


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_editor",
        method=FeatureEditorOptions(
            num_units=4,
            linear_start=True,
            learning_rate=2e-3,
            decay=(72_000, 112_000),
            edits={},
            edit_weights={"smile": 4.0, "glasses": 3.0, "age": 2.0},
            criteria=CriteriaOptions(
                size=64, perceptual_network="features", identity_network="features"
            ),
            adversary=AdversaryOptions(start=-1),
        ),
        weights=WEIGHTS,
        data=DataOptions(source="faces", resolution=64, count=40_000),
        evaluation_data=DataOptions(source="faces", resolution=64, count=1_024, seed=1),
        batch_size=16,
        schedule=Schedule(
            total=112_000, log=2_000, show=8_000, save=8_000, evaluate=8_000, evaluated=256
        ),
    )
