import pytest

from sfe_jax.edits.direction import (
    Direction,
    GanSpace,
    Linear,
    Mapper,
    StyleSpace,
    strength_warning,
)


def _direction(rule, low=-10, high=7):
    return Direction("name", "method", rule, low, high, "", "source")


@pytest.mark.parametrize(
    ("rule", "space", "layers"),
    [
        (Linear("interfacegan/age", 0.5), "W+", "all rows"),
        (Linear("boundary/smiling", 1.0), "W+", "all rows"),
        (Linear("fitted/age", 1.0), "W+", "rows of its vector"),
        (GanSpace("ganspace/ffhq", 54, 7, 8), "W+", "row 7"),
        (GanSpace("ganspace/ffhq", 58, 7, 9), "W+", "rows 7 to 8"),
        (StyleSpace((("b64.conv1", 1), ("b4.conv1", 2), ("b64.conv1", 3))), "S",
         "b64.conv1, b4.conv1"),
        (Mapper("mapper/afro", ("coarse", "medium")), "W+", "rows 0 to 3, 4 to 7"),
        (Mapper("mapper/own", ("coarse", "fine")), "W+", "rows 0 to 3, 8 to the last"),
        (Mapper("mapper/trump", ("coarse", "medium", "fine")), "W+", "all rows"),
    ],
)  # fmt: skip
def test_space_and_layers_are_told_for_each_rule(rule, space, layers):
    direction = _direction(rule)
    assert (direction.space, direction.layers) == (space, layers)


@pytest.mark.parametrize("strength", [-10, 0, 7])
def test_strength_is_silent_inside_its_range(strength):
    assert strength_warning(_direction(Linear("a", 1.0)), strength) is None


@pytest.mark.parametrize("strength", [-10.5, 8])
def test_strength_is_reported_outside_its_range(strength):
    warning = strength_warning(_direction(Linear("a", 1.0)), strength)
    assert warning == (
        f"strength {strength:g} of edit `name` is outside its documented range (-10 to 7); "
        "expect artefacts"
    )


def test_strength_is_silent_without_a_documented_range():
    assert strength_warning(_direction(Linear("a", 1.0), None, None), 1000) is None
