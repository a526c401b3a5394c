"""StyleGAN2 on LSUN Cars at 512x512: configuration F.

    sfe dataset LSUN_CAR_FOLDER data/lsun_cars512.zip --resolution 512 --transform center-crop-wide
    python train.py --config=configs/cars512_gan.py --workdir=runs/cars512_gan

Needs LSUN Cars and no weights. Pictures are 4:3 windows of 512x384 between black bars, and are
not mirrored; those that are smaller are left out. FID of the paper: 2.32, of the windows without
their bars, after 57 million images. bfloat16 as in `ffhq1024_gan`.

Source: StyleGAN2 (arXiv:1912.04958), table 3; stylegan2 README (`--dataset=car
--total-kimg=57000`).
"""

from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="cars512_gan",
        method=GanOptions(conv_clamp=256.0),
        data=DataOptions(source="data/lsun_cars512.zip", resolution=512, transform="none"),
        batch_size=32,
        precision="bfloat16",
        schedule=Schedule(total=57_000_000),
    )
