import re
import subprocess
import sys
import time

import pytest

from sfe_jax.cli.main import COMMANDS
from tests.cli.running import sfe
from tests.conftest import ROOT

QUICK = 2.0
"""Seconds allowed to `sfe --help`; the aim is 0.5, the rest is for noisy machines."""

ASK = (
    "import sys; from sfe_jax.cli.main import main; sys.argv = ['sfe', *sys.argv[1:]]\n"
    "try: main()\n"
    "except SystemExit: sys.exit('jax' in sys.modules)"
)


def ask(*arguments):
    command = [sys.executable, "-c", ASK, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", [("--help",), *((name, "--help") for name in COMMANDS)])
def test_help_answers_without_importing_jax(arguments):
    assert ask(*arguments).returncode == 0


def test_help_is_quick():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        ask("--help")
        times.append(time.perf_counter() - start)
    assert min(times) < QUICK


def test_help_names_every_command(capsys):
    sfe("--help")
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described_in_words(capsys, name):
    """Behind an option's name and values stands text that begins with a letter or a digit."""
    sfe(name, "--help")
    lines = capsys.readouterr().out.splitlines()
    rows = [re.sub(r"[│|]", "", line).rstrip() for line in lines if line.startswith(("│", "|"))]
    text = "\n".join(rows)
    options = re.split(r"\n(?= -)", text)
    for option in (part for part in options if part.strip().startswith("-")):
        words = re.sub(r"\((default|required|repeatable).*", "", option, flags=re.DOTALL)
        described = re.split(r"\s{2,}|\n", words.strip(), maxsplit=1)
        assert len(described) == 2, option
        assert len(described[1].split()) >= 2, option


def test_descriptions_fill_their_lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    sfe("edit", "--help")
    assert "in pixels of the only photograph, turned upright: two eyes" in capsys.readouterr().out


def test_an_unknown_command_gives_status_2(capsys):
    assert sfe("paint") == 2
    assert "paint" in capsys.readouterr().err


def test_missing_weights_option_gives_status_2(capsys):
    assert sfe("invert", "face.png") == 2
    assert "--weights" in capsys.readouterr().err
