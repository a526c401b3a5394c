"""What an evaluation measures: weights, pictures, methods, metrics. A typed file in `configs/`."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfe_jax.core.errors import OptionError
from sfe_jax.evaluation.pair_metrics import PairOptions

EVALUATORS = ("generation", "inversion", "editing")
"""What can be measured, in the order in which it is."""


@dataclass
class PictureOptions:
    """Real pictures, and what is known of them."""

    source: str = "faces"  # A folder, a .zip, "tfds:NAME[/CONFIG]:SPLIT", or "faces".
    count: int = 0  # The first so many; 0 for all. Of procedural faces so many are drawn.
    resolution: int = 0  # Pixels a side; 0 for their own, which must then be one.
    transform: str = "center-crop"  # How they become square; see `sfe_jax.data.pictures`.
    resize_filter: str = "lanczos"  # How they are resized: "lanczos", "bilinear" or "box".
    annotation: str = ""  # File of their attributes in CelebA's form; "" for the source's labels.
    label_names: tuple[str, ...] = ()  # Of the places of those labels; () for their numbers.
    statistics: str = ""  # File of pytorch-fid in place of their own statistics, for FID alone.
    split: str = "plain"  # Procedural faces: how often details occur, "plain" or "detailed".
    seed: int = 2  # Procedural faces: of the draws; training's are 0 and 1.
    data_dir: str = ""  # Where TFDS data sets and drawn faces are kept; "" for the usual place.
    threads: int = 2  # That read ahead.


@dataclass
class GenerationOptions:
    """How a generator's own pictures are measured."""

    count: int = 50_000  # Pictures.
    psi: float = 1.0  # Truncation.
    path_lengths: tuple[str, ...] = ("w_end_whole",)  # Kinds of PPL; see `evaluation.paths`.
    path_count: int = 10_000  # Pairs of codes for each of them; 0 for none.
    path_network: str = "lpips_vgg"  # Role of LPIPS, or "features".
    equivariance_count: int = 10_000  # Pictures for EQ-T, EQ-T_frac, EQ-R of StyleGAN3; 0 for none.
    folders: tuple[str, ...] = ()  # "NAME=FOLDER" of pictures that other programs generated.


@dataclass
class AttributeEdit:
    """An edit, and the attribute that it gives."""

    edit: str  # Name of the direction.
    attribute: str  # Its name in the table of attributes.
    strength: float | None = None  # None for the end of the measured range, on the side wanted.
    reverse: bool = False  # Whether it takes the attribute away.
    title: str = ""  # In tables; "" for the edit's name, with + or -.

    @property
    def heading(self) -> str:
        """What tables call it."""
        return self.title or self.folder

    @property
    def folder(self) -> str:
        """The folder of another program's edited pictures: "smile+", or "smile-" reversed."""
        return f"{self.edit}{'-' if self.reverse else '+'}"


@dataclass
class EditingOptions:
    """Which edits are measured."""

    edits: tuple[AttributeEdit, ...] = ()
    domain: str = "faces"  # Whose published edits are known: "faces" or "cars".


@dataclass
class EvaluationRecipe:
    """Everything that decides an evaluation."""

    name: str  # Of the folder of results.
    weights: tuple[str, ...]  # Bundles; "faces64" for the one that comes with the package.
    data: PictureOptions = field(default_factory=PictureOptions)
    evaluators: tuple[str, ...] = EVALUATORS  # What is measured.
    methods: tuple[str, ...] = ()  # Of "sfe", "inverter", "e4e", "psp"; () for all that can run.
    folders: tuple[str, ...] = ()  # "NAME=FOLDER" of inversions and edits by other programs.
    features: str = "fid_inception"  # Role of the network whose features tell sets apart.
    pairs: PairOptions = field(default_factory=PairOptions)
    generation: GenerationOptions = field(default_factory=GenerationOptions)
    editing: EditingOptions = field(default_factory=EditingOptions)
    worst: int = 8  # Pictures of each method on its sheet of worst inversions; 0 for no sheet.
    batch_size: int = 16  # Pictures computed together, over all devices.
    devices: int = -1  # Among which a batch is divided; -1 for all.
    precision: str = "float32"  # Of the methods' activations, or "bfloat16".
    seed: int = 0  # Of the generator's codes, and of KID's subsets.
    cache: str = ""  # Folder of kept statistics; "" for the usual place.


def check_recipe(recipe: EvaluationRecipe) -> None:
    """Raises unless `recipe` can be used, as far as it alone can tell.

    Raises:
        OptionError: With the first field whose value cannot be used.
    """
    if unknown := [name for name in recipe.evaluators if name not in EVALUATORS]:
        known = ", ".join(EVALUATORS)
        raise OptionError(f"`evaluators` holds {unknown[0]!r}; required are some of {known}")
    least = {
        "batch_size": (recipe.batch_size, 1),
        "worst": (recipe.worst, 0),
        "data.count": (recipe.data.count, 0),
        "generation.count": (recipe.generation.count, 2),
        "generation.path_count": (recipe.generation.path_count, 0),
        "generation.equivariance_count": (recipe.generation.equivariance_count, 0),
    }
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise OptionError(f"`{name}` is {value}; required is at least {lowest}")


def describe(recipe: EvaluationRecipe) -> Mapping[str, Any]:
    """The recipe as JSON can hold it."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))
