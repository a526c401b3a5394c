"""Checkpoints: all that a run needs to go on as if it had never stopped.

A step is a folder `<step>/` with two items: `state`, arrays as TensorStore writes them; `meta`,
what else the run wants to know, as JSON. Where its data stand is not among them: the step decides
it. Orbax writes in the background, whole or not at all: the folder gets its name when every byte is
there. Reading fills arrays and numbers and runs no code. Files that are lost or cut are noticed;
numbers carry no checksum, so that a bit which flips on a disk may be read as it stands there.
"""

import contextlib
import gc
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers as policies

from sfe_jax.core.errors import OptionError, WeightsError

SHOWN_FAULTS = 20
"""Arrays that do not fit, named in an error; of the others only the number is given."""

LONGEST_REASON = 200
"""Characters of what Orbax says that an error repeats: the last, which name the cause."""

REPEATED = re.compile(
    r"_SignalingThread\.run\(\) raised|Handler Commit operations|Save Finalize thread"
)
"""What Orbax logs, with tracebacks, of an error that it raises as well."""

Metrics = Mapping[str, float]
"""Figures of a step by name."""


@dataclass(frozen=True)
class Best:
    """By which figure checkpoints are kept that are no longer among the newest."""

    metric: str  # Name in the `metrics` given to `Checkpoints.save`.
    mode: Literal["min", "max"] = "min"  # What is good: a small figure or a large one.
    keep: int = 1  # Checkpoints.

    def __post_init__(self) -> None:
        if self.mode not in ("min", "max"):
            raise OptionError(f"`mode` of the best is {self.mode!r}; required is 'min' or 'max'")
        if self.keep < 1:
            raise OptionError(f"`keep` of the best is {self.keep}; required is at least one")

    def score(self, metrics: Metrics) -> float:
        """More is better; the lowest of all where the figure is absent or not finite."""
        value = metrics.get(self.metric, math.nan)
        if not math.isfinite(value):
            return -math.inf
        return value if self.mode == "max" else -value


def _named(tree: Any) -> dict[str, Any]:
    """Leaves by their path, such as "networks/generator/params/b64/conv1/kernel"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _stored(leaf: Any) -> Any:
    """The shape and type under which an array is written; random keys are written as numbers."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    return leaf


def _faults(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What keeps the arrays `wanted` from being filled by those `saved`; empty if nothing does."""
    faults = [f"missing {name}" for name in sorted(wanted.keys() - saved.keys())]
    for name in sorted(wanted.keys() & saved.keys()):
        have, want = saved[name], _stored(wanted[name])
        if tuple(have.shape) != tuple(want.shape) or have.dtype != want.dtype:
            faults.append(
                f"{name} is {have.dtype} {tuple(have.shape)}, "
                f"required is {want.dtype} {tuple(want.shape)}"
            )
    return faults


def _frozen_json(meta: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `meta`, which is written later and must not change until then."""
    try:
        return json.loads(json.dumps(dict(meta)))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"`meta` of a checkpoint cannot be written ({error}); required are values that JSON "
            "can hold"
        ) from error


def _handlers() -> dict[str, Any]:
    """What writes and reads each item."""
    return {"state": ocp.PyTreeCheckpointHandler(), "meta": ocp.JsonCheckpointHandler()}


def _options(keep: int, best: Best | None, *, read_only: bool) -> ocp.CheckpointManagerOptions:
    """What is kept, and what a manager may change in its folder."""
    kept: list[Any] = [policies.LatestN(keep)]
    if best:
        kept.append(
            policies.BestN(
                get_metric_fn=best.score, n=best.keep, keep_checkpoints_without_metrics=False
            )
        )
    return ocp.CheckpointManagerOptions(
        preservation_policy=policies.AnyPreservationPolicy(kept),
        best_fn=best.score if best else lambda _: 0.0,  # Without one Orbax writes no metrics.
        create=not read_only,
        save_root_metadata=False,
    )


