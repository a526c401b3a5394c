import pytest

from sfe_jax.core.errors import EditError
from sfe_jax.edits.parsing import parse_edit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smile=3", ("smile", (3.0,))),
        ("age=-5,0,5", ("age", (-5.0, 0.0, 5.0))),
        ("blond hair=4", ("blond hair", (4.0,))),
        (" blond hair = 4 ", ("blond hair", (4.0,))),
        ("age=-5:5:5", ("age", (-5.0, -2.5, 0.0, 2.5, 5.0))),
        ("age=5:-5:3", ("age", (5.0, 0.0, -5.0))),
        ("age=-1,0:1:2", ("age", (-1.0, 0.0, 1.0))),
        ("age=1e-1", ("age", (0.1,))),
        ("purple_hair=0:0.12:5", ("purple_hair", (0.0, 0.03, 0.06, 0.09, 0.12))),
    ],
)
def test_edit_is_split_for_each_form(text, expected):
    assert parse_edit(text) == expected


def test_range_ends_exactly_at_its_last_for_a_step_that_is_not_binary():
    assert parse_edit("age=0.1:0.7:7")[1][-1] == 0.7


@pytest.mark.parametrize(
    "text",
    [
        "", "age", "age=", "age=,", "age=5,", "age=old", "age=nan", "age=inf", "age=-inf",
        "age=1e999", "age=5=6", "age=1:2", "age=1:2:3:4", "age=1:2:1", "age=1:2:0", "age=1:2:x",
        "age=1:2:2.5", "age=0:inf:3", "age=0:1:1000000000",
    ],
)  # fmt: skip
def test_edit_is_refused_with_an_example_for_bad_strengths(text):
    with pytest.raises(EditError, match=r'edit `.*` has strengths .* write "smile=3"'):
        parse_edit(text)


def test_edit_is_refused_without_a_name():
    with pytest.raises(EditError, match="edit ` =3` has no name"):
        parse_edit(" =3")
