"""Methods before a judge: a network that reads faces looks at what they show."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.edits.operands import Operands
from sfe_jax.evaluation.drawn_faces.comparing import Comparison, compare
from sfe_jax.pipelines.batching import compute_rows
from sfe_jax.pipelines.bundle import Network
from sfe_jax.pipelines.methods import Inversion, Method, NetworkVariables


class Inverted(NamedTuple):
    """What a method made of N faces."""

    inversion: Inversion
    shown: Any  # [N, R, R, 3] in [-1, 1], the inversion as a picture.
    attributes: Any  # [N, A], as read from what it shows.
    comparison: Comparison  # With the faces.


class Edited(NamedTuple):
    """What became of K edited faces."""

    changes: Any  # [K, A], of the attributes that are read, in their units.
    change_l2: Any  # [K], mean squared difference of what changed and what should have changed.
    comparison: Comparison  # With the true edits.


class Judge:
    """The network that reads faces; it also judges pictures that no method made."""

    def __init__(self, features: Network, *, batch_size: int) -> None:
        """Compiles nothing yet.

        Args:
            features: A FaceFeatures network.
            batch_size: Pictures computed together.
        """
        module: Any = features.module
        self.variables, self.batch_size = features.variables, batch_size
        self.names: tuple[str, ...] = module.attribute_names
        self._module = module
        self._compare = jax.jit(self._changes)

    def judge(self, variables: Variables, images: Array, target: Array) -> tuple[Array, Comparison]:
        """Attributes [N, A] of pictures [N, R, R, 3], and the comparison with their targets."""
        reading = apply(self._module, variables, images)
        target_reading = apply(self._module, variables, target)
        return reading["attributes"], compare(images, target, reading, target_reading)

    def _changes(self, variables: Variables, before: Array, after: Array, target: Array) -> Edited:
        attributes, comparison = self.judge(variables, after, target)
        changes = attributes - apply(self._module, variables, before)["attributes"]
        return Edited(changes, comparison.l2, comparison)

    def compare(self, before: np.ndarray, after: np.ndarray, target: np.ndarray) -> Edited:
        """What changes between pictures, and how near the later ones are to the true edit.

        Args:
            before: [K, R, R, 3] in [-1, 1].
            after: Of the same shape, as is `target`.
            target: The true edit.
        """
        run = functools.partial(self._compare, self.variables)
        return compute_rows(run, self.batch_size, before, after, target)


class JudgedMethod:
    """A method with its judge: two programs, each compiled once."""

    def __init__(self, method: Method, variables: NetworkVariables, judge: Judge) -> None:
        """Compiles nothing yet.

        Args:
            method: What inverts and edits.
            variables: Of its networks.
            judge: Looks at what it shows, clipped to [-1, 1].
        """
        self._method, self._variables, self._judge = method, variables, judge
        self._invert, self._edit = jax.jit(self._judged_inversion), jax.jit(self._judged_edit)

    def _judged_inversion(
        self, variables: NetworkVariables, eyes: Variables, images: Array
    ) -> Inverted:
        inversion = self._method.invert(variables, images)
        shown = jnp.clip(self._method.reconstruct(variables, inversion), -1, 1)
        return Inverted(inversion, shown, *self._judge.judge(eyes, shown, images))

    def _judged_edit(
        self,
        variables: NetworkVariables,
        eyes: Variables,
        operands: Operands,
        inverted: Inverted,
        images: Array,
        target: Array,
        strength: Array,
    ) -> Edited:
        edited = self._method.edit(variables, inverted.inversion, operands, strength)
        edited = jnp.clip(edited, -1, 1)
        attributes, comparison = self._judge.judge(eyes, edited, target)
        excess = (edited - inverted.shown) - (target - images)
        change_l2 = jnp.mean(jnp.square(excess), axis=(1, 2, 3))
        return Edited(attributes - inverted.attributes, change_l2, comparison)

    def invert(self, images: np.ndarray) -> Inverted:
        """Inverts pictures [N, R, R, 3] in [-1, 1], and compares them with themselves."""
        run = functools.partial(self._invert, self._variables, self._judge.variables)
        return compute_rows(run, self._judge.batch_size, images)

    def edit(
        self,
        inverted: Inverted,
        operands: Operands,
        strength: np.ndarray,
        *,
        images: np.ndarray,
        target: np.ndarray,
    ) -> Edited:
        """Edits inverted faces.

        Args:
            inverted: K faces.
            operands: Of the edit.
            strength: [K].
            images: [K, R, R, 3] in [-1, 1], the faces as they were.
            target: [K, R, R, 3], the true edits.

        Returns:
            Changes against the method's own inversions, and the comparison with the true edits.
        """
        run = functools.partial(self._edit, self._variables, self._judge.variables, operands)
        return compute_rows(run, self._judge.batch_size, inverted, images, target, strength)
