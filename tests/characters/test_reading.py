"""What a recipe may say."""

import pytest

from sfe_jax.characters.checking import check_seed
from sfe_jax.characters.reading import bundled_recipe, read_recipe
from sfe_jax.characters.recipe import Crop, Draw, Expression, Mix, Project
from sfe_jax.core.errors import FileFormatError, OptionError
from tests.characters.recipes import CROP, DRAW, GENERATOR, MIX, PROJECT, WHOLE, recipe

BEGIN = GENERATOR + DRAW


def test_steps_keep_their_order(folder):
    steps = recipe(folder, WHOLE).recipe.steps
    assert [type(step) for step in steps] == [Draw, Mix, Crop, Project]


def test_expressions_keep_their_order(folder):
    assert [*recipe(folder, WHOLE).recipe.expressions] == ["neutral", "happy", "bright", "shy"]


def test_without_expressions_there_is_a_neutral_one(folder):
    assert recipe(folder, BEGIN).recipe.expressions == {"neutral": Expression()}


def test_names_of_files_are_relative_to_the_recipe(folder):
    file = recipe(folder, WHOLE)
    assert file.beside("own.npy") == folder / "own.npy"


def test_the_bundled_recipe_can_be_read():
    assert len(read_recipe(bundled_recipe()).recipe.expressions) > 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = []\n" + GENERATOR, "steps must begin with a draw"),
        (GENERATOR + CROP, "steps must begin with a draw"),
        (BEGIN + DRAW, "steps.2 draws again"),
        (BEGIN + CROP + MIX, "steps.3 mixes a cropped picture; project it before"),
        (BEGIN + CROP + "[expressions]\na = { edits = { x = 1 } }", "expressions change a cropped"),
        (DRAW + "[generators]", "steps.1.generator is 'a'; required is one of `generators`: none"),
        (GENERATOR.replace("tiny", "gone") + DRAW, "generators.a.bundle is 'gone.safetensors'"),
        (BEGIN + MIX.replace("own", "gone"), "steps.2.file is 'gone.npy', which is no file"),
        (BEGIN + MIX + "offset = 1", "steps.2 has file and offset; required is at most one"),
        (BEGIN + "index = 1", "steps.1.index is given without `file`"),
        (BEGIN + "seed = -1", "steps.1.seed is -1; required is a seed"),
        (BEGIN + MIX + "index = -1", "steps.2.index is -1; required is at least 0"),
        (BEGIN + CROP.replace("0.25, ", "0.8, ", 1), "steps.2.box is (0.8, 0.25, 0.75, 0.75)"),
        (BEGIN + CROP.replace("0.75]", "1.5]"), "steps.2.box is (0.25, 0.25, 0.75, 1.5)"),
        (BEGIN + '[[steps]]\ndo = "crop"', "required is one of `box` and `detector`"),
        (BEGIN + CROP + 'detector = "tiny.safetensors"', "one of `box` and `detector`"),
        (BEGIN + CROP + "margin = -0.1", "steps.2.margin is -0.1"),
        (BEGIN + PROJECT.replace("= 2", "= 0"), "steps.2.steps is 0; required is at least 1"),
        (BEGIN + "[expressions]", "expressions is empty"),
        (BEGIN + '[expressions]\n"../x" = {}', "a name in expressions is '../x'; required is"),
        (BEGIN + "[assets]\nframes = 0", "assets.frames is 0"),
        (BEGIN + "[assets]\nside = 100000", "assets.side is 100000; required is at most 4096"),
        (BEGIN + "[assets]\nframes = 1001", "assets.frames is 1001; required is at most 1000"),
        (BEGIN + MIX.replace("own", "x" * 5000), "steps.2.file is 'xxx"),
        (BEGIN + "[assets]\nfps = 60", "assets.fps is 60.0"),
        ("[generators", "is no TOML"),
        ("a = " + "[" * 100_000, "is no TOML"),
    ],
)
def test_an_unusable_recipe_is_refused_by_file_and_key(folder, text, message):
    with pytest.raises(FileFormatError) as caught:
        recipe(folder, text)
    assert str(caught.value).startswith(f"{folder / 'recipe.toml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_refused(folder):
    with pytest.raises(FileFormatError, match=r"gone\.toml: cannot be opened"):
        read_recipe(folder / "gone.toml")


def test_bytes_that_are_no_text_are_refused(folder):
    path = folder / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileFormatError, match=r"bytes\.toml: is no TOML"):
        read_recipe(path)


@pytest.mark.parametrize(("seed", "offset"), [(-1, 0), (2**32, 0), (3, -4), (2**32 - 1, 1)])
def test_a_seed_beyond_its_range_is_refused(folder, seed, offset):
    file = recipe(folder, BEGIN + f"offset = {offset}")
    with pytest.raises(OptionError, match=f"seed {seed} with offset"):
        check_seed(file, seed)
