"""The generator of the procedural faces, 64x64: the second link of `make train-faces`.

    python train.py --config=configs/faces64_gan.py --workdir=runs/faces64_gan

A narrow configuration F without path-length regularisation, as small data sets are trained
(stylegan2-ada-pytorch, `--cfg=cifar` has none either); gamma by its rule 0.0002 R^2 / batch.
"""

from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_gan",
        method=GanOptions(
            channel_base=1024,
            channel_max=96,
            z_dim=96,
            w_dim=96,
            mapping_layers=2,
            use_noise=False,
            generator_learning_rate=0.0025,
            discriminator_learning_rate=0.0025,
            r1_gamma=0.1,
            path_length_interval=0,
            mixing=0.5,
            ema_images=5_000.0,
            ema_ramp_up=0.05,
        ),
        data=DataOptions(source="faces", resolution=64, count=40_000),
        batch_size=16,
        schedule=Schedule(total=300_000, log=4_000, show=20_000, save=10_000),
    )
