from dataclasses import replace

import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.evaluation.attributes import parse_annotation, read_annotation, read_labels
from tests.data.pictures import flat_files, write_folder
from tests.evaluation.pictures import picture_set

TEXT = """3
Smiling Young
000.jpg  1 -1
001.jpg -1 -1
002.jpg  1  1
"""


@pytest.fixture
def pictures(tmp_path):
    return picture_set(write_folder(tmp_path / "set", flat_files(3)))


def annotation(folder, text=TEXT):
    path = folder / "anno.txt"
    path.write_text(text)
    return path


def test_rows_are_found_by_name_whatever_the_suffix(pictures, tmp_path):
    table = read_annotation(annotation(tmp_path), pictures.subset(np.array([0, 2])))
    assert table.has("Smiling").tolist() == [True, True]
    assert table.has("Young").tolist() == [False, True]


def test_published_file_has_the_published_counts(data_folder):
    path = data_folder / "CelebAMask-HQ-attribute-anno.txt"
    names, rows = parse_annotation(path.read_text(), str(path))
    counts = dict(zip(names, np.sum(list(rows.values()), axis=0), strict=True))
    assert len(rows) == 30_000
    assert [counts[name] for name in ("Smiling", "Eyeglasses", "Young")] == [14_092, 1_468, 23_368]


def test_picture_without_a_row_is_named(pictures, tmp_path):
    path = annotation(tmp_path, TEXT.replace("3\n", "2\n").replace("001.jpg -1 -1\n", ""))
    match = r"anno\.txt: has no line for 1 of 3 pictures, the first is '001'; it names '000'"
    with pytest.raises(FileFormatError, match=match):
        read_annotation(path, pictures)


def test_unknown_attribute_is_answered_with_the_nearest(pictures, tmp_path):
    table = read_annotation(annotation(tmp_path), pictures)
    with pytest.raises(OptionError, match=r"anno\.txt: has no attribute 'smile'; nearest: Smiling"):
        table.has("smile")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "does not begin with a number of pictures"),
        ("Smiling\n000.jpg 1\n", "does not begin with a number of pictures"),
        ("9" * 5_000 + "\nSmiling\n000.jpg 1\n", "does not begin with a number of pictures"),
        ("1\nSmiling Young Smiling\n000.jpg 1 1 1\n", "a line of names, each once"),
        ("1\nSmiling\n/ 1\n", "picture 1: holds '/ 1'; required are a file name"),
        ("1\nSmiling\n. 1\n", "picture 1: holds '. 1'; required are a file name"),
        ("1\nSmiling Young\n000.jpg 1\n", "picture 1: holds '000.jpg 1'; required are a file name"),
        ("1\nSmiling\n000.jpg yes\n", "picture 1: holds '000.jpg yes'"),
        ("2\nSmiling\n000.jpg 1\n", "names 1 pictures where 2 are announced"),
    ],
)
def test_file_of_another_form_is_named(pictures, tmp_path, text, error):
    with pytest.raises(FileFormatError, match=f"anno.txt.*{error}"):
        read_annotation(annotation(tmp_path, text), pictures)


def test_file_that_does_not_exist_is_named(pictures):
    with pytest.raises(FileFormatError, match=r"nowhere\.txt: cannot be read \(No such file"):
        read_annotation("nowhere.txt", pictures)


# What a source knows.


def labelled(folder, labels):
    files = flat_files(len(labels))
    return picture_set(write_folder(folder, files, list(zip(files, labels, strict=True))))


def test_classes_are_attributes_by_number(tmp_path):
    table = read_labels(labelled(tmp_path, [0, 2, 1]))
    assert table.names == ("0", "1", "2")
    assert table.has("2").tolist() == [False, True, False]


def test_places_of_vectors_are_attributes_by_name(tmp_path):
    pictures = labelled(tmp_path, [[0.0, 1.0], [1.0, 1.0]])
    table = read_labels(pictures, ("smile", "glasses"))
    assert table.has("smile").tolist() == [False, True]


def test_names_that_do_not_match_the_labels_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"`label_names` are 3; the labels of .* have 2 places"):
        read_labels(labelled(tmp_path, [[0.0, 1.0], [1.0, 1.0]]), ("a", "b", "c"))


def test_source_without_labels_is_named_with_the_remedy(pictures):
    with pytest.raises(OptionError, match=r"000\.png: its source has no labels; .* `annotation`"):
        read_labels(pictures)


class Records:
    """A source of records."""

    label_size = 0

    def __init__(self, *records):
        self._records = records

    def __len__(self):
        return len(self._records)

    def __getitem__(self, index):
        return self._records[index]

    def name(self, index):
        return f"records[{index}]"


def of_records(pictures, *records):
    return replace(pictures, source=Records(*records), numbers=np.arange(len(records)))


def test_drawn_faces_have_what_lies_in_the_upper_half_of_its_range(pictures):
    low = np.array([row.low for row in ATTRIBUTES], np.float32)
    high = np.array([row.high for row in ATTRIBUTES], np.float32)
    table = read_labels(of_records(pictures, {"attributes": low}, {"attributes": high}))
    assert table.has("smile").tolist() == table.has("glasses").tolist() == [False, True]


def test_attributes_of_tfds_have_their_own_names(pictures):
    record = {"attributes": {"Smiling": np.bool_(True), "Young": np.bool_(False)}}
    table = read_labels(of_records(pictures, record))
    assert table.present.tolist() == [[True, False]]
    assert table.names == ("Smiling", "Young")
