import pytest

from sfe_jax.core.console import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gesichter/Jürgen 3.png", "Gesichter/Jürgen 3.png"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nerror: b", r"a\nerror: b"),
        ("a\u202eb", r"a\u202eb"),
        ("a\udc80b", r"a\udc80b"),
    ],
)
def test_one_line_escapes_only_what_is_not_printed(text, shown):
    assert one_line(text) == shown


def test_printable_keeps_the_lines_of_a_listing():
    assert printable("2 faults:\n  a\n  b\nerror: c") == "2 faults:\n  a\n  b\\nerror: c"
