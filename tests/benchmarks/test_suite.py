import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.__main__ import (
    MODULES,
    check_platforms,
    chosen_sections,
    device_name,
    file_name,
    parse,
    run,
)
from benchmarks.report.page import read
from benchmarks.sections import operation_table, operations
from sfe_jax.core.errors import OptionError

SIZE = (2, 8, 4)


def two_operations(sizes):
    yield operation_table.bias_act(SIZE), "float32"
    yield operation_table.blur(SIZE), "float32"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Reports of two operations, measured twice."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "operations", two_operations)
        run(parse(["operations", "--quick", "--repeats", "2", "-o", str(folder)]))
    return folder


@pytest.fixture
def report(folder):
    (path,) = folder.glob("*-quick.json")
    return path


def test_every_case_is_timed_in_both_forms(report):
    rows = read(report)["operations"].section.rows
    timed = [(row.case, row.form) for row in rows if "ms" in row.figures]
    assert len(timed) >= 2 * 3 * 2
    assert len(set(timed)) == len(timed)


def test_ceilings_are_measured_in_the_same_run(report):
    cases = {row.case for row in read(report)["operations"].section.rows}
    assert {"ceiling, copy", "ceiling, float32 product"} <= cases


def test_page_has_every_row(report):
    text = report.with_suffix(".md").read_text()
    rows = read(report)["operations"].section.rows
    assert all(f"| {row.case} | {row.form} |" in text for row in rows)


def test_page_says_where_we_lose(report):
    text = report.with_suffix(".md").read_text()
    assert re.search(r"In \d+ of \d+ comparisons another form is faster", text)


def test_plots_are_not_empty(report):
    found = list(report.parent.glob("*.png"))
    assert len(found) == 2
    for path in found:
        pixels = np.asarray(Image.open(path))
        assert (pixels < 200).any(axis=2).mean() > 0.005


def test_every_plot_is_shown_on_the_page(report):
    text = report.with_suffix(".md").read_text()
    assert all(f"({path.name})" in text for path in report.parent.glob("*.png"))


def test_figures_say_what_they_depend_on(report):
    where = read(report)["operations"].where
    assert where["device"] == device_name()
    assert where["quick"] is True
    assert where["freed memory"] == "returned"


def test_compare_finds_a_change_that_was_made_up(report, tmp_path, capsys):
    content = json.loads(report.read_text())
    row = next(row for row in content["operations"]["rows"] if "ms" in row["figures"])
    for name in ("ms", "least ms", "most ms"):
        row["figures"][name] *= 100
    (tmp_path / "new.json").write_text(json.dumps(content))
    run(parse(["--compare", str(report), str(tmp_path / "new.json")]))
    (line,) = capsys.readouterr().out.splitlines()
    assert f"{row['case']}, {row['form']}: ms" in line


def test_compare_of_a_report_with_itself_finds_nothing(report, capsys):
    run(parse(["--compare", str(report), str(report)]))
    assert capsys.readouterr().out == "Nothing changed beyond its spread.\n"


def test_page_and_plots_can_be_written_again(report, tmp_path):
    (tmp_path / report.name).write_text(report.read_text())
    run(parse(["--page", str(tmp_path / report.name)]))
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in report.parent.iterdir()}


def test_a_section_that_cannot_be_measured_says_why(tmp_path, monkeypatch):
    def fail(options):
        raise OptionError("the compiler is not installed")

    monkeypatch.setattr(operations, "section", fail)
    run(parse(["operations", "--quick", "-o", str(tmp_path)]))
    (path,) = tmp_path.glob("*.md")
    assert "Not measured: the compiler is not installed." in path.read_text()


def test_unknown_section_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(["training"])
    assert "choose of operations, networks" in capsys.readouterr().err


@pytest.mark.parametrize("sections", [["networks"], ["input", "scaling"]])
def test_originals_are_refused_where_they_do_not_compete(sections, capsys):
    with pytest.raises(SystemExit):
        parse([*sections, "--originals", "stylegan3"])
    assert "--originals needs the section operations" in capsys.readouterr().err


@pytest.mark.parametrize("sections", [[], ["networks", "operations"]])
def test_originals_compete_in_operations(sections):
    assert parse([*sections, "--originals", "stylegan3"]).originals.name == "stylegan3"


def test_only_measures_the_cases_of_that_name(tmp_path):
    case = "minibatch_std, 4x4x4x16, float32, forward"
    run(parse(["--quick", "--repeats", "1", "--only", case, "-o", str(tmp_path)]))
    (path,) = tmp_path.glob("*-some-cases-quick.json")
    (measured,) = read(path).values()
    assert {row.case for row in measured.section.rows if "ms" in row.figures} == {case}
    assert measured.where["only"] == case


@pytest.mark.parametrize(
    ("only", "sections"),
    [(["FID"], ["networks"]), (["FID", "blur"], ["operations", "networks"])],
)
def test_only_chooses_the_sections_that_have_such_cases(only, sections):
    assert chosen_sections(parse(["--quick", "--only", *only])) == sections


def test_only_without_a_case_is_refused_with_what_there_is():
    with pytest.raises(OptionError, match=r"--only is 'nonsense'; .*begin with StyleGAN2 64"):
        chosen_sections(parse(["networks", "--quick", "--only", "FID", "nonsense"]))


def test_only_is_refused_for_sections_without_cases(capsys):
    with pytest.raises(SystemExit):
        parse(["networks", "scaling", "--only", "FID"])
    assert "not of scaling" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "a-chip-3"),
        (["--memory", "returned"], "a-chip-3-memory-returned"),
        (["--only", "FID", "--quick"], "a-chip-3-some-cases-quick"),
    ],
)
def test_reports_that_do_not_compare_have_files_of_their_own(arguments, name):
    assert file_name("A (chip) 3", parse(arguments)) == name


def test_platforms_without_the_processor_are_refused_with_the_remedy():
    with pytest.raises(OptionError, match=r"JAX_PLATFORMS is cuda; .* set it to cuda,cpu"):
        check_platforms("cuda")


@pytest.mark.parametrize("platforms", [None, "", "cpu", "tpu,cpu"])
def test_platforms_with_the_processor_are_taken(platforms):
    check_platforms(platforms)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("--quick", "--compare OLD.json", *MODULES))
