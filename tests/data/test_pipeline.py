"""Batches: order, shards, resuming, labels, colours, sizes, and records that cannot be read."""

import collections
import itertools

import numpy as np
import pytest

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.data.opening import open_source
from sfe_jax.data.pipeline import Faults, batches, one_pass
from tests.data.pictures import flat, flat_files, levels_of, noise, png, write_folder, write_zip

WRITERS = {"folder": write_folder, "zip": write_zip}


@pytest.fixture(params=WRITERS)
def opened(request, tmp_path):
    """Writes files as a folder or as an archive, and opens it."""
    place = tmp_path / {"folder": "pictures", "zip": "pictures.zip"}[request.param]
    return lambda files, labels=None: open_source(WRITERS[request.param](place, files, labels))


@pytest.fixture
def ten(tmp_path):
    """Ten pictures of the levels 0 to 9, each of the class of its level."""
    files = flat_files(10)
    labels = [[name, index] for index, name in enumerate(files)]
    return open_source(write_zip(tmp_path / "ten.zip", files, labels))


def levels(source, count, **options):
    """The levels of the first `count` pictures, in batches of one."""
    iterator = batches(source, batch_size=1, **{"seed": 0, **options})
    return [levels_of(batch)[0] for batch in itertools.islice(iterator, count)]


# Order.


def test_epoch_shows_every_picture_once(ten):
    assert sorted(levels(ten, 10)) == list(range(10))


def test_order_differs_between_epochs(ten):
    shown = levels(ten, 20)
    assert sorted(shown[10:]) == list(range(10))
    assert shown[10:] != shown[:10]


def test_order_is_that_of_the_seed(ten):
    assert levels(ten, 20) == levels(ten, 20)
    assert levels(ten, 10) != levels(ten, 10, seed=1)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_order_does_not_depend_on_threads(ten, threads):
    assert levels(ten, 20, threads=threads) == levels(ten, 20)


@pytest.fixture
def seven(opened):
    """Seven pictures that a mirror changes, the third of which cannot be read."""
    files = {f"{index}.png": png(noise(16, 16, 3, seed=index)) for index in range(7)}
    return opened({**files, "2.png": b""})


def global_batches(source, count, *, parts, step=0):
    """Batches of six pictures from `step` on, of which each of `parts` hosts reads its share."""
    hosts = [
        batches(
            source, batch_size=6 // parts, seed=5, mirror=True, shard_index=i, shard_count=parts
        )
        for i in range(parts)
    ]
    for host in hosts:
        host.go_to(step)
    return [np.concatenate([next(host)["image"] for host in hosts]) for _ in range(count)]


@pytest.mark.parametrize("parts", [2, 3, 6])
@pytest.mark.filterwarnings("ignore:.*left out")
def test_batches_of_all_hosts_are_those_of_one(seven, parts):
    np.testing.assert_array_equal(
        global_batches(seven, 4, parts=parts), global_batches(seven, 4, parts=1)
    )


def test_one_pass_shows_every_picture_once_in_order(ten):
    shown = [levels_of(batch) for batch in one_pass(ten, batch_size=4)]
    assert shown == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_one_pass_over_a_shard_shows_its_share(ten):
    shown = [
        levels_of(batch) for batch in one_pass(ten, batch_size=9, shard_index=1, shard_count=3)
    ]
    assert shown == [[1, 4, 7]]


@pytest.mark.parametrize("index", [0, 1])
def test_neighbours_stay_side_by_side_on_every_host(ten, index):
    host = batches(ten, batch_size=4, seed=0, neighbours=2, shard_index=index, shard_count=2)
    for _ in range(5):
        first, second = np.reshape(levels_of(next(host)), (2, 2)).T
        assert (first % 2 == 0).all()
        np.testing.assert_array_equal(second, first + 1)


# Resuming.


@pytest.mark.parametrize("step", [0, 1, 5])
@pytest.mark.filterwarnings("ignore:.*left out")
def test_batch_of_a_step_is_the_same_whoever_read_those_before(seven, step):
    whole = global_batches(seven, step + 3, parts=1)
    np.testing.assert_array_equal(global_batches(seven, 3, parts=2, step=step), whole[step:])


def test_iterator_goes_back_to_a_step(ten):
    iterator = batches(ten, batch_size=3, seed=0)
    first = [levels_of(next(iterator)) for _ in range(4)]
    iterator.go_to(1)
    assert levels_of(next(iterator)) == first[1]


