import math

from benchmarks.measuring.rows import Row
from benchmarks.report.verdicts import against, contests, losses, reasons


def row(form, ms, *, spread=0.1, case="blur, forward", note="", **figures):
    times = {"ms": ms, "least ms": ms * (1 - spread), "most ms": ms * (1 + spread)}
    return Row(case, form, {**times, **figures}, note)


def reader(form, rate):
    return Row("jpeg", form, {"images/s": rate, "least images/s": rate, "most images/s": rate})


OURS = row("XLA, ours", 4.0, **{"GB moved": 3.0, "kernels": 5, "GB/s": 250.0, "% of roof": 20.0})


def test_a_faster_form_is_a_loss():
    found = losses([OURS, row("PyTorch", 2.0)])
    assert any("| blur, forward | PyTorch |" in line and "**2.00**" in line for line in found)


def test_a_faster_form_within_the_spread_is_none():
    (contest,) = contests([OURS, row("PyTorch", 3.7)])
    assert not contest.lost


def test_a_form_that_was_not_timed_is_no_contest():
    assert contests([OURS, Row("blur, forward", "PyTorch", {"error": 1.0})]) == []


def test_reasons_compare_the_bytes_of_compiled_forms():
    (contest,) = contests([OURS, row("plain", 2.0, **{"GB moved": 1.5, "kernels": 2})])
    assert "ours moves 2.00 times their bytes; 5 kernels against 2" in reasons(contest)


def test_reasons_compare_bytes_with_the_least_where_the_other_tells_none():
    (contest,) = contests([OURS, row("PyTorch", 2.0, **{"% of roof": 40.0})])
    assert "ours moves 3.00 times its inputs and results; its kernels: 5" in reasons(contest)
    assert "20 % of the roof against 40 %" in reasons(contest)


def test_mean_over_forms_is_geometric():
    rows = [row("XLA, ours", 1.0), row("other", 2.0)]
    rows += [row("XLA, ours", 1.0, case="b"), row("other", 8.0, case="b")]
    assert f"| other |  | 2 | **{math.sqrt(16):.2f}** | 2.00 | 8.00 | 0 |" in against(rows)


def test_types_of_numbers_are_summed_up_apart():
    rows = []
    for number, theirs in (("float32", 2.0), ("bfloat16", 0.5)):
        case = f"blur, 1x8, {number}, forward"
        rows += [row("XLA, ours", 1.0, case=case), row("other", theirs, case=case)]
    found = [line for line in against(rows) if line.startswith("| other |")]
    assert found == [
        "| other | float32 | 1 | **2.00** | 2.00 | 2.00 | 0 |",
        "| other | bfloat16 | 1 | **0.50** | 0.50 | 0.50 | 1 |",
    ]


def test_reasons_name_a_call_that_is_too_short_to_tell():
    (contest,) = contests([row("XLA, ours", 0.02), row("PyTorch", 0.01)])
    assert reasons(contest) == "a call this short is mostly its start"


def test_readers_are_compared_by_their_rates():
    (contest,) = contests([reader("Grain, 1 thread", 50.0), reader("DataLoader, 1 worker", 100.0)])
    assert contest.lost
    assert contest.ratio == 0.5


def test_readers_of_another_kind_are_no_contest():
    assert contests([reader("Grain, 0 threads", 50.0), reader("DataLoader, 1 worker", 9.0)]) == []


def test_a_wrong_result_of_ours_is_named_among_the_losses():
    wrong = Row("blur, forward", "XLA, ours", {"error": 1.0}, "Not timed: its result differs.")
    found = losses([wrong, row("PyTorch", 2.0)])
    assert "| blur, forward | Not timed: its result differs. |" in found


def test_a_wrong_result_of_another_form_is_no_loss():
    wrong = Row("blur, forward", "PyTorch", {"error": 1.0}, "Not timed: its result differs.")
    assert not any("Not timed" in line for line in losses([OURS, wrong]))
