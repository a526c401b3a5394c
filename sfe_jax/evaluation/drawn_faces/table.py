"""What a method does with procedural faces that it has not seen, where the truth can be drawn.

**Inversion.** Faces are inverted and shown again, and compared with themselves.

**Edits.** For each attribute the strength is found at which the generator's own faces move by a
quarter of its range (by 0.85 for glasses, which are on or off). Unseen faces that can move by as
much, up or down, are edited with it by every method, and compared with the true edit: the same
face, drawn with the attribute's value changed. Beside the methods stand two that bound them:
`unedited`, the face as it was, and `truth`, the true edit. As the distance to the true edit holds
the error of the inversion too, the change alone is compared as well: a method that changes the
wrong pixels is worse there than `unedited`.

The faces of both splits are the same people with the same attributes; only the details differ.
Pictures are not rounded to 8 bits; what methods show is clipped to [-1, 1].
"""

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.errors import EditError, OptionError, WeightsError
from sfe_jax.core.types import Array
from sfe_jax.data.faces import (
    ATTRIBUTES,
    AttributeRange,
    Faces,
    Split,
    render_faces,
    sample_faces,
    with_attribute,
)
from sfe_jax.edits.catalogue import find
from sfe_jax.edits.operands import Operands
from sfe_jax.edits.prepare import operands_for
from sfe_jax.evaluation.drawn_faces.comparing import (
    Comparison,
    Figure,
    figure,
    take_rows,
)
from sfe_jax.evaluation.drawn_faces.judging import Edited, Inverted, Judge, JudgedMethod
from sfe_jax.evaluation.drawn_faces.moves import Move, OwnFaces, calibrate, has_room, own_faces
from sfe_jax.pipelines.batching import compute_rows
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.editor import available_methods, build_method

TRAINING_SEEDS = (0, 1)
"""Seeds of the faces that networks are trained and chosen on."""


@dataclass(frozen=True)
class EditCase:
    """An edit to measure: its direction and its attribute have one name."""

    name: str
    share: float = 0.25  # Of the attribute's range, by which it should move.
    signs: tuple[int, ...] = (1, -1)  # 1 moves up, -1 down.


CASES = (
    EditCase("smile"),
    # Glasses are on or off: worn ones have 0.7 to 1, and no face is in between.
    EditCase("glasses", share=0.85, signs=(1,)),
    EditCase("hair_colour"),
    EditCase("age"),
    EditCase("yaw"),
)
"""The edits of the README's table."""


@dataclass(frozen=True)
class FacesOptions:
    """What is measured.

    Raises:
        OptionError: If a number is too small, or the seed is one of training's.
    """

    count: int = 1000  # Faces of each split.
    seed: int = 2  # Of the faces.
    samples: int = 256  # Of the generator's own faces, on which strengths are found.
    batch_size: int = 20  # Pictures computed together.
    methods: tuple[str, ...] = ()  # Names of methods; () takes all that the bundle can.
    splits: tuple[Split, ...] = ("plain", "detailed")
    cases: tuple[EditCase, ...] = CASES

    def __post_init__(self) -> None:
        for name in ("count", "samples", "batch_size"):
            if (value := getattr(self, name)) < 1:
                raise OptionError(f"`{name}` is {value}; required is at least 1")
        if self.seed in TRAINING_SEEDS:
            raise OptionError(
                f"`seed` is {self.seed}, from which training's faces are drawn; required is a "
                f"number other than {TRAINING_SEEDS}"
            )


# Results.


@dataclass(frozen=True)
class InversionResult:
    """How near the faces of a split are to themselves after a method has inverted them."""

    split: str
    method: str
    count: int  # Faces.
    l2: Figure
    ms_ssim: Figure
    feature_distance: Figure
    identity: Figure


@dataclass(frozen=True)
class EditResult:
    """How near edited faces are to the true edit, and which attributes moved.

    Changes are in units of the attributes' ranges, as a network reads them: the edited face against
    the method's own inversion.
    """

    split: str
    edit: str
    method: str  # Or "unedited", or "truth".
    count: int  # Edited faces; one that moves up and down counts twice.
    change_l2: Figure  # Edited minus inverted picture, against truth minus face.
    l2: Figure  # To the true edit, as the three below.
    ms_ssim: Figure
    feature_distance: Figure
    identity: Figure
    asked: float  # Mean size of the true change.
    change: Figure  # Of the attribute, positive on the side that was asked for.
    others: dict[str, float]  # Mean absolute change of each other attribute.

    @property
    def leak(self) -> float:
        """Mean absolute change of all other attributes."""
        return float(np.mean(list(self.others.values())))


@dataclass(frozen=True)
class FacesResults:
    """All that one evaluation found."""

    options: FacesOptions
    moves: tuple[Move, ...]
    inversions: tuple[InversionResult, ...]
    edits: tuple[EditResult, ...]
    seconds: float  # Of the whole evaluation, compilation included.


