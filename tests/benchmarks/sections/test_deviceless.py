"""Programs compiled for machines that are not here, where their compilers are installed."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import jax
import pytest

from benchmarks.measuring.rows import Options, Row, Section
from benchmarks.rivals.swapping import swapped
from benchmarks.sections.deviceless import CASES, TPU_FORMS, compile_rows, page, section
from sfe_jax.ops import packing
from sfe_jax.parallel.mesh import make_mesh


@pytest.mark.parametrize("name", CASES)
def test_quick_case_is_small(name):
    _, shapes = CASES[name](quick=True).program(make_mesh(devices=jax.devices()[:1]))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) < 2e7


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("forms", ["tpu_forms", "gpu_forms"])
def test_last_form_takes_no_choice_back(case, forms):
    name, form = list(getattr(case(quick=True), forms).items())[-1]
    assert name.endswith("ours")
    assert not form


def test_form_takes_choice_back_while_it_is_swapped_in():
    with swapped(next(iter(TPU_FORMS.values()))):
        assert not packing.is_thin((8, 64, 64, 32))
    assert packing.is_thin((8, 64, 64, 32))


def test_page_shows_dash_for_figure_that_a_row_lacks():
    rows = Row("case", "a", {"GFLOP": 1234.5, "copies": 0}), Row("case", "b", {"GFLOP": 0.01234})
    lines = page(Section("Title", "Text.", rows)).splitlines()
    assert lines[-2:] == ["| case | a | 1,234 | 0.00 |  |", "| case | b | 0.0123 | - |  |"]


def test_missing_compiler_is_a_row_that_says_so():
    if importlib.util.find_spec("jax_cuda13_plugin"):
        pytest.skip("the compiler for GPUs is installed")
    (row,) = compile_rows("cuda-h100x1", CASES["generator"](quick=True))
    assert not row.figures
    assert "needs" in row.note


COMPILE = """
import json, jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_optimization_level", "O0")
from benchmarks.sections.deviceless import CASES, TPU_FORMS, compile_rows
first, *_, last = TPU_FORMS.items()
rows = compile_rows("v5e:1x1", CASES["generator"](quick=True), forms=dict([first, last]))
print(json.dumps({row.form: row.figures["GB without gaps"] for row in rows}))
"""


@pytest.fixture(scope="module")
def moved():
    """Form -> gigabytes without gaps of a tiny generator; in a process that libtpu has alone."""
    if not importlib.util.find_spec("libtpu"):
        pytest.skip("libtpu is not installed")
    environment = os.environ | {"ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}
    command = [sys.executable, "-c", COMPILE]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_our_form_moves_less_on_tpu(moved):
    assert min(moved, key=moved.get).endswith("ours")


def test_section_leaves_level_of_optimisation_as_it_was():
    before = jax.config.values["jax_optimization_level"]
    section(Options(1, quick=True, originals=None, workdir=pathlib.Path()), targets=())
    assert jax.config.values["jax_optimization_level"] == before
