"""`sfe invert`: find photographs in the generator."""

import pathlib
from typing import TYPE_CHECKING

from sfe_jax.cli.batches import (
    Portrait,
    check_reading,
    open_for_editor,
    process_pictures,
)
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
    from sfe_jax.pipelines.editor import Editor


def _invert_pictures(
    editor: "Editor", portraits: list[Portrait], folders: list[pathlib.Path]
) -> list[dict[str, float]]:
    """Inverts N pictures and writes them to N folders; gives their scores."""
    import numpy as np

    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import strip
    from sfe_jax.latents.files import save_codes
    from sfe_jax.pipelines.scores import score_pictures

    pictures = np.stack([portrait.picture for portrait in portraits])
    inversion = editor.invert(pictures)
    inverted = editor.reconstruct(inversion)
    for index, (folder, portrait) in enumerate(zip(folders, portraits, strict=True)):
        save_image(folder / "inversion.png", inverted[index])
        if portrait.paste:
            save_image(folder / "inversion pasted.png", portrait.paste(inverted[index]))
        pair = strip([pictures[index], inverted[index]], ["original", "inversion"])
        save_image(folder / "comparison.png", pair)
        save_codes(folder / "ws.npy", np.asarray(inversion.ws[index : index + 1]))
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
    align: bool = False,
    points: pathlib.Path | None = None,
) -> None:
    """Inverts photographs; with --align as they come from a camera.

    Writes, per photograph, DIR/NAME/inversion.png, a strip beside the original, and the codes as
    DIR/NAME/ws.npy [1, L, 512]; and DIR/inversions.json with L2 and identity similarity. With
    the option --align also the face that was cut out, aligned.png, and the photograph with its
    inversion, "inversion pasted.png"; a photograph without a face is named and skipped, exit
    status 1 if none had one.

    Example: sfe invert faces/ --weights sfe_ffhq.safetensors -o out

    Args:
        images: Aligned square photographs, or folders of them; any photographs with --align.
        weights: Bundle written by `python -m convert_weights`.
        out: Folder for the results; it is made.
        method: How to invert; by default the fullest that the bundle can.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together; with --align so many photographs are in memory.
        crop: Take the centre square of photographs that are not square.
        align: Photographs are as they come from a camera: cut the largest face out of each, by
            MTCNN of the bundle, and put its inversion back.
        points: With --align, file (.json, .npy) of x, y in pixels of the only photograph, turned
            upright: two eyes, nose and two corners of the mouth, left before right as one sees the
            face, or dlib's 68 points. MTCNN is not needed then.
    """
    check_reading(align=align, crop=crop, points=points)
    paths = list_pictures(images)
    editor = open_editor(weights, method=method, precision=precision, batch=batch)
    process_pictures(
        paths,
        editor,
        open_for_editor(editor, paths, align=align, crop=crop, points=points),
        lambda portraits, folders: _invert_pictures(editor, portraits, folders),
        what="inverting",
        report=out / "inversions.json",
        batch=batch,
    )
