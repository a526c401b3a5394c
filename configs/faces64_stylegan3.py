"""A StyleGAN3 generator of the procedural faces, 64x64: configuration T, narrow and short.

python train.py --config=configs/faces64_stylegan3.py --workdir=runs/faces64_stylegan3
"""

from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan import GanOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="faces64_stylegan3",
        method=GanOptions(
            channel_base=1024,
            channel_max=64,
            z_dim=64,
            w_dim=64,
            mapping_layers=2,
            alias_free=AliasFreeOptions(num_layers=5, num_critical=1, margin=6),
            conv_clamp=256.0,
            generator_learning_rate=0.0025,
            discriminator_learning_rate=0.002,
            r1_gamma=0.2,
            path_length_interval=0,
            mixing=0.0,
            w_avg_decay=0.998,
            ema_images=5_000.0,
            ema_ramp_up=0.05,
        ),
        data=DataOptions(source="faces", resolution=64, count=40_000),
        batch_size=16,
        schedule=Schedule(total=80_000, log=2_000, show=10_000, save=10_000),
    )
