"""StyleGAN2 of FFHQ at 1024: FID, KID, Inception score, precision, recall and PPL.

    python -m convert_weights stylegan2-ffhq-config-f.pkl pt_inception-2015-12-05-6726825d.pth \
        vgg16-397923af.pth vgg.pth -o weights/eval_ffhq1024.safetensors
    python evaluate.py --config=configs/eval_ffhq1024_generation.py \
        --config.data.source=ffhq1024.zip

Published for config F, 50,000 generated against all 70,000 real pictures: FID 2.84, PPL (w, end,
whole) 145, precision 0.689, recall 0.492 (StyleGAN2, arXiv:1912.04958, table 1). FID of the network
of pytorch-fid, which is used here, differs from these in the second decimal; precision and recall
were published of VGG-16's features, here they are of Inception's. The older PPLs, of the face
alone, are had with `--config.generation.path_lengths="('z_full', 'w_end')"`. StyleGAN3's generators
get EQ-T, EQ-T_frac and EQ-R too, with `--config.weights`.
"""

from sfe_jax.evaluation.recipe import EvaluationRecipe, GenerationOptions, PictureOptions


def get_config() -> EvaluationRecipe:
    """The recipe."""
    return EvaluationRecipe(
        name="eval_ffhq1024_generation",
        weights=("weights/eval_ffhq1024.safetensors",),
        data=PictureOptions(source="ffhq1024.zip", resize_filter="box"),
        evaluators=("generation",),
        generation=GenerationOptions(count=50_000, path_count=50_000),
        batch_size=32,
    )
