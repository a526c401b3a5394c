"""The pods benchmark: its arithmetic, and real compiles where the compilers are installed."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.pods import Cost, batch_per_chip, largest_batch, main, step_seconds
from benchmarks.pods_chips import Chip, chip_of
from benchmarks.pods_targets import open_pod
from benchmarks.pods_weights import CONFIGS, load_recipe
from sfe_jax.core.errors import OptionError

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
