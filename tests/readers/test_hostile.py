import os
import tempfile
import time
import tracemalloc

import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers import read
from tests.readers.hostile_files import hostile_files

CASES = hostile_files()
MAX_SECONDS = 10.0  # The longest uses up its steps; the machine may be busy.
MAX_BYTES = 256 << 20

every_case = pytest.mark.parametrize(
    ("content", "culprit"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The hostile file's path, beside empty folders for work and temporary files."""
    (tmp_path / "work").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "model.pt"


def refusal(path):
    with pytest.raises(FileFormatError) as caught:
        read(path)
    return str(caught.value)


@every_case
def test_refusal_is_one_line_with_path_and_culprit(place, content, culprit):
    place.write_bytes(content)
    message = refusal(place)
    assert message.startswith(f"{place}: ")
    assert culprit in message
    assert message.isprintable()
    assert len(message) < len(str(place)) + 500


@every_case
def test_refusal_executes_and_writes_nothing(place, content, culprit):
    place.write_bytes(content)
    refusal(place)
    left = sorted(str(path.relative_to(place.parent)) for path in place.parent.rglob("*"))
    assert left == ["model.pt", "temporary", "work"]


@every_case
def test_refusal_takes_little_time_and_memory(place, content, culprit):
    place.write_bytes(content)
    tracemalloc.start()
    start = time.process_time()  # Other programs of a busy machine do not count.
    refusal(place)
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < MAX_SECONDS
    assert peak < MAX_BYTES


def test_there_are_many_cases_with_distinct_titles():
    titles = [case[0] for case in CASES]
    assert len(set(titles)) == len(titles) > 150


def test_missing_file_is_named(tmp_path):
    assert refusal(tmp_path / "absent.pt").endswith("there is no such file; check the path")


def test_directory_is_named(tmp_path):
    assert refusal(tmp_path).endswith("this is not a regular file; give the path of a file")


def test_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_path_with_line_break_stays_on_one_line(tmp_path):
    (tmp_path / "a\nb").write_bytes(b"hello, world")
    assert "\n" not in refusal(tmp_path / "a\nb")
