"""What a recipe says: data, method, batch, durations, mesh. One typed file in `configs/` each.

Durations are in images, so that another batch size does not change their meaning; `steps` is the
one place that turns them into steps.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, get_origin, get_type_hints

import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.edits.direction import Direction
from sfe_jax.pipelines.bundle import Network
from sfe_jax.training.method import Frozen, Method


@dataclass(frozen=True)
class Setting:
    """What a method needs to know of the data and the machine to build its networks."""

    resolution: int  # R, pixels a side.
    channels: int  # Of the pictures.
    label_size: int  # 0 if the data has no labels.
    batch_size: int  # Over all devices.
    precision: str  # Of activations: "float32" or "bfloat16".
    network: Callable[[str], Network]  # Trained networks by role, for those that stay frozen.
    directions: Mapping[str, np.ndarray] = field(default_factory=dict)  # Arrays of edits.
    records: tuple[Direction, ...] = ()  # Edits.
    condition_channels: int = 0  # Of what an encoder reads beside pictures; 0 if there is nothing.

    def initial(self, role: str) -> Frozen:
        """Weights of the network that another begins with, by role; none for no role."""
        return {role: self.network(role).variables} if role else {}


class MethodOptions(Protocol):
    """The options of a method, which can build it."""

    def build(self, setting: Setting) -> Method:
        """The method, with its frozen networks read from their bundles."""
        ...


@dataclass
class DataOptions:
    """Pictures to train or to measure on."""

    # A folder, a .zip, "tfds:NAME[/CONFIG]:SPLIT", "faces" (drawn once and kept), or
    # "faces:stream" (drawn on the devices as they are needed).
    source: str = "faces"
    resolution: int = 256  # R, pixels a side.
    channels: int = 3  # 3 for RGB, 1 for grey.
    # What an encoder reads in the place of each picture: a second folder or .zip with the same
    # paths, whatever the suffixes; "" for the picture itself.
    condition: str = ""
    # 1 for sketches, 3 for pictures, n for maps of the labels 0 to n - 1; 4 if these are three.
    condition_channels: int = 1
    # Whether pictures are mirrored with probability 1/2, and conditions with them: not for maps
    # whose labels tell left from right.
    mirror: bool = False
    labels: bool = False  # Whether labels are used, where the source has them.
    transform: str = "center-crop"  # How pictures become square; see `sfe_jax.data.pipeline`.
    resize_filter: str = "lanczos"  # How they are resized: "lanczos", "bilinear" or "box".
    neighbours: int = 1  # Records that stay side by side: 2 for pairs of procedural faces.
    strict: bool = False  # Whether an unreadable picture stops the run, or is left out and named.
    threads: int = 2  # That read ahead.
    data_dir: str = ""  # Where TFDS data sets and drawn faces are kept; "" for the usual place.
    count: int = 50_000  # Procedural faces: how many.
    split: Literal["plain", "detailed"] = "plain"  # Procedural faces: how often details occur.
    seed: int = 0  # Procedural faces: of the draws.


@dataclass
class MeshOptions:
    """Sizes of the mesh; -1 for one of them takes what the other leaves."""

    data: int = -1  # Devices among which a batch is divided.
    model: int = 1  # Devices among which wide arrays are divided.


@dataclass
class Schedule:
    """How long, and how often; all in images. 0 for never, but of the log."""

    total: int = 25_000_000
    log: int = 4_000  # From one line of scalars to the next.
    show: int = 200_000  # From one grid of pictures to the next.
    save: int = 200_000  # From one checkpoint to the next.
    evaluate: int = 0  # From one evaluation to the next.
    evaluated: int = 1_000  # Images of one evaluation.


@dataclass
class Recipe:
    """Everything that decides a run."""

    name: str  # Of the run's folder.
    method: Any  # `MethodOptions`.
    weights: tuple[str, ...] = ()  # Bundles that hold the frozen networks and the edits.
    data: DataOptions = field(default_factory=DataOptions)
    evaluation_data: DataOptions | None = None  # Unseen data; None if nothing is evaluated.
    schedule: Schedule = field(default_factory=Schedule)
    mesh: MeshOptions = field(default_factory=MeshOptions)
    batch_size: int = 32  # Over all devices.
    precision: Literal["float32", "bfloat16"] = "float32"  # Of activations.
    seed: int = 0  # Of everything random.
    keep: int = 2  # Newest checkpoints kept.
    best: str = ""  # Figure of the evaluation by which the best checkpoint is kept; "" for none.
    best_is: Literal["min", "max"] = "min"  # Whether a low or a high figure is good.
    profile: int = 0  # Step from which ten steps are profiled; 0 for none.


def steps(images: int, batch_size: int) -> int:
    """Steps that see `images`, at least one; 0 for 0."""
    return max(1, round(images / batch_size)) if images else 0


def _check_choices(options: Any, path: str) -> None:
    """Raises unless every field of few choices has one of them."""
    hints = get_type_hints(type(options))
    for field_ in dataclasses.fields(options):
        name, value, hint = field_.name, getattr(options, field_.name), hints[field_.name]
        if dataclasses.is_dataclass(value):
            _check_choices(value, f"{path}{name}.")
        elif get_origin(hint) is Literal and value not in get_args(hint):
            choices = ", ".join(map(repr, get_args(hint)))
            raise OptionError(f"`{path}{name}` is {value!r}; required is one of {choices}")


def condition_channels(data: DataOptions) -> int:
    """Channels of what an encoder reads in the place of pictures; 0 if it reads the pictures."""
    return data.condition_channels if data.condition else 0


def _check_conditions(data: DataOptions, unseen: DataOptions | None) -> None:
    """Raises unless data to train and to measure on have conditions of the same kind."""
    if unseen and condition_channels(unseen) != condition_channels(data):
        raise OptionError(
            f"`evaluation_data` has conditions of {condition_channels(unseen)} channels, `data` of "
            f"{condition_channels(data)}, 0 for none; required are equal ones: see `condition` and "
            "`condition_channels`"
        )


def check_recipe(recipe: Recipe) -> None:
    """Raises unless a run can be made of `recipe`, as far as it alone can tell.

    Raises:
        OptionError: With the first field whose value cannot be used.
    """
    _check_choices(recipe, "")
    least = {
        "batch_size": (recipe.batch_size, 1),
        "keep": (recipe.keep, 1),
        "data.condition_channels": (recipe.data.condition_channels, 1),
        "schedule.total": (recipe.schedule.total, 1),
        "schedule.log": (recipe.schedule.log, 1),  # Scalars are kept until they are logged.
    }
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise OptionError(f"`{name}` is {value}; required is at least {lowest}")
    _check_conditions(recipe.data, recipe.evaluation_data)
    if recipe.best and not (recipe.evaluation_data and recipe.schedule.evaluate):
        raise OptionError(
            f"`best` is {recipe.best!r}, but nothing is evaluated; required are `evaluation_data` "
            "and `schedule.evaluate`"
        )


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value, default=str))


def describe(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe as JSON can hold it."""
    described = dataclasses.asdict(recipe)
    described["method"] = {"type": type(recipe.method).__name__, **described["method"]}
    return _plain(described)


