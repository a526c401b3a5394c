import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.against_torch import (
    CONTESTS,
    ParityError,
    Row,
    compare,
    parse,
    relative_error,
    run,
    surroundings,
    table,
)
from benchmarks.measuring.timing import Spread
from sfe_jax.core.errors import OptionError


def contest(ours, theirs):
    """A contest of two arrays."""
    forms = {"other": lambda: SimpleNamespace(numpy=lambda: theirs, ndim=theirs.ndim)}
    return SimpleNamespace(name="a sum", images=2, gflop=1.0, ours=lambda: ours, theirs=forms)


def test_relative_error_is_of_the_largest_value():
    assert relative_error(np.array([1.0, 4.0]), np.array([1.5, -5.0])) == pytest.approx(9 / 5)


def test_relative_error_is_infinite_without_numbers():
    assert relative_error(np.array([np.nan]), np.array([1.0])) == float("inf")


def test_table_divides_by_pictures():
    times = Spread(0.4, 0.2, 0.8)
    row = Row("edit", 2, 10.0, "PyTorch", 1e-6, times, Spread(1.0, 1.0, 1.0), Spread(2.5, 2, 3))
    text = table([row])
    assert "| 5.0 | PyTorch | 1.0e-06 | 200 (100 to 400) | 500 (500 to 500) |" in text
    assert "**2.50** (2.00 to 3.00)" in text


def test_unknown_contest_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(["--only", "training"])
    assert "generator" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_absent_torch_is_named_with_its_remedy():
    with pytest.raises(OptionError, match=r"torch is not installed.*pip install"):
        run(parse([]))


class TestWithTorch:
    """What needs torch."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch", reason="torch is not installed; the comparison needs it")

    def test_different_results_are_not_timed(self):
        with pytest.raises(ParityError, match=r"a sum: .*differ by 1\.0e-04"):
            compare(contest(np.ones(2), np.array([1.0, 1.0001])), repeats=1, rest_s=0.0)

    def test_equal_results_are_timed(self):
        (row,) = compare(contest(np.ones(2), np.ones(2)), repeats=3, rest_s=0.0)
        assert row.error == 0.0
        assert row.ratio.least <= row.ratio.median <= row.ratio.most

    def test_every_contest_can_be_asked_for(self):
        from benchmarks.torch_reference.contests import BUILDERS

        assert tuple(BUILDERS) == CONTESTS

    def test_versions_are_said(self):
        assert surroundings(2, memory_kept=False)["torch"]

    def test_program_writes_page_and_figures(self, tmp_path):
        out = tmp_path / "TORCH.md"
        run(parse(["--small", "--only", "inception16", "--repeats", "1", "-o", str(out)]))
        assert "FID Inception" in out.read_text()
        assert '"torch_threads"' in out.with_suffix(".json").read_text()
