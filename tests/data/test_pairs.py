"""Pictures and their conditions: which belong together, and what becomes of both."""

import pickle

import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.data.opening import open_pairs
from sfe_jax.data.pictures import Form
from sfe_jax.data.pipeline import batches, one_pass
from tests.data.pictures import flat, flat_files, levels_of, noise, png, write_folder, write_zip

FORM = Form(16)


def grey(level, side=16):
    """A grey picture of one level."""
    return png(np.full((side, side), level, np.uint8))


def labels(*rows):
    """A map of 16 x 16 labels, in stripes."""
    return png(np.repeat(np.asarray(rows, np.uint8), 16 // len(rows))[:, None].repeat(16, axis=1))


@pytest.fixture
def opened(tmp_path):
    """Writes pictures as a folder, conditions as an archive, and opens both."""

    def write(pictures, conditions, *, channels=1, form=FORM):
        folder = write_folder(tmp_path / "pictures", pictures)
        archive = write_zip(tmp_path / "conditions.zip", conditions)
        return open_pairs(str(folder), str(archive), channels=channels, form=form)

    return write


def first(source):
    """The condition of the first record."""
    return source[0]["condition"]


# Pairing.


def test_partners_have_the_same_path_whatever_their_suffix(opened):
    pictures = {"a.png": png(flat(1)), "b/a.PNG": png(flat(2)), "b.c.png": png(flat(3))}
    conditions = {"b/a.bmp": grey(2), "b.c.jpg": grey(3), "a.png": grey(1)}
    (batch,) = one_pass(opened(pictures, conditions), batch_size=3)
    assert levels_of({"image": batch["condition"]}) == levels_of(batch) == [1, 2, 3]


def test_pictures_without_a_partner_are_refused_by_name_and_count(opened):
    conditions = {"000.png": grey(0)}
    with pytest.raises(OptionError, match=r"pictures: 4 of 5 .* '001', '002', '003'; required"):
        opened(flat_files(5), conditions)


def test_conditions_without_a_partner_are_refused_by_name_and_count(opened):
    conditions = {**flat_files(2), "left.png": grey(0)}
    with pytest.raises(OptionError, match=r"conditions\.zip: 1 of 3 .* such as 'left'; required"):
        opened(flat_files(2), conditions)


def test_two_pictures_of_one_name_are_refused(opened):
    with pytest.raises(OptionError, match=r"'a\.bmp' and 'a\.png' differ in their suffix alone"):
        opened({"a.png": png(flat(0)), "a.bmp": png(flat(1))}, {"a.png": grey(0)})


@pytest.mark.parametrize("place", ["faces", "faces:stream", "tfds:a:train", "/nowhere"])
def test_place_that_is_neither_folder_nor_zip_is_refused(opened, tmp_path, place):
    opened(flat_files(1), flat_files(1))
    with pytest.raises(OptionError, match=r"required is a folder or a \.zip, for pairs"):
        open_pairs(place, str(tmp_path / "conditions.zip"), channels=1, form=FORM)


def test_pickled_pairs_read_the_same(opened):
    source = opened(flat_files(2), {"000.png": grey(7), "001.png": grey(8)})
    copy = pickle.loads(pickle.dumps(source))
    assert (first(copy) == 7).all()


# Forms.


@pytest.mark.parametrize(("channels", "depth"), [(1, 1), (3, 3), (4, 1)])
def test_condition_has_the_channels_of_its_kind(opened, channels, depth):
    source = opened(flat_files(1), {"000.png": grey(2)}, channels=channels)
    assert (first(source).shape, first(source).dtype) == ((16, 16, depth), np.uint8)


def test_labels_are_resized_without_any_between_them(opened):
    conditions = {"000.png": labels(0, 18)}
    source = opened(flat_files(1), conditions, channels=19, form=Form(24))
    assert set(first(source).ravel()) == {0, 18}


def test_sketches_are_resized_as_pictures_are(opened):
    files = {"000.png": png(noise(32, 32))}
    source = opened(files, files, form=Form(16, resize_filter="box"))
    (batch,) = one_pass(source, batch_size=1, resolution=16, resize_filter="box")
    np.testing.assert_array_equal(batch["condition"], batch["image"][..., :1])


def test_label_that_is_none_stops_and_names_the_file(opened):
    source = opened(flat_files(2), {"000.png": grey(3), "001.png": grey(4)}, channels=4)
    with pytest.raises(OptionError, match=r"001\.png: has the levels 4; .* 0 to 3, .* now 4"):
        list(one_pass(source, batch_size=2))


def test_map_of_labels_in_colours_is_refused(opened):
    source = opened(flat_files(1), {"000.png": png(noise(16, 16, 3))}, channels=19)
    with pytest.raises(OptionError, match=r"000\.png: is PNG of mode RGB; a map of labels"):
        first(source)


def test_broken_map_of_labels_is_left_out_as_broken_pictures_are(opened):
    conditions = {"000.png": grey(3)[:-30], "001.png": grey(2)}
    source = opened(flat_files(2), conditions, channels=4)
    with pytest.warns(UserWarning, match=r"000\.png: is broken or truncated"):
        (batch,) = one_pass(source, batch_size=2)
    assert levels_of(batch) == [1]


# Batches.


@pytest.fixture
def slopes(opened):
    """Eight pictures and their conditions, all alike, whose levels rise from left to right."""
    files = {}
    for index in range(8):
        levels = np.tile(np.arange(16, dtype=np.uint8), (16, 1)) + 16 * index
        files[f"{index}.png"] = png(levels)
    return opened(files, files)


def test_mirroring_moves_pictures_and_conditions_together(slopes):
    batch = next(batches(slopes, batch_size=64, seed=0, mirror=True))
    np.testing.assert_array_equal(batch["image"][..., :1], batch["condition"])
    mirrored = batch["condition"][:, 0, 0, 0] > batch["condition"][:, 0, -1, 0]
    assert 16 < mirrored.sum() < 48


def test_resumed_pairs_go_on_exactly(slopes):
    options = {"batch_size": 3, "seed": 5, "mirror": True, "shard_index": 1, "shard_count": 2}
    whole, resumed = (batches(slopes, **options) for _ in range(2))
    for _ in range(2):
        next(whole)
    resumed.go_to(2)
    for _ in range(3):
        one, other = next(whole), next(resumed)
        for name in ("image", "condition"):
            np.testing.assert_array_equal(one[name], other[name])


def test_unreadable_condition_leaves_its_picture_out(opened):
    source = opened(flat_files(2), {"000.png": b"", "001.png": grey(9)})
    with pytest.warns(UserWarning, match=r"conditions\.zip/000\.png: is empty; .*left out"):
        (batch,) = one_pass(source, batch_size=2)
    assert levels_of(batch) == [1]
