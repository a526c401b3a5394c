"""The pods benchmark: its arithmetic, and real compiles where the compilers are installed."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import jax
import pytest

from benchmarks.pods import compiling
from benchmarks.pods.chips import Chip, chip_of
from benchmarks.pods.compiling import Compiler, batch_per_chip, largest_batch, main
from benchmarks.pods.page import page, section
from benchmarks.pods.results import (
    Cost,
    Question,
    Result,
    read_results,
    step_seconds,
    write_results,
)
from benchmarks.pods.targets import open_pod
from benchmarks.pods.weights import CONFIGS, load_recipe
from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.parallel.mesh import make_mesh

CHIP = Chip("toy", flops=100.0, memory=1000.0, bandwidth=10.0, link=1.0, passes={})

COST = Cost(
    name="phase",
    interval=4,
    steady=True,
    batch=2,
    held=100,
    temp=200,
    flops=300.0,
    passes=2.0,
    accessed=40.0,
    exchanged={"all-reduce": (1, 1), "all-gather": (2, 3)},
    compile_s=0.0,
)


def test_times_are_figures_over_peaks():
    assert COST.times(CHIP) == {"compute": 6.0, "memory": 4.0, "links": 5.0}


def test_phase_is_bound_by_its_longest_time():
    assert COST.bound(CHIP) == ("compute", 6.0)


def test_step_weighs_phases_by_how_often_they_run():
    assert step_seconds([COST, replace(COST, interval=1)], CHIP) == 6.0 / 4 + 6.0


def test_step_leaves_out_phases_that_stop():
    assert step_seconds([COST, replace(COST, steady=False)], CHIP) == 6.0 / 4


def test_largest_batch_lies_on_the_line_through_two_compiles():
    twice = replace(COST, batch=4, temp=300)  # 50 bytes a picture above 100 and 100 held.
    assert largest_batch(COST, twice, CHIP) == (1000 - 100 - 100) // 50


def test_largest_batch_is_none_where_memory_is_too_small():
    twice = replace(COST, batch=4, temp=300)
    assert largest_batch(COST, twice, replace(CHIP, memory=150.0)) == 0


def test_batch_that_takes_no_more_memory_fits_as_the_smaller_does():
    assert largest_batch(COST, replace(COST, batch=4), CHIP) == 4


def test_batch_per_chip_is_at_least_one_where_chips_outnumber_it():
    recipe = load_recipe(CONFIGS / "ffhq1024_editor.py")
    assert batch_per_chip(recipe, 256) == 1
    assert batch_per_chip(recipe, 4) == 2


@pytest.mark.parametrize(
    ("target", "name"), [("v5e:16x16", "v5e"), ("cuda-h100x8", "h100"), ("cuda-h200x1", "h200")]
)
def test_target_names_its_chip(target, name):
    assert chip_of(target).name == name


@pytest.mark.parametrize("target", ["v99:2x2", "cuda-a1x8", "h100:2x2", "cuda-v5ex8"])
def test_unknown_chip_is_refused(target):
    with pytest.raises(OptionError, match="known are"):
        chip_of(target)


def test_more_gpus_than_a_host_has_are_refused():
    with pytest.raises(OptionError, match="1 to 8"):
        open_pod("cuda-h100x16")


def test_missing_plugin_is_answered_with_its_wheels(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match="cuda13-local"):
        open_pod("cuda-h100x8")


@pytest.mark.parametrize("option", ["--target", "--topology"])
def test_target_has_two_spellings(option, capsys):
    assert main(["--config=configs/faces64_gan.py", f"{option}=v99:2x2"]) == 2
    assert "v99:2x2" in capsys.readouterr().err


def test_missing_recipe_is_refused_in_one_line(capsys):
    assert main(["--config=configs/none.py"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


RESULT = Result(
    Question("toy", "0", "float32", "v5e:2x2", 4, 2, "O1", {"jax": "1"}), (COST,), {}, 7
)


def test_results_are_read_as_they_were_written(tmp_path):
    results = {RESULT.question.place: RESULT}
    write_results(tmp_path / "PODS.json", results)
    assert read_results(tmp_path / "PODS.json") == results


@pytest.mark.parametrize("text", ['{"a": 1}', "[" * 100_000])
def test_file_without_results_is_refused(tmp_path, text):
    (tmp_path / "PODS.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"PODS\.json: (does not hold results|is no JSON)"):
        read_results(tmp_path / "PODS.json")


def test_page_says_what_bounds_most_of_a_step():
    slow = replace(COST, name="slow", interval=1, accessed=1e12)
    result = replace(RESULT, costs=(COST, slow))
    assert "| memory (100 %) |" in page({result.question.place: result})


def test_page_says_what_a_phase_needs_that_does_not_fit():
    result = replace(RESULT, refused={"wide": 20 * 2**30})
    assert "wide does not fit: besides what is held it needs 20.00 GiB" in section(result)


class _Refusing:
    """A program that the compiler refuses."""

    def __init__(self, message):
        self.message = message

    def compile(self):
        raise jax.errors.JaxRuntimeError(self.message)


def _refused(message):
    """What a compiler makes of the message with which a phase is refused."""
    phase = SimpleNamespace(name="wide", interval=1, stop=None)
    programs = SimpleNamespace(
        abstract={}, places={}, frozen_places={}, method=SimpleNamespace(frozen={}, phases=[phase]),
        lower=lambda batch: {"wide": _Refusing(message)},
    )  # fmt: skip
    compiler = Compiler(load_recipe(CONFIGS / "faces64_gan.py"), make_mesh(), CHIP)
    with mock.patch.object(compiling, "abstract_programs", return_value=programs):
        return compiler.costs(1)


def test_phase_that_is_too_large_is_kept_with_what_it_needs():
    said = "required for HLO temporaries (1.5K) exceeds available HBM (1K)."
    assert _refused(said) == ([], {"wide": 1536})


def test_other_failures_of_the_compiler_are_not_hidden():
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        _refused("broken")


@pytest.fixture
def compiled(monkeypatch):
    """Batches that were compiled, each in no time, for four chips that need no compiler."""
    counts = []

    def costs(self, count, names=()):
        counts.append(count)
        return [replace(COST, batch=count, temp=100 * count)], {}

    mesh = make_mesh(devices=jax.devices()[:4])
    monkeypatch.setattr(Compiler, "costs", costs)
    monkeypatch.setattr("benchmarks.pods.compiling.open_pod", lambda target: mesh)
    monkeypatch.setattr("benchmarks.pods.compiling.version", lambda name: "1")
    return counts


def _pods(folder, *options):
    arguments = ["--config=configs/ffhq1024_stylegan3.py", "--target=v5e:2x2", *options]
    assert main([*arguments, f"--out={folder / 'PODS.md'}"]) == 0


def test_what_is_known_is_not_compiled_again(compiled, tmp_path):
    _pods(tmp_path)
    _pods(tmp_path)
    assert compiled == [8, 32]


def test_what_is_known_is_compiled_again_when_asked(compiled, tmp_path):
    _pods(tmp_path, "--no-fit")
    _pods(tmp_path, "--no-fit", "--again")
    assert compiled == [8, 8]


def test_another_level_is_compiled(compiled, tmp_path):
    _pods(tmp_path, "--no-fit")
    _pods(tmp_path, "--no-fit", "--level=O1")
    assert compiled == [8, 8]


def test_largest_batch_is_added_to_what_is_known(compiled, tmp_path):
    _pods(tmp_path, "--no-fit")
    _pods(tmp_path)
    assert compiled == [8, 32]


def test_page_keeps_other_recipes_results(compiled, tmp_path):
    _pods(tmp_path)
    _pods(tmp_path, "--config=configs/ffhq1024_stylegan3.py:r")
    text = (tmp_path / "PODS.md").read_text()
    assert "## ffhq1024_stylegan3, " in text
    assert "## ffhq1024_stylegan3_r, " in text


def test_results_that_others_add_meanwhile_stay(compiled, tmp_path, monkeypatch):
    added = {RESULT.question.place: RESULT}
    monkeypatch.setattr(Compiler, "costs", _adding(Compiler.costs, tmp_path / "PODS.json", added))
    _pods(tmp_path, "--no-fit")
    assert RESULT.question.place in read_results(tmp_path / "PODS.json")


def _adding(costs, path, results):
    """`costs`, while another process writes its results."""

    def and_others(*given):
        write_results(path, results)
        return costs(*given)

    return and_others


def test_results_of_other_runs_are_joined(compiled, tmp_path):
    _pods(tmp_path)
    joined = tmp_path / "JOINED.md"
    assert main(["--join", str(tmp_path / "PODS.json"), f"--out={joined}"]) == 0
    assert joined.read_text() == (tmp_path / "PODS.md").read_text()


def _needs(package):
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize(
    "target",
    [
        pytest.param("v5e:2x2", marks=_needs("libtpu")),
        pytest.param("cuda-h100x8", marks=_needs("jax_cuda13_plugin")),
    ],
)
def test_generator_step_compiles_for_chips_that_are_not_there(target):
    arguments = ["--config=configs/faces64_gan.py", f"--target={target}", "--level=O0", "--no-fit"]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.pods", *arguments, "--precision=bfloat16"],
        cwd=CONFIGS.parent,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=1_500,
    )
    assert "all-reduce" in result.stdout
    assert "fits" in result.stdout
