"""Which directions an editor knows, and which of two of a name it takes."""

import dataclasses

import numpy as np
import pytest

from sfe_jax.cli.options import open_editor
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.pipelines.bundle import Bundle, load_bundle, save_bundle
from tests.cli.running import picture, refused
from tests.convert_weights.official import torch_bytes
from tests.edits.mapper_files import official


def fitted(value, *names):
    """Fields of a bundle: directions whose vectors are all `value`."""
    records = [
        Direction(n, "fitted", Linear(f"fitted/{n}", 1.0), None, None, "", "") for n in names
    ]
    arrays = {record.rule.array: np.full((1, 32), value, np.float32) for record in records}
    return {"records": tuple(records), "directions": arrays}


@pytest.fixture(scope="module")
def weights(psp_weights, tmp_path_factory):
    """The bundle of pSp with the fitted directions smile and freckles, of 1."""
    bundle, own = load_bundle(psp_weights), fitted(1, "smile", "freckles")
    own["directions"] |= bundle.directions
    path = tmp_path_factory.mktemp("fitted") / "weights.safetensors"
    save_bundle(path, dataclasses.replace(bundle, **own))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of the fitted directions smile and dimples, of 2."""
    path = tmp_path_factory.mktemp("file") / "own.safetensors"
    save_bundle(path, Bundle({}, **fitted(2, "smile", "dimples")))
    return path


def shift(weights, name, directions=None):
    """What an edit adds to each entry of each row."""
    options = {"method": None, "precision": "float32", "batch": 1}
    editor = open_editor(weights, **options, directions=directions)
    (value,) = np.unique(editor.operands(name).shift)
    return value


@pytest.mark.parametrize("name", ["smile", "freckles"])
def test_directions_of_the_weights_are_known(weights, name):
    assert shift(weights, name) == 1


def test_directions_of_a_file_are_known(weights, file):
    assert shift(weights, "dimples", file) == 2


def test_mappers_of_a_folder_and_of_a_file_are_known(weights, tmp_path):
    """The published one moves the levels of the catalogue, one's own those of its file."""
    for name in ("afro", "curls"):
        (tmp_path / f"{name}.pt").write_bytes(torch_bytes(official(size=32)))
    options = {"method": None, "precision": "float32", "batch": 1}
    moves = [
        open_editor(weights, **options, directions=where).operands(name).mappers.moves.tolist()
        for name, where in (("afro", tmp_path), ("curls", tmp_path / "curls.pt"))
    ]
    assert moves == [[[1, 1, 0]], [[1, 1, 1]]]


def test_directions_of_a_file_come_before_those_of_the_weights(weights, file):
    assert shift(weights, "smile", file) == 2


def test_directions_of_the_weights_stay_beside_those_of_a_file(weights, file):
    assert shift(weights, "freckles", file) == 1


def test_an_own_vector_comes_before_a_fitted_direction(weights, tmp_path):
    np.save(tmp_path / "smile.npy", np.full((1, 32), 3, np.float32))
    assert shift(weights, "smile", tmp_path / "smile.npy") == 3


def test_a_bundle_without_directions_is_refused_as_directions(capsys, weights, tmp_path):
    save_bundle(tmp_path / "none.safetensors", Bundle({}))
    options = ("-w", weights, "-e", "smile=1", "--directions", tmp_path / "none.safetensors")
    message = refused(capsys, "edit", picture(tmp_path / "face.png"), *options)
    assert "none.safetensors is a bundle without directions" in message
