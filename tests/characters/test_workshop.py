"""Characters made of a tiny generator."""

import numpy as np
import pytest

from sfe_jax.characters.cropping import cut
from sfe_jax.characters.recipe import RecipeFile, Source
from sfe_jax.characters.studio import Studio
from sfe_jax.characters.workshop import Workshop
from sfe_jax.core.errors import EditError, OptionError, SfeError
from sfe_jax.pipelines.generation import Synthesizer
from tests.characters.recipes import (
    CROP,
    DRAW,
    GENERATOR,
    MIX,
    OWN,
    PROJECT,
    SMILE,
    WHOLE,
    recipe,
)
from tests.models.networks import NUM_WS
from tests.pipelines.reconstruction import SIDE, tiny_bundle

BEGIN = GENERATOR + DRAW


pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def workshop(folder):
    return Workshop(recipe(folder, WHOLE))


@pytest.fixture(scope="module")
def character(workshop):
    return workshop.make(3)


@pytest.fixture(scope="module")
def studio():
    return Studio(tiny_bundle(), class_index=None, precision="float32")


@pytest.fixture(scope="module")
def codes_of_seeds():
    return Synthesizer(tiny_bundle()).codes_of_seeds


# Sources.


@pytest.mark.parametrize(
    ("source", "drawn"), [(Source(), 3), (Source(offset=2), 5), (Source(seed=7), 7)]
)
def test_a_source_draws_the_code_of_a_seed(folder, studio, codes_of_seeds, source, drawn):
    origin = studio.open_source(RecipeFile(folder, None), source)
    np.testing.assert_array_equal(origin.code(3), codes_of_seeds([drawn])[0])
    assert origin.facts(3)["seed"] == drawn


def test_psi_zero_gives_the_average(folder, studio):
    origin = studio.open_source(RecipeFile(folder, None), Source(psi=0))
    average = tiny_bundle().network("generator").variables["buffers"]["mapping"]["w_avg"]
    np.testing.assert_allclose(origin.code(3), np.tile(average, (NUM_WS, 1)), rtol=1e-6)


# Steps.


def test_a_drawn_code_is_that_of_the_seed(character, codes_of_seeds):
    np.testing.assert_array_equal(character.states["1-draw"].code, codes_of_seeds([3])[0])


def test_mixed_rows_are_those_of_the_file(character):
    drawn, mixed = (character.states[name].code for name in ("1-draw", "2-mix"))
    expected = drawn.copy()
    expected[1], expected[3] = OWN[1], (drawn[3] + OWN[3]) / 2
    np.testing.assert_allclose(mixed, expected, rtol=1e-6, atol=1e-6)


def test_a_crop_is_as_large_as_the_next_search_needs(character):
    before, after = (character.states[name].picture for name in ("2-mix", "3-crop"))
    expected = cut(before, (4, 4, 12, 12), side=SIDE, filter_name="nearest")
    np.testing.assert_array_equal(after, expected)


def test_a_crop_has_no_code(character):
    assert character.states["3-crop"].code is None


def test_a_search_in_w_gives_equal_rows(character):
    code = character.states["4-project"].code
    assert code.shape == OWN.shape
    assert (code == code[0]).all()


def test_a_picture_of_another_size_is_projected_too(workshop, character):
    crop = character.states["3-crop"]
    larger = crop._replace(picture=crop.picture.repeat(2, axis=0).repeat(2, axis=1))
    search = workshop._opened.stages[-1]
    found = search(larger, 3, lambda *_: None)
    assert found.picture.shape == (SIDE, SIDE, 3)


# Expressions.


def test_a_plain_expression_is_the_last_state(character):
    last = character.states["4-project"]
    np.testing.assert_array_equal(character.portraits.codes["neutral"], last.code)
    np.testing.assert_array_equal(character.portraits.pictures[0], last.picture)


def test_an_edit_moves_the_code_by_its_strength(character):
    codes = character.portraits.codes
    np.testing.assert_allclose(codes["happy"], codes["neutral"] + 2 * SMILE, rtol=1e-5, atol=1e-6)