CHANGEABLE = (
    *("schedule", "mesh", "weights", "keep", "best", "best_is", "profile", "seed"),
    *("method.learning_rate", "method.adversary.learning_rate"),
    *("method.generator_learning_rate", "method.discriminator_learning_rate"),
    *("data.data_dir", "data.threads", "evaluation_data.data_dir", "evaluation_data.threads"),
)
"""What may differ when a run goes on: how long, where things lie, what is kept, and what helps to
get over numbers that are not finite."""


def _differences(options: Any, saved: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Fields whose value is not the saved one: (name, value, saved one).

    A field that was not known when the run was begun is passed over.
    """
    if path in CHANGEABLE:
        return
    if dataclasses.is_dataclass(options) and isinstance(saved, dict):
        for name in {field_.name for field_ in dataclasses.fields(options)} & saved.keys():
            yield from _differences(
                getattr(options, name), saved[name], f"{path}.{name}" if path else name
            )
    elif _plain(options) != saved:
        yield path, _plain(options), saved


def check_same_run(recipe: Recipe, saved: dict[str, Any], where: str) -> None:
    """Raises unless a run can go on under `recipe` from a checkpoint of `saved`.

    Args:
        recipe: Of the run that is to go on.
        saved: What `describe` said when the checkpoint was written.
        where: Folder of the run, for messages.

    Raises:
        OptionError: With the first field that differs, unless it is `CHANGEABLE`.
    """
    method = type(recipe.method).__name__
    found = list(_differences(recipe, saved))
    if method != saved["method"]["type"]:
        found = [("method", method, saved["method"]["type"])]
    if found:
        name, now, before = min(found, key=lambda difference: difference[0])
        raise OptionError(
            f"{where}: was begun with {name} = {before}, the recipe now says {now}; choose another "
            "`workdir`, or the values it was begun with"
        )
