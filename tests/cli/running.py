"""Runs the `sfe` command inside the test's own process, and makes pictures for it."""

import sys
from unittest import mock

import numpy as np
from PIL import Image

from sfe_jax.cli.main import main


def sfe(*arguments):
    """Runs `sfe` with arguments; the exit status."""
    with mock.patch.object(sys, "argv", ["sfe", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return end.code
    return 0


def refused(capsys, *arguments):
    """The one line in which `sfe` refuses the arguments, with status 2."""
    status = sfe(*arguments)
    said = capsys.readouterr().err
    lines = said.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert (status, errors) == (2, lines[-1:]), said
    assert "Traceback" not in said
    return errors[0]


def noise(*shape, seed=0):
    """Random levels, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(path, *, seed=0):
    """Writes a picture that fits the small networks; gives its path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(64, 64, 3, seed=seed)).save(path)
    return path


def pixels(path):
    """uint8 [H, W, 3] of a saved picture."""
    return np.asarray(Image.open(path))
