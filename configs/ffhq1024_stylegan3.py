"""StyleGAN3 on FFHQ at 1024x1024: configuration T, and with `:r` configuration R.

    sfe dataset FFHQ_FOLDER data/ffhq1024.zip --resolution 1024
    python train.py --config=configs/ffhq1024_stylegan3.py --workdir=runs/ffhq1024_stylegan3
    python train.py --config=configs/ffhq1024_stylegan3.py:r --workdir=runs/ffhq1024_stylegan3_r

Needs the 70,000 aligned pictures of FFHQ, which are mirrored, and no weights. FID of the paper
against them after 25 million images: T 2.79 (EQ-T 61.21 dB, EQ-R 13.82 dB), R 3.07.

T follows translations, with 3x3 convolutions and half of R's channels. R follows rotations too,
with 1x1 convolutions and radial filters, and blurs what its discriminator sees during the first
200,000 images. The discriminator is StyleGAN2's in both. bfloat16 as in `ffhq1024_gan`; the
original computes the layers of the highest rates in half precision.

At a batch of 32 the original begins with a gamma of 0.5 at 128x128, 2 at 256x256 and 8 at 512x512,
and tries four times more and less. On eight A100 it takes 20.0 s for 1,000 images of T and 23.4 s
for those of R.

Source: StyleGAN3 (arXiv:2106.12423), section 4 and appendix; stylegan3, train.py and
docs/configs.md (`--cfg=stylegan3-t|r --batch=32 --gamma=32.8 --mirror=1 --aug=noaug`).
"""

from dataclasses import replace

from sfe_jax.core.errors import OptionError
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config(configuration: str = "t") -> Recipe:
    """The recipe.

    Args:
        configuration: "t" or "r", what stands after the colon.

    Raises:
        OptionError: If it is anything else.
    """
    method = GanOptions(
        mapping_layers=2,
        alias_free=AliasFreeOptions(),
        conv_clamp=256.0,
        generator_learning_rate=0.0025,
        r1_gamma=32.8,
        path_length_interval=0,
        mixing=0.0,
        w_avg_decay=0.998,
        ema_ramp_up=0.05,
    )
    recipe = Recipe(
        name="ffhq1024_stylegan3",
        method=method,
        data=DataOptions(source="data/ffhq1024.zip", resolution=1024, mirror=True),
        batch_size=32,
        precision="bfloat16",
        schedule=Schedule(total=25_000_000),
    )
    match configuration:
        case "t":
            return recipe
        case "r":
            generator = AliasFreeOptions(kernel_size=1, radial=True, widening=2)
            method = replace(method, alias_free=generator, blur_sigma=10.0)
            return replace(recipe, name="ffhq1024_stylegan3_r", method=method)
    raise OptionError(
        f"configs/ffhq1024_stylegan3.py: configuration {configuration!r}; required is t or r, "
        "after a colon"
    )
