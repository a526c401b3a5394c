"""Files appear whole or not at all."""

import pytest

from sfe_jax.core.files import written_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    with written_whole(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with written_whole(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert temporary.suffix == ".txt"


def test_the_old_file_stays_alone_when_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.txt": "old"}
