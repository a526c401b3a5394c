"""The TFDS data set of faces, and prepared data sets of other features."""

import io
import itertools
import pathlib
import pickle
import shutil
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds

from sfe_jax.core.errors import FileFormatError, ImageError, OptionError
from sfe_jax.data import faces, faces_builder
from sfe_jax.data.faces_builder import FacesOptions, draw_records, prepare_faces
from sfe_jax.data.opening import open_source
from sfe_jax.data.pipeline import batches
from sfe_jax.data.sources import label_size
from sfe_jax.data.tfds_sources import TfdsSource, open_tfds
from tests.data.pictures import levels_of, noise, png

OPTIONS = FacesOptions(resolution=16, count=7)


@pytest.fixture(scope="module", autouse=True)
def _no_traces(tmp_path_factory):
    """TFDS leaves an empty temporary folder per preparation."""
    kept, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("temporary"))
    yield
    tempfile.tempdir = kept


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def drawn(data_dir):
    """Real faces, drawn once."""
    return open_source("faces", data_dir=data_dir, faces=OPTIONS)


def render_flat(drawn, resolution):
    """Draws flat pictures whose brightness is the attribute `lighting`."""
    levels = drawn.attributes.lighting[:, None, None, None]
    return jnp.broadcast_to(levels, (len(levels), resolution, resolution, 3))


@pytest.fixture
def flat_renderer(monkeypatch):
    """The real renderer takes seconds to compile."""
    monkeypatch.setattr(faces_builder, "_render", render_flat)


def test_drawn_faces_have_the_fields_documented(drawn):
    record = drawn[0]
    assert len(drawn) == 7
    assert (record["image"].shape, record["image"].dtype) == ((16, 16, 3), np.uint8)
    assert (record["attributes"].shape, record["attributes"].dtype) == ((12,), np.float32)
    assert record["identity"].dtype == np.int64


def test_stored_faces_are_the_drawn_ones_in_order(drawn):
    for stored, record in zip([drawn[i] for i in range(7)], draw_records(OPTIONS), strict=True):
        jax.tree.map(np.testing.assert_array_equal, stored, record)


def test_picture_is_rounded_to_the_nearest_level(flat_renderer):
    for record in draw_records(OPTIONS):
        lighting = record["attributes"][faces.Attributes._fields.index("lighting")]
        assert np.abs(record["image"] - (127.5 * lighting + 127.5)).max() <= 0.501


@pytest.mark.parametrize("resolution", [16, 256])
def test_faces_rendered_a_few_at_a_time_are_those_rendered_at_once(monkeypatch, resolution):
    monkeypatch.setattr(faces, "render_faces", render_flat)
    sampled = faces_builder._sample(jax.random.key(0), pictures_per_identity=2, split="plain")
    sampled = jax.tree.map(lambda leaf: leaf[:5], sampled)
    together = faces_builder._render.__wrapped__(sampled, resolution=resolution)
    np.testing.assert_array_equal(together, render_flat(sampled, resolution))


def test_two_faces_show_one_person(drawn):
    assert [int(drawn[i]["identity"]) for i in range(7)] == [0, 0, 1, 1, 2, 2, 3]


def test_faces_of_one_person_share_identity_and_details_alone():
    sampled = faces_builder._sample(jax.random.key(1), pictures_per_identity=2, split="detailed")
    same = jax.tree.map(lambda leaf: bool((leaf[::2] == leaf[1::2]).all()), sampled)
    assert all(same.identity)
    assert all(same.details)
    assert not any(same.attributes)


def test_longer_data_set_begins_with_the_shorter(flat_renderer):
    options = {"resolution": 16, "pictures_per_identity": 1, "seed": 4}
    short = list(draw_records(FacesOptions(count=65, **options)))
    long = itertools.islice(draw_records(FacesOptions(count=200, **options)), 65)
    jax.tree.map(np.testing.assert_array_equal, short, list(long))


def test_people_of_later_chunks_are_others(flat_renderer):
    records = list(draw_records(FacesOptions(resolution=16, count=130, pictures_per_identity=1)))
    assert not np.array_equal(records[0]["attributes"], records[64]["attributes"])
    assert [int(record["identity"]) for record in records] == list(range(130))


