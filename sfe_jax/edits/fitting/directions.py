"""Fitted vectors as directions with a name, a meaning, and strengths that were measured.

One unit of strength is one standard deviation of the codes along the direction; of directions of
least change, what raises the score by one standard deviation, to first order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.edits.direction import Direction, GanSpace, Linear
from sfe_jax.edits.fitting.attributes import Fit, correlations, orthogonalise
from sfe_jax.edits.fitting.least_change import Slopes, least_change
from sfe_jax.edits.fitting.strengths import usable_range

TARGET_SHARE = 0.02
"""An edit may bring the mean picture as far as this share of the samples lies beyond."""


@dataclass(frozen=True)
class Samples:
    """Codes of a generator and what is known of their pictures."""

    codes: np.ndarray  # [N, W].
    scores: np.ndarray  # [N, A], larger where an attribute is stronger; A may be 0.
    names: tuple[str, ...]  # Of the A attributes.
    source: str  # Where they come from, in words.


@dataclass(frozen=True)
class Fitted:
    """A direction, its arrays, and how well it does what it says."""

    direction: Direction
    arrays: dict[str, np.ndarray]  # Stable name -> array that the direction reads.
    attribute: str | None  # What it changes most; None without scores.
    facts: dict[str, object] = field(default_factory=dict)  # Figures for a report.


def _linear(
    name: str, vector: np.ndarray, samples: Samples, *, method: str, rows: range, num_ws: int
) -> tuple[Direction, dict[str, np.ndarray]]:
    """A vector [W] as an edit of some rows of W+; its array is [1, W], or [L, W] if others stay."""
    moved = np.zeros((num_ws, len(vector)), np.float32)
    moved[rows.start : rows.stop] = vector
    rule = Linear(f"fitted/{name}", float(np.std(samples.codes @ vector)))
    direction = Direction(name, method, rule, None, None, "", samples.source)
    return direction, {rule.array: moved[:1] if len(rows) == num_ws else moved}


def attribute_directions(
    fits: Mapping[str, Fit],
    samples: Samples,
    *,
    preserve: Sequence[str] = (),
    method: str,
    rows: range,
    num_ws: int,
) -> list[Fitted]:
    """One direction per attribute, named after it.

    Args:
        fits: Attribute -> what was fitted to it, for those of `preserve` too.
        samples: On which it was fitted.
        preserve: Attributes that the others' directions leave alone, and that get none.
        method: Where the fits come from, such as "InterFaceGAN".
        rows: Of W+, which move.
        num_ws: Rows L of the generator's W+.

    Raises:
        EditError: If nothing is left of a direction beside those to preserve.

    Source: InterFaceGAN (arXiv:2005.09635), sections 3.2 and 3.3.
    """
    others = [fits[name].normal for name in preserve]
    fitted = []
    for name in (name for name in fits if name not in preserve):
        normal = orthogonalise(fits[name].normal, others) if others else fits[name].normal
        direction, arrays = _linear(name, normal, samples, method=method, rows=rows, num_ws=num_ws)
        kept = f", orthogonal to {', '.join(preserve)}" if preserve else ""
        direction = replace(direction, positive=f"raises {name}{kept}")
        fitted.append(Fitted(direction, arrays, name, {"held_out": fits[name].held_out}))
    return fitted


def least_change_directions(
    slopes: Slopes, samples: Samples, *, preserve: Sequence[str] = ()
) -> list[Fitted]:
    """One direction per attribute, named after it; each leaves all the others alone.

    Args:
        slopes: Of the samples' attributes, in their order.
        samples: Their scores give the unit of strength.
        preserve: Attributes that get no direction of their own.

    Raises:
        EditError: If the attributes cannot be moved one without another.
    """
    fitted = []
    for name, column, move in zip(
        samples.names, samples.scores.T, least_change(slopes), strict=True
    ):
        rule = Linear(f"fitted/{name}", float(np.std(column)))
        direction = Direction(name, "least change", rule, None, None, "", samples.source)
        direction = replace(direction, positive=f"raises {name}, with the least change")
        fitted.append(Fitted(direction, {rule.array: move.astype(np.float32)}, name))
    return [entry for entry in fitted if entry.attribute not in preserve]


def orient(vectors: np.ndarray, samples: Samples) -> tuple[np.ndarray, list[str | None], list[str]]:
    """Turns vectors so that, along each, the attribute that goes with it most rises.

    Args:
        vectors: [K, W].
        samples: Codes, with or without scores.

    Returns:
        [K, W]; per vector the attribute, or None; and what a positive strength does, or "".
    """
    if not samples.names:
        return vectors, [None] * len(vectors), [""] * len(vectors)
    found = np.stack([correlations(samples.codes @ v, samples.scores) for v in vectors])
    most = np.abs(found).argmax(axis=1)
    values = found[np.arange(len(vectors)), most]  # [K]
    names = [samples.names[index] for index in most]
    words = [
        f"raises {name} (correlation {abs(value):.2f})"
        for name, value in zip(names, values, strict=True)
    ]
    return np.where(values[:, None] < 0, -vectors, vectors), list(names), words


def ganspace_directions(
    parts: Mapping[str, np.ndarray], samples: Samples, *, rows: range
) -> list[Fitted]:
    """Directions ganspace0, ganspace1, ... of what `principal_components` found.

    Args:
        parts: "mean" [W], "components" [K, W], "std" [K].
        samples: Their scores give every direction its sign and meaning.
        rows: Of W+, which move.
    """
    components, attributes, meanings = orient(parts["components"], samples)
    named = {**parts, "components": components}
    arrays = {f"fitted/ganspace/{part}": value for part, value in named.items()}
    fitted = []
    for index, (attribute, positive) in enumerate(zip(attributes, meanings, strict=True)):
        rule = GanSpace("fitted/ganspace", index, rows.start, rows.stop)
        name = f"ganspace{index}"
        direction = Direction(name, "GANSpace", rule, None, None, positive, samples.source)
        fitted.append(Fitted(direction, arrays, attribute))
    return fitted


def sefa_directions(
    vectors: np.ndarray, samples: Samples, *, rows: range, num_ws: int
) -> list[Fitted]:
    """Directions sefa0, sefa1, ... of what `factorise` found.

    Args:
        vectors: [K, W].
        samples: Their scores give every direction its sign and meaning.
        rows: Of W+, which move: those that drive the factorised layers.
        num_ws: Rows L of the generator's W+.
    """
    vectors, attributes, meanings = orient(vectors, samples)
    fitted = []
    for index, vector in enumerate(vectors):
        direction, arrays = _linear(
            f"sefa{index}", vector, samples, method="SeFa", rows=rows, num_ws=num_ws
        )
        direction = replace(direction, positive=meanings[index])
        fitted.append(Fitted(direction, arrays, attributes[index]))
    return fitted


def with_range(
    fitted: Fitted, samples: Samples, strengths: np.ndarray, curve: np.ndarray
) -> Fitted:
    """Gives a direction the range of strengths in which its attribute rises within the data.

    Args:
        fitted: With an attribute.
        samples: Whose scores bound what an edit may reach.
        strengths: [S], as for `usable_range`.
        curve: [S, A], from `measure_curve`, in the order of the samples' attributes.

    Raises:
        OptionError: If the attribute has no scores, or the strengths do not rise around 0.
    """
    if fitted.attribute not in samples.names:
        raise OptionError(
            f"direction `{fitted.direction.name}` changes {fitted.attribute}; required is a "
            f"scored attribute, one of {', '.join(samples.names) or 'none'}"
        )
    column = samples.names.index(fitted.attribute)
    low, high = np.quantile(samples.scores[:, column], (TARGET_SHARE, 1 - TARGET_SHARE))
    low, high = usable_range(strengths, curve[:, column], targets=(float(low), float(high)))
    means = dict(zip(samples.names, curve.T.tolist(), strict=True))
    facts = {**fitted.facts, "strengths": strengths.tolist(), "mean_scores": means}
    return replace(fitted, direction=replace(fitted.direction, low=low, high=high), facts=facts)
