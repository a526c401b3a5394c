"""A measured number with everything that is needed to believe it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One number of one metric, and where it comes from."""

    metric: str  # As tables name it: "FID".
    value: float
    count: int  # Pictures, or pairs of them, that were judged.
    dtype: str  # In which the networks computed.
    seconds: float  # For making, reading and judging the pictures.
    weights: str  # SHA-256 of the weights that made the pictures; "" if they come from files.
    network: str  # SHA-256 of the weights of the network that judges; "" if there is none.
    resize: str  # How pictures got the size at which they are judged: "none", "bilinear 299".
    deviation: float | None = None  # Where the metric has one; its file says of what.
    target_count: int | None = None  # Pictures of the other set, where there is one that says.
    enough: int = 1  # Pictures that the metric needs, `ENOUGH` of its file.

    @property
    def warning(self) -> str:
        """What to keep in mind; "" if nothing."""
        counts = [self.count] if self.target_count is None else [self.count, self.target_count]
        if min(counts) >= self.enough:
            return ""
        return (
            f"{self.metric} of {min(counts)} pictures depends on their number: compare it with "
            f"others of {min(counts)} alone; {self.enough} or more are asked for"
        )

    def record(self) -> dict[str, Any]:
        """Plain values for JSON, the warning among them."""
        return {**asdict(self), "warning": self.warning}
