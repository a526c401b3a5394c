"""Training of SFE's second phase: the Feature Editor, on pairs that e4e makes.

An edited photograph has no truth. But e4e's inversion of it is a picture whose edit can be made
by the generator: the Inverter inverts that picture, and the Feature Editor learns to move the
Inverter's feature so that the generator shows e4e's edit. Real pictures with a zero difference
keep the detail.

Where we differ from the original: frozen networks stay frozen (there, batch statistics of the
Inverter and of e4e move on); every sample has an edit of its own (there, one for the batch); the
Feature Editor sees both kinds of samples as one batch; edited real pictures (`disc_edits`, empty
there) are left out.

Source: SFE (arXiv:2406.10601), section 3.3; StyleFeatureEditor runners/training_runners.py.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.models.feature_editor import FeatureFuser, linear_start
from sfe_jax.pipelines.bundle import Bundle, Network, example_inputs
from sfe_jax.pipelines.methods import (
    Inversion,
    InverterMethod,
    SfeMethod,
    edited_styles,
    join_styles,
    layer_styles,
)
from sfe_jax.training.adversary import (
    Adversary,
    AdversaryOptions,
    build_adversary,
    given_with,
    networks_with,
    phases_with,
    state_with,
)
from sfe_jax.training.criteria import Criteria, CriteriaOptions, build_criteria
from sfe_jax.training.edits import SFE_EDITS, EditTable, build_edit_table
from sfe_jax.training.method import (
    Batch,
    Frozen,
    Phase,
    Scalars,
    Trainer,
    TrainState,
    as_float,
    columns,
    decaying_ranger,
)
from sfe_jax.training.recipe import Setting
from sfe_jax.training.transfer import take_over


@dataclass
class FeatureEditorOptions:
    """Size of the Feature Editor and how it is trained."""

    num_units: int = 5  # Residual units.
    initial: bool = False  # Whether it begins as the Feature Editor in the weights.
    linear_start: bool = False  # Begin as feature minus difference; not in the paper.
    learning_rate: float = 1e-4  # Of Ranger.
    decay: tuple[int, ...] = ()  # Images between which it falls to 0; () for never.
    accumulate: int = 1  # Parts of a batch.
    edits: dict[str, tuple[float, ...]] = field(default_factory=lambda: dict(SFE_EDITS))
    edit_weights: dict[str, float] = field(default_factory=dict)  # How often; 1 if not named.
    criteria: CriteriaOptions = field(default_factory=CriteriaOptions)
    adversary: AdversaryOptions = field(default_factory=lambda: AdversaryOptions(start=0))

    def build(self, setting: Setting) -> "FeatureEditorTraining":
        """The Feature Editor for the networks in the recipe's weights."""
        roles = ("generator", "inverter", "e4e")
        networks = {role: setting.network(role) for role in roles}
        generator: Any = networks["generator"].module.clone(precision=setting.precision)
        inverter: Any = networks["inverter"].module
        criteria, frozen = build_criteria(self.criteria, setting)
        method = SfeMethod(
            generator,
            inverter,
            FeatureFuser(inverter.features, self.num_units),
            networks["e4e"].module,
        )
        edits = build_edit_table(self.edits, setting, generator, weights=self.edit_weights)
        return FeatureEditorTraining(
            method,
            self,
            edits,
            criteria,
            {**frozen, **{r: network.variables for r, network in networks.items()}, **edits.frozen},
            setting.initial("feature_editor" if self.initial else ""),
            build_adversary(self.adversary, setting),
            setting.batch_size,
        )


class Pairs(NamedTuple):
    """What e4e's inversion and its edit give to learn from; nothing here has a slope."""

    inversion: Inversion  # Of e4e's pictures, by the Inverter.
    styles: dict[str, Array]  # Of the Inverter's edited codes: layer name -> [N, C].
    delta: Array  # [N, H, W, C], e4e's feature minus its edited one.
    images: Array  # [N, R, R, 3], what e4e shows.
    target: Array  # [N, R, R, 3], what its edit shows.


