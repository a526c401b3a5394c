"""A run that may be killed at any moment: `python -m tests.training.killing KIND FOLDER`.

Every batch it reads is a line. Started again, it goes on.
"""

import pathlib
import sys
from dataclasses import dataclass, replace

import jax
import numpy as np

from sfe_jax.data.pipeline import batches
from sfe_jax.training.loop import fit
from sfe_jax.training.start import PlacedBatches
from tests.compiling import quick
from tests.training import games, toys
from tests.training.toys import Pictures, Toy, ToyOptions, one_device, toy_recipe


@dataclass(frozen=True)
class Drawn:
    """A source of 40 pictures."""

    label_size: int = 0

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return {"image": games.pictures(1, seed=index)["image"][0]}

    def name(self, index):
        return str(index)


class Told:
    """Data that says when a batch is read."""

    def __init__(self, data):
        self._data = data

    def __next__(self):
        print("batch", flush=True)
        return next(self._data)

    def go_to(self, step):
        self._data.go_to(step)


def _toy():
    return (
        toy_recipe(total=60, log=7, save=3, evaluate=20),
        Toy(ToyOptions()),
        Pictures(one_device()),
    )


def _gan():
    recipe = replace(toy_recipe(total=80, log=7, save=5), name="gan")
    method = games.game(batch_size=toys.BATCH, r1_interval=4, path_length_interval=0)
    data = batches(Drawn(), batch_size=toys.BATCH, seed=3, mirror=True, threads=2)
    return recipe, method, PlacedBatches(data, one_device())


KINDS = {"toy": _toy, "gan": _gan}


def main(kind, folder):
    recipe, method, data = KINDS[kind]()
    with quick():
        fit(
            recipe,
            method,
            data=Told(data),
            examples=jax.tree.map(np.asarray, next(KINDS[kind]()[2])),
            evaluation=toys.Unseen(one_device()) if kind == "toy" else None,
            mesh=one_device(),
            workdir=folder,
        )


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
