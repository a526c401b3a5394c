"""Writes a character as a folder of assets. The same character gives the same bytes."""

import json
import pathlib
from typing import Any

import numpy as np

from sfe_jax.characters.recipe import AssetOptions
from sfe_jax.characters.workshop import Character, Portraits
from sfe_jax.core.animations import write_animation
from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.files import written_whole
from sfe_jax.core.images import save_image
from sfe_jax.core.sheets import fit, stack_strips, strip
from sfe_jax.latents.files import save_codes
from sfe_jax.readers import sha256


def sprite_sheet(
    portraits: Portraits, assets: AssetOptions
) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Pictures in rows without gaps, as games read them.

    Args:
        portraits: The pictures.
        assets: Side of a sprite, and sprites in a row; a last row that is not full ends in white.

    Returns:
        uint8 [height, width, 3], and for each expression left, top, width and height in pixels.
    """
    sprites = [fit(picture, side=assets.side) for picture in portraits.pictures]
    height, width = sprites[0].shape[:2]
    columns = min(assets.columns, len(sprites))
    corners = [(i % columns * width, i // columns * height) for i in range(len(sprites))]
    sheet = np.full((corners[-1][1] + height, columns * width, 3), 255, np.uint8)
    for sprite, (left, top) in zip(sprites, corners, strict=True):
        sheet[top : top + height, left : left + width] = sprite
    places = zip(portraits.names, corners, strict=True)
    return sheet, {name: [*corner, width, height] for name, corner in places}


def overview(character: Character) -> np.ndarray:
    """A sheet for people: the steps above, the expressions below, with captions."""
    side, portraits = character.assets.side, character.portraits
    steps = [fit(state.picture, side=side) for state in character.states.values()]
    sprites = [fit(picture, side=side) for picture in portraits.pictures]
    rows = [strip([step], [name]) for name, step in zip(character.states, steps, strict=True)]
    tallest = max(len(row) for row in rows)
    rows = [np.pad(x, ((tallest - len(x), 0), (0, 4), (0, 0)), constant_values=255) for x in rows]
    return stack_strips([np.concatenate(rows, axis=1), strip(sprites, portraits.names)])


def _write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    try:
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise FileFormatError(f"{path}: {reason}; choose another folder") from error


def _write_codes(folder: pathlib.Path, character: Character) -> dict[str, dict[str, Any]]:
    """Writes every code beside its picture; gives shapes and digests by file."""
    codes = {f"steps/{name}": state.code for name, state in character.states.items()}
    codes |= {f"steps/{name}.donor": state.donor for name, state in character.states.items()}
    codes |= {f"portraits/{name}": code for name, code in character.portraits.codes.items()}
    found = {}
    for name, code in codes.items():
        if code is not None:
            path = folder / f"{name}.npy"
            save_codes(path, code[None])
            found[f"{name}.npy"] = {"shape": [1, *code.shape], "sha256": sha256(path)}
    return found


def write_character(folder: pathlib.Path, character: Character) -> None:
    """Writes the assets of a character; files of the same names are replaced.

    steps/1-draw.png and so on, the character after each step, with its code [1, L, W] as .npy and
    what it took rows from as .donor.npy; portraits/NAME.png and .npy, likewise; sprites.png, the
    portraits without gaps; expressions.gif, if there are several; overview.png, all with captions;
    and character.json, which says where everything comes from and where it is.

    Args:
        folder: It is made.
        character: Of `Workshop.make`.

    Raises:
        SfeError: If a file cannot be written.
    """
    portraits, assets = character.portraits, character.assets
    for name, state in character.states.items():
        save_image(folder / "steps" / f"{name}.png", state.picture)
    for name, picture in zip(portraits.names, portraits.pictures, strict=True):
        save_image(folder / "portraits" / f"{name}.png", picture)
    sheet, places = sprite_sheet(portraits, assets)
    save_image(folder / "sprites.png", sheet)
    save_image(folder / "overview.png", overview(character))
    content = {
        **character.facts,
        "sprites": {"file": "sprites.png", "places": places},
        "codes": _write_codes(folder, character),
    }
    if len(portraits.frames):
        frames = [fit(frame, side=assets.side) for frame in portraits.frames]
        write_animation(folder / "expressions.gif", frames, fps=assets.fps)
        timing = {"frames": len(frames), "fps": assets.fps}
        content["animation"] = {"file": "expressions.gif", **timing}
    _write_json(folder / "character.json", content)