# Labels and other fields.


def test_classes_become_one_hot(ten):
    batch = next(batches(ten, batch_size=4, seed=0))
    assert batch["label"].dtype == np.float32
    np.testing.assert_array_equal(batch["label"], np.eye(10)[levels_of(batch)])


def test_vectors_stay(opened):
    source = opened(flat_files(2), [["000.png", [0.25, -1]], ["001.png", [2, 3]]])
    (batch,) = one_pass(source, batch_size=2)
    np.testing.assert_array_equal(batch["label"], np.array([[0.25, -1], [2, 3]], np.float32))


def test_unlabelled_batch_has_pictures_alone(opened):
    assert set(next(batches(opened(flat_files(1)), batch_size=1, seed=0))) == {"image"}


# Unreadable records.


@pytest.fixture
def faulty(opened):
    return opened({**flat_files(4), "001.png": png(flat(1))[:50], "003.png": b""})


def test_unreadable_records_are_left_out_of_every_epoch(faulty):
    with pytest.warns(UserWarning, match="left out"):
        assert collections.Counter(levels(faulty, 12)) == {0: 6, 2: 6}


def test_unreadable_records_are_named_and_counted_once(faulty):
    faults = Faults()
    with pytest.warns(UserWarning, match="left out") as warned:
        levels(faulty, 20, faults=faults)
    assert sorted(name[-7:] for name in faults.reasons) == ["001.png", "003.png"]
    assert len(warned) == len(faults) == 2


def test_warning_names_the_record_and_its_fault(faulty):
    with pytest.warns(UserWarning, match="left out") as warned:
        levels(faulty, 4)
    assert sum("003.png: is empty" in str(warning.message) for warning in warned) == 1


def test_strict_batches_stop_at_an_unreadable_record(faulty):
    with pytest.raises(ImageError, match=r"00[13]\.png: "):
        levels(faulty, 4, strict=True)


def test_source_of_unreadable_records_alone_ends(opened):
    iterator = batches(opened({"a.png": b"", "b.png": b""}), batch_size=1, seed=0)
    with pytest.warns(UserWarning, match="left out"):  # noqa: SIM117
        with pytest.raises(ImageError, match="nor can any other of 2"):
            next(iterator)


# Pictures.


def only(folder, levels, **options):
    """The one picture of a source, as a batch shows it."""
    source = open_source(write_folder(folder, {"a.png": png(levels)}))
    return next(batches(source, batch_size=1, seed=0, strict=True, **options))["image"][0]


def test_grey_picture_becomes_rgb(tmp_path):
    grey = noise(16, 16)
    expected = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(only(tmp_path, grey), expected)


def test_grey_picture_stays_grey_where_one_channel_is_asked_for(tmp_path):
    grey = noise(16, 16)
    np.testing.assert_array_equal(only(tmp_path, grey, channels=1), grey[..., None])


def test_rgb_picture_becomes_luma_where_one_channel_is_asked_for(tmp_path):
    levels = noise(16, 16, 3)
    luma = only(tmp_path, levels, channels=1)[..., 0]
    np.testing.assert_allclose(luma, levels @ [0.299, 0.587, 0.114], atol=0.51)


@pytest.mark.parametrize(("opacity", "expected"), [(0, 255), (51, 224), (255, 100)])
def test_transparent_picture_is_laid_over_white(tmp_path, opacity, expected):
    levels = np.full((16, 16, 4), [100, 100, 100, opacity], np.uint8)
    assert (only(tmp_path, levels) == expected).all()


def test_grey_picture_with_alpha_is_laid_over_white(tmp_path):
    levels = np.full((16, 16, 2), [100, 51], np.uint8)
    assert (only(tmp_path, levels, channels=1) == 224).all()


def test_transparent_picture_is_refused_where_asked(tmp_path):
    levels = np.full((16, 16, 4), [100, 100, 100, 254], np.uint8)
    with pytest.raises(ImageError, match=r"a\.png: has transparent parts"):
        only(tmp_path, levels, alpha="refuse")


def test_opaque_alpha_is_not_refused(tmp_path):
    levels = np.full((16, 16, 4), [100, 100, 100, 255], np.uint8)
    assert (only(tmp_path, levels, alpha="refuse") == 100).all()


