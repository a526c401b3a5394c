"""What compiling a recipe for chips that are not there has shown, and how it is kept: as JSON."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.hlo import WIRE
from benchmarks.measuring.pages import write_whole
from benchmarks.pods.chips import Chip, chip_of
from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.json_files import parse_json
from sfe_jax.training.recipe import Recipe, describe


@dataclass(frozen=True)
class Cost:
    """What a phase costs one chip."""

    name: str  # Of the phase.
    interval: float  # Steps from one run to the next, on average.
    steady: bool  # Whether it runs to the end; phases that stop are not in the step's time.
    batch: int  # Pictures on the chip.
    held: int  # Bytes of state and frozen networks.
    temp: int  # Bytes besides, at most at one time.
    flops: float  # Additions and multiplications.
    passes: float  # bfloat16 products for one product.
    accessed: float  # Bytes read and written.
    exchanged: Mapping[str, tuple[int, int]]  # Kind of exchange -> how many, bytes of whole arrays.
    compile_s: float  # Seconds of the compiler.

    @property
    def peak(self) -> int:
        """Bytes in use at most."""
        return self.held + self.temp

    def times(self, chip: Chip) -> dict[str, float]:
        """Seconds at the chip's peaks, by what bounds."""
        wire = sum(WIRE[kind] * size for kind, (_, size) in self.exchanged.items())
        return {
            "compute": self.flops * self.passes / chip.flops,
            "memory": self.accessed / chip.bandwidth,
            "links": wire / chip.link,
        }

    def bound(self, chip: Chip) -> tuple[str, float]:
        """What bounds it, and the seconds that it takes at least."""
        return max(self.times(chip).items(), key=lambda item: item[1])


def step_seconds(costs: Iterable[Cost], chip: Chip) -> float:
    """Least seconds of a step in the long run, phases weighted by how often they run."""
    return sum(cost.bound(chip)[1] / cost.interval for cost in costs if cost.steady)


def digest(recipe: Recipe) -> str:
    """What tells a recipe from one with another field."""
    return hashlib.sha256(json.dumps(describe(recipe), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Question:
    """What is compiled; a result answers it as long as nothing here changes."""

    recipe: str  # Its name.
    digest: str  # Of its resolved fields.
    precision: str  # Of activations.
    target: str  # Such as "v5e:16x16".
    chips: int  # Of the target.
    batch: int  # Pictures of each chip.
    level: str  # Of XLA's optimisation, "O0" to "O3".
    versions: Mapping[str, str]  # Of JAX and of the compiler.

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Where its answer stands on the page: a newer one takes the place of an older."""
        return (self.recipe, self.target, self.precision, self.batch)


@dataclass(frozen=True)
class Result:
    """The answer."""

    question: Question
    costs: tuple[Cost, ...]  # Of every phase that fits.
    refused: Mapping[str, int]  # Phases that do not -> bytes that they need besides what is held.
    largest: int | None = None  # Pictures that fit a chip; None if it was not asked.

    @property
    def chip(self) -> Chip:
        """The chip's peaks."""
        return chip_of(self.question.target)

    @property
    def hungriest(self) -> Cost:
        """The phase that needs the most memory."""
        return max(self.costs, key=lambda cost: cost.temp)

    @property
    def peak(self) -> int:
        """Bytes in use at most; if a phase does not fit, what it would need besides."""
        return max([cost.peak for cost in self.costs] + list(self.refused.values()))

    @property
    def rate(self) -> float:
        """Pictures a second of all chips, at their peaks; 0 if a phase does not fit."""
        if self.refused:
            return 0.0
        count = self.question.batch * self.question.chips
        return count / step_seconds(self.costs, self.chip)


Results = dict[tuple[str, str, str, int], Result]
"""Results by their place on the page."""


def _result(described: dict[str, Any]) -> Result:
    """A result out of JSON."""
    costs = tuple(
        Cost(**cost | {"exchanged": {k: tuple(v) for k, v in cost["exchanged"].items()}})
        for cost in described["costs"]
    )
    question = Question(**described["question"])
    return Result(question, costs, described.get("refused", {}), described["largest"])


def read_results(path: pathlib.Path) -> Results:
    """The results of a file; none if there is no such file.

    Raises:
        FileFormatError: If it was not written by `write_results`.
    """
    if not path.exists():
        return {}
    try:
        found = [_result(each) for each in parse_json(path.read_bytes(), where=str(path))]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileFormatError(
            f"{path}: does not hold results of benchmarks.pods ({error}); required is a file that "
            "it wrote: remove this one or name another"
        ) from error
    return {result.question.place: result for result in found}


def write_results(path: pathlib.Path, results: Results) -> None:
    """Writes results as JSON, whole or not at all.

    Raises:
        OptionError: If they cannot be written.
    """
    described = [dataclasses.asdict(results[place]) for place in sorted(results)]
    text = json.dumps(described, indent=1) + "\n"
    write_whole(path, lambda name: name.write_text(text))