@dataclass(frozen=True)
class FeatureEditorTraining:
    """The method `feature_editor`."""

    method: SfeMethod
    options: FeatureEditorOptions
    edits: EditTable
    criteria: Criteria
    frozen: Frozen
    initial: Frozen  # What the Feature Editor begins with, by role.
    adversary: Adversary | None
    batch_size: int  # Pictures of a step, over all devices.

    @property
    def _editor(self) -> FeatureFuser:
        return self.method.feature_editor

    @cached_property
    def _trainer(self) -> Trainer:
        options = self.options
        optimizer = decaying_ranger(options.learning_rate, options.decay, self.batch_size)
        return Trainer("feature_editor", optimizer, options.accumulate)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The Feature Editor; from a given count of images on with an adversary."""
        return phases_with(self.adversary, "feature_editor", self.train, self._fakes)

    @property
    def given(self) -> Frozen:
        """What Feature Editor and adversary begin with."""
        return {**self.initial, **given_with(self.adversary)}

    def init(self, key: Array, given: Frozen) -> TrainState:
        """Feature Editor and adversary as they begin."""
        variables = self._initial_editor(key, given)
        return state_with(self.adversary, self._trainer.begin(variables), given)

    def _initial_editor(self, key: Array, given: Frozen) -> Variables:
        """Random weights, those of feature minus difference, or those that are given."""
        inputs = [jnp.zeros(x.shape, x.dtype) for x in example_inputs(self._editor)]
        variables = self._editor.init(key, *inputs)
        if self.options.initial:
            return take_over(variables, given["feature_editor"], role="feature_editor")
        if self.options.linear_start:
            params = linear_start(variables["params"], first=1.0, second=-1.0)
            variables = {**variables, "params": params}
        return variables

    def pairs(self, frozen: Frozen, inversion: Inversion, key: Array) -> Pairs:
        """Pictures by e4e, their edits, and how the Inverter sees them.

        Args:
            frozen: Generator, Inverter and e4e.
            inversion: Of real pictures, with e4e's codes.
            key: Of edits and strengths.
        """
        method, generator, weights = self.method, self.method.generator, frozen["generator"]
        ws = inversion.ws_e4e
        operands, strength = self.edits.with_networks(frozen).draw(key, ws.shape[0])

        # e4e's pictures and their edits, in one pass.
        styles = layer_styles(generator, weights, ws)
        moved = edited_styles(generator, weights, ws, operands, strength)
        both = join_styles(styles, moved)
        lower = method.lower(weights, both)
        images, target = jnp.split(method.upper(weights, both, lower, lower.feature), 2)
        before, after = jnp.split(lower.feature, 2)

        # The same edit of the Inverter's codes.
        found = InverterMethod(generator, method.inverter).invert(frozen, images)
        edited = edited_styles(generator, weights, found.ws, operands, strength)
        return Pairs(found, edited, before - after, images, target)

    def _make(
        self, variables: Variables, frozen: Frozen, images: Array, key: Array
    ) -> tuple[Array, Pairs, Variables]:
        """What the Feature Editor makes of real pictures, normalised by the batch.

        Args:
            variables: Of the Feature Editor.
            frozen: Generator, Inverter and e4e.
            images: [N, R, R, 3] in [-1, 1].
            key: Of edits and strengths.

        Returns:
            Inversions, then edits of e4e's pictures, [2N, R, R, 3]; the pairs; moved statistics.
        """
        method, weights = self.method, frozen["generator"]
        inversion = method.invert(frozen, images)
        pairs = self.pairs(frozen, inversion, key)

        # Features.
        fused = jnp.concatenate([inversion.feature, pairs.inversion.feature])
        delta = jnp.concatenate([jnp.zeros_like(pairs.delta), pairs.delta])
        feature, moved = apply(
            self._editor, variables, fused, delta, train=True, mutable=["batch_stats"]
        )

        # Pictures.
        styles = layer_styles(method.generator, weights, inversion.ws)
        styles = join_styles(styles, pairs.styles)
        lower = method.lower(weights, styles)
        return method.upper(weights, styles, lower, feature), pairs, moved["batch_stats"]

    def train(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array, *, judged: bool
    ) -> tuple[TrainState, Scalars]:
        """Moves the Feature Editor; `judged` by the discriminator too."""
        variables = state.networks["feature_editor"]

        def loss(params: Any, stats: Any, part: Batch, key: Array):
            images = as_float(part["image"])
            moving = {**variables, "params": params, "batch_stats": stats}
            made, pairs, stats = self._make(moving, frozen, images, key)
            target = jnp.concatenate([images, pairs.target])
            value, scalars = self.criteria(frozen, made, target)
            inverted, edited = jnp.split(made, 2)
            scalars |= {
                "l2/inversion": jnp.mean(jnp.square(inverted - images)),
                "l2/edit": jnp.mean(jnp.square(edited - pairs.target)),
            }
            if judged and self.adversary is not None:
                opinion, more = self.adversary.opinion(state, inverted)
                value, scalars = value + opinion, {**scalars, **more}
            return value, (stats, {"loss/feature_editor": value, **scalars})

        return self._trainer.update_normalised(state, loss, batch, key)

    def _variables(self, state: TrainState, frozen: Frozen) -> dict[str, Variables]:
        return {**frozen, "feature_editor": state.networks["feature_editor"]}

    def _fakes(self, state: TrainState, frozen: Frozen, batch: Batch, key: Array) -> Array:
        """Inversions of real pictures, normalised by the batch as in the Feature Editor's step."""
        variables, images = state.networks["feature_editor"], as_float(batch["image"])
        made, _, _ = self._make(variables, frozen, images, key)
        return jnp.split(made, 2)[0]

    def _reconstruct(self, state: TrainState, frozen: Frozen, images: Array) -> Array:
        """Pictures as users will get them."""
        variables = self._variables(state, frozen)
        return self.method.reconstruct(variables, self.method.invert(variables, images))

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """Picture, inversion and an edit of each; and e4e's pairs beside what is made of them."""
        images, variables = as_float(examples["image"]), self._variables(state, frozen)
        key = jax.random.key(0)  # Fixed, so that grids can be compared.
        inversion = self.method.invert(variables, images)
        made = self.method.reconstruct(variables, inversion)
        operands, strength = self.edits.with_networks(frozen).draw(key, images.shape[0])
        edited = self.method.edit(variables, inversion, operands, strength)
        pairs = self.pairs(frozen, inversion, key)
        feature = self.method.edited_feature(variables, pairs.inversion, pairs.delta)
        weights = frozen["generator"]
        lower = self.method.lower(weights, pairs.styles)
        shown = self.method.upper(weights, pairs.styles, lower, feature)
        return {
            "edits": columns(images, made, edited),
            "pairs": columns(pairs.images, pairs.target, shown),
        }

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """The criteria of inversions of unseen pictures."""
        images = as_float(batch["image"])
        return self.criteria.figures(frozen, self._reconstruct(state, frozen, images), images)

    def bundle(self, state: TrainState) -> Bundle:
        """The Feature Editor, and the discriminator if one was trained."""
        trained = Network(self._editor, state.networks["feature_editor"])
        return Bundle({"feature_editor": trained, **networks_with(self.adversary, state)})
