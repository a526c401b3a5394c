"""How directions are fitted, and how far they are tried: nothing heavy, for callers that refuse."""

from dataclasses import dataclass
from typing import Literal

from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError

FitMethod = Literal["regression", "least-change", "interfacegan", "ganspace", "sefa"]

SUPERVISED = ("regression", "least-change", "interfacegan")
"""Methods that fit a direction per attribute."""

CURVE_STEP = 0.5
"""Between the strengths that are tried."""


@dataclass(frozen=True)
class FitOptions:
    """What is fitted, on which codes, and how.

    Raises:
        OptionError: If options do not go together.
    """

    method: FitMethod = "regression"
    attributes: tuple[str, ...] = ()  # To fit; all that are scored if none is named.
    preserve: tuple[str, ...] = ()  # Attributes that the fitted directions leave alone.
    samples: int = 20_000  # Random codes to fit on.
    seed: int = 0  # Of the random codes.
    class_index: int | None = None  # Of a conditional generator, from 0.
    share: float = 0.02  # Of the codes, taken as examples on each side (interfacegan).
    components: int = 10  # How many directions (ganspace, sefa).
    moved_rows: tuple[int, int] | None = None  # First and last row of W+ that move; None for all.
    reach: float = 8.0  # Largest strength that is tried.
    precision: Precision = "float32"  # Of the generator's activations.
    batch_size: int = 16  # Pictures computed together.

    def __post_init__(self) -> None:
        check_choice("method", self.method, FitMethod)
        check_choice("precision", self.precision, Precision)
        if min(self.batch_size, self.samples) < 1:
            raise OptionError(
                f"`batch_size` is {self.batch_size}, `samples` {self.samples}; required is at "
                "least 1"
            )
        if not self.reach >= CURVE_STEP:
            raise OptionError(f"`reach` is {self.reach}; required is at least {CURVE_STEP}")
        if self.preserve and self.method not in SUPERVISED:
            raise OptionError(
                f"`preserve` goes with {' and '.join(SUPERVISED)}, not with {self.method}"
            )

    def check_given(self, codes: object, scores: object) -> None:
        """Raises unless one's own codes and scores, each None if not given, go with the options.

        Raises:
            OptionError: If they do not.
        """
        if scores is not None and codes is None:
            raise OptionError("`scores` is given without `codes`; name the codes that were scored")
        if self.method == "least-change" and (scores is not None or self.moved_rows):
            raise OptionError(
                "`method` least-change follows the network `features`, through all rows; leave out "
                "`scores` and `moved_rows`, or choose regression"
            )

    def choose_names(self, scored: tuple[str, ...]) -> tuple[str, ...]:
        """The attributes that matter: those named, or all that are `scored`.

        Raises:
            OptionError: If one is not scored, all are to be preserved, or the method needs some.
        """
        names = tuple(dict.fromkeys((*(self.attributes or scored), *self.preserve)))
        if unknown := [name for name in names if name not in scored]:
            choices = ", ".join(scored) or (
                "none: the bundle holds no network `features`; give `codes` and `scores`"
            )
            raise OptionError(f"attribute {unknown[0]!r} is not scored; scored are {choices}")
        if names and set(names) == set(self.preserve):
            raise OptionError(f"`preserve` has all of {', '.join(names)}; leave one to fit")
        if self.method in SUPERVISED and not names:
            raise OptionError(
                f"`method` {self.method} needs scores: a bundle with a network `features`, or "
                "`codes` with `scores` and `attributes`; ganspace and sefa do without"
            )
        return names

    def choose_rows(self, num_ws: int) -> range:
        """The rows of W+ that move, of a generator with `num_ws`.

        Raises:
            OptionError: If the generator does not have them.
        """
        first, last = self.moved_rows or (0, num_ws - 1)
        if not 0 <= first <= last < num_ws:
            raise OptionError(
                f"`moved_rows` is {first} {last}; this generator has rows 0 to {num_ws - 1}"
            )
        return range(first, last + 1)
