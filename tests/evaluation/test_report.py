import pytest

from sfe_jax.evaluation.measuring import SECONDS, Measured, high_is_good
from sfe_jax.evaluation.report import (
    edit_lines,
    metric_lines,
    metric_provenance,
    page,
    standing,
    warning_lines,
)
from sfe_jax.metrics.results import Result


def measured(metric="FID", value=3.5, *, evaluator="inversion", method="sfe", edit="", **changes):
    given = {"count": 100, "dtype": "float32", "seconds": 1.5, "weights": "abc" * 9}
    given |= {"network": "def" * 9, "resize": "none", **changes}
    return Measured(evaluator, method, Result(metric, value, **given), edit)


FOUND = [
    measured("L2", 0.00123456),
    measured("FID", 3.53512, target_count=200, enough=10_000),
    measured("L2", 0.05, method="other"),
    measured("FID", 20.0, evaluator="editing", edit="smile+", target_count=50, enough=10_000),
    measured("FID", 40.0, evaluator="editing", edit="age+", target_count=60, enough=10_000),
    measured(SECONDS, 0.5, evaluator="editing", edit="smile+"),
    measured(SECONDS, 1.5, evaluator="editing", edit="age+"),
]


def test_methods_are_rows_and_what_was_not_measured_is_a_dash():
    assert metric_lines(FOUND[:3]) == [
        "| method | L2 ↓ | FID ↓ |",
        "| --- | --- | --- |",
        "| SFE | 0.001235 | 3.535 |",
        "| other | 0.05 | - |",
    ]


def test_edits_are_columns_with_their_mean():
    assert edit_lines(FOUND[3:], "FID")[0] == "| method | smile+ | age+ | mean |"
    assert edit_lines(FOUND[3:], "FID")[2] == "| SFE | 20 | 40 | 30 |"


@pytest.mark.parametrize(
    ("metric", "good"),
    [("MS-SSIM", True), ("identity (ArcFace)", True), ("EQ-T (dB)", True), ("FID", False)],
)
def test_side_on_which_good_values_lie_is_known(metric, good):
    assert high_is_good(metric) is good


def test_provenance_says_numbers_resize_and_judge():
    assert metric_provenance([FOUND[1]])[2] == (
        "| inversion, FID | 100 against 200 | none | defdefdefdef |"
    )


def test_warning_is_that_of_the_fewest_pictures_for_each_metric():
    (line,) = warning_lines(FOUND)
    assert line.startswith("- FID of 50 pictures depends on their number")
    assert line.endswith("So do 2 other figures of it.")


def test_page_holds_notes_and_pictures():
    text = page(FOUND, {"name": "run", "device": "cpu"}, {"plot.png": "a plot"}, ["left out"])
    for line in ("# run", "- device: cpu", "- left out", "![a plot](plot.png)", "## Editing"):
        assert f"{line}\n" in text


def test_standing_is_of_methods_that_were_measured_in_both():
    assert standing(FOUND, "L2", "FID") == {"sfe": (0.00123456, 30.0, 1.0)}


def test_infinite_value_is_its_name_in_the_log():
    assert measured("EQ-T (dB)", float("inf")).record()["value"] == "inf"