def _figures(comparison: Comparison) -> dict[str, Figure]:
    """The means of a comparison, by name."""
    return {name: figure(values) for name, values in comparison._asdict().items()}


# Attributes.


def attribute_ranges(names: Sequence[str]) -> list[AttributeRange]:
    """The ranges of attributes, in the order of their names.

    Raises:
        OptionError: If the faces have no such attribute.
    """
    ranges = {row.name: row for row in ATTRIBUTES}
    if unknown := [name for name in names if name not in ranges]:
        raise OptionError(f"attribute {unknown[0]!r} is unknown; known are {', '.join(ranges)}")
    return [ranges[name] for name in names]


def summarise_changes(
    changes: np.ndarray, signs: np.ndarray, names: Sequence[str], edit: str
) -> tuple[Figure, dict[str, float]]:
    """The change of the edited attribute and the absolute changes of the others.

    Args:
        changes: [K, A], in the attributes' units.
        signs: [K], 1 where the edit should raise its attribute, -1 where lower.
        names: Of the A attributes.
        edit: The edited one.

    Returns:
        The change towards the side asked for, and name -> mean absolute change, in units of the
        attributes' ranges.
    """
    widths = np.array([row.high - row.low for row in attribute_ranges(names)])
    scaled = changes / widths
    index = list(names).index(edit)
    sizes = np.abs(scaled).mean(axis=0)
    others = {name: float(sizes[i]) for i, name in enumerate(names) if i != index}
    return figure(signs * scaled[:, index]), others


# Faces.


@functools.partial(jax.jit, static_argnames="resolution")
def _draw(faces: Faces, *, resolution: int) -> Array:
    return render_faces(faces, resolution)


def draw_faces(faces: Faces, *, resolution: int, batch_size: int) -> np.ndarray:
    """Pictures [N, R, R, 3] in [-1, 1] of N faces, a few at a time."""
    draw = functools.partial(_draw, resolution=resolution)
    return compute_rows(draw, batch_size, jax.device_get(faces))


class EditTask(NamedTuple):
    """Faces to edit, how, and what should come of it."""

    rows: np.ndarray  # [K], which faces.
    strength: np.ndarray  # [K].
    change: np.ndarray  # [K], of the attribute, in its units.
    targets: np.ndarray  # [K, R, R, 3], the true edits.


def plan_edit(faces: Faces, moves: Sequence[Move], *, resolution: int, batch_size: int) -> EditTask:
    """Finds the faces that can move, and draws them moved.

    Args:
        faces: N faces.
        moves: Of one edit, on either side.
        resolution: R.
        batch_size: Pictures drawn together.

    Raises:
        EditError: If no face can move.
    """
    faces = jax.device_get(faces)
    (attribute,) = attribute_ranges([moves[0].edit])
    values = getattr(faces.attributes, attribute.name)
    rows = [np.flatnonzero(has_room(values, move.change, attribute)) for move in moves]
    counts = [len(found) for found in rows]
    if not sum(counts):
        raise EditError(
            f"none of {len(values)} faces can change {attribute.name} by {moves[0].change:+.3g}; "
            "use more faces"
        )
    joined = np.concatenate(rows)
    change = np.repeat([move.change for move in moves], counts)
    moved = with_attribute(take_rows(faces, joined), attribute.name, values[joined] + change)
    return EditTask(
        joined,
        np.repeat(np.array([move.strength for move in moves], np.float32), counts),
        change,
        draw_faces(moved, resolution=resolution, batch_size=batch_size),
    )


# The evaluation.


class Course(NamedTuple):
    """An edit, ready to run."""

    case: EditCase
    operands: Operands
    moves: tuple[Move, ...]


def prepare_course(bundle: Bundle, case: EditCase, own: OwnFaces, names: Sequence[str]) -> Course:
    """Finds the strengths of an edit on the generator's own faces.

    Args:
        bundle: With a generator and fitted directions.
        case: The edit.
        own: Faces of the generator.
        names: Of the attributes that are read from them.

    Raises:
        EditError: If the direction is missing or does not move its attribute.
        OptionError: If the attribute is unknown.
    """
    direction = find(case.name, bundle.records)
    if case.name not in names:
        raise OptionError(
            f"edit {case.name!r} is no attribute; the network reads {', '.join(names)}"
        )
    module: Any = bundle.network("generator").module
    operands = operands_for(
        direction,
        bundle.directions,
        **module.code_sizes,
    )
    (attribute,) = attribute_ranges([case.name])
    width = case.share * (attribute.high - attribute.low)
    found = [
        calibrate(
            direction,
            operands,
            own,
            column=names.index(case.name),
            wanted=sign * width,
            attribute=attribute,
        )
        for sign in case.signs
    ]
    if not (moves := tuple(move for move in found if move)):
        raise EditError(f"edit `{case.name}` has an empty range of strengths; fit it again")
    return Course(case, operands, moves)


