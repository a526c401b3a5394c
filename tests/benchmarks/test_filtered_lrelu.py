from benchmarks.filtered_lrelu import FORMS, Memory, Row, measure_layer, middle_size, page, parse
from benchmarks.measuring.timing import Spread
from sfe_jax.models.alias_free_table import Growth, alias_free_layers

LAYERS = alias_free_layers(Growth(16, 2, 1, margin=2), (3, 3), radial=True)
ROW = Row("L0", "forward", "ours", 1.0, 2.0, 3.0, 1e-6, Spread(0.002, 0.001, 0.003))


def test_forms_agree_forward_and_backward():
    rows = list(measure_layer(LAYERS[0], list(FORMS), batch=2, repeats=1))
    assert [(row.program, row.form) for row in rows] == [
        (program, form) for program in ("forward", "gradient") for form in FORMS
    ]
    assert max(row.error for row in rows) < 1e-5


def test_middle_is_what_downsampling_reads():
    layer = LAYERS[0]
    filtered = middle_size(layer) - len(layer.down_filter) + 1
    assert -(-filtered // layer.down) == layer.level.size


def test_page_has_a_line_for_every_row():
    text = page([ROW, ROW], [Memory("synthesis", 1.0, 2.0, 3.0, 4.0)], 4, 9)
    assert text.count("| L0 | forward | ours | 2.0 (1.0 to 3.0) | 2.0 | 3.0 | 1.0 |") == 2
    assert "| synthesis | 1.0 | 2.0 | 3.0 | 4.0 |" in text


def test_all_forms_are_measured_against_ours_unless_told_otherwise():
    assert parse([]).forms[0] == "ours"