def test_an_edit_of_styles_changes_the_picture_alone(character):
    codes, pictures = character.portraits.codes, character.portraits.pictures
    np.testing.assert_array_equal(codes["bright"], codes["neutral"])
    assert (pictures[2] != pictures[0]).any()


def test_rows_of_an_expression_are_mixed_before_its_edits(character):
    codes = character.portraits.codes
    np.testing.assert_allclose(codes["shy"][4], OWN[4] + SMILE[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(codes["shy.donor1"], OWN)


def test_the_animation_rests_at_every_expression(character):
    keys = character.portraits.frames[::2].astype(int)
    assert len(keys) == 4
    assert np.abs(keys - character.portraits.pictures).max() <= 1


@pytest.fixture(scope="module")
def cropped(folder):
    """What a recipe makes that ends with a crop and has no expressions."""
    return Workshop(recipe(folder, BEGIN + CROP)).make(0)


def test_a_recipe_may_end_with_a_crop(cropped):
    picture = cropped.states["2-crop"].picture
    np.testing.assert_array_equal(cropped.portraits.pictures, picture[None])
    assert not cropped.portraits.codes


def test_a_single_expression_is_not_animated(cropped):
    assert not len(cropped.portraits.frames)


# The whole.


def test_a_character_does_not_depend_on_those_before(workshop, character):
    workshop.make(8)
    again = workshop.make(3)
    np.testing.assert_array_equal(again.portraits.frames, character.portraits.frames)
    np.testing.assert_array_equal(
        again.states["4-project"].code, character.states["4-project"].code
    )


def test_progress_names_the_steps_and_ends_with_the_units(workshop):
    calls = []
    workshop.make(3, progress=lambda *call: calls.append(call))
    names = list(dict.fromkeys(name for name, _, _ in calls))
    assert names == ["1-draw", "2-mix", "3-crop", "4-project", "expressions"]
    done = [units for _, units, _ in calls]
    assert done == sorted(done)
    assert done[-1] == workshop.units == 6


def test_a_strength_outside_its_range_is_noted(folder):
    text = BEGIN + "[expressions]\nsad = { edits = { smile = -2 } }"
    notes = Workshop(recipe(folder, text)).notes
    assert notes == [
        "warning: strength -2 of edit `smile` is outside its documented range (-1.5 to 3); "
        "expect artefacts"
    ]


def test_a_seed_beyond_its_range_is_refused(workshop):
    with pytest.raises(OptionError, match="seed -1"):
        workshop.make(-1)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (BEGIN + MIX + "index = 1", "steps.2", "`index` is 1; own.npy holds 1 codes"),
        (BEGIN + MIX.replace("1,3", "1,6"), "steps.2", "`rows` has '6=0.5'"),
        (BEGIN + PROJECT + 'distance = "x"', "steps.2", "distance 'x' is unknown"),
        (BEGIN + PROJECT + 'start = "e4e"', "steps.2", "no 'e4e' in this bundle"),
        (BEGIN + CROP.replace("box = [0.25, 0.25, 0.75, 0.75]", 'detector = "tiny.safetensors"'),
         "steps.2", "no 'mtcnn_pnet' in this bundle"),
        (BEGIN.replace("}", ", class_index = 1 }"), "generators.a", "`class_index` is 1; required"),
        (BEGIN.replace("tiny.safetensors", "own.npy"), "generators.a", "not a readable bundle"),
        (BEGIN + MIX.replace("own.npy", "recipe.toml"), "steps.2", "recipe.toml"),
    ],
)  # fmt: skip
def test_what_a_generator_cannot_do_is_refused_before_the_work(folder, text, place, message):
    with pytest.raises(SfeError) as caught:
        Workshop(recipe(folder, text))
    assert str(caught.value).startswith(f"{folder / 'recipe.toml'}: {place}: ")
    assert message in str(caught.value)


def test_an_unknown_edit_is_refused_with_the_nearest(folder):
    text = BEGIN + "[expressions]\nhappy = { edits = { smle = 1 } }"
    with pytest.raises(EditError, match=r"expressions\.happy: edit `smle` is unknown.*smile"):
        Workshop(recipe(folder, text))