def _edit_result(
    edited: Edited, task: EditTask, names: Sequence[str], *, split: str, edit: str, method: str
) -> EditResult:
    """The figures of one edit by one method."""
    change, others = summarise_changes(edited.changes, np.sign(task.change), names, edit)
    (attribute,) = attribute_ranges([edit])
    return EditResult(
        split=split,
        edit=edit,
        method=method,
        count=len(task.rows),
        asked=float(np.abs(task.change).mean() / (attribute.high - attribute.low)),
        change=change,
        others=others,
        change_l2=figure(edited.change_l2),
        **_figures(edited.comparison),
    )


def edit_with_all(
    methods: dict[str, JudgedMethod],
    judge: Judge,
    inverted: dict[str, Inverted],
    images: np.ndarray,
    task: EditTask,
    operands: Operands,
) -> dict[str, Edited]:
    """One edit by every method, between the faces as they were and the true edit.

    Args:
        methods: By name.
        judge: Reads what they show.
        inverted: What each made of the N faces.
        images: [N, R, R, 3], the faces.
        task: Which of them are edited, how, and what should come of it.
        operands: Of the edit.
    """
    before = images[task.rows]
    results = {"unedited": judge.compare(before, before, task.targets)}
    for name, method in methods.items():
        chosen = take_rows(inverted[name], task.rows)
        results[name] = method.edit(
            chosen, operands, task.strength, images=before, target=task.targets
        )
    results["truth"] = judge.compare(before, task.targets, task.targets)
    return results


def evaluate_split(
    methods: dict[str, JudgedMethod],
    judge: Judge,
    courses: Sequence[Course],
    faces: Faces,
    *,
    split: str,
    resolution: int,
) -> tuple[list[InversionResult], list[EditResult]]:
    """Inverts and edits the faces of one split with every method.

    Args:
        methods: By name.
        judge: Reads what they show.
        courses: The edits.
        faces: N faces.
        split: Name of the split, for the results.
        resolution: R.
    """
    size: dict[str, int] = {"resolution": resolution, "batch_size": judge.batch_size}
    images = draw_faces(faces, **size)
    inverted = {
        name: methods[name].invert(images)
        for name in progress(methods, f"inverting {split} faces", total=len(methods))
    }
    inversions = [
        InversionResult(split, name, len(images), **_figures(found.comparison))
        for name, found in inverted.items()
    ]
    edits = []
    for course in progress(courses, f"editing {split} faces", total=len(courses)):
        task = plan_edit(faces, course.moves, **size)
        found = edit_with_all(methods, judge, inverted, images, task, course.operands)
        edits += [
            _edit_result(edited, task, judge.names, split=split, edit=course.case.name, method=name)
            for name, edited in found.items()
        ]
    return inversions, edits


def evaluate_faces(bundle: Bundle, options: FacesOptions) -> FacesResults:
    """Measures the methods of a bundle on procedural faces.

    Args:
        bundle: A generator, a network "features" that reads its faces, the networks of at least
            one method, and fitted directions named as the attributes they raise.
        options: What is measured.

    Returns:
        The figures of every split, method and edit.

    Raises:
        WeightsError: If the bundle lacks a network.
        EditError: If a direction is missing or does not move its attribute.
        OptionError: If a method or attribute is unknown.
    """
    start = time.perf_counter()
    judge = Judge(bundle.network("features"), batch_size=options.batch_size)
    generator: Any = bundle.network("generator").module
    names = options.methods or available_methods(bundle)[::-1]
    if not names:
        held = ", ".join(bundle.networks)
        raise WeightsError(f"{bundle.path}: no method can run with {held}; add e4e or an inverter")
    methods = {name: JudgedMethod(*build_method(bundle, name), judge) for name in names}
    key = jax.random.key(options.seed)
    own = own_faces(
        bundle.network("generator"),
        bundle.network("features"),
        jax.random.fold_in(key, 1),  # Apart from that of the faces.
        count=options.samples,
        batch_size=options.batch_size,
    )
    courses = [
        prepare_course(bundle, case, own, judge.names)
        for case in progress(options.cases, "finding strengths", total=len(options.cases))
    ]
    inversions, edits = [], []
    for split in options.splits:
        # One key for all splits: the same people, with few details or many.
        faces = sample_faces(key, options.count, split=split)
        found = evaluate_split(
            methods, judge, courses, faces, split=split, resolution=generator.resolution
        )
        inversions += found[0]
        edits += found[1]
    moves = tuple(move for course in courses for move in course.moves)
    seconds = time.perf_counter() - start
    return FacesResults(options, moves, tuple(inversions), tuple(edits), seconds)
