"""From a recipe to a run: processes, mesh, data, method, loop."""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from clu import parameter_overview
from jax.sharding import Mesh

from sfe_jax.core.cache import keep_compiled
from sfe_jax.core.errors import OptionError
from sfe_jax.data.face_stream import FaceStream
from sfe_jax.data.faces_builder import FacesOptions
from sfe_jax.data.opening import open_pairs, open_source
from sfe_jax.data.pictures import Form
from sfe_jax.data.pipeline import Batches as LocalBatches
from sfe_jax.data.pipeline import batches, one_pass
from sfe_jax.data.sources import Source, label_size
from sfe_jax.parallel.mesh import batch_sharding, data_shard, global_batch, make_mesh
from sfe_jax.parallel.processes import initialize
from sfe_jax.pipelines.bundle import Bundle, load_bundles
from sfe_jax.training.loop import EXAMPLES, Batches, fit, local_batch_size
from sfe_jax.training.method import Batch, Method, abstract_state
from sfe_jax.training.recipe import (
    DataOptions,
    Recipe,
    Setting,
    check_recipe,
    condition_channels,
    describe,
)

DRAWN = "faces:stream"
"""Source of faces that are drawn on the devices as they are needed."""


def _form(options: DataOptions) -> dict[str, Any]:
    """Fields of a `Form`: what pictures become."""
    return {
        "resolution": options.resolution,
        "channels": options.channels,
        "transform": options.transform,
        "resize_filter": options.resize_filter,
    }


def _reading(options: DataOptions) -> dict[str, Any]:
    """Arguments of the pipelines that say how pictures are read."""
    return {**_form(options), "threads": options.threads, "strict": options.strict}


def open_data(options: DataOptions) -> Source:
    """The source that a recipe names; procedural faces are drawn if they are not there yet."""
    if options.condition:
        form = Form(**_form(options))
        return open_pairs(
            options.source, options.condition, channels=options.condition_channels, form=form
        )
    faces = None
    if options.source == "faces":
        faces = FacesOptions(
            resolution=options.resolution,
            count=options.count,
            split=options.split,
            seed=options.seed,
        )
    return open_source(options.source, data_dir=options.data_dir or None, faces=faces)


def _filled(
    batches: Iterator[Mapping[str, Any]], *, batch_size: int, count: int
) -> Iterator[Mapping[str, Any]]:
    """`count` batches of `batch_size`, as every process must have as many.

    Where pictures could not be read, a batch repeats its own, and a missing one is the one before.
    """
    batch: Mapping[str, Any] = {}
    for _ in range(count):
        batch = next(batches, batch)
        rows = np.arange(batch_size) % len(batch["image"])
        yield {name: array[rows] for name, array in batch.items()}


@dataclass(frozen=True)
class UnseenBatches:
    """The same batches of a source, in order, at every pass."""

    source: Source
    options: DataOptions
    batch_size: int  # Of this process.
    count: int  # Batches of a pass.
    shard: tuple[int, int]  # Index and count of the parts of the data.

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        index, parts = self.shard
        whole = one_pass(
            self.source,
            batch_size=self.batch_size,
            shard_index=index,
            shard_count=parts,
            **_reading(self.options),
        )
        return _filled(whole, batch_size=self.batch_size, count=self.count)


def _unseen(recipe: Recipe, mesh: Mesh) -> UnseenBatches | None:
    """Batches of the evaluation data, all of the same size; None if there are none."""
    options = recipe.evaluation_data
    if options is None:
        return None
    batch_size = local_batch_size(recipe, mesh)
    source = open_data(options)
    count = min(recipe.schedule.evaluated, len(source)) // recipe.batch_size
    if not count:
        raise OptionError(
            f"evaluation data of {len(source)} pictures; required is a batch of "
            f"{recipe.batch_size} at least"
        )
    return UnseenBatches(source, options, batch_size, count, data_shard(mesh))


@dataclass(frozen=True)
class PlacedBatches:
    """Batches of this process as parts of global ones."""

    batches: LocalBatches
    mesh: Mesh

    def __next__(self) -> dict[str, jax.Array]:
        return global_batch(self.mesh, next(self.batches))

    def go_to(self, step: int) -> None:
        """Makes the batch of `step`, from 0 on, the next one."""
        self.batches.go_to(step)


