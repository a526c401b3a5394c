import time

import jax.numpy as jnp
import pytest

from benchmarks.measuring.timing import Timing, alternate, best_rate, measure, processors, spread


def test_spread_is_median_and_range():
    values = spread([3.0, 1.0, 8.0])
    assert (values.median, values.least, values.most) == (3.0, 1.0, 8.0)


def test_alternate_runs_turn_by_turn_after_a_warm_up():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    alternate(functions, repeats=2, rest_s=0.0)
    assert calls == ["a", "b"] * 3


def test_alternate_leaves_the_rest_out():
    runs = alternate({"nothing": lambda: None}, repeats=1, rest_s=0.05)
    assert runs["nothing"][0] < 0.05


def test_alternate_counts_the_whole_run():
    runs = alternate({"sleep": lambda: time.sleep(0.02)}, repeats=2, rest_s=0.0)
    assert min(runs["sleep"]) >= 0.02


def test_alternate_counts_by_its_clock():
    ticks = iter(range(9))
    runs = alternate({"a": lambda: None}, repeats=2, rest_s=0.0, clock=lambda: next(ticks))
    assert runs["a"] == [1, 1]


def test_measure_gives_flops_and_result():
    timing, result = measure("square", lambda a: a @ a, jnp.ones((8, 8)), repeats=1)
    assert timing.gflop == pytest.approx(2 * 8**3 / 1e9)
    assert float(result[0, 0]) == 8.0


def test_best_rate_is_of_the_fastest_repeat():
    slow = Timing("slow", 4.0, 0.0, 0.0, 3.0, 2.0, 5.0)
    fast = Timing("fast", 1.0, 0.0, 0.0, 1.0, 0.25, 1.0)
    assert best_rate([slow, fast]) == 4.0


def test_a_process_has_a_processor():
    assert processors() >= 1
