"""JSON from outside."""

import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.json_files import parse_json


def test_json_is_read_from_text_and_bytes() -> None:
    assert parse_json('{"a": [1, 2.5, null]}', where="x") == {"a": [1, 2.5, None]}
    assert parse_json('"é"'.encode(), where="x") == "é"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"a":' * 100_000, b'"\xff"', "9" * 10_000],
    ids=["empty", "cut", "deep lists", "deep tables", "no UTF-8", "endless number"],
)
def test_broken_json_is_an_error_of_one_line(text: str | bytes) -> None:
    with pytest.raises(FileFormatError, match=r"^file\.json: is no JSON \(.*\); mend it") as caught:
        parse_json(text, where="file.json", finite=True)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e400"])
def test_number_without_end_is_refused_where_it_has_to_be_finite(text: str) -> None:
    parse_json(text, where="x")
    with pytest.raises(FileFormatError, match="is no finite number"):
        parse_json(text, where="x", finite=True)