def _example_count(batch_size: int) -> int:
    """Pictures for the grids: a multiple of the batch, so that devices share it."""
    return -(-EXAMPLES // batch_size) * batch_size


def _drawn_streams(recipe: Recipe, mesh: Mesh) -> tuple[Batches, Batch, int]:
    """Faces drawn on the devices, a batch of others, and no labels."""

    def stream(batch_size: int, seed: int) -> FaceStream:
        return FaceStream(
            batch_size=batch_size,
            resolution=recipe.data.resolution,
            seed=seed,
            split=recipe.data.split,
            sharding=batch_sharding(mesh),
        )

    examples = next(stream(_example_count(recipe.batch_size), recipe.data.seed + 1))
    return stream(recipe.batch_size, recipe.data.seed), examples, 0


def _open_streams(recipe: Recipe, mesh: Mesh) -> tuple[Batches, Batch, int]:
    """Batches to train on, a batch for the grids, and the size of the labels."""
    options = recipe.data
    if options.source == DRAWN and not options.condition:
        return _drawn_streams(recipe, mesh)
    source = open_data(options)
    index, parts = data_shard(mesh)
    shared: dict[str, Any] = {"shard_index": index, "shard_count": parts, **_reading(options)}
    local = local_batch_size(recipe, mesh)
    count = _example_count(recipe.batch_size) // parts
    examples = next(batches(source, batch_size=count, seed=recipe.seed + 1, **shared))
    shared["neighbours"] = options.neighbours
    data = batches(source, batch_size=local, seed=recipe.seed, mirror=options.mirror, **shared)
    return PlacedBatches(data, mesh), global_batch(mesh, examples), label_size(source)


def label_count(recipe: Recipe) -> int:
    """Size of the labels of a recipe's data; 0 if they are not used."""
    return label_size(open_data(recipe.data)) if recipe.data.labels else 0


def build_method(recipe: Recipe, weights: Bundle, *, labels: int) -> Method:
    """The method of a recipe.

    Args:
        recipe: Any.
        weights: Holds the networks that stay frozen, and edits.
        labels: Size of the labels of its data; 0 for none.

    Raises:
        OptionError: If labels are to be used, but there are none; or conditions of the data, which
            the method does not read.
        WeightsError: If a network is missing.
    """
    if recipe.data.labels and not labels:
        raise OptionError(
            f"`data.labels` is set, but {recipe.data.source} has no labels; required is a source "
            "that has them, such as a folder with dataset.json"
        )
    if recipe.data.condition and not hasattr(recipe.method, "task"):
        raise OptionError(
            f"`data.condition` is {recipe.data.condition!r}, which this method does not read; only "
            'the task "translate" of pSp does: leave it out'
        )
    setting = Setting(
        resolution=recipe.data.resolution,
        channels=recipe.data.channels,
        label_size=labels if recipe.data.labels else 0,
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        network=weights.network,
        directions=weights.directions,
        records=weights.records,
        condition_channels=condition_channels(recipe.data),
    )
    return recipe.method.build(setting)


def describe_run(recipe: Recipe) -> str:
    """The resolved recipe and the sizes of its networks; nothing is drawn or trained."""
    check_recipe(recipe)
    method = build_method(recipe, load_bundles(recipe.weights), labels=label_count(recipe))
    state = abstract_state(method)
    lines = [json.dumps(describe(recipe), indent=2)]
    for role, variables in {**state.networks, **method.frozen}.items():
        count = int(parameter_overview.count_parameters(variables["params"]))
        lines.append(f"{role}: {count:,} parameters")
    return "\n".join(lines)


def train(recipe: Recipe, workdir: str | os.PathLike[str]) -> pathlib.Path | None:
    """Trains from a recipe, or goes on.

    Args:
        recipe: Any.
        workdir: Folder of the run.

    Returns:
        The bundle of trained networks, or None if the run was asked to stop before its end.

    Raises:
        SfeError: If the recipe, the data or a bundle cannot be used, or a loss is not finite.
    """
    # Processes and mesh.
    check_recipe(recipe)
    initialize()
    keep_compiled()
    mesh = make_mesh(data=recipe.mesh.data, model=recipe.mesh.model)

    # Data and method.
    data, examples, labels = _open_streams(recipe, mesh)
    method = build_method(recipe, load_bundles(recipe.weights), labels=labels)

    # Loop.
    return fit(
        recipe,
        method,
        data=data,
        examples=examples,
        evaluation=_unseen(recipe, mesh),
        mesh=mesh,
        workdir=workdir,
    )
