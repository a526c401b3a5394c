"""pSp on FFHQ: pictures to W+ of the 1024x1024 generator, and with `:TASK` the paper's others.

    python -m convert_weights stylegan2-ffhq-config-f.pkl -o weights/ffhq1024.safetensors
    python -m convert_weights model_ir_se50.pth iresnet50-7f187506.pth \
        moco_v2_800ep_pretrain.pth.tar vgg16-397923af.pth vgg.pth \
        alexnet-owt-7be5be79.pth alex.pth -o weights/judges.safetensors
    sfe dataset FFHQ_FOLDER data/ffhq256_bilinear.zip --resolution 256 --filter bilinear
    python train.py --config=configs/ffhq1024_psp.py --workdir=runs/ffhq1024_psp
    python train.py --config=configs/ffhq1024_psp.py:sketch --workdir=runs/ffhq1024_psp_sketch

Needs FFHQ at 256 and, to measure on, the 2,824 test pictures of CelebA-HQ; the generator,
official or of `ffhq1024_gan`; ArcFace (pSp's `model_ir_se50.pth`), with whose body the encoder
begins, and LPIPS on AlexNet (torchvision's trunk and `alex.pth` of the lpips package); the others
of the second command are for later recipes. Figures of the paper on CelebA-HQ:
LPIPS 0.19, L2 0.04.

| task | what is read | L2 | LPIPS | identity | far codes | of the face: L2, LPIPS |
| --- | --- | --- | --- | --- | --- | --- |
| (inversion) | the picture | 1 | 0.8 | 0.1 | 0 | 0, 0 |
| frontalize | it, or its mirror image | 0.001 | 0.08 | 1 | 0.005 | 0.01, 0.8 |
| toonify | the picture | 1 | 0.8 | 1 | 0.025 | 0, 0 |
| super_resolution | it at 1/1 to 1/32 of its size | 1 | 0.8 | 0.1 | 0.005 | 0, 0 |
| sketch | its sketch | 1 | 0.8 | 0 | 0.005 | 0, 0 |
| segmentation | its map of 19 labels | 1 | 0.8 | 0 | 0.005 | 0, 0 |

Toonification needs a generator of cartoons, such as `ffhq_cartoon_blended.pt`, converted as
`weights/ffhq1024_toonify.safetensors`; the original found its results best near 6,000 steps, where
the recipe ends. The last three read the training pictures of CelebA-HQ, `data/celeba_hq_train`, and
sketches or maps from folders beside it and beside the test pictures, as `_sketch` and
`_segmentation`, with the names of the pictures. Maps are grey, with the labels of CelebAMask-HQ as
levels; they are resized by "nearest", where the original's filter makes labels that are none.

The paper learns at 1e-3 in places, the code at 1e-4, as here. The published command for inversion
has no penalty on codes far from the average (`w_norm`), though the text names 0.005: 0 as in the
command. Of the unseen pictures for frontal views about every second one is mirrored, by its
content, where the original mirrors by chance.

Everything is float32, as published: encoders in bfloat16 have not been compared.

Source: pSp (arXiv:2008.00951), section 4; pixel2style2pixel README, training/coach.py and
configs/data_configs.py.
"""

from dataclasses import replace

from sfe_jax.core.errors import OptionError
from sfe_jax.training.criteria import CriteriaOptions
from sfe_jax.training.psp import PspOptions
from sfe_jax.training.recipe import DataOptions, Recipe, Schedule

TRAINED, UNSEEN = "data/celeba_hq_train", "data/celeba_hq_test"
"""Folders of CelebA-HQ."""


def _inversion() -> Recipe:
    """The recipe without a task."""
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
        evaluation_data=DataOptions(source=UNSEEN, resolution=256, resize_filter="bilinear"),
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


def _frontalize(recipe: Recipe) -> Recipe:
    """Frontal views: the face's crop weighs most."""
    criteria = replace(
        recipe.method.criteria,
        l2=0.001,
        perceptual=0.08,
        identity=1.0,
        l2_crop=0.01,
        perceptual_crop=0.8,
    )
    method = replace(recipe.method, task="frontalize", w_norm=0.005, criteria=criteria)
    return replace(recipe, method=method)


def _toonify(recipe: Recipe) -> Recipe:
    """Inversion to a generator of cartoons."""
    criteria = replace(recipe.method.criteria, identity=1.0)
    return replace(
        recipe,
        method=replace(recipe.method, w_norm=0.025, criteria=criteria),
        weights=("weights/judges.safetensors", "weights/ffhq1024_toonify.safetensors"),
        schedule=replace(recipe.schedule, total=48_000, save=8_000, evaluate=8_000, show=8_000),
    )


def _super_resolution(recipe: Recipe) -> Recipe:
    """Pictures of CelebA-HQ from fewer pixels."""
    return replace(
        recipe,
        method=replace(recipe.method, task="super_resolve", w_norm=0.005),
        data=DataOptions(source=TRAINED, resolution=256, resize_filter="bilinear"),
    )


def _translate(recipe: Recipe, kind: str, *, channels: int) -> Recipe:
    """Pictures of CelebA-HQ from what the folders of a kind hold."""
    criteria = replace(recipe.method.criteria, identity=0.0)
    data, unseen = (
        DataOptions(
            source=source,
            resolution=256,
            resize_filter="bilinear",
            condition=f"{source}_{kind}",
            condition_channels=channels,
        )
        for source in (TRAINED, UNSEEN)
    )
    return replace(
        recipe,
        method=replace(recipe.method, task="translate", w_norm=0.005, criteria=criteria),
        data=data,
        evaluation_data=unseen,
    )


def get_config(task: str = "") -> Recipe:
    """The recipe.

    Args:
        task: Of the table, what stands after the colon; "" for inversion.

    Raises:
        OptionError: If there is no such task.
    """
    recipe = _inversion()
    match task:
        case "":
            return recipe
        case "frontalize":
            recipe = _frontalize(recipe)
        case "toonify":
            recipe = _toonify(recipe)
        case "super_resolution":
            recipe = _super_resolution(recipe)
        case "sketch":
            recipe = _translate(recipe, "sketch", channels=1)
        case "segmentation":
            recipe = _translate(recipe, "segmentation", channels=19)
        case _:
            raise OptionError(
                f"configs/ffhq1024_psp.py: task {task!r}; required is frontalize, toonify, "
                "super_resolution, sketch or segmentation, after a colon"
            )
    return replace(recipe, name=f"ffhq1024_psp_{task}")
