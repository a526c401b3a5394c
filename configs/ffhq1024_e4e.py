"""e4e on FFHQ: pictures to editable codes of the 1024x1024 generator.

    python train.py --config=configs/ffhq1024_e4e.py --workdir=runs/ffhq1024_e4e

Needs the data and the bundles of `ffhq1024_psp`. Score, as the SFE paper measures it on
CelebA-HQ: LPIPS 0.199, L2 0.047, FID 28.97, MS-SSIM 0.625.

The original's options are published for cars; those of faces are its defaults: identity 0.1,
where the command for cars has 0.5. The first row's offset comes after 20,000 steps of 8, each
further one 2,000 later; 200,000 steps. The encoder begins with the body of ArcFace. Pictures are
shrunk as in `ffhq1024_psp`. Everything is float32, as published.

Source: e4e (arXiv:2102.02766), section 5; encoder4editing README and options/train_options.py.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.e4e import E4eOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="ffhq1024_e4e",
        method=E4eOptions(
            learning_rate=1e-4,
            criteria=CriteriaOptions(
                l2=1.0, perceptual=0.8, identity=0.1, perceptual_network="lpips_alex"
            ),
        ),
        weights=("weights/judges.safetensors", "weights/ffhq1024.safetensors"),
        data=DataOptions(source="data/ffhq256_bilinear.zip", resolution=256, mirror=True),
        evaluation_data=DataOptions(
            source="data/celeba_hq_test", resolution=256, resize_filter="bilinear"
        ),
        batch_size=8,
        schedule=Schedule(
            total=1_600_000,  # 200,000 steps.
            log=400,
            show=20_000,
            save=40_000,
            evaluate=80_000,
            evaluated=2_824,
        ),
        best="evaluation/loss",
    )
