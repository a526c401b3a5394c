import math
import os
import resource
import shutil
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from sfe_jax.checkpoints import Best, Checkpoints
from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.parallel.sharding import born_sharded, shardings, with_shardings

RULES = ((r"kernel$", PartitionSpec(None, "model")),)


class State(NamedTuple):
    """All kinds of leaves and branches that a run has."""

    step: jax.Array
    networks: dict[str, Any]
    optimizers: dict[str, Any]
    extra: dict[str, Any]


def _state(key):
    params = {"fc": {"kernel": jax.random.normal(key, (4, 8)), "bias": jnp.zeros(8)}}
    optimizer = optax.chain(optax.clip(1.0), optax.adam(1e-3))
    extra = {"key": key, "empty": {}, "none": None, "half": jnp.ones(3, jnp.bfloat16)}
    return State(jnp.int32(7), {"generator": params}, {"generator": optimizer.init(params)}, extra)


def _born(mesh, seed=0):
    return born_sharded(_state, jax.random.key(seed), mesh=mesh, rules=RULES)


def _like(mesh):
    shapes = jax.eval_shape(_state, jax.random.key(0))
    return with_shardings(shapes, shardings(mesh, shapes, rules=RULES))


def _one():
    return make_mesh(devices=jax.devices()[:1])


def _values(tree):
    """NumPy arrays of a tree; the numbers of its keys."""

    def value(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return jax.tree.map(value, tree)


def _assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, _values(one), _values(other))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture(scope="module")
def state():
    return _born(_one())


