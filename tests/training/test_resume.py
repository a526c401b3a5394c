"""A run that is stopped and started again is bit for bit one that was not."""

import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import TrainingError
from sfe_jax.data import face_stream
from sfe_jax.data.drawing import attribute_vectors
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.pipeline import batches
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.training.start import PlacedBatches
from tests.compiling import quick
from tests.data.pictures import noise, png, write_folder
from tests.training.toys import (
    BATCH,
    SIDE,
    Pictures,
    ToyOptions,
    assert_same_runs,
    one_device,
    run,
    saved_state,
    saved_steps,
    toy_recipe,
)

RECIPE = toy_recipe(total=9, log=5, save=4, evaluate=6)


class Stopping:
    """Data that asks the run to stop while it reads batch `at`."""

    def __init__(self, data, at):
        self._data, self._at, self._read = data, at, 0

    def __next__(self):
        if self._read == self._at:
            signal.raise_signal(signal.SIGTERM)
        self._read += 1
        return next(self._data)

    def go_to(self, step):
        self._data.go_to(step)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, RECIPE)
    return folder


def test_run_stopped_after_every_step_equals_one_that_was_not(tmp_path, whole):
    for step in range(1, RECIPE.schedule.total // BATCH):
        run(tmp_path, RECIPE, data=Stopping(Pictures(one_device()), 0))
        assert saved_steps(tmp_path)[-1] == step
    run(tmp_path, RECIPE)
    assert_same_runs(tmp_path, whole)


@pytest.mark.parametrize("at", [2, 5, 7])
def test_run_that_crashed_goes_on_from_its_checkpoint(tmp_path, whole, at):
    def crash(number):
        if number == at:
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError, match="power failure"):
        run(tmp_path, RECIPE, before=crash)
    # After a crash in step 7 a line of step 5 and figures of step 6 are in the log, and come again.
    assert saved_steps(tmp_path) == ([4] if at > 4 else [])
    run(tmp_path, RECIPE)
    assert_same_runs(tmp_path, whole)


def test_broken_run_leaves_a_checkpoint_from_which_it_breaks_again(tmp_path):
    recipe = toy_recipe(method=ToyOptions(loss_breaks=3), save=2)
    for _ in range(2):
        with pytest.raises(TrainingError, match="step 3"):
            run(tmp_path, recipe)
        assert saved_steps(tmp_path) == [2]


def test_another_seed_makes_another_run(tmp_path, whole):
    run(tmp_path, toy_recipe(total=9, log=5, save=4, evaluate=6, seed=1))
    with pytest.raises(AssertionError):
        assert_same_runs(tmp_path, whole)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of 20 pictures."""
    files = {f"{index}.png": png(noise(16, 16, 3, seed=index)) for index in range(20)}
    return FolderSource(write_folder(tmp_path_factory.mktemp("pictures"), files))


@pytest.mark.parametrize("threads", [0, 2])
def test_run_over_files_goes_on_with_the_next_picture(tmp_path, source, threads):
    def data():
        found = batches(source, batch_size=BATCH, seed=3, mirror=True, threads=threads)
        return PlacedBatches(found, one_device())

    run(tmp_path / "whole", RECIPE, data=data())
    for at in (2, 3):  # Stopped after 3 steps, and after 4 more.
        run(tmp_path / "parts", RECIPE, data=Stopping(data(), at))
    assert saved_steps(tmp_path / "parts")[-1] == 7
    run(tmp_path / "parts", RECIPE, data=data())
    assert_same_runs(tmp_path / "parts", tmp_path / "whole")


def test_run_over_drawn_faces_goes_on_with_the_next_face(tmp_path, monkeypatch):
    def draw(people, resolution):
        # Compiles sooner than a face does.
        value = jnp.mean(attribute_vectors(people), axis=1)
        return jnp.broadcast_to(value[:, None, None, None], (BATCH, resolution, resolution, 3))

    monkeypatch.setattr(face_stream, "render_faces", draw)
    with quick():
        stream = face_stream.FaceStream(batch_size=BATCH, resolution=SIDE, seed=3)

    def data():
        stream.go_to(0)
        return stream

    run(tmp_path / "whole", RECIPE, data=data())
    run(tmp_path / "parts", RECIPE, data=Stopping(data(), 4))
    run(tmp_path / "parts", RECIPE, data=data())
    assert_same_runs(tmp_path / "parts", tmp_path / "whole")


def test_run_of_eight_devices_goes_on_on_one(tmp_path, whole):
    eight = make_mesh(data=4, model=2)
    run(tmp_path, RECIPE, mesh=eight, data=Stopping(Pictures(eight), 4))
    assert saved_steps(tmp_path) == [4, 5]
    run(tmp_path, RECIPE)
    # Sums over samples are taken in another order.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        saved_state(tmp_path),
        saved_state(whole),
    )
