"""The Python of the guides runs."""

import re

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "python.md"


def test_a_generator_is_built_drawn_and_differentiated_as_the_guide_says():
    """The first lines of the page, with a narrow network of 8 pixels."""
    lines = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    names = {}
    exec(lines.replace("channel_table(64)", "(4, 4)").replace("b32", "b8"), names)  # noqa: S102
    assert names["images"].shape == (4, 8, 8, 3)
    assert names["slopes"].keys() == names["variables"]["params"].keys()
