import json

import pytest

from sfe_jax.characters import reading
from tests.characters.recipes import DRAW, GENERATOR, WHOLE, save_tiny, write
from tests.cli.running import refused, sfe

pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hero")
    save_tiny(folder)
    return write(folder, WHOLE)


@pytest.fixture(scope="module")
def made(recipe, tmp_path_factory):
    """Two characters."""
    out = tmp_path_factory.mktemp("made")
    assert sfe("character", recipe, "--seeds", "2-3", "-o", out) == 0
    return out


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_every_seed_has_a_folder(made):
    assert {path.name for path in made.iterdir()} == {"character0002", "character0003"}


def test_the_same_seed_gives_the_same_bytes_alone(recipe, made, tmp_path):
    assert sfe("character", recipe, "--seed", 3, "-o", tmp_path) == 0
    assert contents(tmp_path / "character0003") == contents(made / "character0003")


def test_other_seeds_give_other_characters(made):
    first, second = (made / name / "sprites.png" for name in ("character0002", "character0003"))
    assert first.read_bytes() != second.read_bytes()


def test_the_record_does_not_name_folders(recipe, made):
    record = json.loads((made / "character0003" / "character.json").read_text())
    assert record["recipe"]["file"] == "recipe.toml"
    assert str(recipe.parent) not in json.dumps(record)


def test_the_bundled_recipe_is_the_default(recipe, monkeypatch, tmp_path):
    plain = write(recipe.parent, GENERATOR + DRAW, "plain.toml")
    monkeypatch.setattr(reading, "bundled_recipe", lambda: plain)
    assert sfe("character", "-o", tmp_path) == 0
    assert (tmp_path / "character0000" / "portraits" / "neutral.png").is_file()


def test_a_strength_outside_its_range_is_said_once(capsys, recipe, tmp_path):
    text = GENERATOR + DRAW + "[expressions]\nsad = { edits = { smile = -2 } }"
    path = write(recipe.parent, text, "sad.toml")
    assert sfe("character", path, "--seeds", "0-1", "-o", tmp_path) == 0
    assert capsys.readouterr().err.count("outside its documented range") == 1


@pytest.mark.parametrize(
    ("name", "seed"), [("gone.toml", "0"), ("recipe.toml", "x"), ("recipe.toml", 2**32)]
)
def test_an_unusable_argument_is_refused(capsys, recipe, tmp_path, name, seed):
    refused(capsys, "character", recipe.with_name(name), "--seed", seed, "-o", tmp_path)
    assert not list(tmp_path.iterdir())
