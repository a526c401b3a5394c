"""pSp on FFHQ: pictures to W+ of the 1024x1024 generator.

    python -m convert_weights stylegan2-ffhq-config-f.pkl -o weights/ffhq1024.safetensors
    python -m convert_weights model_ir_se50.pth iresnet50-7f187506.pth \
        moco_v2_800ep_pretrain.pth.tar vgg16-397923af.pth vgg.pth \
        alexnet-owt-7be5be79.pth alex.pth -o weights/judges.safetensors
    sfe dataset FFHQ_FOLDER data/ffhq256_bilinear.zip --resolution 256 --filter bilinear
    python train.py --config=configs/ffhq1024_psp.py --workdir=runs/ffhq1024_psp

Needs FFHQ at 256 and, to measure on, the 2,824 test pictures of CelebA-HQ; the generator,
official or of `ffhq1024_gan`; ArcFace (pSp's `model_ir_se50.pth`), with whose body the encoder
begins, and LPIPS on AlexNet (torchvision's trunk and `alex.pth` of the lpips package); the others
of the second command are for later recipes. Figures of the paper on CelebA-HQ:
LPIPS 0.19, L2 0.04.

The paper learns at 1e-3 in places, the code at 1e-4, as here. The published command for inversion
has no penalty on codes far from the average (`w_norm`), though the text names 0.005: 0 as in the
command.

Everything is float32, as published: encoders in bfloat16 have not been compared.

Source: pSp (arXiv:2008.00951), section 4; pixel2style2pixel README and training/coach.py.
"""

from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule


def get_config() -> Recipe:
    """The recipe."""
    return Recipe(
        name="ffhq1024_psp",
        method=PspOptions(
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
            total=4_000_000,  # 500,000 steps.
            log=400,
            show=20_000,
            save=40_000,
            evaluate=20_000,
            evaluated=2_824,
        ),
        best="evaluation/loss",
    )