@pytest.fixture(scope="module")
def like():
    return _like(_one())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with step 10, saved by eight devices."""
    folder = tmp_path_factory.mktemp("saved")
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(10, _born(make_mesh(data=4, model=2)), meta={"seed": 1})
    return folder


@pytest.mark.parametrize(("data", "model", "devices"), [(1, 1, 1), (4, 2, 8), (1, 4, 4)])
def test_state_of_eight_devices_is_restored_on_others(saved, data, model, devices):
    mesh = make_mesh(data=data, model=model, devices=jax.devices()[:devices])
    like = _like(mesh)
    with Checkpoints(saved, read_only=True) as checkpoints:
        restored, _ = checkpoints.restore(like)
    _assert_same(restored, _born(_one()))
    assert jax.tree.map(lambda x: x.sharding, restored) == jax.tree.map(lambda x: x.sharding, like)


def test_state_keeps_its_types(saved, like):
    with Checkpoints(saved, read_only=True) as checkpoints:
        restored, _ = checkpoints.restore(like)
    assert jax.tree.structure(restored) == jax.tree.structure(like)
    assert [leaf.dtype for leaf in jax.tree.leaves(restored)] == [
        leaf.dtype for leaf in jax.tree.leaves(like)
    ]


def test_meta_is_read_alone_and_with_the_state(saved, like):
    with Checkpoints(saved, read_only=True) as checkpoints:
        assert checkpoints.meta() == checkpoints.restore(like)[1] == {"seed": 1}


def test_part_of_the_state_is_restored_alone(saved, like, state):
    with Checkpoints(saved, read_only=True) as checkpoints:
        part = checkpoints.restore_part({"networks": like.networks})
    _assert_same(part, {"networks": state.networks})


def test_saved_state_may_be_donated_at_once(folder, like):
    # Every device writes its part of replicated arrays in the background.
    mesh = make_mesh()
    state, before = _born(mesh), _values(_born(mesh))
    double = jax.jit(lambda s: jax.tree.map(lambda x: x + x, s), donate_argnums=0)
    numbers = {"networks": state.networks}
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, numbers)
        jax.block_until_ready(double(numbers))
        restored = checkpoints.restore_part({"networks": like.networks})
    _assert_same(restored["networks"], before.networks)


def test_meta_is_that_of_the_call_to_save(folder, state):
    meta = {"pending": [5]}
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, state, meta=meta)
        meta["pending"].append(9)
        assert checkpoints.meta() == {"pending": [5]}


def test_newest_checkpoints_are_kept(folder, state):
    with Checkpoints(folder, keep=2) as checkpoints:
        for step in (1, 2, 3, 10):
            checkpoints.save(step, state)
        assert checkpoints.steps() == [3, 10]
    assert sorted(path.name for path in folder.iterdir()) == ["10", "3"]


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 3)])
def test_best_checkpoint_is_kept_beside_the_newest(folder, state, mode, best):
    with Checkpoints(folder, keep=1, best=Best("fid", mode)) as checkpoints:
        for step, fid in ((1, 5.0), (2, 3.0), (3, 9.0), (4, 4.0), (5, math.nan)):
            checkpoints.save(step, state, metrics={"fid": fid})
        checkpoints.save(6, state)
        assert checkpoints.steps() == [best, 6]
        assert checkpoints.best_step() == best


def test_best_checkpoint_is_known_to_a_later_run(folder, state):
    with Checkpoints(folder, keep=1, best=Best("fid")) as checkpoints:
        checkpoints.save(1, state, metrics={"fid": 3.0})
    with Checkpoints(folder, keep=1, best=Best("fid")) as checkpoints:
        checkpoints.save(2, state, metrics={"fid": 4.0})
        checkpoints.save(3, state, metrics={"fid": 5.0})
        assert (checkpoints.steps(), checkpoints.best_step()) == ([1, 3], 1)
        assert checkpoints.metrics(1) == {"fid": 3.0}


def test_best_step_is_unknown_without_figures(folder, state):
    with Checkpoints(folder, best=Best("fid")) as checkpoints:
        checkpoints.save(1, state)
        assert checkpoints.best_step() is None


def test_given_step_is_restored(folder, state, like):
    with Checkpoints(folder) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state, meta={"step": step})
        assert checkpoints.restore(like, step=1)[1] == {"step": 1}
        assert checkpoints.restore(like)[1] == {"step": 2}


def test_step_that_is_there_is_not_written_again(folder, state):
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.save(1, state, meta={"first": True}) is True
        assert checkpoints.save(1, state, meta={"first": False}) is False
        assert checkpoints.meta() == {"first": True}


def test_empty_folder_has_no_step(folder):
    with Checkpoints(folder) as checkpoints:
        assert (checkpoints.steps(), checkpoints.latest_step()) == ([], None)


def test_nothing_is_said_in_normal_use(folder, state, like, capfd):
    with Checkpoints(folder, keep=1, best=Best("fid")) as checkpoints:
        checkpoints.save(1, state, metrics={"fid": 1.0})
        checkpoints.save(2, state)
        checkpoints.restore(like)
    assert capfd.readouterr() == ("", "")


def test_unfinished_checkpoint_is_cleared_away_by_the_run_alone(saved, folder):
    shutil.copytree(saved, folder)
    unfinished = folder / "11.orbax-checkpoint-tmp"
    shutil.copytree(folder / "10", unfinished)
    with Checkpoints(folder, read_only=True) as checkpoints:
        assert checkpoints.steps() == [10]
    assert unfinished.exists()
    with Checkpoints(folder) as checkpoints:
        assert not unfinished.exists()
        assert checkpoints.steps() == [10]


def _without(like, **changes):
    params = {"fc": {**like.networks["generator"]["fc"], **changes}}
    params = {"fc": {name: leaf for name, leaf in params["fc"].items() if leaf is not None}}
    return like._replace(networks={"generator": params})


def test_array_that_is_not_saved_is_named(saved, like):
    more = _without(like, scale=like.networks["generator"]["fc"]["bias"])
    with Checkpoints(saved, read_only=True) as checkpoints:
        with pytest.raises(WeightsError, match="missing networks/generator/fc/scale") as caught:
            checkpoints.restore(more)
        assert str(saved) in str(caught.value)
        with pytest.raises(WeightsError, match="missing networks/generator/fc/scale"):
            checkpoints.restore_part({"networks": more.networks})


def test_array_that_is_not_wanted_is_named(saved, like):
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(WeightsError, match="unexpected networks/generator/fc/bias"),
    ):
        checkpoints.restore(_without(like, bias=None))


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((9,), jnp.float32, r"float32 \(8,\), required is float32 \(9,\)"),
        ((8,), jnp.bfloat16, r"float32 \(8,\), required is bfloat16 \(8,\)"),
    ],
)
def test_array_of_another_shape_or_type_is_named(saved, like, shape, dtype, message):
    place = like.step.sharding
    other = _without(like, bias=jax.ShapeDtypeStruct(shape, dtype, sharding=place))
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(WeightsError, match=f"networks/generator/fc/bias is {message}"),
    ):
        checkpoints.restore(other)


def test_key_of_another_generator_is_refused(saved, like):
    key = jax.eval_shape(lambda: jax.random.key(0, impl="rbg"))
    extra = {**like.extra, "key": with_shardings(key, like.step.sharding)}
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(WeightsError, match=r"extra/key is uint32 \(2,\), required is uint32 \(4,\)"),
    ):
        checkpoints.restore(like._replace(extra=extra))


def test_array_without_a_sharding_is_refused(saved, like):
    bare = _without(like, bias=jax.ShapeDtypeStruct((8,), jnp.float32))
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(OptionError, match="networks/generator/fc/bias has no sharding"),
    ):
        checkpoints.restore(bare)


def test_restoring_from_an_empty_folder_is_refused(folder, like):
    with (
        Checkpoints(folder) as checkpoints,
        pytest.raises(WeightsError, match="holds no checkpoint"),
    ):
        checkpoints.restore(like)


def test_step_that_is_not_there_is_refused(saved, like):
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(WeightsError, match="no checkpoint of step 3; it has 10"),
    ):
        checkpoints.restore(like, step=3)


@pytest.mark.parametrize(
    "lost", ["state", "state/_METADATA", "state/manifest.ocdbt", "state/d", "meta"]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_checkpoint_is_refused(saved, folder, like, lost):
    shutil.copytree(saved, folder)
    path = folder / "10" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with (
        Checkpoints(folder) as checkpoints,
        pytest.raises(WeightsError, match="step 10 cannot be read"),
    ):
        checkpoints.restore(like)


@pytest.mark.parametrize("kept", [None, 0.0, 0.5])
def test_checkpoint_whose_arrays_were_lost_or_cut_is_refused(folder, kept):
    large = jax.random.normal(jax.random.key(0), (64, 64))  # Small ones stand in the list of all.
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, large, wait=True)
        for path in (folder / "1" / "state" / "ocdbt.process_0" / "d").iterdir():
            path.unlink() if kept is None else os.truncate(path, int(path.stat().st_size * kept))
        with pytest.raises(WeightsError, match=r"step 1 cannot be read .*; restore another step$"):
            checkpoints.restore(large)


def test_step_before_the_newest_is_refused(folder, state):
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(5, state)
        with pytest.raises(OptionError, match="step 4 lies before its newest checkpoint, 5"):
            checkpoints.save(4, state)


def test_figures_without_that_of_the_best_are_refused(folder, state):
    with (
        Checkpoints(folder, best=Best("fid")) as checkpoints,
        pytest.raises(OptionError, match="lack 'fid'; given are lpips"),
    ):
        checkpoints.save(1, state, metrics={"lpips": 0.1})


def test_meta_that_json_cannot_hold_is_refused(folder, state):
    with (
        Checkpoints(folder) as checkpoints,
        pytest.raises(OptionError, match="`meta` of a checkpoint"),
    ):
        checkpoints.save(1, state, meta={"shape": np.zeros(2)})


def test_reader_cannot_save(saved, state):
    with (
        Checkpoints(saved, read_only=True) as checkpoints,
        pytest.raises(OptionError, match="reading only"),
    ):
        checkpoints.save(11, state)


def test_keeping_nothing_is_refused(folder):
    with pytest.raises(OptionError, match="keeps 0 checkpoints; required is at least one"):
        Checkpoints(folder, keep=0)


@pytest.mark.parametrize("options", [{"keep": 0}, {"mode": "lower"}])
def test_best_that_cannot_be_kept_is_refused(options):
    with pytest.raises(OptionError, match="of the best is"):
        Best("fid", **options)


def test_reader_sees_what_was_saved_after_it_was_opened(folder, state):
    with Checkpoints(folder) as checkpoints, Checkpoints(folder, read_only=True) as reader:
        assert reader.latest_step() is None
        checkpoints.save(1, state, wait=True)
        assert reader.latest_step() == 1


@pytest.mark.parametrize("read_only", [True, False])
def test_folder_that_is_a_file_is_refused(folder, read_only):
    folder.write_text("")
    with pytest.raises(WeightsError, match="cannot be opened"):
        Checkpoints(folder, read_only=read_only)


def test_reader_of_a_missing_folder_is_refused(folder):
    with pytest.raises(WeightsError, match="cannot be opened"):
        Checkpoints(folder, read_only=True)


@pytest.fixture
def little_room():
    """No file may grow beyond a megabyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


LATE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""TensorStore's threads may end after the test, where nobody waits for them."""


@LATE
def test_error_of_writing_is_raised_and_not_printed(folder, little_room, capfd, caplog):
    large = [jax.random.normal(jax.random.key(seed), (2**18,)) for seed in range(4)]
    with pytest.raises(WeightsError, match="cannot be written"), Checkpoints(folder) as checkpoints:
        checkpoints.save(1, large)
    assert (caplog.messages, capfd.readouterr()) == ([], ("", ""))


@LATE
def test_checkpoint_that_cannot_be_written_leaves_the_one_before(folder, little_room):
    small = {"x": jnp.zeros(4)}
    large = {"x": jax.random.normal(jax.random.key(0), (2**19,))}
    with Checkpoints(folder, keep=1) as checkpoints:
        checkpoints.save(1, small)
        checkpoints.save(2, large)
        with pytest.raises(WeightsError, match=r"cannot be written .*File too large"):
            checkpoints.wait()
        assert checkpoints.steps() == [1]
        _assert_same(checkpoints.restore(small)[0], small)
        assert checkpoints.save(3, small) is True
