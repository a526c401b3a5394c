import pytest

from sfe_jax.training import progress
from sfe_jax.training.progress import Report, describe_pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("images", "seconds", "text"),
    [(500, 10.0, "50.0 img/s, 20.00 s/kimg"), (0, 3.0, "starting"), (5, 0.0, "starting")],
)
def test_pace_is_of_images_and_of_thousands(images, seconds, text):
    assert describe_pace(images, seconds) == text


def test_line_says_images_share_pace_and_sorted_figures(clock, capsys):
    with Report("run", done=0, total=4_000) as report:
        clock[0] += 10
        report.log(1_000, {"loss/b": 0.123456, "loss/a": 2.0})
    assert capsys.readouterr().err == (
        "run 1000 images (25%), 100.0 img/s, 10.00 s/kimg: loss/a 2, loss/b 0.1235\n"
    )


def test_pace_leaves_out_what_was_before_the_clock_was_restarted(clock, capsys):
    with Report("run", done=600, total=2_000) as report:
        clock[0] += 1_000  # Compilation.
        report.restart_clock(800)
        clock[0] += 10
        report.log(1_000, {"loss": 1.0})
    assert "(50%), 20.0 img/s" in capsys.readouterr().err


def test_report_of_another_process_says_nothing(capsys):
    with Report("run", done=0, total=10, quiet=True) as report:
        report.advance(5)
        report.log(5, {"loss": 1.0})
        report.say("weights")
    assert capsys.readouterr() == ("", "")