def test_faces_are_drawn_once(drawn, data_dir, monkeypatch):
    monkeypatch.setattr(faces_builder, "draw_records", None)  # Calling it would fail.
    assert len(open_source("faces", data_dir=data_dir, faces=OPTIONS)) == 7


def test_other_options_have_another_folder(flat_renderer, tmp_path):
    variants = [{}, {"seed": 1}, {"split": "detailed"}, {"pictures_per_identity": 1}]
    names = {FacesOptions(resolution=16, count=2, **variant).name for variant in variants}
    assert len(names) == len(variants)


def test_interrupted_drawing_is_not_taken_for_whole(flat_renderer, tmp_path, monkeypatch):
    options = FacesOptions(resolution=16, count=8)

    def interrupted(options):
        yield from itertools.islice(draw_records(options), 3)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faces_builder, "draw_records", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_faces(options, data_dir=tmp_path)
    assert len(TfdsSource(prepare_faces(options, data_dir=tmp_path), "train")) == 8


def test_what_a_killed_drawing_left_is_not_taken_for_whole(flat_renderer, tmp_path):
    options = FacesOptions(resolution=16, count=2)
    left = tmp_path / "procedural_faces" / options.name / "1.0.0.incompleteABC123"
    left.mkdir(parents=True)
    (left / "procedural_faces-train.array_record-00000-of-00001").write_bytes(b"half")
    assert len(TfdsSource(prepare_faces(options, data_dir=tmp_path), "train")) == 2


def test_data_set_that_another_process_drew_meanwhile_is_taken(
    flat_renderer, tmp_path, monkeypatch
):
    options = FacesOptions(resolution=16, count=2)
    other = prepare_faces(options, data_dir=tmp_path / "other")

    def overtaken(options):
        yield from draw_records(options)
        shutil.copytree(other, folder)

    folder = tmp_path / "own" / other.relative_to(tmp_path / "other")
    monkeypatch.setattr(faces_builder, "draw_records", overtaken)
    assert prepare_faces(options, data_dir=tmp_path / "own") == folder
    assert len(TfdsSource(folder, "train")) == 2


def test_place_that_cannot_be_written_is_named(flat_renderer, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OptionError, match=r"file/procedural_faces/.*: cannot be written"):
        prepare_faces(FacesOptions(resolution=16, count=2), data_dir=tmp_path / "file")


def test_drawing_shows_progress(flat_renderer, tmp_path, capsys):
    prepare_faces(FacesOptions(resolution=16, count=2), data_dir=tmp_path)
    shown = capsys.readouterr()
    assert "drawing faces" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"resolution": 8}, {"seed": -1}, {"split": "rare"}]
)
def test_unusable_options_of_faces_are_refused(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"`{name}` of faces"):
        FacesOptions(**options)


def test_drawn_faces_go_through_the_pipeline(drawn):
    batch = next(batches(drawn, batch_size=5, seed=0, mirror=True))
    shapes = {name: leaf.shape for name, leaf in batch.items()}
    assert shapes == {"image": (5, 16, 16, 3), "attributes": (5, 12), "identity": (5,)}


def test_pickled_data_set_reads_the_same(drawn):
    copy = pickle.loads(pickle.dumps(drawn))
    jax.tree.map(np.testing.assert_array_equal, copy[3], drawn[3])


def test_data_set_is_opened_by_name_and_part_of_split(drawn, data_dir):
    spec = f"tfds:procedural_faces/{OPTIONS.name}:train[2:5]"
    source = open_source(spec, data_dir=data_dir)
    assert len(source) == 3
    np.testing.assert_array_equal(source[0]["image"], drawn[2]["image"])


# Data sets of other features.


