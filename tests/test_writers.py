import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.writers import LOG, open_writers, read_log

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def _run(folder, steps, *, resume_step=None):
    """A run that logs its steps, 64 images each, and shows a picture in the last."""
    with open_writers(folder, resume_step=resume_step) as writers:
        for step in steps:
            writers.scalars(step, step * 64, {"loss/generator": step / 2})
        writers.pictures(step, step * 64, "fakes", PICTURE)


def _logged(folder):
    return [
        (line["step"], line["images"], line["values"]["loss/generator"])
        for line in read_log(folder / LOG)
    ]


def _events(folder):
    """Every event in the files of a folder: records of length, checksum, bytes, checksum."""
    events = []
    for path in sorted((folder / "events").iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            events.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return events


def test_line_holds_step_images_seconds_and_values(tmp_path):
    _run(tmp_path, [1, 2])
    first, second = map(json.loads, (tmp_path / LOG).read_text().splitlines())
    assert (second["step"], second["images"]) == (2, 128)
    assert second["values"] == {"loss/generator": 1.0}
    assert 0 <= first["seconds"] <= second["seconds"] < 60


def test_line_is_in_the_file_before_the_run_ends(tmp_path):
    writers = open_writers(tmp_path)
    writers.scalars(1, 64, {"loss": 1.0})
    assert [line["step"] for line in read_log(tmp_path / LOG)] == [1]
    writers.close()


def test_values_that_are_not_finite_are_written_as_words(tmp_path):
    values = {"a": jnp.float32(jnp.nan), "b": np.inf, "c": -np.inf, "d": jnp.float32(0.5)}
    with open_writers(tmp_path) as writers:
        writers.scalars(1, 64, values)
    (line,) = (tmp_path / LOG).read_text().splitlines()
    strict = json.loads(line, parse_constant=pytest.fail)
    assert strict["values"] == {"a": "nan", "b": "inf", "c": "-inf", "d": 0.5}


def test_picture_is_named_by_images(tmp_path):
    _run(tmp_path, [3])
    (path,) = (tmp_path / "samples").iterdir()
    assert path.name == "fakes-000000192.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)), PICTURE)


def test_tensorboard_holds_figures_by_images(tmp_path):
    _run(tmp_path, [1, 2])
    figures = [
        (event.step, value.tag, value.simple_value)
        for event in _events(tmp_path)
        for value in event.summary.value
        if value.WhichOneof("value") == "simple_value"
    ]
    assert figures == [(64, "loss/generator", 0.5), (128, "loss/generator", 1.0)]


def test_tensorboard_holds_the_picture(tmp_path):
    _run(tmp_path, [3])
    (image,) = [
        value.image
        for event in _events(tmp_path)
        for value in event.summary.value
        if value.WhichOneof("value") == "image"
    ]
    assert (image.height, image.width) == PICTURE.shape[:2]


def test_resumed_log_equals_that_of_a_run_never_killed(tmp_path):
    _run(tmp_path / "whole", range(1, 9))
    _run(tmp_path / "killed", range(1, 7))
    _run(tmp_path / "killed", range(5, 9), resume_step=4)
    assert _logged(tmp_path / "killed") == _logged(tmp_path / "whole")


def test_seconds_count_on_after_the_last_line_that_stays(tmp_path):
    line = {"step": 1, "images": 64, "seconds": 500.0, "values": {"loss/generator": 0.5}}
    (tmp_path / LOG).write_text(json.dumps(line) + "\n")
    _run(tmp_path, [2], resume_step=1)
    assert 500 <= read_log(tmp_path / LOG)[1]["seconds"] < 560


def test_line_that_was_cut_short_is_dropped(tmp_path):
    _run(tmp_path, [1, 2])
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 3, "ima')
    _run(tmp_path, [3], resume_step=2)
    assert [step for step, _, _ in _logged(tmp_path)] == [1, 2, 3]


def test_new_run_begins_with_an_empty_log(tmp_path):
    _run(tmp_path, [1, 2])
    _run(tmp_path, [1])
    assert [step for step, _, _ in _logged(tmp_path)] == [1]


def test_tensorboard_forgets_what_comes_again(tmp_path):
    _run(tmp_path, range(1, 7))
    _run(tmp_path, range(5, 9), resume_step=4)
    starts = [event.step for event in _events(tmp_path) if event.session_log.status == 1]
    assert starts[-1] == 4 * 64 + 1


def test_words_stay_words_when_the_log_is_cut(tmp_path):
    with open_writers(tmp_path) as writers:
        writers.scalars(1, 64, {"loss/generator": np.nan})
    _run(tmp_path, [2], resume_step=1)
    assert _logged(tmp_path)[0] == (1, 64, "nan")


def test_other_processes_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    _run(tmp_path / "run", [1])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"step": 1}', b"3", b"", b"[" * 99_999, b"\xff"])
def test_broken_line_is_named(tmp_path, line):
    _run(tmp_path, [1])
    with (tmp_path / LOG).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(FileFormatError, match=rf"{LOG}: line 2 is broken"):
        open_writers(tmp_path, resume_step=1)


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot be written"):
        open_writers(tmp_path / "file" / "run")
