"""A tiny bundle on disk and recipes for it."""

import dataclasses

import numpy as np

from sfe_jax.characters.reading import read_recipe
from sfe_jax.edits.direction import Direction, Linear, StyleSpace
from sfe_jax.pipelines.bundle import save_bundle
from tests.models.networks import NUM_WS, W, draw
from tests.pipelines.reconstruction import tiny_bundle

GENERATOR = '[generators]\na = { bundle = "tiny.safetensors" }\n'
DRAW = '[[steps]]\ndo = "draw"\ngenerator = "a"\n'
MIX = '[[steps]]\ndo = "mix"\nfile = "own.npy"\nrows = "1,3=0.5"\n'
CROP = '[[steps]]\ndo = "crop"\nbox = [0.25, 0.25, 0.75, 0.75]\nfilter = "nearest"\n'
PROJECT = '[[steps]]\ndo = "project"\ngenerator = "a"\nsteps = 2\n'
EXPRESSIONS = """
[expressions]
neutral = {}
happy = { edits = { smile = 2 } }
bright = { edits = { shine = 5 } }
shy = { mix = [{ file = "own.npy", rows = "4" }], edits = { smile = 1 } }

[assets]
side = 32
columns = 3
frames = 2
"""
WHOLE = GENERATOR + DRAW + MIX + CROP + PROJECT + EXPRESSIONS

SMILE = draw(1, W, seed=5)
OWN = draw(NUM_WS, W, seed=6)


def save_tiny(folder):
    """Writes the tiny bundle, with an edit of W+ and one of StyleSpace, and a stored code."""
    records = (
        Direction("smile", "own", Linear("own/smile", 1.0), -1.5, 3.0, "", "test"),
        Direction("shine", "own", StyleSpace((("b8.conv0", 1),)), None, None, "", "test"),
    )
    arrays = {"own/smile": SMILE}
    bundle = dataclasses.replace(tiny_bundle(), directions=arrays, records=records)
    save_bundle(folder / "tiny.safetensors", bundle)
    np.save(folder / "own.npy", OWN)


def write(folder, text, name="recipe.toml"):
    """Writes a recipe; gives its path back."""
    path = folder / name
    path.write_text(text)
    return path


def recipe(folder, text):
    """A recipe that is read from a file."""
    return read_recipe(write(folder, text))
