"""The folder of assets, made of pictures alone."""

import json

import numpy as np
import pytest
from PIL import Image

from sfe_jax.characters.assets import sprite_sheet, write_character
from sfe_jax.characters.recipe import AssetOptions
from sfe_jax.characters.steps import State
from sfe_jax.characters.workshop import Character, Portraits
from sfe_jax.core.errors import SfeError
from sfe_jax.readers import sha256
from tests.cli.running import noise, pixels

NAMES = ["neutral", "happy", "sad", "shy"]
ASSETS = AssetOptions(side=32, columns=3, frames=2)


@pytest.fixture
def portraits():
    codes = {name: np.full((6, 5), i, np.float32) for i, name in enumerate([*NAMES, "shy.donor1"])}
    return Portraits(NAMES, noise(4, 16, 16, 3), noise(8, 16, 16, 3, seed=1), codes)


@pytest.fixture
def character(portraits):
    code = np.ones((6, 5), np.float32)
    states = {
        "1-draw": State(noise(16, 16, 3), code, None, {}),
        "2-mix": State(noise(16, 16, 3, seed=1), code, 2 * code, {}),
        "3-crop": State(noise(20, 20, 3, seed=2), None, None, {}),
    }
    return Character(3, states, portraits, {"seed": 3}, ASSETS)


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_sprites_stand_without_gaps_where_the_places_say(portraits):
    sheet, places = sprite_sheet(portraits, ASSETS)
    assert sheet.shape == (64, 96, 3)
    for name, picture in zip(NAMES, portraits.pictures, strict=True):
        left, top, width, height = places[name]
        found = sheet[top : top + height, left : left + width]
        np.testing.assert_array_equal(found, picture.repeat(2, axis=0).repeat(2, axis=1))


def test_a_sheet_is_filled_up_with_white(portraits):
    assert (sprite_sheet(portraits, ASSETS)[0][32:, 32:] == 255).all()


def test_a_sheet_is_no_wider_than_its_sprites(portraits):
    assert sprite_sheet(portraits, AssetOptions(side=16, columns=9))[0].shape == (16, 64, 3)


def test_every_picture_has_its_code_beside_it(character, tmp_path):
    write_character(tmp_path, character)
    assert files(tmp_path) == {
        "steps/1-draw.png", "steps/1-draw.npy",
        "steps/2-mix.png", "steps/2-mix.npy", "steps/2-mix.donor.npy",
        "steps/3-crop.png",
        *(f"portraits/{name}.{suffix}" for name in NAMES for suffix in ("png", "npy")),
        "portraits/shy.donor1.npy",
        "sprites.png", "overview.png", "expressions.gif", "character.json",
    }  # fmt: skip


def test_pictures_and_codes_are_those_of_the_character(character, tmp_path):
    write_character(tmp_path, character)
    shown = character.portraits
    np.testing.assert_array_equal(pixels(tmp_path / "portraits" / "sad.png"), shown.pictures[2])
    ws = np.load(tmp_path / "portraits" / "sad.npy")
    np.testing.assert_array_equal(ws, shown.codes["sad"][None])


def test_the_record_names_codes_with_their_digests(character, tmp_path):
    write_character(tmp_path, character)
    record = json.loads((tmp_path / "character.json").read_text())
    written = {name for name in files(tmp_path) if name.endswith(".npy")}
    assert record["codes"].keys() == written
    for name, facts in record["codes"].items():
        assert facts == {"shape": [1, 6, 5], "sha256": sha256(tmp_path / name)}


def test_the_animation_has_every_frame(character, tmp_path):
    write_character(tmp_path, character)
    with Image.open(tmp_path / "expressions.gif") as animation:
        assert (animation.n_frames, animation.size) == (8, (32, 32))


def test_without_frames_there_is_no_animation(character, portraits, tmp_path):
    still = portraits._replace(frames=portraits.frames[:0])
    write_character(tmp_path, Character(3, character.states, still, {}, ASSETS))
    assert "expressions.gif" not in files(tmp_path)
    assert "animation" not in json.loads((tmp_path / "character.json").read_text())


def test_the_same_character_gives_the_same_bytes(character, tmp_path):
    for name in ("a", "b"):
        write_character(tmp_path / name, character)
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_folder_that_cannot_be_written_is_refused(character, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SfeError, match="taken"):
        write_character(tmp_path / "taken", character)
