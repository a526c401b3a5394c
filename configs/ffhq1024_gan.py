"""StyleGAN2 on FFHQ at 1024x1024: configuration F.

    sfe dataset FFHQ_FOLDER data/ffhq1024.zip --resolution 1024
    python train.py --config=configs/ffhq1024_gan.py --workdir=runs/ffhq1024_gan

Needs the 70,000 aligned pictures of FFHQ, which are mirrored, and no weights. FID of the paper:
2.84 against 50,000 pictures, after 25 million images.

The highest resolutions are in half precision in the official code too (stylegan2-ada-pytorch,
`--cfg=stylegan2`), so activations are bfloat16 here and clamped at 256; parameters stay float32.

Source: StyleGAN2 (arXiv:1912.04958), table 1 and appendix B; stylegan2-ada-pytorch, train.py.
"""

from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="ffhq1024_gan",
        method=GanOptions(conv_clamp=256.0),
        data=DataOptions(source="data/ffhq1024.zip", resolution=1024, mirror=True),
        batch_size=32,
        precision="bfloat16",
        schedule=Schedule(total=25_000_000),
    )
