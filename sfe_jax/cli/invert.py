"""`sfe invert`: find photographs in the generator."""

import pathlib

from sfe_jax.cli.options import (
    Images,
    MethodName,
    Out,
    Precision,
    Weights,
    list_pictures,
    open_editor,
    output_names,
)


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
    import numpy as np

    from sfe_jax.cli.console import announce_compilation, progress, say
    from sfe_jax.cli.report import describe_scores, write_json
    from sfe_jax.core.images import load_aligned, save_image, strip
    from sfe_jax.pipelines.scores import score_pictures

    paths = list_pictures(images)
    editor = open_editor(weights, method=method, precision=precision, batch=batch)
    # A bad picture is better found before the work than in its midst.
    for path in progress(paths, "checking", total=len(paths)):
        load_aligned(path, editor.resolution, crop=crop)

    announce_compilation()
    records = []
    names = list(output_names(paths))
    starts = range(0, len(paths), batch)
    for start in progress(starts, "inverting", total=len(starts)):
        rows = slice(start, start + batch)
        originals = np.stack(
            [load_aligned(path, editor.resolution, crop=crop) for path in paths[rows]]
        )
        inversion = editor.invert(originals)
        results = editor.reconstruct(inversion)
        scores = score_pictures(editor.bundle, originals, results)
        for index, (path, name) in enumerate(zip(paths[rows], names[rows], strict=True)):
            folder = out / name
            save_image(folder / "inversion.png", results[index])
            pair = strip([originals[index], results[index]], ["original", "inversion"])
            save_image(folder / "comparison.png", pair)
            np.save(folder / "ws.npy", np.asarray(inversion.ws[index : index + 1]))
            say(f"{path}: {describe_scores(scores[index])}, pictures in {folder}")
            records.append({"image": str(path), "method": editor.method_name, **scores[index]})
        write_json(out / "inversions.json", records)
    say(f"wrote {out / 'inversions.json'}")
