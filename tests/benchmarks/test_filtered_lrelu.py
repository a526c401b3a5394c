import pytest

from benchmarks.filtered_lrelu import FORMS, faces_layers, measure_layer, page, parse
from sfe_jax.models.alias_free_table import Growth, alias_free_layers

LAYERS = alias_free_layers(Growth(16, 2, 1, margin=2), (3, 3), radial=True)


@pytest.fixture(scope="module")
def rows():
    return list(measure_layer(LAYERS[0], list(FORMS), batch=2, repeats=1))


def test_forms_agree_forward_and_backward(rows):
    assert max(row.figures["error"] for row in rows) < 1e-5


def test_every_form_is_measured_forward_and_backward(rows):
    assert [(row.case, row.form) for row in rows] == [
        (f"{LAYERS[0].name}, {order}", form) for order in ("forward", "gradient") for form in FORMS
    ]


def test_page_has_a_line_for_every_row(rows):
    text = page(rows, 2, 1)
    assert all(f"| {row.case} | {row.form} |" in text for row in rows)


def test_layers_are_those_of_the_recipe():
    names = [layer.name for layer in faces_layers()]
    assert names == ["L0_28_64", "L1_28_64", "L2_44_64", "L3_76_32", "L4_64_16"]


def test_all_forms_are_measured_against_ours_unless_told_otherwise():
    assert parse([]).forms[0] == "ours"
