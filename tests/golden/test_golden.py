"""Parity with the original implementations, and whether the runner would notice its absence."""

import json
import shutil
import sys
from unittest import mock

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.golden import runner
from tests.golden.__main__ import VECTORS, main
from tests.golden.kinds import KINDS
from tests.golden.reader import case_kind, case_names, load_case

FOLDERS = (VECTORS, ROOT.parent / "shared" / "golden")
"""Where cases are looked for: the small ones here, all where the folder is beside."""

CHECKPOINTS = ROOT.parent / "shared" / "checkpoints"

LARGE = 20 * 2**20
"""Bytes of weights from which a case is slow."""


def weight_bytes(folder, name):
    """Size of a case's weights, from its manifest; all are float32."""
    manifest = json.loads((folder / f"{name}.json").read_text()).get("manifest", {})
    return sum(4 * int(np.prod(spec["shape"])) for spec in manifest.values())


def cases():
    """Folder and name of every case that is at hand, large ones marked."""
    found = {name: folder for folder in reversed(FOLDERS) for name in case_names(folder)}
    slow = {name for name, folder in found.items() if weight_bytes(folder, name) > LARGE}
    return [
        pytest.param(folder, name, marks=[pytest.mark.slow] if name in slow else [], id=name)
        for name, folder in sorted(found.items())
    ]


def checkpoints():
    """Official files with expected outputs beside them."""
    found = CHECKPOINTS.glob("*.expected.npz")
    return sorted(path.name.removesuffix(".expected.npz") for path in found)


def explain(result):
    """What to read when a result has failed."""
    return f"{result.failure} {result.errors}"


@pytest.mark.parametrize(("place", "name"), cases())
def test_outputs_equal_the_originals(place, name):
    result = runner.run_case(place, name)
    assert result.passed, explain(result)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_kind_of_every_case_is_known(path):
    assert case_kind(VECTORS, path.stem) in KINDS


@pytest.mark.parametrize("stem", checkpoints())
def test_official_files_reproduce_their_outputs(checkpoint_folder, stem):
    (result,) = runner.run_checkpoints(checkpoint_folder, f"{stem}.p")
    assert result.passed or result.pending, explain(result)


def test_every_official_file_is_read(checkpoint_folder, tmp_path):
    """Without outputs beside them, files are only read."""
    for path in checkpoint_folder.iterdir():
        if path.suffix in runner.SUFFIXES:
            shutil.copyfile(path, tmp_path / path.name)
    for path in tmp_path.glob("*.expected.npz"):
        path.unlink()
    failed = [result.name for result in runner.run_checkpoints(tmp_path) if result.failure]
    assert not failed


# How errors are counted.


def test_relative_error_is_the_largest_difference_over_the_largest_value():
    ours, theirs = np.array([1.0, -4.0, 2.1]), np.array([1.0, -4.0, 2.0])
    assert runner.relative_error(ours, theirs) == pytest.approx(0.025)


def test_relative_error_is_infinite_when_shapes_differ():
    assert runner.relative_error(np.zeros((1, 3)), np.zeros(3)) == float("inf")


def test_relative_error_is_absolute_when_everything_should_be_zero():
    assert runner.relative_error(np.full(3, 0.5), np.zeros(3)) == 0.5


def test_relative_error_is_zero_of_nothing():
    assert runner.relative_error(np.zeros(0), np.zeros(0)) == 0


def test_an_absent_output_is_infinitely_wrong():
    assert runner.compare({}, {"image": np.zeros(3)}) == {"image": float("inf")}


@pytest.mark.parametrize(
    ("error", "passed"), [(0.0, True), (2e-5, True), (2.1e-5, False), (float("nan"), False)]
)
def test_a_result_passes_within_the_tolerance(error, passed):
    assert runner.Result("case", "kind", {"image": error}).passed is passed


def test_a_result_fails_when_one_of_two_outputs_is_wrong():
    assert not runner.Result("case", "kind", {"w": 0.0, "image": 1.0}).passed


def test_a_result_fails_that_could_not_run():
    assert not runner.Result("case", "kind", {}, failure="broken").passed


# A made-up case: e4e's latent discriminator, whose arithmetic fits in one line of NumPy.

SIZE = 4


def forward(state, w):
    """Equalised dense layers are plain ones here; leaky ReLU 0.2 between them."""
    x = w
    for index in (0, 2, 4):
        x = x @ state[f"mlp.{index}.weight"].T + state[f"mlp.{index}.bias"]
        x = x if index == 4 else np.where(x > 0, x, 0.2 * x)
    return x


@pytest.fixture
def folder(tmp_path):
    """A folder with one case whose weights are stored."""
    rng = np.random.default_rng(0)
    sizes = {0: (SIZE, SIZE), 2: (SIZE, SIZE), 4: (1, SIZE)}
    state = {}
    for index, shape in sizes.items():
        state[f"mlp.{index}.weight"] = rng.standard_normal(shape).astype(np.float32)
        state[f"mlp.{index}.bias"] = rng.standard_normal(shape[:1]).astype(np.float32)
    w = rng.standard_normal((5, SIZE)).astype(np.float32)
    manifest = {key: {"shape": x.shape, "rule": "stored"} for key, x in state.items()}
    write(tmp_path, "case", "e4e_latent_discriminator", manifest)
    buffers = {f"buffer/{key}": value for key, value in state.items()}
    np.savez(tmp_path / "case.npz", **buffers, **{"in/w": w, "out/logits": forward(state, w)})
    return tmp_path


