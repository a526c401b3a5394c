import dataclasses
from typing import Literal

import pytest

from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.module_fields import check_fields


@dataclasses.dataclass
class Fields:
    """One of each type that modules have."""

    channels: tuple[int, ...] = (8, 8)
    depths: tuple[int, ...] = (1,)
    names: tuple[str, ...] = ("age",)
    size: int = 8
    num_layers: int = 2
    clamp: float | None = None
    is_deep: bool = False
    way: Literal["skip", "resnet"] = "skip"


@pytest.mark.parametrize(
    "fields",
    [
        {"channels": [65_536, 0]},
        {"channels": (4, 4)},
        {"depths": [128] * 128},
        {"names": []},
        {"clamp": None},
        {"clamp": 256},
        {"clamp": -0.5},
        {"is_deep": True},
        {"way": "resnet"},
    ],
)
def test_values_within_bounds_are_taken(fields):
    check_fields(Fields, fields, "net")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": "abc"}, "is 'abc'; required is a list of at most 128, each a whole number"),
        ({"channels": [1.0]}, "from 0 to 65536"),
        ({"channels": [1] * 129}, "at most 128"),
        ({"depths": [129]}, "from 0 to 128"),
        ({"names": ["a" * 201]}, "at most 200 characters"),
        ({"size": 65_537}, "from 0 to 65536"),
        ({"size": -1}, "is -1; required is a whole number"),
        ({"size": True}, "is True; required is a whole number"),
        ({"num_layers": 10**9}, "is 1000000000; required is a whole number from 0 to 128"),
        ({"clamp": float("nan")}, "is nan; required is a finite number or null"),
        ({"clamp": 10**400}, "is 10+; required is a finite number or null"),
        ({"is_deep": 1}, "required is true or false"),
        ({"way": ["skip"]}, "required is one of skip, resnet"),
    ],
)
def test_values_out_of_type_or_bounds_are_refused(fields, message):
    with pytest.raises(WeightsError, match=f"^net: {next(iter(fields))} .*{message}"):
        check_fields(Fields, fields, "net")
