from types import SimpleNamespace

import jax
import numpy as np
import pytest

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.evaluation import participants
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.participants import (
    Edit,
    FolderParticipant,
    NetworkParticipant,
    split_folder,
)
from sfe_jax.evaluation.sets import Batch
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.pipelines.bundle import Bundle
from tests.data.pictures import write_folder
from tests.evaluation.pictures import noise_files, noise_set, picture_set
from tests.evaluation.stubs import Dimmer

# Methods.


class SmallDimmer(Dimmer):
    """A method that knows its size."""

    generator = SimpleNamespace(resolution=16)


@pytest.fixture
def method(monkeypatch):
    """A method that halves what it sees."""
    made = SmallDimmer(), {"gain": np.float32(0.5)}
    monkeypatch.setattr(participants, "build_method", lambda *_, **__: made)
    mesh = make_mesh(devices=jax.devices()[:2])
    return NetworkParticipant(Bundle({}), "dimmer", mesh, precision="float32")


BATCH = Batch(np.arange(2), np.full((2, 16, 16, 3), 255, np.uint8))


def test_method_shows_its_inversions(method):
    assert method.invert(BATCH)[:, 0, 0, 0].tolist() == [191, 191]  # 127.5 + 127.5 / 2.


def test_method_edits_by_operands_and_strength(method):
    operands = np.full((16, 16, 3), 0.125, np.float32)
    shown = method.edit(BATCH, Edit("smile+", operands, 2.0))
    assert shown[:, 0, 0, 0].tolist() == [223, 223]  # 191.25 + 2 * 127.5 / 8.


def test_weights_of_a_method_are_known_by_their_numbers(method):
    assert method.weights == digest_arrays({"gain": np.float32(0.5)})


# Folders.


@pytest.fixture
def originals(tmp_path):
    return noise_set(tmp_path / "originals", 3)


@pytest.fixture
def folder(tmp_path, originals):
    """Another program's pictures: its inversions are perfect."""
    write_folder(tmp_path / "other" / "inversion", noise_files(3))
    return FolderParticipant("other", tmp_path / "other", originals)


def test_folder_shows_its_picture_of_the_same_name(folder, originals):
    (batch,) = originals.batches(4)
    np.testing.assert_array_equal(folder.invert(batch)[:3], batch.images[:3])


def test_folder_offers_what_it_has_a_folder_for(folder):
    assert (folder.offers("inversion"), folder.offers("smile+")) == (True, False)


def test_folder_that_lacks_a_picture_names_it(tmp_path, originals):
    write_folder(tmp_path / "other" / "smile+", noise_files(2))
    folder = FolderParticipant("other", tmp_path / "other", originals)
    (batch,) = originals.batches(3)
    with pytest.raises(ImageError, match=r"smile\+: has no picture for '002'"):
        folder.edit(batch, Edit("smile+"))


def test_pictures_of_folders_get_the_form_of_the_originals(tmp_path):
    originals = picture_set(write_folder(tmp_path / "in", noise_files(1)), resolution=16)
    write_folder(tmp_path / "other" / "inversion", noise_files(1, side=32))
    (batch,) = originals.batches(1)
    shown = FolderParticipant("other", tmp_path / "other", originals).invert(batch)
    assert shown.shape == (1, 16, 16, 3)


def test_folder_that_does_not_exist_is_named(tmp_path, originals):
    with pytest.raises(OptionError, match=r"folder '.*nowhere' of 'other' does not exist"):
        FolderParticipant("other", tmp_path / "nowhere", originals)


@pytest.mark.parametrize("text", ["folder", "=folder", "name="])
def test_folder_needs_a_name(text):
    with pytest.raises(OptionError, match="required is NAME=FOLDER"):
        split_folder(text)
