"""TOML into dataclasses, strictly."""

import tomllib
from dataclasses import dataclass, field
from typing import Literal

import pytest

from sfe_jax.characters.tables import build
from sfe_jax.core.errors import FileFormatError


@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Square:
    side: int


@dataclass(frozen=True, kw_only=True)
class Drawing:
    title: str
    shapes: tuple[Circle | Square, ...] = ()
    size: tuple[int, int] | None = None
    weights: dict[str, float] = field(default_factory=dict)
    frame: Literal["none", "thin"] = "none"
    signed: bool = False


def read(text):
    return build(Drawing, tomllib.loads(text), "drawing.toml:")


def test_a_table_becomes_an_instance():
    text = """
    title = "both"
    size = [2, 3]
    weights = { a = 1, b = 0.5 }
    frame = "thin"
    shapes = [{ do = "circle", radius = 2 }, { do = "square", side = 4 }]
    """
    assert read(text) == Drawing(
        title="both",
        size=(2, 3),
        weights={"a": 1.0, "b": 0.5},
        frame="thin",
        shapes=(Circle(radius=2.0), Square(side=4)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "drawing.toml: title is missing; required is a value"),
        ('title = ""\ncolour = 1', "drawing.toml: colour is unknown; known are title, shapes"),
        ("title = 1", "drawing.toml: title is 1; required is a text"),
        ('title = ""\nsigned = 1', "signed is 1; required is true or false"),
        ('title = ""\nsize = [1]', "size is [1]; required is a list of 2"),
        ('title = ""\nsize = [1, 2.5]', "size.2 is 2.5; required is a whole number"),
        ('title = ""\nsize = [1, true]', "size.2 is True; required is a whole number"),
        ('title = ""\nsize = 3', "size is 3; required is a list"),
        ('title = ""\nweights = 3', "weights is 3; required is a table"),
        ('title = ""\nweights.a = nan', "weights.a is nan; required is a finite number"),
        ('title = ""\nweights.a = 1' + "0" * 310, "; required is a number of at most 63 bits"),
        ('title = ""\nsize = [1, 0x1' + "0" * 5000 + "]", "size.2 is longer than can be shown"),
        ('title = ""\n"a\\nb\\u001b" = 1', r"drawing.toml: a\nb\x1b is unknown"),
        ('title = ""\nframe = "thick"', "frame is 'thick'; required is one of none, thin"),
        ('title = ""\nshapes = [{}]', "shapes.1.do is None; required is one of circle, square"),
        ('title = ""\nshapes = [{ do = [] }]', "shapes.1.do is []; required is one of"),
        ('title = ""\nshapes = ["circle"]', "shapes.1 is 'circle'; required is a table"),
        ('title = ""\nshapes = [{ do = "square" }]', "shapes.1.side is missing"),
        ('title = ""\nshapes = [{ do = "circle", side = 1 }]', "shapes.1.side is unknown"),
    ],
)
def test_a_mistake_is_refused_by_file_and_key(text, message):
    with pytest.raises(FileFormatError) as caught:
        read(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