@contextlib.contextmanager
def _errors_said_once() -> Iterator[None]:
    """Keeps from the console what threads say of a failed write, which `Checkpoints.wait` raises.

    Orbax logs it, and TensorStore complains of each array that nobody waits for it any more.
    """
    logger, show = logging.get_absl_logger(), sys.unraisablehook

    def is_news(record: Any) -> bool:
        return REPEATED.search(f"{record.msg} {record.args}") is None

    def show_news(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            show(unraisable)

    logger.addFilter(is_news)
    sys.unraisablehook = show_news
    try:
        yield
    finally:
        gc.collect()  # What TensorStore left behind complains when it goes.
        if sys.unraisablehook is show_news:
            sys.unraisablehook = show
        logger.removeFilter(is_news)


class Checkpoints:
    """The checkpoints of a run.

    Every process of the run makes the same calls in the same order.

    Args:
        folder: Made if it does not exist; one run's own.
        keep: Checkpoints kept, the newest.
        best: Checkpoints kept besides, by a figure.
        read_only: For readers beside a run: the folder is neither made, nor cleaned, nor written.

    Raises:
        OptionError: If nothing is to be kept.
        WeightsError: If the folder cannot be made or read.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep: int = 2,
        best: Best | None = None,
        read_only: bool = False,
    ):
        if keep < 1:
            raise OptionError(f"{folder}: keeps {keep} checkpoints; required is at least one")
        folder = os.fspath(folder)
        self.folder = folder if "://" in folder else os.path.abspath(folder)
        self.best = best
        self.read_only = read_only
        with self._explained("cannot be opened", "give the folder of a run, or a new one"):
            self._manager = ocp.CheckpointManager(
                self.folder,
                options=_options(keep, best, read_only=read_only),
                item_handlers=_handlers(),
            )
            if not self._manager.directory.is_dir():
                raise NotADirectoryError("it is no folder")
        if not read_only and jax.process_index() == 0:
            # Orbax would do it in the background, and fail aloud if the program ends before.
            suffix = ocp.path.atomicity_types.TMP_DIR_SUFFIX
            for unfinished in self._manager.directory.glob(f"*{suffix}*"):
                unfinished.rmtree()
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(_errors_said_once())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _explained(
        self,
        what: str,
        remedy: str,
        kinds: tuple[type[Exception], ...] = (OSError, ValueError, KeyError),
    ) -> Iterator[None]:
        """Turns what Orbax says about files into one line."""
        try:
            yield
        except kinds as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            reason = first if len(first) <= LONGEST_REASON else f"...{first[-LONGEST_REASON:]}"
            raise WeightsError(f"{self.folder}: {what} ({reason}); {remedy}") from error

    def _damaged(self, step: int) -> contextlib.AbstractContextManager[None]:
        # Orbax raises whatever its parsers do, and for broken arrays a bare `Exception`.
        what, remedy = f"step {step} cannot be read", "restore another step"
        return self._explained(what, remedy, (Exception,))

    def wait(self) -> None:
        """Waits until the last checkpoint is written.

        Raises:
            WeightsError: If it could not be written.
        """
        with self._explained("a checkpoint cannot be written", "free space or change the folder"):
            try:
                self._manager.wait_until_finished()
            except Exception:
                # Orbax has struck the checkpoints from its list that this one was to replace.
                self._manager.reload()
                raise

    def close(self) -> None:
        """Waits until the last checkpoint is written, and ends the threads that wrote it.

        Raises:
            WeightsError: If it could not be written.
        """
        try:
            self.wait()
        finally:
            self._manager.close()
            self._quiet.close()

    def steps(self) -> list[int]:
        """Steps of whole checkpoints, in rising order; one being written is waited for."""
        self.wait()
        if self.read_only:
            self._manager.reload()  # Others write.
        return sorted(self._manager.all_steps())

    def latest_step(self) -> int | None:
        """Step of the newest checkpoint; None if there is none."""
        return max(self.steps(), default=None)

    def best_step(self) -> int | None:
        """Step of the best checkpoint, the later of equals; None if no figure is known.

        Raises:
            OptionError: If `best` was not given.
        """
        if self.best is None:
            raise OptionError(f"{self.folder}: no figure says what is best; give `best`")
        scores = {step: self.best.score(self.metrics(step)) for step in self.steps()}
        best = max(scores, key=lambda step: (scores[step], step), default=None)
        return best if best is not None and scores[best] > -math.inf else None

    def metrics(self, step: int) -> dict[str, float]:
        """The figures saved with a step.

        Raises:
            WeightsError: If they cannot be read.
        """
        with self._damaged(step):
            return dict(self._manager.metrics(step) or {})

    def _is_new(self, step: int) -> bool:
        """Whether `step` may be saved; False if it is there."""
        if self.read_only:
            raise OptionError(f"{self.folder}: is open for reading only; saving needs another")
        steps = self.steps()
        if steps and step not in steps and step < steps[-1]:
            raise OptionError(
                f"{self.folder}: step {step} lies before its newest checkpoint, {steps[-1]}; "
                "restore that, or choose another folder"
            )
        return step not in steps

    def _figures(self, metrics: Metrics) -> dict[str, float]:
        """`metrics` as plain numbers, with the figure of `best` among them if there are any."""
        if metrics and self.best and self.best.metric not in metrics:
            given = ", ".join(metrics)
            raise OptionError(f"`metrics` lack {self.best.metric!r}; given are {given}")
        return {name: float(value) for name, value in metrics.items()}

    def save(
        self,
        step: int,
        state: Any,
        *,
        meta: Mapping[str, Any] | None = None,
        metrics: Metrics | None = None,
        wait: bool = False,
    ) -> bool:
        """Writes a checkpoint; returns as soon as `state` may be changed or donated.

        Args:
            step: Steps taken.
            state: Tree of arrays: dicts, tuples, named tuples, typed random keys.
            meta: What JSON can hold, the same on every process.
            metrics: Figures of this step, if it was measured.
            wait: Return when it is written.

        Returns:
            Whether it was written; False if the step has its checkpoint already.

        Raises:
            OptionError: If `step` lies before the newest checkpoint, `metrics` lacks the figure of
                `best`, or JSON cannot hold `meta`.
            WeightsError: If this checkpoint, or the one before it, cannot be written.
        """
        if not self._is_new(step):
            return False
        figures = self._figures(metrics or {})
        items: dict[str, Any] = {
            "state": ocp.args.PyTreeSave(state),
            "meta": ocp.args.JsonSave(_frozen_json(meta or {})),
        }
        with self._explained(f"step {step} cannot be written", "free space or change the folder"):
            # `force` leaves the choice of steps to the caller.
            self._manager.save(step, args=ocp.args.Composite(**items), metrics=figures, force=True)
        if wait:
            self.wait()
        return True

    def _existing(self, step: int | None) -> int:
        """`step`, or the newest if it is None."""
        steps = self.steps()
        if not steps:
            raise WeightsError(f"{self.folder}: holds no checkpoint; give the folder of a run")
        if step is not None and step not in steps:
            held = ", ".join(map(str, steps))
            raise WeightsError(f"{self.folder}: has no checkpoint of step {step}; it has {held}")
        return steps[-1] if step is None else step

    def _arrays(self, step: int) -> dict[str, Any]:
        """Shapes and types of the arrays of a step, by name."""
        described = self._manager.item_metadata(step)["state"]
        if described is None:
            raise ValueError("the list of its arrays is missing")
        return _named(described.tree)

    def _check(self, step: int, like: Any, *, whole: bool) -> None:
        """Raises unless the arrays of `step` fit `like`; exactly those, if `whole`."""
        wanted = _named(like)
        for name, leaf in wanted.items():
            if getattr(leaf, "sharding", None) is None:
                raise OptionError(f"{name} has no sharding; restoring needs one for every array")
        with self._damaged(step):
            saved = self._arrays(step)
        faults = _faults(saved, wanted)
        if whole:
            faults += [f"unexpected {name}" for name in sorted(saved.keys() - wanted.keys())]
        if faults:
            rest = len(faults) - SHOWN_FAULTS
            shown = faults[:SHOWN_FAULTS] + ([f"and {rest} more"] if rest > 0 else [])
            listing = "\n  ".join(shown)
            raise WeightsError(
                f"{self.folder}: {len(faults)} arrays of step {step} do not fit; restore with the "
                f"networks and optimisers of its run:\n  {listing}"
            )

    def _read(self, step: int, **items: Any) -> Any:
        with self._damaged(step):
            return self._manager.restore(step, args=ocp.args.Composite(**items))

    def restore(self, like: Any, *, step: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Reads a checkpoint, onto any number of devices and processes.

        Args:
            like: The tree of the state: arrays, or `jax.ShapeDtypeStruct` with shardings.
            step: None takes the newest.

        Returns:
            The state, placed as `like` says, and `meta`.

        Raises:
            OptionError: If an array of `like` has no sharding.
            WeightsError: If there is no such checkpoint, its files are lost or cut, or its arrays
                have other names, shapes or types.
        """
        step = self._existing(step)
        self._check(step, like, whole=True)
        target = ocp.checkpoint_utils.construct_restore_args(like)
        state = ocp.args.PyTreeRestore(like, restore_args=target)
        read = self._read(step, state=state, meta=ocp.args.JsonRestore())
        return read["state"], read["meta"]

    def restore_part(self, like: Any, *, step: int | None = None) -> Any:
        """Reads some arrays of a checkpoint, such as the averages alone; the others stay unread.

        Args:
            like: The tree of the state without what is not wanted; leaves as for `restore`.
            step: None takes the newest.

        Returns:
            The arrays, placed as `like` says.

        Raises:
            OptionError: If an array of `like` has no sharding.
            WeightsError: If there is no such checkpoint, its files are lost or cut, or it lacks an
                array.
        """
        step = self._existing(step)
        self._check(step, like, whole=False)
        target = ocp.checkpoint_utils.construct_restore_args(like)
        part = ocp.args.PyTreeRestore(like, restore_args=target, partial_restore=True)
        return self._read(step, state=part)["state"]

    def meta(self, *, step: int | None = None) -> dict[str, Any]:
        """What was saved as `meta`, before any network is built.

        Args:
            step: None takes the newest.

        Raises:
            WeightsError: If there is no such checkpoint, or it cannot be read.
        """
        return self._read(self._existing(step), meta=ocp.args.JsonRestore())["meta"]
