"""SFE's first phase on FFHQ: the Inverter for the 1024x1024 generator.

    python train.py --config=configs/ffhq1024_inverter.py --workdir=runs/ffhq1024_inverter

Needs FFHQ at 1024 (as `ffhq1024_gan`), the test pictures of CelebA-HQ, and the bundles of
`ffhq1024_psp`: the generator and its discriminator, ArcFace, LPIPS on VGG, and InsightFace's
iResNet-50, with which the backbone begins. Score of the paper with the Inverter alone, on
CelebA-HQ: LPIPS 0.016, L2 0.0013, FID 2.975.

Where paper and code differ this follows the code: learning rate 1e-4 (2e-4 in the paper),
adversary from step 45,000 on (14,000), 300,000 steps (37,500), and the distance of the fused
feature from the generator's own (the norm of the feature). Everything is float32, as published.

Source: SFE (arXiv:2406.10601), section 3.2; StyleFeatureEditor configs/fse_inverter_train.yaml.
"""

from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="ffhq1024_inverter",
        method=InverterOptions(),
        weights=("weights/judges.safetensors", "weights/ffhq1024.safetensors"),
        data=DataOptions(source="data/ffhq1024.zip", resolution=1024, mirror=True),
        evaluation_data=DataOptions(source="data/celeba_hq_test", resolution=1024),
        batch_size=8,
        schedule=Schedule(
            total=2_400_000,  # 300,000 steps.
            log=4_000,
            show=40_000,
            save=40_000,
            evaluate=120_000,
            evaluated=2_824,
        ),
        best="evaluation/loss",
    )
