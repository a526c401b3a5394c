import os

import numpy as np
import pytest

from sfe_jax.core.errors import ImageError
from sfe_jax.data.pictures import Form
from sfe_jax.data.zips import ZipSource
from sfe_jax.evaluation.sets import NamedPictures, PictureSet
from sfe_jax.metrics.rows import PADDING
from tests.data.pictures import flat, flat_files, noise, png, write_folder, write_zip
from tests.evaluation.pictures import noise_files, picture_set


@pytest.fixture
def pictures(tmp_path):
    """Five pictures, each of the level of its number."""
    return picture_set(write_folder(tmp_path / "flat", flat_files(5)))


def test_batches_are_of_one_size_and_filled_up_under_no_number(pictures):
    batches = list(pictures.batches(3))
    assert [batch.numbers.tolist() for batch in batches] == [[0, 1, 2], [3, 4, PADDING]]
    assert [batch.images[:, 0, 0, 0].tolist() for batch in batches] == [[0, 1, 2], [3, 4, 4]]


def test_parts_cover_the_set_once_in_as_many_batches(pictures):
    parts = [[batch.numbers for batch in pictures.batches(1, part=i, parts=2)] for i in range(2)]
    assert [len(part) for part in parts] == [3, 3]
    numbers = np.concatenate([*parts[0], *parts[1]])
    assert sorted(numbers[numbers != PADDING].tolist()) == [0, 1, 2, 3, 4]


def test_subset_reads_the_records_of_its_numbers(pictures):
    (batch,) = pictures.subset(np.array([1, 4])).batches(2)
    assert batch.images[:, 0, 0, 0].tolist() == [1, 4]


def test_picture_of_another_size_is_named_with_both_sizes(tmp_path):
    files = noise_files(3) | {"odd.png": png(noise(20, 20, 3))}
    pictures = picture_set(write_folder(tmp_path, files))
    with pytest.raises(ImageError, match=r"odd\.png: is 20 x 20, and .*000\.png 16 x 16; required"):
        list(pictures.batches(2))


def test_pictures_of_several_sizes_are_read_at_a_resolution(tmp_path):
    files = noise_files(1) | {"odd.png": png(noise(20, 20, 3))}
    pictures = picture_set(write_folder(tmp_path, files), resolution=16)
    assert next(iter(pictures.batches(2))).images.shape == (2, 16, 16, 3)


def test_unreadable_picture_is_named(tmp_path):
    files = noise_files(2) | {"zz.png": b"no picture"}
    pictures = picture_set(write_folder(tmp_path, files))
    with pytest.raises(ImageError, match=r"zz\.png"):
        list(pictures.batches(2))


def test_digest_stays_where_nothing_changes(pictures):
    assert picture_set(pictures.source.path).digest == pictures.digest


def test_digest_changes_with_the_form(pictures):
    assert picture_set(pictures.source.path, resolution=24).digest != pictures.digest


def test_digest_changes_with_the_pictures_chosen(pictures):
    assert pictures.subset(np.arange(4)).digest != pictures.digest


def test_digest_changes_with_a_file(pictures):
    before = pictures.digest
    (pictures.source.path / "000.png").write_bytes(png(noise(16, 16, 3)))
    assert pictures.digest != before


def test_digest_of_an_archive_changes_with_its_date(tmp_path):
    path = write_zip(tmp_path / "set.zip", flat_files(2))
    pictures = PictureSet(ZipSource(path), Form(), np.arange(2))
    before = pictures.digest
    os.utime(path, ns=(0, 0))
    assert pictures.digest != before


# Folders by name.


def test_picture_is_found_by_its_name_whatever_its_suffix(tmp_path, pictures):
    folder = tmp_path / "others"
    write_folder(folder, {f"{index:03d}.bmp": b"" for index in range(5)})
    for path in folder.iterdir():
        path.write_bytes(png(flat(100)))
    (batch,) = pictures.batches(8)
    images = NamedPictures(folder, pictures.form).like(batch, pictures)
    assert images[:, 0, 0, 0].tolist() == [100] * 5 + [4] * 3


def test_name_that_is_missing_is_said_with_what_is_there(tmp_path, pictures):
    folder = write_folder(tmp_path / "others", {"000.png": png(flat(0)), "1.png": png(flat(1))})
    (batch,) = pictures.batches(8)
    with pytest.raises(ImageError, match=r"others: has no picture for '001'.* such as '000\.png'"):
        NamedPictures(folder, pictures.form).like(batch, pictures)


def test_picture_of_another_size_than_its_original_is_named(tmp_path, pictures):
    folder = write_folder(tmp_path / "others", flat_files(5, side=18))
    (batch,) = pictures.batches(8)
    with pytest.raises(ImageError, match=r"000\.png: is 18 x 18; required is 16 x 16"):
        NamedPictures(folder, pictures.form).like(batch, pictures)


def test_two_pictures_of_one_name_are_refused(tmp_path):
    write_folder(tmp_path, {"a.png": png(flat(0)), "a.jpg": png(flat(0))})
    with pytest.raises(ImageError, match=r"a\.png: has the name of a\.jpg"):
        NamedPictures(tmp_path, Form())