@pytest.mark.parametrize("resize_filter", ["box", "bilinear", "lanczos"])
@pytest.mark.parametrize("transform", ["none", "center-crop", "center-crop-wide"])
@pytest.mark.parametrize("channels", [1, 3])
def test_picture_has_the_shape_asked_for(tmp_path, resize_filter, transform, channels):
    options = {
        "resolution": 32,
        "resize_filter": resize_filter,
        "transform": transform,
        "channels": channels,
    }
    assert only(tmp_path, noise(40, 48, 3), **options).shape == (32, 32, channels)


def test_box_filter_averages_blocks(tmp_path):
    levels = noise(32, 32, 3)
    blocks = levels.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    shown = only(tmp_path, levels, resolution=16, resize_filter="box")
    np.testing.assert_allclose(shown, blocks, atol=1)  # Pillow rounds rows, then columns.


def test_lanczos_filter_overshoots_at_an_edge(tmp_path):
    edge = np.repeat(np.array([64, 192], np.uint8), 32)[None, :, None].repeat(64, 0).repeat(3, 2)
    shown = only(tmp_path, edge, resolution=32, resize_filter="lanczos")
    assert (shown.min(), shown.max()) < (64, 192) < (shown.max(), 256)


def test_centre_is_cut_from_a_wide_picture(tmp_path):
    levels = noise(16, 30, 3)
    np.testing.assert_array_equal(only(tmp_path, levels), levels[:, 7:23])


def test_wide_window_stands_between_black_bars(tmp_path):
    levels = np.full((24, 40, 3), 9, np.uint8)
    shown = only(tmp_path, levels, resolution=32, transform="center-crop-wide")
    assert (shown[:4].max(), shown[4:28].min(), shown[28:].max()) == (0, 9, 0)


@pytest.mark.parametrize("resolution", [None, 36])
def test_wide_window_needs_a_resolution_that_its_bars_divide(tmp_path, resolution):
    with pytest.raises(OptionError, match="a multiple of 8 is required"):
        only(tmp_path, noise(48, 48, 3), resolution=resolution, transform="center-crop-wide")


def test_wide_window_is_not_stretched(tmp_path):
    levels = noise(24, 40, 3)
    shown = only(tmp_path, levels, resolution=32, transform="center-crop-wide")
    np.testing.assert_array_equal(shown[4:28], levels[:, 4:36])


@pytest.mark.parametrize(("side", "transform"), [(16, "none"), (31, "center-crop-wide")])
def test_picture_too_small_is_refused(tmp_path, side, transform):
    resolution = 256 if transform == "none" else 32
    with pytest.raises(ImageError, match=r"a\.png: is \d+ x \d+.*required are"):
        only(tmp_path, noise(side, side, 3), resolution=resolution, transform=transform)


def test_pictures_of_several_shapes_are_refused_without_a_resolution(opened):
    source = opened({"a.png": png(flat(1, 16)), "b.png": png(flat(2, 32))})
    with pytest.raises(OptionError, match="several shapes"):
        next(batches(source, batch_size=2, seed=0))


def test_half_of_the_pictures_are_mirrored(tmp_path):
    levels = noise(16, 16, 3)
    source = open_source(write_folder(tmp_path, {"a.png": png(levels)}))
    shown = next(batches(source, batch_size=400, seed=0, mirror=True))["image"]
    mirrored = (shown == levels[:, ::-1]).all(axis=(1, 2, 3))
    as_they_are = (shown == levels).all(axis=(1, 2, 3))
    assert (mirrored ^ as_they_are).all()
    assert 150 < mirrored.sum() < 250  # Five standard deviations of 10.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("shard_count", 0),
        ("shard_count", 11),
        ("shard_index", 1),
        ("threads", -1),
        ("channels", 4),
        ("resolution", 8),
        ("resize_filter", "cubic"),
        ("transform", "squeeze"),
        ("alpha", "black"),
    ],
)
def test_unusable_option_is_refused(ten, name, value):
    with pytest.raises(OptionError, match=f"`{name}` is {value!r}"):
        batches(ten, **{"batch_size": 1, "seed": 0, name: value})


def test_published_data_set_is_read(data_folder):
    path = data_folder / "expressions128.zip"
    if not path.is_file():
        pytest.skip("expressions128.zip is not there")
    source = open_source(path)
    batch = next(batches(source, batch_size=4, seed=0, channels=1, strict=True))
    assert (len(source), batch["image"].shape) == (10508, (4, 128, 128, 1))
    assert batch["label"].shape == (4, 3)
