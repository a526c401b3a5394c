"""SFE's first phase on Stanford Cars: the Inverter for the 512x512 generator.

    python -m convert_weights stylegan2-car-config-f.pkl -o weights/cars512.safetensors
    sfe dataset CARS_TRAIN data/cars512.zip --resolution 512 --transform center-crop-wide
    python train.py --config=configs/cars512_inverter.py --workdir=runs/cars512_inverter

Needs Stanford Cars, training and test pictures; generator and discriminator, of a PyTorch pickle
(stylegan2-ada-pytorch's `legacy.py` makes one of the official file) or of `cars512_gan`; LPIPS on
VGG, MoCo and iResNet-50 (see `ffhq1024_psp`). The paper gives no score of the Inverter alone. The
feature is b64.conv1 here too, of 16 rows of W+.

The original shipped no recipe for cars: this is that of faces with pictures between black bars,
and with MoCo's similarity, which its remarks name, in the place of identity. Where paper and code
differ it follows the code, as `ffhq1024_inverter`. Everything is float32.

Source: SFE (arXiv:2406.10601), section 4; StyleFeatureEditor configs/fse_inverter_train.yaml.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.inverter import InverterOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

WEIGHTS = ("weights/judges.safetensors", "weights/cars512.safetensors")


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="cars512_inverter",
        method=InverterOptions(criteria=CriteriaOptions(identity_network="moco")),
        weights=WEIGHTS,
        data=DataOptions(source="data/cars512.zip", resolution=512, transform="none", mirror=True),
        evaluation_data=DataOptions(
            source="data/cars_test", resolution=512, transform="center-crop-wide"
        ),
        batch_size=8,
        schedule=Schedule(
            total=2_400_000,  # 300,000 steps.
            log=4_000,
            show=40_000,
            save=40_000,
            evaluate=120_000,
            evaluated=2_000,
        ),
        best="evaluation/loss",
    )
