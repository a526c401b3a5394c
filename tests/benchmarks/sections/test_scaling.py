"""Weak scaling: its arithmetic, and small runs in one and in two processes."""

import importlib.util
import sys
from dataclasses import replace

import jax
import pytest

from benchmarks.measuring.rows import Options
from benchmarks.pods.chips import chip_of
from benchmarks.pods.compiling import Compiler
from benchmarks.pods.results import Cost, Question, Result, write_results
from benchmarks.pods.targets import open_pod
from benchmarks.pods.weights import CONFIGS, load_recipe
from benchmarks.sections import scaling
from benchmarks.sections.scaling import (
    QUICK,
    ScalingError,
    Spreading,
    measured,
    nearest,
    predict,
    run,
    section,
)
from benchmarks.sections.scaling_worker import SMALL

V5E = chip_of("v5e:2x4")

STEP = Cost(
    name="step",
    interval=1,
    steady=True,
    batch=8,
    held=0,
    temp=0,
    flops=0.1 * V5E.flops,
    passes=1.0,
    accessed=0.4 * V5E.bandwidth,
    exchanged={"all-reduce": (1, int(0.1 * V5E.link / 2))},
    compile_s=0.0,
)
"""Takes 0.4 s of memory, and 0.1 s of links in an endless ring."""

RESULT = Result(
    Question("ffhq256_gan", "0", "bfloat16", "v5e:2x4", 8, 8, "O1", {"jax": "1"}), (STEP,), {}
)


def _predict(result, chips):
    return predict(result, chips, chip=V5E)


def test_chip_alone_waits_for_nothing():
    assert _predict(RESULT, 1)["efficiency"] == 1.0


def test_ring_of_two_sends_half_of_what_an_endless_one_does():
    assert _predict(RESULT, 2)["links ms"] == pytest.approx(50.0)


def test_exchanges_that_are_not_hidden_cost_their_time():
    assert _predict(RESULT, 5)["efficiency"] == pytest.approx(0.4 / 0.48)


def test_hidden_exchanges_cost_nothing_while_the_work_is_longer():
    assert _predict(RESULT, 256)["hidden efficiency"] == 1.0


def test_pictures_a_second_are_those_of_all_chips():
    assert _predict(RESULT, 5)["images/s"] == pytest.approx(8 * 5 / 0.48)


def test_rare_phases_weigh_little():
    rare = replace(RESULT, costs=(STEP, replace(STEP, name="rare", interval=4)))
    assert _predict(rare, 1)["memory ms"] == pytest.approx(500.0)


def test_phases_that_stop_do_not_count():
    stopped = replace(RESULT, costs=(STEP, replace(STEP, name="first", steady=False)))
    assert _predict(stopped, 8) == _predict(RESULT, 8)


def _said(seconds):
    return {"seconds": seconds, "processor_s": 1.0, "pictures": 4, "exchanges": 0, "bytes": 0}


@pytest.fixture
def two_runs(monkeypatch):
    """Runs that take no time; the second is half as fast."""
    said = iter([_said([1.0, 3.0, 2.0]), _said([4.0])])
    monkeypatch.setattr(scaling, "run", lambda where, amount, *, repeats: next(said))


def test_efficiency_is_against_a_device_alone(two_runs):
    rows = list(measured(QUICK, repeats=1))
    assert [row.figures["efficiency"] for row in rows] == [1.0, 0.5]


def _section(monkeypatch, tmp_path, results):
    path = tmp_path / "PODS.json"
    write_results(path, {result.question.place: result for result in results})
    monkeypatch.setattr(scaling, "PODS", path)
    return section(Options(repeats=1, quick=True, originals=None, workdir=tmp_path)).rows


def test_every_size_of_pod_is_predicted(two_runs, monkeypatch, tmp_path):
    rows = _section(monkeypatch, tmp_path, [RESULT])
    sizes = [row.figures["devices"] for row in rows if row.form == "predicted, v6e"]
    assert sizes == list(scaling.CHIPS)


def test_chip_is_predicted_from_its_own_largest_pod_where_one_was_compiled():
    def of(target, chips):
        question = replace(RESULT.question, target=target, chips=chips)
        return replace(RESULT, question=question)

    small, large, other = of("v5e:2x4", 8), of("v5e:4x8", 32), of("v6e:2x4", 8)
    assert nearest([large, small, other], V5E) == [large]
    assert nearest([other], V5E) == [other]


def test_recipe_that_does_not_fit_is_not_predicted(two_runs, monkeypatch, tmp_path):
    rows = _section(monkeypatch, tmp_path, [replace(RESULT, refused={"step": 1})])
    assert "Not compiled yet" in rows[-1].note


def test_failed_process_is_named_with_its_reason(monkeypatch):
    complaint = ["import sys; sys.exit('no devices')"]
    monkeypatch.setattr(scaling, "COMMAND", (sys.executable, "-c", *complaint))
    with pytest.raises(ScalingError, match=r"a process failed \(no devices\)"):
        run(Spreading(2, 1), QUICK, repeats=1)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_step_in_two_processes_exchanges_gradients():
    rows = list(measured(QUICK, repeats=1))
    assert [row.figures["exchanges"] > 0 for row in rows] == [False, True]


@pytest.fixture
def level_of_pods():
    """Programs are compiled as `benchmarks.pods` does it; Adam may mix the types of its counts."""
    level = jax.config.values["jax_optimization_level"]
    jax.config.update("jax_optimization_level", "O1")
    with jax.numpy_dtype_promotion("standard"):
        yield
    jax.config.update("jax_optimization_level", level)


def _compiled(target):
    """The generator's phase of a small StyleGAN2 for TPUs that are not there."""
    recipe = load_recipe(CONFIGS / "faces64_gan.py")
    method = replace(SMALL, channel_base=2048, channel_max=64)
    recipe = replace(recipe, method=method, data=replace(recipe.data, resolution=16))
    recipe = replace(recipe, precision="bfloat16")
    (cost,), _ = Compiler(recipe, open_pod(target), V5E).costs(4, ["generator"])
    return cost


@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")
def test_chips_of_two_pods_do_the_same_work(level_of_pods, monkeypatch):
    monkeypatch.setenv("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    few, many = _compiled("v5e:2x2"), _compiled("v5e:2x4")
    sizes = [sum(size for _, size in cost.exchanged.values()) for cost in (few, many)]
    assert many.flops == pytest.approx(few.flops, rel=0.01)
    assert many.accessed == pytest.approx(few.accessed, rel=0.01)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)
