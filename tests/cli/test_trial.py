import contextlib
import dataclasses
import io

import pytest

from sfe_jax import weights as package
from sfe_jax.cli.trial import EDITS, choose_strengths
from sfe_jax.core.errors import WeightsError
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.pipelines.bundle import load_bundle, save_bundle
from tests.cli.running import pixels, refused, sfe

pytestmark = pytest.mark.usefixtures("quick_programs")


def direction(name, low, high):
    return Direction(name, "regression", Linear(f"fitted/{name}", 1.0), low, high, "", "test")


@pytest.mark.parametrize(
    ("low", "high", "strengths"),
    [(-2.0, 4.0, [-2, -1, 2, 4]), (0.0, 4.0, [2, 4]), (-2.0, 0.0, [-2, -1]), (None, None, [])],
)
def test_strengths_are_within_the_measured_range(low, high, strengths):
    assert choose_strengths(direction("smile", low, high)) == strengths


@pytest.fixture(scope="module")
def faces_weights(sfe_weights, tmp_path_factory):
    """A bundle that has every network, and directions of two of the edits."""
    path = tmp_path_factory.mktemp("faces") / "faces.safetensors"
    found = load_bundle(sfe_weights)
    vector = found.directions["interfacegan/smile"]
    arrays = {f"fitted/{name}": vector for name in ("smile", "age")}
    records = (direction("smile", -2.0, 2.0), direction("age", 0.0, 2.0))
    save_bundle(path, dataclasses.replace(found, directions=arrays, records=records))
    return path


@pytest.fixture(scope="module")
def run(faces_weights, tmp_path_factory):
    """The folder that the command fills, and what it says."""
    out, said = tmp_path_factory.mktemp("trial"), io.StringIO()
    with contextlib.redirect_stderr(said):
        assert sfe("trial", "-w", faces_weights, "-o", out, "--faces", 3) == 0
    return out, said.getvalue()


@pytest.fixture(scope="module")
def shown(run):
    """The folder that the command fills."""
    return run[0]


def test_there_is_a_sheet_per_face_and_one_of_all(shown):
    assert {path.name for path in shown.iterdir()} == {
        "faces.png",
        *(f"face{index}.png" for index in range(3)),
    }


def test_sheets_show_three_rows_of_enlarged_pictures(shown):
    """Face and inversions, four strengths of the smile, two of the age; captions above."""
    height, width, _ = pixels(shown / "face0.png").shape
    assert width == 4 * 192 + 3 * 2
    assert 3 * 192 < height < 3 * (192 + 40)


def test_the_sheet_of_all_faces_has_a_row_for_each(shown):
    height, width, _ = pixels(shown / "faces.png").shape
    assert width == 5 * 192 + 4 * 2
    assert 3 * 192 < height < 3 * 192 + 50


def test_faces_differ(shown):
    first, second = (pixels(shown / f"face{index}.png")[-192:] for index in (0, 1))
    assert (first != second).any()


def test_errors_of_both_inversions_are_said(run):
    assert run[1].count(" by SFE, ") == 4  # Three faces and the mean.


def test_edits_that_the_bundle_lacks_are_said(run):
    missing = ", ".join(sorted(set(EDITS) - {"smile", "age"}))
    assert f"not shown: {missing}" in run[1]


def test_where_the_pictures_are_is_said(run):
    assert str(run[0] / "faces.png") in run[1]


@pytest.fixture
def _no_weights(monkeypatch):
    def absent():
        raise WeightsError("faces64.safetensors: not here")

    monkeypatch.setattr(package, "faces64", absent)


@pytest.mark.usefixtures("_no_weights")
def test_missing_weights_are_said_with_the_way_out(tmp_path, capsys):
    line = refused(capsys, "trial", "-o", tmp_path)
    assert "faces64.safetensors: not here" in line
    assert "--random" in line
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("_no_weights")
def test_random_networks_need_no_weights(tmp_path, capsys):
    assert sfe("trial", "--random", "-o", tmp_path) == 0
    assert "RANDOM" in capsys.readouterr().err
    assert (tmp_path / "edited" / "seed0000" / "smile.png").is_file()


def test_no_faces_are_refused(tmp_path, capsys):
    assert "--faces is 0" in refused(capsys, "trial", "--faces", 0, "-o", tmp_path)
