"""The input pipeline's benchmark: what it writes, that both pipelines agree, what it reports."""

import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from benchmarks.measuring.rows import Options
from benchmarks.sections import input_pipeline
from benchmarks.sections.input_files import (
    Cycled,
    draw_pictures,
    write_folder,
    write_records,
    write_zip,
)
from benchmarks.sections.input_pipeline import (
    PixelError,
    check_pixels,
    one_core,
    rates,
    section,
    shares,
)
from benchmarks.sections.input_plain import Pictures
from sfe_jax.data.pipeline import batches, one_pass

SIZE = input_pipeline.Size(16, 4, 2, 1)
AMOUNT = {"count": SIZE.pictures, "resolution": SIZE.resolution}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("folder") / "jpeg", **AMOUNT)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_zip(tmp_path_factory.mktemp("zip") / "pictures.zip", **AMOUNT)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records"), **AMOUNT)


@pytest.fixture
def plain_loader(monkeypatch):
    """A DataLoader in few words, for where torch is not installed."""

    def in_order(pictures, batch_size):
        for start in range(0, len(pictures), batch_size):
            yield np.stack([pictures[start + place] for place in range(batch_size)])

    monkeypatch.setattr(input_pipeline, "in_order", in_order)


@pytest.mark.parametrize("name", ["folder", "archive", "records"])
def test_both_pipelines_give_equal_pixels(name, request, plain_loader):
    check_pixels(request.getfixturevalue(name), SIZE)


def test_different_pixels_end_the_comparison(folder, archive, plain_loader):
    mixed = input_pipeline.DataSet("mixed", folder.source, archive.files)
    with pytest.raises(PixelError, match="mixed: batch 0"):
        check_pixels(mixed, SIZE)


def test_archive_and_records_hold_the_same_pictures(archive, records):
    drawn = list(draw_pictures(SIZE.pictures, SIZE.resolution))
    for data in (archive, records):
        (batch,) = one_pass(data.source, batch_size=SIZE.pictures)
        np.testing.assert_array_equal(batch["image"], drawn)


def test_files_of_a_folder_are_half_as_large_again(folder):
    with Image.open(io.BytesIO(folder.files[0])) as opened:
        assert opened.size == (24, 24)


@pytest.mark.parametrize("name", ["archive", "records"])
def test_pickled_files_hold_the_same(name, request):
    files = request.getfixturevalue(name).files
    assert pickle.loads(pickle.dumps(files))[1] == files[1]


def test_half_of_the_plain_pictures_are_mirrored(archive):
    pictures = Pictures(archive.files, resolution=SIZE.resolution, mirror=True)
    (upright,) = one_pass(archive.source, batch_size=SIZE.pictures)
    shown = [np.array_equal(pictures[0], upright["image"][0]) for _ in range(100)]
    assert 20 < sum(shown) < 80  # Six standard deviations of 5.


def test_few_records_stand_for_many(archive):
    many = Cycled(archive.source, 10)
    assert len(many) == 10
    np.testing.assert_array_equal(many[9]["image"], archive.source[1]["image"])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no such call")
def test_one_core_is_left_again():
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


@pytest.fixture
def impatient(monkeypatch):
    """Turns without a rest between them."""
    monkeypatch.setattr(input_pipeline.time, "sleep", lambda seconds: None)


def test_first_turn_does_not_count(impatient, monkeypatch):
    turns = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(input_pipeline, "_turn", lambda reader, size: next(turns))
    found = rates({"reader": iter(())}, SIZE, repeats=2)["reader"]
    assert (found.least, found.most) == (2.0, 3.0)


def test_shares_make_up_the_whole(archive):
    reader = batches(archive.source, batch_size=2, seed=0, resolution=16, mirror=True, threads=0)
    found = shares(archive, SIZE, reader, repeats=2)
    assert sum(found.values()) - found["ms"] == pytest.approx(100)


def test_absence_of_torch_is_said_in_a_row(impatient, monkeypatch, tmp_path):
    monkeypatch.setattr(input_pipeline, "has_torch", lambda: False)
    monkeypatch.setattr(input_pipeline, "QUICK", (SIZE,))
    table = section(Options(repeats=1, quick=True, originals=None, workdir=tmp_path))
    said = [row.note for row in table.rows if row.form == "DataLoader"]
    assert said == [input_pipeline.NOT_INSTALLED] * 3
