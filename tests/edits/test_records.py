import json
import math

import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.edits.catalogue import CARS, FACES
from sfe_jax.edits.records import (
    build_directions,
    describe_direction,
    describe_directions,
    recorded_directions,
)


@pytest.mark.parametrize("directions", [FACES, CARS])
def test_directions_come_back_as_they_were(directions):
    assert build_directions(describe_directions(directions), "file") == directions


def _broken(**changes):
    return json.dumps([{**describe_direction(FACES[0]), **changes}])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"low": "weak"},
        {"rule": None},
        {"rule": {"type": "cubic", "array": "a", "factor": 1.0}},
        {"rule": {"type": "linear", "array": "a"}},
        {"rule": {"type": "ganspace", "array": "a", "component": -1, "start": 0, "end": 1}},
        {"rule": {"type": "stylespace", "channels": [["b4.conv1", "1"]]}},
        {"rule": {"type": "stylespace", "channels": ["b4.conv1"]}},
        {"rule": {"type": "stylespace", "channels": [["b4.conv1", -1]]}},
        {"rule": {"type": "ganspace", "array": "a", "component": True, "start": 0, "end": 1}},
        {"rule": {"type": "ganspace", "array": "a", "component": 0, "start": 3, "end": 1}},
        {"rule": {"type": "ganspace", "array": "a", "component": 0, "start": 0, "end": -1}},
        {"rule": {"type": "linear", "array": "a", "factor": math.nan}},
        {"rule": {"type": "mapper", "array": "a", "levels": []}},
        {"rule": {"type": "mapper", "array": "a", "levels": ["fine", "coarse"]}},
        {"rule": {"type": "mapper", "array": "a", "levels": ["coarse", "course"]}},
        {"rule": {"type": "linear", "array": "a", "factor": 10**400}},
        {"name": "../../smile"},
        {"name": ".."},
        {"low": math.inf},
        {"high": True},
    ],
)
def test_a_direction_is_refused_for_a_field_of_another_kind(changes):
    with pytest.raises(FileFormatError, match="describes no direction; required are name, method"):
        build_directions(_broken(**changes), "file")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", "[" * 100_000])
def test_text_is_refused_with_the_name_of_its_file(text):
    with pytest.raises(FileFormatError, match=r"^own\.safetensors: "):
        build_directions(text, "own.safetensors")


def test_directions_are_read_from_metadata():
    assert recorded_directions({"directions": describe_directions(FACES)}, "file") == FACES


def test_metadata_without_a_list_has_no_directions():
    assert recorded_directions({}, "file") == ()