def prepared(data_dir, features, examples, *, file_format="array_record"):
    """Prepares a data set of one split "train"; gives its folder."""

    class Sample(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        url_infos = None

        def _info(self):
            kinds = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=kinds, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": enumerate(examples)}

        def _generate_examples(self):
            raise NotImplementedError

    with faces_builder.silent_tfds():
        builder = Sample(data_dir=data_dir, file_format=file_format)
        builder.download_and_prepare()
    return builder.data_dir


def encoded(level=0, **fields):
    """An example with a flat picture."""
    return {"image": io.BytesIO(png(np.full((16, 16, 3), level, np.uint8))), **fields}


IMAGE = {"image": tfds.features.Image(shape=(None, None, 3), encoding_format="png")}


def test_class_labels_become_one_hot(tmp_path):
    features = {**IMAGE, "label": tfds.features.ClassLabel(num_classes=4)}
    examples = [encoded(level, label=level) for level in range(4)]
    source = TfdsSource(prepared(tmp_path, features, examples), "train")
    batch = next(batches(source, batch_size=4, seed=0))
    assert label_size(source) == 4
    np.testing.assert_array_equal(batch["label"], np.eye(4)[levels_of(batch)])


def test_unknown_class_is_an_unreadable_record(tmp_path):
    features = {**IMAGE, "label": tfds.features.ClassLabel(num_classes=4)}
    source = TfdsSource(prepared(tmp_path, features, [encoded(label=-1)]), "train")
    with pytest.raises(ImageError, match=r"train\[0\]: is of class -1; required is one of 0 to 3"):
        next(batches(source, batch_size=1, seed=0, strict=True))


def test_vector_labels_stay(tmp_path):
    features = {**IMAGE, "label": tfds.features.Tensor(shape=(2,), dtype=np.float32)}
    examples = [encoded(label=np.array([0.5, 2], np.float32))]
    source = TfdsSource(prepared(tmp_path, features, examples), "train")
    assert label_size(source) == 2
    assert next(batches(source, batch_size=1, seed=0))["label"].tolist() == [[0.5, 2.0]]


def test_numbers_are_kept_and_other_features_left_out(tmp_path):
    features = {
        **IMAGE,
        "attributes": {"smile": np.bool_, "hat": np.bool_},
        "text": tfds.features.Text(),
        "boxes": tfds.features.Sequence(tfds.features.BBoxFeature()),
        "age": np.int64,
    }
    example = encoded(attributes={"smile": True, "hat": False}, text="a", boxes=[], age=3)
    source = TfdsSource(prepared(tmp_path, features, [example]), "train")
    batch = next(batches(source, batch_size=1, seed=0))
    assert set(batch) == {"image", "attributes", "age"}
    assert batch["attributes"]["smile"].tolist() == [True]


def test_picture_of_another_name_is_found(tmp_path):
    features = {"photo": IMAGE["image"]}
    examples = [{"photo": encoded(9)["image"]}]
    source = TfdsSource(prepared(tmp_path, features, examples), "train")
    assert source[0]["image"].max() == 9


def test_data_set_without_a_picture_is_refused(tmp_path):
    folder = prepared(tmp_path, {"age": np.int64}, [{"age": 3}])
    with pytest.raises(FileFormatError, match="needs a feature 'image'"):
        TfdsSource(folder, "train")


def test_broken_picture_is_named(tmp_path):
    cut = io.BytesIO(png(noise(16, 16, 3))[:60])
    source = TfdsSource(prepared(tmp_path, IMAGE, [{"image": cut}]), "train")
    with pytest.raises(ImageError, match=r"sample/1\.0\.0:train\[0\]: is "):
        source[0]


@pytest.mark.parametrize("size", [0, 40_000, None])
def test_damaged_file_is_unreadable_records(tmp_path, size):
    folder = pathlib.Path(prepared(tmp_path, IMAGE, [encoded()]))
    (shard,) = folder.glob("*.array_record*")
    if size is None:
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:size])
    source = TfdsSource(folder, "train")
    with pytest.raises(ImageError, match=r"train\[0\]: cannot be read .*get the data set again"):
        source[0]


def test_unknown_split_is_refused_with_those_there_are(drawn, data_dir):
    with pytest.raises(OptionError, match="has no split 'test'; required is one of train"):
        open_tfds(f"procedural_faces/{OPTIONS.name}", "test", data_dir=data_dir)


def test_data_set_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"tfds:mnist: is not prepared in .*array_record"):
        open_tfds("mnist", "train", data_dir=tmp_path)
