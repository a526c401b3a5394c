from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.pods.weights import CONFIGS, load_recipe
from sfe_jax.core.errors import EditError, OptionError
from sfe_jax.edits.operands import apply_to_ws, select
from sfe_jax.pipelines.random_bundle import random_directions
from sfe_jax.training.edits import SFE_EDITS, build_edit_table, without_mappers
from sfe_jax.training.recipe import Setting
from tests.compiling import jit

ROWS, W = 10, 8
MAPPED = {"afro", "angry", "purple_hair", "bobcut", "bowlcut", "mohawk"}
EDITS = {"age": (5.0,), "afro": (0.07,), "purple_hair": (0.12,)}


@pytest.fixture(scope="module")
def generator():
    sizes = {"num_ws": ROWS, "w_dim": W, "style_channels": {"b4.conv1": 5}}
    return SimpleNamespace(code_sizes=sizes)


@pytest.fixture(scope="module")
def setting():
    return Setting(
        resolution=64,
        channels=3,
        label_size=0,
        batch_size=8,
        precision="float32",
        network=lambda role: pytest.fail(f"{role} was read"),
        directions=random_directions(ROWS, W, rng=np.random.default_rng(0)),
    )


@pytest.fixture(scope="module")
def table(setting, generator):
    return build_edit_table(EDITS, setting, generator)


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(1).standard_normal((16, ROWS, W)).astype(np.float32)


def _edited(table):
    """A program from frozen networks and codes to drawn edits of the codes, and their strengths."""

    def edit(frozen, codes):
        operands, strength = table.with_networks(frozen).draw(jax.random.key(0), len(codes))
        return apply_to_ws(codes, operands, strength), strength

    return jit(edit)


def test_drawn_edits_with_and_without_mappers_are_each_their_own(table, codes):
    edited, strength = _edited(table)(table.frozen, codes)
    apply = jit(apply_to_ws)
    for number, (listed,) in enumerate(EDITS.values()):
        drawn = np.isclose(strength, listed)
        assert drawn.any()
        operands = select(table.operands, jnp.full(len(codes), number))
        expected = apply(codes, operands, strength)
        np.testing.assert_allclose(edited[drawn], expected[drawn], rtol=2e-6, atol=2e-6)


def test_mappers_are_read_from_what_is_frozen(table, codes):
    """With networks of zeros a program moves no code by a mapper."""
    nothing = jax.tree.map(jnp.zeros_like, table.frozen)
    edited, strength = _edited(table)(nothing, codes)
    np.testing.assert_array_equal(edited[strength < 1], codes[strength < 1])


def test_table_without_mappers_freezes_nothing(setting, generator):
    assert build_edit_table({"age": (5.0,)}, setting, generator).frozen == {}


def test_missing_mapper_is_named_with_the_recipe_that_needs_none(setting, generator):
    bare = replace(setting, directions={})
    with pytest.raises(EditError, match=r"needs the file afro\.pt, .*editor\.py:without_mappers"):
        build_edit_table({"afro": ()}, bare, generator)


def test_published_edits_are_thirteen_of_which_six_have_mappers():
    assert len(SFE_EDITS) == 13
    assert SFE_EDITS.keys() - without_mappers(SFE_EDITS).keys() == MAPPED


@pytest.mark.parametrize(("variant", "left_out"), [("", set()), (":without_mappers", MAPPED)])
def test_recipe_draws_the_published_edits(variant, left_out):
    recipe = load_recipe(f"{CONFIGS / 'ffhq1024_editor.py'}{variant}")
    assert recipe.method.edits.keys() == SFE_EDITS.keys() - left_out


def test_recipe_refuses_another_list():
    with pytest.raises(OptionError, match="edits 'few'; required is all or without_mappers"):
        load_recipe(f"{CONFIGS / 'ffhq1024_editor.py'}:few")
