"""The bundled model of procedural faces: generation, inversion, editing, on CPU in minutes.

    python evaluate.py --config=configs/eval_faces64.py --workdir=runs/eval_faces64

The network that knows procedural faces stands where FID's Inception, LPIPS and ArcFace stand for
photographs; what it gives has other names. The counts are small, and the page says so.
"""

from sfe_jax.evaluation.pair_metrics import PairOptions
from sfe_jax.evaluation.recipe import (
    AttributeEdit,
    EditingOptions,
    EvaluationRecipe,
    GenerationOptions,
    PictureOptions,
)


def get_config() -> EvaluationRecipe:
    """The recipe."""
    return EvaluationRecipe(
        name="eval_faces64",
        weights=("faces64",),
        data=PictureOptions(source="faces", count=1_000),
        features="features",
        pairs=PairOptions(size=0, ms_ssim_size=0, perceptual="features", identity="features"),
        generation=GenerationOptions(count=1_000, path_count=500, path_network="features"),
        editing=EditingOptions(
            edits=(
                AttributeEdit("smile", "smile"),
                AttributeEdit("smile", "smile", reverse=True),
                AttributeEdit("glasses", "glasses"),
                AttributeEdit("age", "age"),
                AttributeEdit("hair_colour", "hair_colour"),
                AttributeEdit("yaw", "yaw"),
            )
        ),
        batch_size=16,
    )
