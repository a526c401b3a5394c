import json
from dataclasses import replace

import pytest

from benchmarks.measuring.rows import Row, Section
from benchmarks.report.page import Measured, changes, page, read, rows_table, to_json
from sfe_jax.core.errors import FileFormatError


def row(form, ms, *, spread=0.1, case="blur, forward", note="", **figures):
    times = {"ms": ms, "least ms": ms * (1 - spread), "most ms": ms * (1 + spread)}
    return Row(case, form, {**times, **figures}, note)


WHERE = {"device": "a device", "jax": "0.0"}


def report(*rows):
    return {"operations": Measured(Section("Operations", "How.", rows), WHERE)}


OURS = row("XLA, ours", 4.0, **{"GB moved": 3.0, "kernels": 5, "GB/s": 250.0, "% of roof": 20.0})


def test_json_gives_back_the_report(tmp_path):
    written = report(OURS, Row("all", "CUDA", {}, "No GPU."))
    (tmp_path / "a.json").write_text(to_json(written))
    assert read(tmp_path / "a.json") == written


@pytest.mark.parametrize(
    "content", ["{", "[" * 100_000, "[]", '{"../a": {}}', '{"operations": {}}', '{"operations": 3}']
)
def test_what_is_no_report_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(FileFormatError, match=r"a\.json:? is no (report|JSON)"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize("changes", [{"where": [1]}, {"where": {}}, {"text": 5}, {"rows": "ab"}])
def test_section_of_other_fields_is_refused(tmp_path, changes):
    content = json.loads(to_json(report(OURS)))
    content["operations"] |= changes
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=r"a\.json is no report \(a section lacks"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"case": 5},
        {"figures": [1]},
        {"figures": {"ms": "x"}},
        {"figures": {"ms": True}},
        {"figures": {"ms": 10**400}},
        {"figures": {"ms": 1.0, "least ms": 1.0}},
    ],
)
def test_row_of_other_fields_is_refused(tmp_path, changes):
    content = json.loads(to_json(report(OURS)))
    content["operations"]["rows"][0] |= changes
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=r"a\.json is no report \(a row lacks"):
        read(tmp_path / "a.json")


def test_page_has_every_row():
    rows = [OURS, row("XLA, plain", 8.0), Row("every case", "CUDA, ours", {}, "No GPU.")]
    text = page(report(*rows), {})
    assert all(f"| {each.case} | {each.form} |" in text for each in rows)


def test_page_is_called_after_the_device():
    assert page(report(OURS), {}).startswith("# Speed on a device\n")


def test_page_shows_its_plots():
    assert "![Operations](a.png)" in page(report(OURS), {"operations": ["a.png"]})


def test_a_figure_stands_with_its_range():
    assert "| 4.00 (3.60 to 4.40) |" in rows_table([OURS])[2]


def test_a_change_beyond_the_spread_is_found():
    before, after = report(OURS), report(row("XLA, ours", 6.0))
    (line,) = changes(before, after)
    assert line == "operations: blur, forward, XLA, ours: ms 4.00 -> 6.00 (1.50 times)"


def test_a_change_within_the_spread_is_none():
    assert list(changes(report(OURS), report(row("XLA, ours", 4.6)))) == []


def test_a_program_that_changed_is_found():
    more = {**OURS.figures, "kernels": 6}
    found = list(changes(report(OURS), report(Row(OURS.case, OURS.form, more))))
    assert found == ["operations: blur, forward, XLA, ours: kernels 5.00 -> 6.00 (1.20 times)"]


def test_compile_time_may_vary_by_half():
    before, after = (report(row("a", 1.0, **{"compile s": s})) for s in (10.0, 14.0))
    assert list(changes(before, after)) == []


def test_a_form_that_is_no_longer_timed_is_found():
    after = report(Row(OURS.case, OURS.form, {"error": 1.0}, "Not timed: wrong."))
    assert any(
        "no longer timed. Not timed: wrong." in line for line in changes(report(OURS), after)
    )


def test_new_and_gone_forms_are_found():
    found = list(changes(report(OURS), report(row("PyTorch", 1.0))))
    assert found == [
        "operations: blur, forward, XLA, ours: gone",
        "operations: blur, forward, PyTorch: new",
    ]


def test_sections_that_one_report_lacks_are_not_compared():
    assert list(changes({}, report(OURS))) == []


def test_another_version_is_named():
    before, after = report(OURS), report(OURS)
    after["operations"] = replace(after["operations"], where={**WHERE, "jax": "0.1"})
    assert list(changes(before, after)) == ["operations: measured with jax 0.0 -> 0.1"]
