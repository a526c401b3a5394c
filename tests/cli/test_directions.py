import pytest

from sfe_jax.edits.catalogue import CARS, FACES
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.pipelines.bundle import Bundle, save_bundle
from tests.cli.running import refused, sfe


def listed(capsys, *arguments):
    """The lines that the command prints."""
    assert sfe("directions", *arguments) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("domain", "catalogue"), [("faces", FACES), ("cars", CARS)])
def test_every_published_edit_is_listed_in_one_line(capsys, domain, catalogue):
    lines = listed(capsys, "--domain", domain)
    for direction in catalogue:
        assert any(f"│ {direction.name} " in line and direction.range in line for line in lines)


@pytest.fixture
def fitted(tmp_path):
    """A bundle of two fitted directions, of which one has a measured range."""
    path, rule = tmp_path / "own.safetensors", Linear("fitted/own", 1.0)
    records = (
        Direction("smile", "regression", rule, -2.0, 3.5, "raises smile", "fitted on 9 codes of a"),
        Direction("sefa0", "SeFa", rule, None, None, "", "fitted on 9 codes of b"),
    )
    save_bundle(path, Bundle({}, records=records))
    return path


def test_fitted_edits_are_listed_with_range_and_source(capsys, fitted):
    rows = [line.split("│") for line in listed(capsys, "-w", fitted) if line.startswith("│")]
    assert [[cell.strip() for cell in row[1:-1]] for row in rows] == [
        ["smile", "regression", "-2 to 3.5", "raises smile", "fitted on 9 codes of a"],
        ["sefa0", "SeFa", "not documented", "not documented", "fitted on 9 codes of b"],
    ]


def test_a_bundle_without_fitted_edits_is_refused(capsys, tmp_path):
    path = tmp_path / "none.safetensors"
    save_bundle(path, Bundle({}))
    line = refused(capsys, "directions", "--weights", path)
    assert f"{path} is a bundle without fitted directions; fit some with `sfe fit" in line


def test_a_file_that_is_no_bundle_is_refused(capsys, tmp_path):
    path = tmp_path / "absent.safetensors"
    assert f"{path}: no such file" in refused(capsys, "directions", "--weights", path)
