"""e4e on Stanford Cars: pictures to editable codes of the 512x512 generator.

    sfe dataset CARS_TRAIN data/cars256.zip --resolution 256 --transform center-crop-wide
    python train.py --config=configs/cars512_e4e.py --workdir=runs/cars512_e4e

Needs Stanford Cars, training and test pictures; the generator (see `cars512_inverter`); LPIPS on
AlexNet, ArcFace and MoCo (see `ffhq1024_psp`). Score, as the SFE paper measures it: LPIPS 0.325, L2
0.122, FID 13.40.

One thing differs from the original: its encoder reads 192x256 pictures, where ours reads them
between black bars, 256x256, which losses see too. The encoder begins with the body of ArcFace, and
similarity is MoCo's, weighted 0.5. Everything is float32, as published.

Source: e4e (arXiv:2102.02766), section 5; encoder4editing README (`--dataset_type cars_encode`).
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = ("weights/judges.safetensors", "weights/cars512.safetensors")


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="cars512_e4e",
        method=E4eOptions(
            learning_rate=1e-4,
            criteria=CriteriaOptions(
                l2=1.0,
                perceptual=0.8,
                identity=0.5,
                perceptual_network="lpips_alex",
                identity_network="moco",
            ),
        ),
        weights=WEIGHTS,
        data=DataOptions(source="data/cars256.zip", resolution=256, transform="none", mirror=True),
        evaluation_data=DataOptions(
            source="data/cars_test", resolution=256, transform="center-crop-wide"
        ),
        batch_size=8,
        schedule=Schedule(
            total=1_600_000,  # 200,000 steps.
            log=400,
            show=20_000,
            save=40_000,
            evaluate=80_000,
            evaluated=2_000,
        ),
        best="evaluation/loss",
    )
