"""Every recipe `configs/eval_*.py`, and `evaluate.py` as its users call it."""

import json
import runpy
import sys
from unittest import mock

import pytest
from absl import app, flags

from benchmarks.pods.weights import CONFIGS, load_recipe
from sfe_jax.core.errors import EditError, OptionError
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.edits.catalogue import CARS, FACES, find
from sfe_jax.evaluation.recipe import check_recipe, describe
from tests.conftest import ROOT

# ml_collections reads recipes that way.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")

RECIPES = {path.stem: load_recipe(path) for path in sorted(CONFIGS.glob("eval_*.py"))}


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_named_after_its_file_and_can_be_used(name):
    check_recipe(RECIPES[name])
    assert RECIPES[name].name == name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_json(name):
    described = describe(RECIPES[name])
    assert described == json.loads(json.dumps(described))


@pytest.mark.parametrize("name", [name for name in RECIPES if "faces64" not in name])
def test_edits_are_published(name):
    for wanted in RECIPES[name].editing.edits:
        assert find(wanted.edit, (*FACES, *CARS)).low <= wanted.strength


def test_edits_of_drawn_faces_are_of_their_attributes():
    known = {row.name for row in ATTRIBUTES}
    assert {wanted.attribute for wanted in RECIPES["eval_faces64"].editing.edits} <= known


# The program.


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    """Runs `evaluate.py` in `tmp_path`, in this process; its exit status, 0 or what it says."""
    monkeypatch.chdir(tmp_path)
    # Without what else absl does to a process.
    monkeypatch.setattr(app, "run", lambda main, flags_parser: main(flags_parser(sys.argv)))

    def run(*arguments):
        try:
            with mock.patch.object(sys, "argv", ["evaluate.py", *arguments]):
                runpy.run_path(str(ROOT / "evaluate.py"), run_name="__main__")
        except SystemExit as end:
            return end.code
        finally:
            for name in list(flags.FLAGS):
                if name.split(".")[0] in ("config", "workdir"):
                    delattr(flags.FLAGS, name)
        return 0

    return run


CONFIG = f"--config={ROOT}/configs/eval_faces64.py"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The recipe and the folder that the program asks for."""
    calls = []

    def note(recipe, workdir):
        calls.append((recipe, workdir))
        return tmp_path / "report.md"

    monkeypatch.setattr("sfe_jax.evaluation.start.evaluate", note)
    return calls


def test_fields_are_set_on_the_command_line(evaluate, asked, capsys):
    options = ["--config.data.count=40", "--config.generation.psi=0.7", "--config.methods=('e4e',)"]
    assert evaluate(CONFIG, *options, "--config.evaluators=('inversion',)", "--workdir=out") == 0
    ((recipe, workdir),) = asked
    assert (recipe.data.count, recipe.generation.psi) == (40, 0.7)
    assert (recipe.methods, recipe.evaluators) == (("e4e",), ("inversion",))
    assert workdir == "out"
    assert "report.md: the figures" in capsys.readouterr().err.replace("\n", "")


def test_results_lie_in_a_folder_of_the_recipes_name(evaluate, asked):
    evaluate(CONFIG)
    assert asked[0][1] == "runs/eval_faces64"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([CONFIG, "--config.nothing=3"], "error: --config: Field nothing not found on dataclass"),
        ([CONFIG, "--config.batch_size=0"], "error: `batch_size` is 0; required is at least 1"),
        ([CONFIG, "--config.weights=('nowhere',)"], "error: nowhere: no such file"),
        ([CONFIG, "more"], "error: unknown argument 'more'; options begin with --"),
        (["--config=nowhere.py"], "error: --config: "),
        ([f"--config={ROOT}/README.md"], "error: --config: is no recipe, "),
        ([f"--config={ROOT}/configs/faces64_gan.py"], "error: --config: faces64_gan is of another"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(evaluate, monkeypatch, options, error):
    monkeypatch.setattr("sfe_jax.evaluation.start.keep_compiled", lambda: None)
    said = evaluate(*options)
    assert isinstance(said, str)
    assert said.startswith(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OptionError("it is too small"), "error: it is too small"),
        (EditError("unknown"), "error: unknown"),
        (KeyboardInterrupt(), "error: stopped; the figures that were found are in results.jsonl"),
    ],
)
def test_end_of_a_run_is_one_line(evaluate, monkeypatch, raised, said):
    def fail(*_):
        raise raised

    monkeypatch.setattr("sfe_jax.evaluation.start.evaluate", fail)
    assert evaluate(CONFIG) == said