def write(folder, name, kind, manifest):
    description = {"kind": kind, "config": {}, "about": "", "salt": "s", "manifest": manifest}
    (folder / f"{name}.json").write_text(json.dumps(description))


def change(folder, key, value):
    """Replaces one array of the case."""
    with np.load(folder / "case.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(folder / "case.npz", **{**arrays, key: value(arrays[key])})


def run(*arguments):
    """Exit status of `python -m tests.golden`."""
    with mock.patch.object(sys, "argv", ["tests.golden", *map(str, arguments)]):
        return main()


def test_the_made_up_case_passes(folder):
    result = runner.run_case(folder, "case")
    assert result.passed, explain(result)


def test_a_planted_mistake_in_one_weight_fails(folder):
    mistake = np.zeros((SIZE, SIZE), np.float32)
    mistake[1, 2] = 1e-3
    change(folder, "buffer/mlp.2.weight", lambda x: x + mistake)
    assert not runner.run_case(folder, "case").passed


def test_a_transposed_weight_fails(folder):
    change(folder, "buffer/mlp.2.weight", np.transpose)
    assert not runner.run_case(folder, "case").passed


def test_nan_fails(folder):
    change(folder, "buffer/mlp.0.bias", lambda x: x * np.nan)
    assert not runner.run_case(folder, "case").passed


def test_a_missing_output_fails(folder, monkeypatch):
    monkeypatch.setitem(KINDS, "e4e_latent_discriminator", lambda case: {})
    assert not runner.run_case(folder, "case").passed


@pytest.mark.parametrize("error", [AttributeError, IndexError, OSError, ValueError])
def test_a_case_that_breaks_fails_and_the_others_still_run(folder, monkeypatch, error):
    def break_down(case):
        raise error("broken")

    write(folder, "another", "arcface", {})
    np.savez(folder / "another.npz")
    monkeypatch.setitem(KINDS, "arcface", break_down)
    assert [result.passed for result in runner.run_cases(folder)] == [False, True]


def test_an_unknown_kind_fails(folder):
    write(folder, "other", "unheard_of", {})
    assert "unknown kind 'unheard_of'" in runner.run_case(folder, "other").failure


def test_a_kind_that_is_not_written_yet_is_pending(folder, monkeypatch):
    monkeypatch.setattr(runner, "NOT_YET", ("unwritten",))
    write(folder, "other", "unwritten", {})
    assert runner.run_case(folder, "other").pending


def test_deterministic_weights_are_those_of_the_recipe(folder):
    """RandomState(crc32("salt/key")), as the recorder draws them."""
    spec = {"shape": [2], "rule": "normal", "mean": 1.0, "std": 0.5}
    write(folder, "case", "arcface", {"weight": spec})
    import zlib

    draws = np.random.RandomState(zlib.crc32(b"s/weight")).standard_normal(2)
    expected = (1 + 0.5 * draws).astype(np.float32)
    np.testing.assert_array_equal(load_case(folder, "case").state["weight"], expected)


# Exit statuses.


def test_status_is_zero_when_all_pass(folder):
    assert run(folder) == 0


def test_status_is_one_when_a_case_fails(folder):
    change(folder, "out/logits", lambda x: x + 1)
    assert run(folder) == 1


def test_status_is_one_of_an_empty_folder(tmp_path):
    assert run(tmp_path) == 1


def test_status_is_one_when_no_name_matches(folder):
    assert run(folder, "-k", "nothing") == 1


@pytest.mark.parametrize("word", ["cas", "latent"])
def test_cases_are_chosen_by_name_or_kind(folder, word):
    assert run(folder, "-k", word) == 0


def test_status_is_one_of_an_unknown_kind(folder):
    write(folder, "other", "unheard_of", {})
    assert run(folder) == 1


def test_status_is_zero_when_the_rest_is_not_written_yet(folder, monkeypatch):
    monkeypatch.setattr(runner, "NOT_YET", ("unwritten",))
    write(folder, "other", "unwritten", {})
    assert run(folder) == 0


def test_status_is_two_of_a_missing_folder(tmp_path):
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path / "gone")


def test_errors_are_printed_with_the_outputs_that_fail_marked(folder, capsys):
    change(folder, "out/logits", lambda x: x + 1)
    run(folder)
    line = next(line for line in capsys.readouterr().out.splitlines() if "logits" in line)
    assert "above the tolerance" in line


# Official files.


def test_status_is_one_when_an_official_file_is_broken(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"PK\3\4 broken")
    assert run("--checkpoints", tmp_path) == 1


def test_status_is_one_when_the_kind_of_an_official_file_is_unknown(tmp_path):
    np.savez(tmp_path / "net.npz", weight=np.zeros(3))
    np.savez(tmp_path / "net.expected.npz", z=np.zeros((1, 3)))
    assert run("--checkpoints", tmp_path) == 1


def test_status_is_one_of_a_folder_without_official_files(tmp_path):
    assert run("--checkpoints", tmp_path) == 1
