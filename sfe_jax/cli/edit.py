"""`sfe edit`: invert photographs and edit them."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from sfe_jax.cli.batches import (
    Portrait,
    check_reading,
    open_for_editor,
    process_pictures,
)
from sfe_jax.cli.drawing import Side, check_side
from sfe_jax.cli.edit_animation import (
    AnimationForm,
    Format,
    read_animations,
    write_edit_animation,
)
from sfe_jax.cli.options import (
    Domain,
    Images,
    MethodName,
    Out,
    Precision,
    Weights,
    list_pictures,
    open_editor,
)
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.operands import Operands
    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.methods import Inversion

    Request = tuple[str, Operands, tuple[float, ...]]  # Name, arrays and strengths of an edit.


Edits = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(aliases=["-e"], metavar="NAME=STRENGTH[,...]"),
]

Animations = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(metavar="NAME=FIRST:LAST:COUNT"),
]

OWN_NAMES = ("aligned", "inversion")
"""Pictures of a folder beside the strips, each of which has the name of its edit."""


class Wanted(NamedTuple):
    """What is made of every picture."""

    edits: "list[Request]"
    animations: "list[Request]"
    form: AnimationForm
    background: "np.ndarray | None"  # float32 [N, R, R], 1 where nothing is to change.


def _merge_requests(texts: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """Name -> strengths; an edit that is given twice has the strengths of both.

    Raises:
        EditError: If one cannot be read.
        OptionError: If the strip of one would replace another picture.
    """
    from sfe_jax.edits.parsing import parse_edit

    merged: dict[str, tuple[float, ...]] = {}
    for name, strengths in map(parse_edit, texts):
        merged[name] = tuple(dict.fromkeys((*merged.get(name, ()), *strengths)))
    for name, strengths in merged.items():
        if len({f"{strength:+g}" for strength in strengths}) < len(strengths):
            raise OptionError(
                f"--edit {name}: two strengths agree in six digits, which name their pictures; "
                "leave one out"
            )
        if name.casefold() in OWN_NAMES:
            raise OptionError(
                f"--edit {name}: its strip {name}.png would replace another picture; rename the "
                "direction, or its file"
            )
    return merged


def _write_edit(
    folder: pathlib.Path, label: str, image: "np.ndarray", portrait: Portrait
) -> dict[str, str]:
    """Writes an edited picture, and the photograph with it; gives the names from the report."""
    from sfe_jax.core.images import save_image

    save_image(folder / f"{label}.png", image)
    if portrait.paste is None:
        return {"file": f"{folder.name}/{label}.png"}
    save_image(folder / f"{label} pasted.png", portrait.paste(image))
    return {
        "file": f"{folder.name}/{label}.png",
        "pasted": f"{folder.name}/{label} pasted.png",
    }


def _read_background(mask: pathlib.Path, editor: "Editor", *, count: int) -> "np.ndarray":
    """Where nothing is to change: float32 [1, R, R], 1 where the mask is white.

    Raises:
        OptionError: If there are several photographs, or the method cannot use it.
        ImageError: If it is no square picture.
    """
    import numpy as np

    from sfe_jax.core.images import load_aligned

    if count != 1:
        raise OptionError(f"--mask is of one photograph; {count} are given")
    if editor.method_name != "sfe":
        raise OptionError(f"--mask goes with the method sfe; this one is {editor.method_name}")
    return load_aligned(mask, editor.resolution)[None, :, :, 0] / np.float32(255)


def _animate(
    editor: "Editor",
    inversion: "Inversion",
    folders: list[pathlib.Path],
    records: list[dict[str, Any]],
    wanted: Wanted,
) -> None:
    """Writes the animations of N pictures, and adds their files to the records."""
    import jax

    for name, operands, strengths in wanted.animations:
        for index, (folder, record) in enumerate(zip(folders, records, strict=True)):
            path = folder / f"{name}.{wanted.form.suffix}"
            one = jax.tree.map(lambda x, i=index: x[i : i + 1], inversion)
            write_edit_animation(path, editor, one, operands, strengths, wanted.form)
            made = {"edit": name, "strengths": strengths, "file": f"{folder.name}/{path.name}"}
            record.setdefault("animations", []).append(made)


def _edit_pictures(
    editor: "Editor", portraits: list[Portrait], folders: list[pathlib.Path], wanted: Wanted
) -> list[dict[str, Any]]:
    """Inverts pictures, makes all their edits, and writes them.

    Args:
        editor: Knows the edits.
        portraits: N.
        folders: N, where the pictures go.
        wanted: Edits and animations.

    Returns:
        Per picture the scores of its inversion, and the file of every edit.
    """
    import numpy as np

    from sfe_jax.core.images import save_image
    from sfe_jax.core.sheets import strip
    from sfe_jax.pipelines.scores import score_pictures

    pictures = np.stack([portrait.picture for portrait in portraits])
    inversion = editor.invert(pictures)
    inverted = editor.reconstruct(inversion)
    records: list[dict[str, Any]] = [
        {**scores, "edits": []} for scores in score_pictures(editor.bundle, pictures, inverted)
    ]
    for folder, image in zip(folders, inverted, strict=True):
        save_image(folder / "inversion.png", image)
    if wanted.background is not None:
        inversion = editor.protect(inversion, wanted.background)
    for name, operands, strengths in wanted.edits:
        labels = [f"{name} {strength:+g}" for strength in strengths]
        edited = editor.edit(inversion, operands, strengths)
        for index, (folder, record) in enumerate(zip(folders, records, strict=True)):
            for label, strength, image in zip(labels, strengths, edited[index], strict=True):
                files = _write_edit(folder, label, image, portraits[index])
                record["edits"].append({"edit": name, "strength": strength, **files})
            row = [pictures[index], inverted[index], *edited[index]]
            save_image(folder / f"{name}.png", strip(row, ["original", "inversion", *labels]))
    _animate(editor, inversion, folders, records, wanted)
    return records


def edit(
    images: Images,
    /,
    weights: Weights,
    edit: Edits = (),
    animate: Animations = (),
    out: Out = pathlib.Path("out"),
    directions: pathlib.Path | None = None,
    domain: Domain = "faces",
    method: MethodName | None = None,
    precision: Precision = "float32",
    batch: int = 1,
    crop: bool = False,
    align: bool = False,
    points: pathlib.Path | None = None,
    mask: pathlib.Path | None = None,
    animation: Format = "webp",
    fps: float = 25.0,
    side: Side = 256,
) -> None:
    """Inverts photographs and edits them; with --align as they come from a camera.

    Writes, per photograph, DIR/NAME/inversion.png, one picture per edit and strength, a strip of
    them, and the animations; and DIR/edits.json with the inversion's L2 and identity similarity.
    With --align also the face that was cut out, aligned.png, and per edit the photograph with it,
    "NAME pasted.png"; a photograph without a face is named and skipped, exit status 1 if none had
    one.

    Example: sfe edit face.jpg --weights sfe_ffhq.safetensors --edit smile=3 --edit age=-5,0,5

    Example: sfe edit face.jpg --weights sfe_ffhq.safetensors --animate age=-5:5:60

    Args:
        images: Aligned square photographs, or folders of them; any photographs with --align.
        weights: Bundle written by `python -m convert_weights`.
        edit: Name and strengths, such as smile=3, age=-5,0,5 or age=-5:5:5; repeat for more edits.
            `sfe directions` lists the names and their ranges.
        animate: Name and strengths of an edit that is shown moving, such as age=-5:5:60: through
            the strengths and back, as DIR/NAME/age.webp, with --align the face alone; repeat for
            other edits.
        out: Folder for the results; it is made.
        directions: Folder of published direction files (age.pt, ffhq_pca.pt, ...), a file of
            `sfe fit-directions`, or one vector or mapper of your own, if the bundle holds none.
        domain: Whose names `--edit` uses.
        method: How to invert and edit; by default the fullest that the bundle can.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures computed together; with --align so many photographs are in memory.
        crop: Take the centre square of photographs that are not square.
        align: Photographs are as they come from a camera: cut the largest face out of each, by
            MTCNN of the bundle, and put its edits back.
        points: With --align, file (.json, .npy) of x, y in pixels of the only photograph, turned
            upright: two eyes, nose and two corners of the mouth, left before right as one sees the
            face, or dlib's 68 points. MTCNN is not needed then.
        mask: Picture of the aligned face's size, white where its background is to stay, black where
            the edit acts; of the only photograph, with the method sfe.
        animation: Format of animations; mp4 needs the package imageio-ffmpeg.
        fps: Frames a second of animations.
        side: Pixels a side of animations, about.
    """
    if not (edit or animate):
        raise OptionError("no --edit given; write for example --edit smile=3, or use `sfe invert`")
    check_reading(align=align, crop=crop, points=points)
    check_side(side)

    from sfe_jax.cli.console import say
    from sfe_jax.core.animations import check_animation
    from sfe_jax.edits.catalogue import find
    from sfe_jax.edits.direction import strength_warning

    parsed, moving = _merge_requests(edit), read_animations(animate)
    if moving:
        check_animation(f"{out}/animation.{animation}", fps=fps, side=side)

    paths = list_pictures(images)
    editor = open_editor(
        weights,
        method=method,
        precision=precision,
        batch=batch,
        domain=domain,
        directions=directions,
    )
    background = _read_background(mask, editor, count=len(paths)) if mask else None
    requests, animations = (
        [(name, editor.operands(name), strengths) for name, strengths in asked.items()]
        for asked in (parsed, moving)
    )
    wanted = Wanted(requests, animations, AnimationForm(animation, fps, side), background)
    ends = {name: (min(strengths), max(strengths)) for name, strengths in moving.items()}
    for name, strengths in (*parsed.items(), *ends.items()):
        direction = find(name, editor.directions)
        for warning in filter(None, (strength_warning(direction, s) for s in strengths)):
            say(f"warning: {warning}")
    process_pictures(
        paths,
        editor,
        open_for_editor(editor, paths, align=align, crop=crop, points=points),
        lambda portraits, folders: _edit_pictures(editor, portraits, folders, wanted),
        what="editing",
        report=out / "edits.json",
        batch=batch,
    )
