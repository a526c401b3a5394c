"""Photographs with a face whose points are known, for the command line."""

import json

import numpy as np
from PIL import Image

from sfe_jax.core.errors import ImageError
from sfe_jax.pipelines import alignment
from sfe_jax.pipelines.face_detection import Face
from tests.alignment.pictures import points_in
from tests.cli.running import noise

SIZE = (160, 130)
"""Width and height of the photographs."""

POINTS = points_in((40, 20), side=80, angle=0.2)
"""Of the face in them."""


OTHER = POINTS + np.array([5, 3])
"""Of a second face, which is found in them too."""


def photograph(path, *, seed=0, **options):
    """Writes a photograph; gives its path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*SIZE[::-1], 3, seed=seed)).save(path, **options)
    return path


def points_file(path, points=POINTS):
    """Writes points as JSON; gives their path back."""
    path.write_text(json.dumps(np.asarray(points).tolist()))
    return path


def grey(path):
    """Writes a photograph without a face; gives its path back."""
    Image.new("RGB", SIZE, "grey").save(path)
    return path


def faces_of(photo, name):
    """Two faces; none in photographs that are grey."""
    if np.ptp(photo) == 0:
        raise ImageError(f"{name}: no face is found")
    box = np.array([40.0, 20, 100, 90])
    return [Face(box, POINTS, 0.99), Face(box, OTHER, 0.95)]


def stand_in(monkeypatch):
    """Puts `faces_of` where the networks of a bundle find faces."""
    monkeypatch.setattr(alignment, "open_detector", lambda bundle: None)
    monkeypatch.setattr(alignment, "find_faces", lambda _, photo, name: faces_of(photo, name))
