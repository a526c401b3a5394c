import contextlib
import json
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.core.errors import OptionError, TrainingError
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.training import loop
from sfe_jax.training.loop import Interruption, Pending, local_batch_size, tile
from sfe_jax.training.recipe import describe
from tests.training.toys import (
    BATCH,
    Pictures,
    ToyOptions,
    one_device,
    released,
    run,
    saved_state,
    saved_steps,
    toy_recipe,
    values,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of 12 steps with everything in it."""
    folder = tmp_path_factory.mktemp("run")
    run(folder, toy_recipe(log=5, save=4, evaluate=6, show=8))
    return folder


# What is due.


def test_lines_of_the_log_stand_at_their_interval_and_at_the_end(folder):
    training = [step for step, line in values(folder).items() if "loss/train" in line]
    assert training == [5, 10, 12]


def test_unseen_data_is_measured_at_its_interval_and_at_the_end(folder):
    measured = [step for step, line in values(folder).items() if "evaluation/loss" in line]
    assert measured == [6, 12]


def test_lazy_phase_is_in_lines_whose_steps_it_ran_in(folder):
    # It runs in steps 0, 4 and 8; lines are of steps 0 to 4, 5 to 9, 10 and 11.
    lazy = [step for step, line in values(folder).items() if "loss/decay" in line]
    assert lazy == [5, 10]


def test_newest_checkpoints_are_kept(folder):
    assert saved_steps(folder) == [8, 12]


def test_grids_are_written_before_the_first_step_at_their_interval_and_at_the_end(folder):
    names = sorted(path.name for path in (folder / "samples").glob("examples-*"))
    assert names == [f"examples-{BATCH * step:09d}.png" for step in (0, 8, 12)]
    with Image.open(folder / "samples" / names[0]) as picture:
        assert picture.size == (4 * BATCH, 4)


def test_real_pictures_are_written_once_as_they_are(folder):
    (path,) = (folder / "samples").glob("real-*")
    levels = np.asarray(next(Pictures(one_device()))["image"])
    with Image.open(path) as picture:
        rows = np.asarray(picture)[..., 0]
    np.testing.assert_array_equal(rows, np.concatenate(levels[..., 0], axis=1))


def test_recipe_lies_beside_the_log(folder):
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe == describe(toy_recipe(log=5, save=4, evaluate=6, show=8))


def test_run_says_what_begins_where(tmp_path, capsys):
    run(tmp_path, toy_recipe(total=1))
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("toy: judge of 289 parameters, on 1 x cpu, step 0 of 1, 8 pictures")


def test_state_counts_the_steps_taken(folder):
    assert saved_state(folder).step == 12


def test_weights_are_those_that_the_method_releases(folder):
    average = saved_state(folder).averages["judge"]
    jax.tree.map(np.testing.assert_array_equal, released(folder), {"judge": average})


def test_line_holds_the_means_of_its_steps(tmp_path):
    run(tmp_path / "each", toy_recipe(total=6, log=1))
    run(tmp_path / "three", toy_recipe(total=6, log=3))
    each, three = values(tmp_path / "each"), values(tmp_path / "three")
    for last in (3, 6):
        steps = range(last - 2, last + 1)
        mean = np.mean([each[step]["loss/train"] for step in steps])
        assert three[last]["loss/train"] == mean
    # The lazy phase ran in steps 0 and 4 alone.
    assert three[3]["loss/decay"] == each[1]["loss/decay"]
    assert three[6]["loss/decay"] == each[5]["loss/decay"]


def test_run_without_grids_writes_no_picture(tmp_path):
    run(tmp_path, toy_recipe(total=1, show=0))
    assert not (tmp_path / "samples").exists()


# The best.


FIGURES = (9, 9, 5, 9, 1, 9, 3, 9, 2, 9)
"""By steps taken; evaluated every second step, the lowest is after step 4."""


def _run_for_the_best(folder, **fields):
    recipe = toy_recipe(
        method=ToyOptions(figures=FIGURES), total=9, keep=1, best="evaluation/wanted", **fields
    )
    run(folder, recipe)


def test_checkpoint_of_the_best_figure_is_kept(tmp_path):
    _run_for_the_best(tmp_path, save=1, evaluate=2)
    assert saved_steps(tmp_path) == [4, 9]


def test_best_may_be_the_highest(tmp_path):
    _run_for_the_best(tmp_path, save=1, evaluate=3, best_is="max")
    # Measured after steps 3, 6 and 9, the last of the highest.
    assert saved_steps(tmp_path) == [9]


def test_figures_belong_to_the_step_that_was_measured(tmp_path):
    recipe = toy_recipe(
        method=ToyOptions(figures=FIGURES), total=9, save=1, evaluate=4, keep=9,
        best="evaluation/wanted",
    )  # fmt: skip
    run(tmp_path, recipe)
    with Checkpoints(tmp_path / "checkpoints", read_only=True) as checkpoints:
        found = {step: checkpoints.metrics(step) for step in checkpoints.steps()}
    measured = {step: figures["evaluation/wanted"] for step, figures in found.items() if figures}
    assert measured == {4: 1, 8: 2, 9: 9}


def test_step_that_was_measured_is_saved_between_two_checkpoints(tmp_path):
    _run_for_the_best(tmp_path, save=5, evaluate=4)
    assert 4 in saved_steps(tmp_path)


def test_figure_that_nothing_measures_is_refused(tmp_path):
    recipe = toy_recipe(total=2, evaluate=1, best="evaluation/fid")
    with pytest.raises(OptionError, match="lack 'evaluation/fid'; given are evaluation/loss"):
        run(tmp_path, recipe)


# Numbers that are none.


def test_loss_that_is_not_finite_stops_the_run_with_its_name_and_step(tmp_path):
    recipe = toy_recipe(method=ToyOptions(loss_breaks=6), log=3, save=2)
    with pytest.raises(TrainingError, match=r"^loss/train is nan in step 6; .* another `seed`"):
        run(tmp_path, recipe)
    # After step 6 the loss is read for the checkpoint, before the next line of the log.
    assert saved_steps(tmp_path) == [4, 6]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(saved_state(tmp_path)))
    assert list(values(tmp_path)) == [3, 6]


def test_state_that_is_not_finite_is_not_saved(tmp_path):
    recipe = toy_recipe(method=ToyOptions(state_breaks=5), save=2)
    with pytest.raises(
        TrainingError, match=r"^extra/mean is not finite after 6 steps; .* another `seed`"
    ):
        run(tmp_path, recipe)
    assert saved_steps(tmp_path) == [2, 4]


def test_weights_are_not_released_when_the_last_step_breaks(tmp_path):
    recipe = toy_recipe(method=ToyOptions(loss_breaks=3), total=4, log=9, save=9)
    with pytest.raises(TrainingError, match="step 3"):
        run(tmp_path, recipe)
    assert saved_steps(tmp_path) == []
    assert not list(tmp_path.glob("*.safetensors"))


def test_first_term_that_is_not_finite_is_named():
    pending = Pending()
    pending.add(1, {"loss/a": jnp.float32(1)})
    pending.add(2, {"loss/a": jnp.float32(1), "loss/b": jnp.float32(np.inf)})
    pending.add(3, {"loss/a": jnp.float32(np.nan)})
    with pytest.raises(TrainingError, match=r"^loss/b is inf in step 2"):
        pending.take_means()


# Going on or not.


def test_run_of_another_recipe_is_refused(folder):
    with pytest.raises(OptionError, match=r"begun with method\.accumulate = 1, .* 2;"):
        run(folder, toy_recipe(method=ToyOptions(accumulate=2)))


def test_run_that_broke_gets_over_it_with_another_rate(tmp_path):
    def recipe(rate):
        options = ToyOptions(learning_rate=rate, breaking_rate=0.01)
        return toy_recipe(method=options, total=4, save=2)

    with pytest.raises(TrainingError, match="step 2"):
        run(tmp_path, recipe(0.01))
    assert run(tmp_path, recipe(0.005)) is not None


def test_run_goes_on_for_a_longer_schedule(tmp_path):
    run(tmp_path, toy_recipe(total=4, log=2))
    run(tmp_path, toy_recipe(total=6, log=2))
    assert list(values(tmp_path)) == [2, 4, 6]
    assert saved_state(tmp_path).step == 6


def test_run_that_is_over_trains_no_further(tmp_path):
    run(tmp_path, toy_recipe(total=2))

    def never(at):
        raise AssertionError(at)

    before = released(tmp_path)
    run(tmp_path, toy_recipe(total=2), before=never)
    jax.tree.map(np.testing.assert_array_equal, released(tmp_path), before)


# Signals.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_after_its_step_and_says_so(tmp_path, capsys, number):
    def ask(at):
        if at == 2:
            signal.raise_signal(number)

    run(tmp_path, toy_recipe(save=0), before=ask)
    assert saved_steps(tmp_path) == [3]
    assert "stopped after step 3; start again to go on from there\n" in capsys.readouterr().err


def test_signal_stops_a_run_that_saves_every_step(tmp_path):
    def ask(at):
        if at == 2:
            signal.raise_signal(signal.SIGTERM)

    run(tmp_path, toy_recipe(save=1), before=ask)
    assert saved_steps(tmp_path)[-1] == 3


def test_signal_in_the_last_step_ends_the_run_as_ever(tmp_path, capsys):
    def ask(at):
        if at == 3:
            signal.raise_signal(signal.SIGTERM)

    run(tmp_path, toy_recipe(total=4), before=ask)
    assert saved_steps(tmp_path) == [4]
    assert "stopped" not in capsys.readouterr().err


def test_second_ctrl_c_stops_at_once(tmp_path):
    def ask(at):
        if at == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, toy_recipe(save=2), before=ask)
    assert saved_steps(tmp_path) == [2, 4]


def test_second_sigterm_waits_for_the_step_too():
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert interruption.agreed(1)


def test_signals_are_again_what_they_were_before():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Interruption(), contextlib.suppress(RuntimeError):
        raise RuntimeError
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


# Profiles.


@pytest.fixture
def traced(monkeypatch):
    """Starts and ends of traces."""
    calls = []

    @contextlib.contextmanager
    def trace(folder):
        calls.append(("start", folder))
        yield
        calls.append("end")

    monkeypatch.setattr(jax.profiler, "trace", trace)
    return calls


def test_ten_steps_are_profiled(tmp_path, traced):
    seen = []
    recipe = toy_recipe(total=14, profile=2)
    run(tmp_path, recipe, before=lambda at: seen.append((at, len(traced))))
    assert traced == [("start", tmp_path / "profile"), "end"]
    assert [at for at, calls in seen if calls == 1] == list(range(2, 12))


def test_profile_ends_with_the_run(tmp_path, traced):
    run(tmp_path, toy_recipe(total=4, profile=2))
    assert traced == [("start", tmp_path / "profile"), "end"]


def test_run_that_goes_on_within_the_profiled_steps_is_not_profiled(tmp_path, traced):
    run(tmp_path, toy_recipe(total=4))
    run(tmp_path, toy_recipe(total=14, profile=2))
    assert traced == []


# Parts.


def test_grid_becomes_one_picture_of_rows_and_columns():
    table = np.array([[-1.0, 0.0, 1.0], [1.0, -1.0, np.nan]], np.float32)
    picture = tile(np.broadcast_to(table[:, :, None, None, None], (2, 3, 2, 2, 1)))
    assert (picture.shape, picture.dtype) == ((4, 6, 3), np.uint8)
    assert picture[::2, ::2, 0].tolist() == [[0, 128, 255], [255, 0, 128]]
    np.testing.assert_array_equal(picture[0, 4], [255] * 3)


def test_grid_of_colours_keeps_them_where_they_are():
    table = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4, 5, 3)).astype(np.float32)
    picture = tile(table)
    assert picture.shape == (8, 15, 3)
    np.testing.assert_array_equal(picture[4:, 5:10], tile(table[1:, 1:2]))


def test_one_process_reads_the_whole_batch():
    assert local_batch_size(toy_recipe(batch_size=24), make_mesh()) == 24


def test_batch_that_processes_do_not_share_evenly_is_refused(monkeypatch):
    monkeypatch.setattr(loop, "data_shard", lambda mesh: (0, 3))
    with pytest.raises(TrainingError, match="`batch_size` is 8; required is a multiple of the 3"):
        local_batch_size(toy_recipe(), make_mesh())
