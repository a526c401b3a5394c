"""Edits of CelebA-HQ at 1024 by the published protocol: FID of edited pictures by attribute.

    python evaluate.py --config=configs/eval_celebahq_editing.py \
        --config.data.source=CelebAMask-HQ/CelebA-HQ-img \
        --config.data.annotation=CelebAMask-HQ/CelebAMask-HQ-attribute-anno.txt

The pictures are split by an attribute of CelebAMask-HQ; those without it are edited, and their FID
is against those with it. The weights are those of `eval_celebahq_inversion.py`, with the folder
`editings/`. Published (SFE, arXiv:2406.10601, table 1), at strengths that are not:

| method | smile (-) | glasses (+) | old (+) | seconds on a V100 |
| --- | --- | --- | --- | --- |
| e4e | 51.245 | 119.437 | 68.463 | 0.034 |
| pSp | 46.220 | 105.740 | 67.505 | 0.034 |
| SFE | 24.388 | 73.098 | 41.677 | 0.070 |

The strengths below are ours, well inside the documented ranges.
"""

from sfe_jax.evaluation.recipe import (
    AttributeEdit,
    EditingOptions,
    EvaluationRecipe,
    PictureOptions,
)


def get_config() -> EvaluationRecipe:
    """The recipe."""
    return EvaluationRecipe(
        name="eval_celebahq_editing",
        weights=("weights/eval_celebahq.safetensors",),
        data=PictureOptions(source="CelebAMask-HQ/CelebA-HQ-img"),
        evaluators=("editing",),
        editing=EditingOptions(
            edits=(
                AttributeEdit("fs_smiling", "Smiling", -5.0, reverse=True, title="smile (-)"),
                AttributeEdit("fs_glasses", "Eyeglasses", 15.0, title="glasses (+)"),
                AttributeEdit("age", "Young", 5.0, reverse=True, title="old (+)"),
            )
        ),
        batch_size=4,
    )
