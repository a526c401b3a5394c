"""SFE's second phase on Stanford Cars: the Feature Editor for the 512x512 generator.

    python -m convert_weights EDITINGS_FOLDER -o weights/cars512_directions.safetensors
    python train.py --config=configs/cars512_editor.py --workdir=runs/cars512_editor

Needs data and bundles of `cars512_inverter`, its result, that of `cars512_e4e`, and GANSpace's
components of the cars' generator (`cars_pca.pt`). Published directions fit the published
generator alone, `stylegan2-car-config-f`: with one trained anew, fit directions of its own. Score
of the paper: LPIPS 0.039, L2 0.004, FID 4.035.

Edits and strengths are those that the original's first release drew from. Otherwise as
`ffhq1024_editor`, with MoCo's similarity as `cars512_inverter`.

Source: SFE (arXiv:2406.10601), section 4, table 2; StyleFeatureEditor, first release.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = (
    "weights/judges.safetensors",
    "weights/cars512.safetensors",
    "weights/cars512_directions.safetensors",
    "runs/cars512_e4e/cars512_e4e.safetensors",
    "runs/cars512_inverter/cars512_inverter.safetensors",
)

EDITS: dict[str, tuple[float, ...]] = {
    "cube": (-15, -9, 9, 15),
    "grass": (-25, -20),
    "color": (-15, -9, 9, 15),
    "trees": (-15, -12, 12, 15),
    "hubcap": (-5, -3.5, -2, 2, 3.5, 5),
    "car color": (9, 12, 15),
    "headlights": (-11, -8, 8, 11),
}


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="cars512_editor",
        method=FeatureEditorOptions(
            edits=dict(EDITS), criteria=CriteriaOptions(identity_network="moco")
        ),
        weights=WEIGHTS,
        data=DataOptions(source="data/cars512.zip", resolution=512, transform="none", mirror=True),
        evaluation_data=DataOptions(
            source="data/cars_test", resolution=512, transform="center-crop-wide"
        ),
        batch_size=8,
        schedule=Schedule(
            total=1_600_000,  # 200,000 steps.
            log=4_000,
            show=40_000,
            save=40_000,
            evaluate=120_000,
            evaluated=2_000,
        ),
        best="evaluation/loss",
    )
