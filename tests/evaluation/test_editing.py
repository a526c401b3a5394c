import numpy as np
import pytest

from sfe_jax.core.errors import EditError, ImageError
from sfe_jax.evaluation.attributes import AttributeTable
from sfe_jax.evaluation.editing import split_set
from sfe_jax.evaluation.participants import prepare_edit
from sfe_jax.evaluation.recipe import AttributeEdit
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network
from tests.evaluation.pictures import noise_set
from tests.evaluation.stubs import direction


@pytest.fixture
def pictures(tmp_path):
    return noise_set(tmp_path, 6)


def table(*present):
    return AttributeTable(("smile",), np.array(present, bool)[:, None], "anno.txt")


def test_those_without_are_edited_and_those_with_are_the_aim(pictures):
    source, target = split_set(pictures, table(1, 0, 0, 1, 0, 1), "smile", reverse=False)
    assert source.numbers.tolist() == [1, 2, 4]
    assert target.numbers.tolist() == [0, 3, 5]


def test_reversed_edit_takes_the_attribute_away(pictures):
    source, target = split_set(pictures, table(1, 0, 0, 1, 0, 1), "smile", reverse=True)
    assert source.numbers.tolist() == [0, 3, 5]
    assert target.numbers.tolist() == [1, 2, 4]


def test_too_few_pictures_on_a_side_are_named(pictures):
    match = r"anno\.txt: 1 of 6 pictures have 'smile'; required are at least 2 with it and 2"
    with pytest.raises(ImageError, match=match):
        split_set(pictures, table(1, 0, 0, 0, 0, 0), "smile", reverse=False)


# Strengths.


def bundle_with(**ends):
    """A generator, of which the shapes alone count, and a direction."""
    module = Generator(channels=(8, 8), z_dim=4, w_dim=4, mapping_layers=1)
    vector = np.ones((module.num_ws, module.w_dim), np.float32)
    records = (direction("smile", **ends),)
    return Bundle({"generator": Network(module, {})}, {"fitted/smile": vector}, records=records)


@pytest.mark.parametrize(("reverse", "strength"), [(False, 3.0), (True, -1.5)])
def test_strength_is_the_end_of_the_measured_range(reverse, strength):
    wanted = AttributeEdit("smile", "smile", reverse=reverse)
    bundle = bundle_with(low=-1.5, high=3.0)
    assert prepare_edit(bundle, wanted, ()).strength == strength


def test_strength_of_the_recipe_comes_first():
    wanted = AttributeEdit("smile", "smile", 0.25)
    assert prepare_edit(bundle_with(), wanted, ()).strength == 0.25


def test_edit_without_a_range_needs_a_strength():
    bundle = bundle_with(low=None, high=None)
    with pytest.raises(EditError, match="`smile` has no measured range; give its strength"):
        prepare_edit(bundle, AttributeEdit("smile", "smile"), ())


@pytest.mark.parametrize(("reverse", "folder"), [(False, "smile+"), (True, "smile-")])
def test_folder_of_an_edit_says_its_side(reverse, folder):
    edit = AttributeEdit("smile", "smile", reverse=reverse)
    assert (edit.folder, edit.heading) == (folder, folder)
