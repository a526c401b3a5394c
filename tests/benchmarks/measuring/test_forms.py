from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measuring.forms import (
    Built,
    Case,
    MissingFormError,
    difference,
    jax_form,
    largest_difference,
    measure_case,
)
from benchmarks.measuring.limits import Limits
from benchmarks.measuring.rows import OURS

LIMITS = Limits(gb_per_s=10.0, gflop_per_s={"float32": 100.0})


def host_form(function, seen=None, library="NumPy"):
    """A form in NumPy that keeps what it was given."""

    def build(example):
        del example

        def run(inputs):
            if seen is not None:
                seen.append(float(inputs[0]))
            return function(inputs)

        return Built(
            library=library,
            prepare=lambda arrays: np.asarray(arrays[0]),
            run=run,
            wait=lambda _: None,
            collect=lambda result: [result],
        )

    return build


def missing(example):
    raise MissingFormError("There is no such thing.")


def failing(example):
    raise RuntimeError("out of memory\nat line 7")


def case(**forms):
    """A doubling in some forms, the first of which is right."""
    return Case(
        name="doubling",
        draw=lambda key: (jax.random.normal(key, (16,)),),
        forms=forms,
        reference=next(iter(forms)),
        tolerance=1e-5,
        number="float32",
        gflop=2.0,
        gigabytes=1.0,
        images=3,
    )


def measure(repeats=2, **forms):
    """Rows by form."""
    found = measure_case(case(**forms), repeats=repeats, limits=LIMITS)
    return {row.form: row for row in found}


@pytest.fixture(scope="module")
def rows():
    return measure(
        right=host_form(lambda x: 2 * x),
        wrong=host_form(lambda x: 2.001 * x),
        nan=host_form(lambda x: x * np.nan),
        missing=missing,
        failing=failing,
    )


def test_a_right_form_is_timed_with_its_range(rows):
    figures = rows["right"].figures
    assert 0 < figures["least ms"] <= figures["ms"] <= figures["most ms"]


def test_a_wrong_form_is_not_timed(rows):
    assert "ms" not in rows["wrong"].figures


def test_a_wrong_form_says_how_wrong(rows):
    assert "differs by 5.0e-04, above 1e-05" in rows["wrong"].note
    assert rows["wrong"].figures["error"] == pytest.approx(5e-4, rel=1e-3)


def test_a_result_that_is_not_finite_is_not_timed(rows):
    assert rows["nan"].note.startswith("Not timed")
    assert not rows["nan"].figures


def test_a_missing_form_says_why(rows):
    assert rows["missing"].note == "There is no such thing."


def test_a_failing_form_says_so_in_one_line(rows):
    assert rows["failing"].note == "Failed: RuntimeError: out of memory"


def test_an_assertion_of_a_form_ends_it_alone():
    def refusing(example):
        raise AssertionError("x must have four axes")

    rows = measure(right=host_form(lambda x: 2 * x), refusing=refusing)
    assert rows["refusing"].note == "Failed: AssertionError: x must have four axes"


@pytest.mark.parametrize(("budget_s", "note"), [(0.0, "Only 1 run, since it is slow."), (60.0, "")])
def test_a_form_that_ended_early_says_so(budget_s, note):
    (row,) = measure_case(
        case(right=host_form(lambda x: 2 * x)), repeats=2, limits=LIMITS, budget_s=budget_s
    )
    assert row.note == note


def test_every_form_has_a_row_in_its_order(rows):
    assert list(rows) == ["right", "wrong", "nan", "missing", "failing"]


def test_rates_are_work_over_time(rows):
    figures = rows["right"].figures
    assert figures["GFLOP/s"] == pytest.approx(2.0 / (figures["ms"] / 1e3))
    assert figures["images/s"] == pytest.approx(3.0 / (figures["ms"] / 1e3))


def test_the_roof_is_the_higher_of_two_floors(rows):
    figures = rows["right"].figures  # A gigabyte at 10 a second, 2 GFLOP at 100 a second.
    assert figures["% of roof"] == pytest.approx(100 * 0.1 / (figures["ms"] / 1e3))


def test_inputs_are_fresh_in_every_turn():
    seen = []
    measure(repeats=3, right=host_form(lambda x: 2 * x, seen))
    assert len(set(seen)) >= 2 + 3  # Compared, warmed up, and three turns.


