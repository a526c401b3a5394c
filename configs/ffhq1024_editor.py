"""SFE's second phase on FFHQ: the Feature Editor for the 1024x1024 generator.

    python -m convert_weights EDITINGS_FOLDER MAPPERS_FOLDER \
        -o weights/ffhq1024_directions.safetensors
    python train.py --config=configs/ffhq1024_editor.py --workdir=runs/ffhq1024_editor

Needs data and bundles of `ffhq1024_inverter`; its result, whose discriminator plays on; that of
`ffhq1024_e4e`; and StyleFeatureEditor's direction files (`editings`) and StyleCLIP's mappers
(`pretrained_models/styleclip_mappers`). To begin with official encoders:

    python -m convert_weights sfe_inverter_light.pt stylegan2-ffhq-config-f.pkl e4e_ffhq_encode.pt \
        -o weights/ffhq1024_encoders.safetensors

with `--config.weights` naming that in place of the two runs. Score of the paper on CelebA-HQ:
LPIPS 0.019, L2 0.002, FID 3.535, MS-SSIM 0.922; FID of edits: smile 24.388, glasses 73.098, old
41.677.

Edits are the original's 13. Six of them need StyleCLIP's mappers (afro, angry, purple_hair, bobcut,
bowlcut, mohawk); `:without_mappers` behind the file's name leaves them out. With 6 edits the paper
has 0.021, 0.0019 and 3.842, and 24.548 and 42.317.

Where paper and code differ this follows the code: learning rate 1e-4 (2e-4), the adversary from
the first step on, and 200,000 steps, which are steps 300,001 to 500,000 there (20,000 in the
paper). Everything is float32, as published.

Source: SFE (arXiv:2406.10601), section 3.3; StyleFeatureEditor configs/fse_editor_train.yaml.
"""

from dataclasses import replace

from sfe_jax.core.errors import OptionError
from sfe_jax.training.edits import SFE_EDITS, without_mappers
from sfe_jax.training.feature_editor import FeatureEditorOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = (
    "weights/judges.safetensors",
    "weights/ffhq1024.safetensors",
    "weights/ffhq1024_directions.safetensors",
    "runs/ffhq1024_e4e/ffhq1024_e4e.safetensors",
    "runs/ffhq1024_inverter/ffhq1024_inverter.safetensors",
)


def get_config(edits: str = "all") -> Recipe:
    """The recipe.

    Args:
        edits: "all" or "without_mappers", what stands after the colon.

    Raises:
        OptionError: If it is anything else.
    """
    recipe = Recipe(
        name="ffhq1024_editor",
        method=FeatureEditorOptions(),
        weights=WEIGHTS,
        data=DataOptions(source="data/ffhq1024.zip", resolution=1024, mirror=True),
        evaluation_data=DataOptions(source="data/celeba_hq_test", resolution=1024),
        batch_size=8,
        schedule=Schedule(
            total=1_600_000,  # 200,000 steps.
            log=4_000,
            show=40_000,
            save=40_000,
            evaluate=120_000,
            evaluated=2_824,
        ),
        best="evaluation/loss",
    )
    match edits:
        case "all":
            return recipe
        case "without_mappers":
            method = FeatureEditorOptions(edits=without_mappers(SFE_EDITS))
            return replace(recipe, name="ffhq1024_editor_without_mappers", method=method)
    raise OptionError(
        f"configs/ffhq1024_editor.py: edits {edits!r}; required is all or without_mappers, after a "
        "colon"
    )
