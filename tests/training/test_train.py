"""`train.py` as its users call it."""

import errno
import os
import re
import runpy
import subprocess
import sys
from unittest import mock

import pytest
from absl import app, flags

from tests.compiling import quick
from tests.conftest import ROOT
from tests.data.pictures import flat_files, write_folder
from tests.training.toys import saved_steps

# ml_collections reads recipes that way.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")

RECIPE = """
from sfe_jax.training.recipe import DataOptions
from tests.training.toys import toy_recipe

def get_config():
    data = DataOptions(source={source!r}, resolution=16, channels=1, threads=0)
    return toy_recipe(data=data, total=2)
"""


@pytest.fixture
def config(tmp_path):
    """A recipe over a folder of 20 pictures."""
    source = write_folder(tmp_path / "pictures", flat_files(20))
    path = tmp_path / "recipe.py"
    path.write_text(RECIPE.format(source=str(source)))
    return f"--config={path}"


@pytest.fixture
def train(monkeypatch, tmp_path):
    """Runs `train.py` in `tmp_path`, in this process; its exit status, 0 or what it says."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "kept as it is")
    monkeypatch.chdir(tmp_path)
    # Without what else absl does to a process.
    monkeypatch.setattr(app, "run", lambda main, flags_parser: main(flags_parser(sys.argv)))

    def run(*arguments):
        try:
            with quick(), mock.patch.object(sys, "argv", ["train.py", *arguments]):
                runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
        except SystemExit as end:
            return end.code
        finally:
            for name in list(flags.FLAGS):
                if name.split(".")[0] in ("config", "workdir", "export", "export_step", "dry_run"):
                    delattr(flags.FLAGS, name)
        return 0

    return run


def test_recipe_is_trained_in_its_folder_and_exported(train, config, tmp_path, capsys):
    assert train(config) == 0
    folder = tmp_path / "runs" / "toy"
    assert saved_steps(folder) == [2]
    assert (folder / "toy.safetensors").exists()
    assert train(config, "--export=toy.safetensors") == 0
    assert "toy.safetensors: networks after step 2 of runs/toy\n" in capsys.readouterr().out
    assert (tmp_path / "toy.safetensors").exists()


def test_dry_run_shows_the_recipe_with_what_was_set_and_trains_nothing(
    train, config, tmp_path, capsys
):
    options = ["--config.precision=bfloat16", "--config.schedule.total=100", "--config.seed=3"]
    assert train(config, *options, "--config.method.learning_rate=0.5", "--dry_run") == 0
    said = capsys.readouterr().out
    for line in ('"precision": "bfloat16"', '"total": 100', '"seed": 3', '"learning_rate": 0.5'):
        assert line in said
    assert "judge: 289 parameters\n" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--config.nothing=3"], "error: --config: Field nothing not found on dataclass"),
        (["--config.method.nothing=3"], "error: --config: Field nothing not found on dataclass"),
        (["--config.precision=float16"], "error: `precision` is 'float16'; required is one of"),
        (["--config.data.source=nowhere"], "error: source 'nowhere' does not exist"),
        (["--config.weights=('nowhere',)"], "error: nowhere: no such file"),
        (["--config.mesh.data=3"], "error: `data` is 3 and `model` is 1; required is a product"),
        (["--export=out.safetensors"], "error: .*/runs/toy/checkpoints: cannot be opened"),
        (["--workdir=gs://bucket/run"], "error: gs://bucket/run: is not a local folder"),
        (["more"], "error: unknown argument 'more'; options begin with --"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(train, config, options, error):
    said = train(config, *options)
    assert isinstance(said, str)
    assert re.match(error, said)
    assert "\n" not in said


def test_recipe_that_does_not_exist_is_refused_in_one_line(train):
    said = train("--config=nowhere.py")
    assert said.startswith("error: --config: ")
    assert "No such file or directory: 'nowhere.py'" in said
    assert "\n" not in said


def test_value_of_another_type_is_refused_with_its_field(train, config, capsys):
    assert train(config, "--config.batch_size=many") == 1
    assert "flag --config.batch_size=many: invalid literal" in capsys.readouterr().err


def test_recipe_must_be_named(train, capsys):
    assert train() == 1
    assert "Flag --config must have a value" in capsys.readouterr().err


def test_second_ctrl_c_leaves_no_traceback(train, config, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sfe_jax.training.start.fit", lambda *_, **__: stopped())
    assert train(config).startswith("error: stopped at once; start again")


def test_full_disk_is_said_in_one_line(train, config, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/toy/scalars.jsonl")

    monkeypatch.setattr("sfe_jax.training.start.fit", full)
    assert train(config) == "error: runs/toy/scalars.jsonl: No space left on device"


def test_error_of_the_program_is_one_line_and_a_status(tmp_path, config):
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), config, "--config.nothing=3"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: --config: Field nothing not found")
    assert len(done.stderr.splitlines()) == 1
