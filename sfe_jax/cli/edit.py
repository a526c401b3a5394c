"""`sfe edit`: invert photographs and edit them."""

import pathlib
from typing import Annotated

import tyro

from sfe_jax.cli.options import (
    Domain,
    Images,
    MethodName,
    Out,
    Precision,
    Weights,
    list_pictures,
    open_editor,
    output_names,
)
from sfe_jax.core.errors import OptionError

Edits = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(aliases=["-e"], metavar="NAME=STRENGTH[,...]"),
]


def edit(
    images: Images,
    /,
    weights: Weights,
    edit: Edits = (),
    out: Out = pathlib.Path("out"),
    directions: pathlib.Path | None = None,
    domain: Domain = "faces",
    method: MethodName | None = None,
    precision: Precision = "float32",
    batch: int = 1,
    crop: bool = False,
) -> None:
    """Inverts aligned photographs and edits them.

    Writes, per photograph, DIR/NAME/inversion.png, one picture per edit and strength, and a strip
    of them; and DIR/edits.json with the inversion's L2 and identity similarity.

    Example: sfe edit face.jpg --weights sfe_ffhq.safetensors --edit smile=3 --edit age=-5,0,5

    Args:
        images: Aligned square photographs, or folders of them.
        weights: Bundle written by `python -m convert_weights`.
        edit: Name and strengths, such as smile=3, age=-5,0,5 or age=-5:5:5; repeat for more edits.
            `sfe directions` lists the names and their ranges.
        out: Folder for the results; it is made.
        directions: Folder of published direction files (age.pt, ffhq_pca.pt, ...), or one file of
            your own, if the bundle does not hold them.
        domain: Whose names `--edit` uses.
        method: How to invert and edit; by default the fullest that the bundle can.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together.
        crop: Take the centre square of photographs that are not square.
    """
    from sfe_jax.edits.parsing import parse_edit

    if not edit:
        raise OptionError("no --edit given; write for example --edit smile=3, or use `sfe invert`")
    strengths_of: dict[str, tuple[float, ...]] = {}  # An edit given twice makes one strip.
    for name, strengths in map(parse_edit, edit):
        strengths_of[name] = strengths_of.get(name, ()) + strengths
    requests = list(strengths_of.items())

    from sfe_jax.cli.console import first_call, progress, say
    from sfe_jax.cli.report import describe_scores, write_json
    from sfe_jax.core.images import load_aligned, save_image, strip
    from sfe_jax.edits.catalogue import find
    from sfe_jax.edits.direction import strength_warning
    from sfe_jax.pipelines.scores import score_pictures

    paths = list_pictures(images)
    editor = open_editor(
        weights,
        method=method,
        precision=precision,
        batch=batch,
        domain=domain,
        directions=directions,
    )
    prepared = {name: editor.operands(name) for name, _ in requests}
    for name, strengths in requests:
        direction = find(name, editor.directions)
        for warning in filter(None, (strength_warning(direction, s) for s in strengths)):
            say(f"warning: {warning}")
    pictures = [load_aligned(path, editor.resolution, crop=crop)[None] for path in paths]

    with first_call("inversion and edit"):
        warm = editor.invert(pictures[0])
        editor.reconstruct(warm)
        editor.edit(warm, prepared[requests[0][0]], requests[0][1][:1])

    records = []
    names = list(output_names(paths))
    work = list(zip(paths, names, pictures, strict=True))
    for path, name, picture in progress(work, "editing", total=len(work)):
        inversion = editor.invert(picture)
        reconstruction = editor.reconstruct(inversion)
        scores = score_pictures(editor.bundle, picture, reconstruction)[0]
        folder = out / name
        save_image(folder / "inversion.png", reconstruction[0])
        record = {"image": str(path), "method": editor.method_name, **scores, "edits": []}
        for edit_name, strengths in requests:
            edited = editor.edit(inversion, prepared[edit_name], strengths)[0]
            for strength, result in zip(strengths, edited, strict=True):
                file = folder / f"{edit_name} {strength:+g}.png"
                save_image(file, result)
                record["edits"].append(
                    {"edit": edit_name, "strength": strength, "file": str(file.relative_to(out))}
                )
            labels = ["original", "inversion", *(f"{edit_name} {s:+g}" for s in strengths)]
            row = [picture[0], reconstruction[0], *edited]
            save_image(folder / f"{edit_name}.png", strip(row, labels))
        say(f"{path}: {describe_scores(scores)}, pictures in {folder}")
        records.append(record)
    write_json(out / "edits.json", records)
