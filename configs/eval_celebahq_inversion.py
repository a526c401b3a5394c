"""Inversions of CelebA-HQ at 1024 by the published protocol: LPIPS, L2, FID, MS-SSIM, identity.

    python -m convert_weights sfe_editor_light.pt stylegan2-ffhq-config-f.pt e4e_ffhq_encode.pt \
        alexnet-owt-7be5be79.pth alex.pth pt_inception-2015-12-05-6726825d.pth \
        CurricularFace_Backbone.pth pnet.npy rnet.npy onet.npy \
        -o weights/eval_celebahq.safetensors
    python evaluate.py --config=configs/eval_celebahq_inversion.py \
        --config.data.source=celebahq_test --config.folders="('other=results/other',)"

LPIPS over AlexNet and L2 are taken at 256, MS-SSIM as piq has it at 1024, FID at the pictures' own
size, identity between the faces that MTCNN finds. Published (SFE, arXiv:2406.10601, table 1):

| method | LPIPS | L2 | FID | MS-SSIM |
| --- | --- | --- | --- | --- |
| e4e | 0.199 | 0.047 | 28.971 | 0.625 |
| pSp | 0.161 | 0.034 | 25.163 | 0.651 |
| SFE | 0.019 | 0.002 | 3.535 | 0.922 |
"""

from sfe_jax.evaluation.recipe import EvaluationRecipe, PictureOptions


def get_config() -> EvaluationRecipe:
    """The recipe."""
    return EvaluationRecipe(
        name="eval_celebahq_inversion",
        weights=("weights/eval_celebahq.safetensors",),
        data=PictureOptions(source="celebahq_test"),
        evaluators=("inversion",),
        batch_size=4,
    )
