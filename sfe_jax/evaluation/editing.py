"""How natural edits are: the distance of edited pictures from those that have what they were given.

A labelled set is split by an attribute. The pictures without it are edited, and compared, as a set,
with the pictures that have it. Beside the participants stands `unedited`: the pictures without it
as they are, whose distance an edit has to lower.

Source: SFE (arXiv:2406.10601), section 4.2 and table 1; StyleFeatureEditor
scripts/fid_calculation.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.edits.catalogue import CARS, FACES
from sfe_jax.evaluation.attributes import AttributeTable, read_annotation, read_labels
from sfe_jax.evaluation.extraction import SetReading
from sfe_jax.evaluation.inversion import Stopwatch, provenance, seconds_result
from sfe_jax.evaluation.measuring import Measured, Setup
from sfe_jax.evaluation.participants import Edit, Participant, prepare_edit
from sfe_jax.evaluation.recipe import AttributeEdit
from sfe_jax.evaluation.sets import Batch, PictureSet
from sfe_jax.metrics.results import Result

UNEDITED = "(unedited)"
"""Stands in tables for the pictures as they were."""

FEWEST = 2
"""Pictures on either side, below which there is no covariance."""

CATALOGUES = {"faces": FACES, "cars": CARS}
"""Published edits by domain."""


@dataclass(frozen=True)
class Task:
    """An edit with the pictures that it is measured on."""

    heading: str  # In tables.
    edit: Edit
    source: PictureSet  # Pictures to be edited: they lack what the edit gives.
    target: PictureSet  # Pictures that have it.


def read_attributes(setup: Setup) -> AttributeTable:
    """The attributes of the pictures, from the recipe's file or from what the source knows.

    Raises:
        FileFormatError: If the file cannot be used, or lacks a picture.
        OptionError: If there is neither.
    """
    options = setup.recipe.data
    if options.annotation:
        return read_annotation(options.annotation, setup.pictures)
    return read_labels(setup.pictures, options.label_names)


def split_set(
    pictures: PictureSet, table: AttributeTable, attribute: str, *, reverse: bool
) -> tuple[PictureSet, PictureSet]:
    """The pictures to edit, and those that they should become like.

    Args:
        pictures: All.
        table: Of their attributes.
        attribute: Which one divides them.
        reverse: Whether those that have it are edited.

    Raises:
        OptionError: If the attribute is unknown.
        ImageError: If a side has fewer than 2 pictures.
    """
    has = table.has(attribute)
    if min(has.sum(), (~has).sum()) < FEWEST:
        raise ImageError(
            f"{table.where}: {has.sum()} of {len(has)} pictures have {attribute!r}; required are "
            f"at least {FEWEST} with it and {FEWEST} without: use more pictures"
        )
    chosen = has if reverse else ~has
    return pictures.subset(pictures.numbers[chosen]), pictures.subset(pictures.numbers[~chosen])


def prepare_task(setup: Setup, table: AttributeTable, wanted: AttributeEdit) -> Task:
    """Makes an edit of a recipe ready.

    Raises:
        EditError: If the edit is unknown or does not fit the generator.
        OptionError: If the domain or the attribute is unknown.
        ImageError: If too few pictures have the attribute, or lack it.
    """
    domain = setup.recipe.editing.domain
    if domain not in CATALOGUES:
        raise OptionError(
            f"`editing.domain` is {domain!r}; required is one of {', '.join(CATALOGUES)}"
        )
    source, target = split_set(setup.pictures, table, wanted.attribute, reverse=wanted.reverse)
    edit = prepare_edit(setup.bundle, wanted, CATALOGUES[domain])
    return Task(wanted.heading, edit, source, target)


def edit_all(setup: Setup, participant: Participant, task: Task) -> tuple[SetReading, Stopwatch]:
    """Edits all pictures of a task, batch by batch."""
    collector, stopwatch = setup.collector(), Stopwatch()

    def work(batch: Batch) -> np.ndarray:
        return participant.edit(batch, task.edit)

    for batch in setup.batches(task.source, f"{participant.name}: {task.heading}"):
        collector.add(Batch(batch.numbers, stopwatch.run(work, batch)))
    return collector.finish(), stopwatch


def measure_task(setup: Setup, participants: Sequence[Participant], task: Task) -> None:
    """Measures one edit of all participants that have it."""

    def keep(method: str, *results: Result) -> None:
        setup.log.add(*(Measured("editing", method, x, task.heading) for x in results))

    target = setup.real(task.target, f"reading pictures for {task.heading}")
    source = setup.real(task.source, f"reading pictures without {task.heading}")
    keep(UNEDITED, setup.frechet(target, source, weights="", dtype="", seconds=source.seconds))
    for participant in participants:
        if not participant.offers(task.edit.folder):
            continue
        shown, stopwatch = edit_all(setup, participant, task)
        about = provenance(participant, shown.seconds)
        keep(participant.name, setup.frechet(target, shown, **about))
        if participant.timed:
            keep(participant.name, seconds_result(stopwatch, participant, len(task.source)))


def evaluate_editing(setup: Setup, participants: Sequence[Participant]) -> None:
    """Measures all edits of a recipe.

    Args:
        setup: Of the run, whose log gets the figures.
        participants: Who edits; of a folder, only the edits that it has.

    Raises:
        SfeError: If an edit, an attribute or a picture cannot be used.
    """
    table = read_attributes(setup)
    # All are made ready before the first one takes its time.
    tasks = [prepare_task(setup, table, wanted) for wanted in setup.recipe.editing.edits]
    for task in tasks:
        measure_task(setup, participants, task)
