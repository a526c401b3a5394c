import json
import sys
from unittest import mock

import pytest

from benchmarks import faces_table
from benchmarks.faces_table import choose_cases, claims, report, share_of, summarise
from sfe_jax.evaluation.drawn_faces.comparing import Figure
from sfe_jax.evaluation.drawn_faces.moves import Move
from sfe_jax.evaluation.drawn_faces.table import (
    CASES,
    EditCase,
    EditResult,
    FacesOptions,
    FacesResults,
    InversionResult,
)

ORIGIN = {
    "weights": "faces64.safetensors",
    "sha256": "ab12",
    "device": "cpu",
    "python": "3",
    "jax": "0",
    "flax": "0",
    "numpy": "2",
}


def figure(mean):
    return Figure(mean, 0.001)


def inversion(method, l2):
    return InversionResult("plain", method, 9, figure(l2), *[figure(0.5)] * 3)


def edit(name, method, *, l2=0.1, distance=0.1, change=0.2):
    """Others changed by 0.02 and 0.04."""
    others = {"yaw": 0.02, "beard": 0.04}
    return EditResult(
        *("plain", name, method, 9),
        *(figure(0.01), figure(l2), figure(0.9), figure(distance), figure(0.8)),
        *(0.25, figure(change), others),
    )


COMPARED = (edit("smile", "e4e"), edit("smile", "truth", change=0.18))


def results(*, inversions=None, edits=None):
    """SFE six times below e4e, with 95 percent of its changes, and nearer than its first phase."""
    if inversions is None:
        inversions = {"e4e": 0.06, "inverter": 0.012, "sfe": 0.01}
    if edits is None:
        edits = [
            edit("smile", "e4e", l2=0.07, change=0.2),
            edit("smile", "inverter", l2=0.03, distance=0.3, change=0.1),
            edit("smile", "sfe", l2=0.02, distance=0.2, change=0.2),
            edit("age", "e4e", l2=0.09, change=0.1),
            edit("age", "inverter", l2=0.05, distance=0.3, change=0.05),
            edit("age", "sfe", l2=0.04, distance=0.2, change=0.09),
            edit("smile", "truth", change=0.16),
            edit("age", "truth", change=0.1),
        ]
    rows = tuple(inversion(name, l2) for name, l2 in inversions.items())
    options = FacesOptions(count=9, splits=("plain",))
    return FacesResults(options, (Move("smile", 1.5, 0.5),), rows, tuple(edits), 90.0)


def met(found):
    return [claim.met for claim in claims(found, "plain")]


def test_a_share_is_the_change_over_that_of_e4e():
    found = results()
    assert share_of(found, found.edits[5], "e4e") == pytest.approx(0.9)


def test_there_is_no_share_without_e4e():
    row = edit("smile", "sfe")
    assert share_of(results(edits=[row]), row, "e4e") is None


def test_a_summary_is_the_mean_over_edits():
    row = summarise(results(), "plain", "sfe")
    assert row is not None
    assert (row.l2, row.feature_distance, row.change) == pytest.approx((0.03, 0.2, 0.145))
    assert (row.share, row.least_share, row.leak) == pytest.approx((0.95, 0.9, 0.03))
    assert row.of_truth == pytest.approx((0.2 / 0.16 + 0.9) / 2)


def test_a_method_that_was_not_measured_has_no_summary():
    assert summarise(results(), "plain", "psp") is None


def test_claims_are_met_by_figures_that_meet_them():
    assert met(results()) == [True] * 4


def test_a_ratio_below_five_is_said():
    found = results(inversions={"e4e": 0.04, "inverter": 0.012, "sfe": 0.01})
    assert met(found) == [False, True, True, True]
    assert "4.0 times (0.0100 against 0.0400)" in report(found, ORIGIN)


def test_a_share_below_ninety_percent_is_said():
    edits = [*COMPARED, edit("smile", "inverter", l2=0.2, distance=0.2)]
    found = results(edits=[*edits, edit("smile", "sfe", change=0.17)])
    assert met(found) == [True, False, True, True]
    assert "85% on average over edits, 85% at least | **no**" in report(found, ORIGIN)


def test_a_change_smaller_than_the_truth_is_said():
    edits = [edit("smile", "e4e"), edit("smile", "inverter", l2=0.2, distance=0.2)]
    edits = [*edits, edit("smile", "sfe", change=0.19), edit("smile", "truth", change=0.3)]
    assert met(results(edits=edits)) == [True, True, False, True]


@pytest.mark.parametrize("worse", [{"l2": 0.3}, {"distance": 0.3}])
def test_edits_must_be_nearer_in_both_distances(worse):
    edits = [*COMPARED, edit("smile", "inverter", l2=0.2, distance=0.2)]
    assert met(results(edits=[*edits, edit("smile", "sfe", **worse)])) == [True, True, True, False]


@pytest.mark.parametrize("absent", ["e4e", "inverter", "sfe", "truth"])
def test_claims_are_not_made_of_what_was_not_measured(absent):
    full = results()
    found = results(
        inversions={row.method: row.l2.mean for row in full.inversions if row.method != absent},
        edits=[row for row in full.edits if row.method != absent],
    )
    assert claims(found, "plain") == []
    assert "Not measured" in report(found, ORIGIN)


def test_the_page_holds_every_figure():
    page = report(results(), ORIGIN)
    for row in (
        "| plain | SFE | 0.0100 ± 0.0010 | 0.500 ± 0.001 |",
        "| plain | SFE | 0.0300 | 0.2000 | 0.0100 | 0.145 | 95% | 0.030 |",
        "| age | SFE | 9 | 0.0400 ± 0.0010 |",
        "| smile | +1.50 | +0.500 |",
        "SHA-256 `ab12`",
    ):
        assert row in page


def test_all_rows_of_a_table_have_as_many_cells():
    lines = [line for line in report(results(), ORIGIN).splitlines() if line.startswith("|")]
    tables = {line.count("|") for line in lines if "---" in line}
    assert {line.count("|") for line in lines} == tables


def test_known_cases_keep_their_rules_and_others_get_the_usual_one():
    glasses = next(case for case in CASES if case.name == "glasses")
    assert choose_cases(["glasses", "beard"]) == (glasses, EditCase("beard"))


def run(*arguments):
    """The command with the networks left out."""
    with (
        mock.patch.object(sys, "argv", ["faces_table", *map(str, arguments)]),
        mock.patch.object(faces_table, "load_bundle"),
        mock.patch.object(faces_table, "keep_compiled"),
        mock.patch.object(faces_table, "evaluate_faces", return_value=results()) as evaluate,
    ):
        faces_table.main()
    return evaluate.call_args.args[1]


def test_the_command_writes_page_and_figures(tmp_path, capsys):
    weights, out = tmp_path / "w.safetensors", tmp_path / "deep" / "FACES.md"
    weights.write_bytes(b"weights")
    options = run("--weights", weights, "--count", 7, "--edits", "age", "-o", out)
    assert (options.count, options.cases) == (7, (EditCase("age"),))
    assert out.read_text().strip() == capsys.readouterr().out.strip()
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["provenance"]["weights"] == "w.safetensors"
    assert figures["inversions"][2]["l2"] == {"mean": 0.01, "error": 0.001}
    assert figures["claims"]["plain"][0]["met"] is True


@pytest.mark.parametrize(
    ("arguments", "said"), [(("-o", "FACES.txt"), "ending in .md"), (("--seed", 1), "`seed` is 1")]
)
def test_a_wrong_option_is_one_line_and_status_2(capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    line = capsys.readouterr().err
    assert end.value.code == 2
    assert line.startswith("error: ")
    assert said in line
