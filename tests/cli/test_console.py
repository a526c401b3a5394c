import pytest

from sfe_jax.cli.console import fail, say, show_warnings_in_one_line


@pytest.mark.parametrize("path", ["a:car:b", "[red]a[/red]", "a" * 300])
def test_message_shows_a_path_as_it_is(capsys, path):
    say(path)
    assert capsys.readouterr().err == f"{path}\n"


def test_error_is_one_line_whatever_a_file_is_called(capsys):
    fail("a\x1b[31m\nerror: all is well.png cannot be read")
    assert capsys.readouterr().err == (
        "error: a\\x1b[31m\\nerror: all is well.png cannot be read\n"
    )


def test_warning_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", None)
    show_warnings_in_one_line()
    import warnings

    warnings.showwarning("a\nb", UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "warning: a\\nb\n"
