"""Photographs with a face whose points are known, for the command line."""

import json

import numpy as np
from PIL import Image

from tests.alignment.pictures import points_in
from tests.cli.running import noise

SIZE = (160, 130)
"""Width and height of the photographs."""

POINTS = points_in((40, 20), side=80, angle=0.2)
"""Of the face in them."""


def photograph(path, *, seed=0, **options):
    """Writes a photograph; gives its path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*SIZE[::-1], 3, seed=seed)).save(path, **options)
    return path


def points_file(path, points=POINTS):
    """Writes points as JSON; gives their path back."""
    path.write_text(json.dumps(np.asarray(points).tolist()))
    return path
