"""StyleGAN2 with adaptive augmentation on FFHQ at 256x256.

    sfe dataset FFHQ_FOLDER data/ffhq256.zip --resolution 256 --filter box
    python train.py --config=configs/ffhq256_gan.py --workdir=runs/ffhq256_gan

Needs the 70,000 aligned pictures of FFHQ, which are mirrored, and no weights. Half the channels
of configuration F. FID: 3.81 in figure 7c of the ADA paper, as others read it; with pictures
resized by a Lanczos filter they measured 5.3, hence the box.

Groups of the minibatch statistic are of 8 pictures: give every device a multiple of 8, or set
`--config.method.group_size=4` as configuration F has it. bfloat16 as in `ffhq1024_gan`.

On a pod the batch decides the number of chips: 8 with 8 pictures each (v5e:2x4), at most 64. With
one picture a chip `--config.method.path_length_shrink=1` takes path lengths of the whole batch for
the time of half of it: chips compute as many in any case.

Source: ADA (arXiv:2006.06676), appendix C; stylegan2-ada-pytorch, train.py (`--cfg=paper256`).
"""

from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="ffhq256_gan",
        method=GanOptions(
            channel_base=16384,
            group_size=8,
            conv_clamp=256.0,
            generator_learning_rate=0.0025,
            discriminator_learning_rate=0.0025,
            r1_gamma=1.0,
            ema_images=20_000.0,
            augmentation="adaptive",
        ),
        data=DataOptions(source="data/ffhq256.zip", resolution=256, mirror=True),
        batch_size=64,
        precision="bfloat16",
        schedule=Schedule(total=25_000_000),
    )
