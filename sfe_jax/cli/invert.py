"""`sfe invert`: find photographs in the generator."""

import pathlib
from typing import TYPE_CHECKING

from sfe_jax.cli.batches import process_pictures
from sfe_jax.cli.options import (
    Images,
    MethodName,
    Out,
    Precision,
    Weights,
    list_pictures,
    open_editor,
)

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.editor import Editor


def _invert_pictures(
    editor: "Editor", pictures: "np.ndarray", folders: list[pathlib.Path]
) -> list[dict[str, float]]:
    """Inverts pictures uint8 [N, R, R, 3] and writes them to N folders; gives their scores."""
    import numpy as np

    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import strip
    from sfe_jax.pipelines.scores import score_pictures

    inversion = editor.invert(pictures)
    inverted = editor.reconstruct(inversion)
    for index, folder in enumerate(folders):
        save_image(folder / "inversion.png", inverted[index])
        pair = strip([pictures[index], inverted[index]], ["original", "inversion"])
        save_image(folder / "comparison.png", pair)
        np.save(folder / "ws.npy", np.asarray(inversion.ws[index : index + 1]))
    return score_pictures(editor.bundle, pictures, inverted)


def invert(
    images: Images,
    /,
    weights: Weights,
    out: Out = pathlib.Path("out"),
    method: MethodName | None = None,
    precision: Precision = "float32",
    batch: int = 1,
    crop: bool = False,
) -> None:
    """Inverts aligned photographs.

    Writes, per photograph, DIR/NAME/inversion.png, a strip beside the original, and the codes as
    DIR/NAME/ws.npy [1, L, 512]; and DIR/inversions.json with L2 and identity similarity.

    Example: sfe invert faces/ --weights sfe_ffhq.safetensors -o out

    Args:
        images: Aligned square photographs, or folders of them.
        weights: Bundle written by `python -m convert_weights`.
        out: Folder for the results; it is made.
        method: How to invert; by default the fullest that the bundle can.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together.
        crop: Take the centre square of photographs that are not square.
    """
    paths = list_pictures(images)
    editor = open_editor(weights, method=method, precision=precision, batch=batch)
    process_pictures(
        paths,
        editor,
        lambda pictures, folders: _invert_pictures(editor, pictures, folders),
        what="inverting",
        report=out / "inversions.json",
        batch=batch,
        crop=crop,
    )