def test_forms_of_a_turn_take_the_same_inputs():
    ours, theirs = [], []
    forms = {"a": host_form(lambda x: x, ours), "b": host_form(lambda x: x, theirs)}
    measure(repeats=2, **forms)
    assert set(ours) == set(theirs)


def test_a_compiled_form_tells_its_kernels():
    (row,) = measure(ours=jax_form(lambda x: jnp.sin(x) + 1)).values()
    assert row.figures["kernels"] == 1
    assert row.figures["GB moved"] == pytest.approx(2 * 64e-9)


def test_fixed_arguments_come_first():
    form = jax_form(lambda weight, x: weight * x, fixed=(jnp.full((1,), 3.0),))
    built = form((jnp.ones((2,)),))
    assert built.collect(built.run(built.prepare((jnp.ones((2,)),))))[0].tolist() == [3.0, 3.0]


def move(state, x):
    """Two results, in whose place the arguments may have been."""
    return state + x, state - x


def test_donating_form_is_timed_over_more_calls_than_there_are_inputs():
    pool = [(jnp.ones(2),)]
    built = jax_form(move, fixed=(jnp.ones(2),), donate=(0,))(pool[0])
    assert built.seconds(built.prepared(pool, 6), 6) > 0


def test_donating_form_gives_what_others_give():
    forms = [jax_form(move, fixed=(jnp.ones(16),), donate=d) for d in ((), (0,))]
    rows = measure(kept=forms[0], donated=forms[1])
    assert rows["donated"].figures["error"] == 0


def test_what_is_donated_to_one_call_serves_the_next():
    state, x = jnp.ones(2), jnp.ones(2)
    built = jax_form(move, fixed=(state,), donate=(0, 1))((x,))
    first, second = (built.collect(built.run(built.prepare((x,)))) for _ in range(2))
    assert first[0].tolist() == second[0].tolist() == [2.0, 2.0]


def test_donated_argument_is_gone_after_its_call():
    built = jax_form(move, fixed=(jnp.ones(2),), donate=(0,))((jnp.ones(2),))
    inputs = built.prepare((jnp.ones(2),))
    built.wait(built.run(inputs))
    assert [x.is_deleted() for x in inputs] == [True, False]


def test_memory_of_a_donated_argument_counts_once():
    state, x = jnp.ones(1 << 18), jnp.ones(())
    kept, donated = (jax_form(jnp.add, fixed=(state,), donate=d)((x,)) for d in ((), (0,)))
    assert kept.figures["peak MiB"] - donated.figures["peak MiB"] == pytest.approx(1.0)


@pytest.mark.parametrize(("consumes", "counts"), [(False, [2, 3]), (True, [2, 5])])
def test_inputs_are_prepared_for_every_call_if_they_serve_once(consumes, counts):
    built = host_form(lambda x: x)(None)
    built = replace(built, consumes=consumes)
    pool = [(np.full(1, i),) for i in range(3)]
    assert [len(built.prepared(pool, calls)) for calls in (2, 5)] == counts


def test_difference_is_that_of_the_worst_result():
    found = [np.array([3.0, 4.0]), np.array([1.0])]
    assert difference(found, [np.array([3.0, 4.0]), np.array([2.0])]) == 0.5


def test_largest_difference_is_that_of_the_worst_number():
    found = [np.array([1.0, 4.0]), np.array([1.0])]
    assert largest_difference(found, [np.array([1.5, -5.0]), np.array([2.0])]) == 9 / 5


def test_a_case_says_how_results_are_compared():
    forms = {"right": host_form(lambda x: x), "wrong": host_form(lambda x: 2 * x)}
    tolerant = replace(case(**forms), distance=lambda found, expected: 0.0)
    rows = measure_case(tolerant, repeats=1, limits=LIMITS)
    assert all("ms" in row.figures for row in rows)


def test_a_form_beside_ours_has_its_time_over_ours():
    rows = measure(**{OURS: host_form(lambda x: 2 * x), "other": host_form(lambda x: 2 * x)})
    found = [rows["other"].figures[f"{end}times ours"] for end in ("least ", "", "most ")]
    assert found == sorted(found)
    assert "times ours" not in rows[OURS].figures


def test_difference_is_infinite_for_another_shape():
    assert difference([np.ones(2)], [np.ones(3)]) == np.inf
