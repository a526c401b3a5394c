"""The one training loop. Read it top to bottom; hooks are called, they do not own it.

A run is decided by its recipe, its seed and its data alone. Random keys are folded out of the step,
so that a run killed at any moment and started again goes on exactly as if it had not been.
"""

import contextlib
import json
import math
import os
import pathlib
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from clu import parameter_overview

from sfe_jax.checkpoints import Best, Checkpoints
from sfe_jax.core.errors import OptionError, TrainingError
from sfe_jax.core.images import to_uint8
from sfe_jax.core.types import Array
from sfe_jax.parallel.mesh import (
    data_shard,
    global_batch,
    needs_blocking,
    on_mesh,
    replicated,
)
from sfe_jax.parallel.processes import is_main_process
from sfe_jax.parallel.sharding import WIDE_KERNELS, Rules, shardings, with_shardings
from sfe_jax.pipelines.bundle import Bundle, Network, save_bundle
from sfe_jax.training.method import (
    Batch,
    Frozen,
    Method,
    Phase,
    Scalars,
    TrainState,
    abstract_state,
    as_float,
    grid_shape,
)
from sfe_jax.training.progress import Report
from sfe_jax.training.recipe import Recipe, Schedule, check_same_run, describe, steps
from sfe_jax.writers import Writer, open_writers

EXAMPLES = 48
"""Pictures shown to a method's grids."""

PROFILED = 10
"""Steps of a profile."""

_AGAIN = (
    "no checkpoint holds it: start again with another `seed` or a lower learning rate, which goes "
    "on from the newest one, or begin anew with precision float32"
)
"""What is left to do where numbers are not finite: the same run would meet the same again."""


class Batches(Protocol):
    """What the loop asks of data: batches of all processes, each decided by its step."""

    def __next__(self) -> Batch: ...

    def go_to(self, step: int) -> None:
        """Makes the batch of `step`, from 0 on, the next one."""
        ...


class EvaluationData(Protocol):
    """Unseen data: every evaluation sees the same batches."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...


@dataclass
class Pending:
    """Scalars of the steps since the last line of the log; on the device until asked for."""

    entries: list[tuple[int, Scalars | dict[str, float]]] = field(default_factory=list)

    def add(self, step: int, scalars: Scalars) -> None:
        """Keeps the scalars of a step."""
        self.entries.append((step, scalars))

    def fetch(self) -> list[tuple[int, dict[str, float]]]:
        """All entries as numbers.

        Raises:
            TrainingError: With the first step and term that is not finite.
        """
        fetched = [
            (step, {name: float(value) for name, value in kept.items()})
            for step, kept in jax.device_get(self.entries)
        ]
        for step, values in fetched:
            for name, value in values.items():
                if not math.isfinite(value):
                    raise TrainingError(f"{name} is {value} in step {step}; {_AGAIN}")
        self.entries = list(fetched)
        return fetched

    def take_means(self) -> dict[str, float]:
        """Mean of every scalar over its steps; starts anew."""
        lists: dict[str, list[float]] = {}
        for _, values in self.fetch():
            for name, value in values.items():
                lists.setdefault(name, []).append(value)
        self.entries = []
        return {name: float(np.mean(values)) for name, values in lists.items()}


class Interruption:
    """Turns SIGTERM and SIGINT into a flag that the loop reads after each step."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def _ask(self, number: int, frame: Any) -> None:
        del frame
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # Asked twice: does not wait for the step.
        self.asked = True

    def __enter__(self) -> "Interruption":
        with contextlib.suppress(ValueError):  # Outside the main thread there are no signals.
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agreed(self, step: int) -> bool:
        """Whether any process was asked to stop; every process gets the same answer."""
        if jax.process_count() == 1:
            return self.asked
        if step % 16:  # Asking each other costs a round trip.
            return False
        from jax.experimental import multihost_utils

        return bool(np.any(multihost_utils.process_allgather(np.asarray(self.asked))))


def _finite(state: TrainState) -> dict[str, Array]:
    """Whether all numbers of an array are finite: name -> []."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): jnp.all(jnp.isfinite(leaf))
        for path, leaf in leaves
        if jnp.issubdtype(leaf.dtype, jnp.inexact)
    }


class Programs:
    """The compiled programs of a method: one per phase, each taking the state's buffers over.

    Args:
        method: What is trained.
        mesh: From `parallel.mesh.make_mesh`.
        rules: How parameters are divided.
        key: Of everything random.
    """

    def __init__(self, method: Method, mesh: Any, *, rules: Rules, key: jax.Array):
        self.method, self.mesh, self._key = method, mesh, key
        self.abstract = abstract_state(method)
        self.places = shardings(mesh, self.abstract, rules=rules)
        self.frozen_places = shardings(mesh, method.frozen, rules=rules)
        self.phases = [(p, self._compile(i, p)) for i, p in enumerate(method.phases)]
        self.show = self._compile_look(method.show)
        self.evaluate = self._compile_look(method.evaluate)
        self.finite = jax.jit(_finite, out_shardings=replicated(mesh))

    def _compile(self, index: int, phase: Phase) -> Any:
        def run(state: TrainState, frozen: Frozen, batch: Batch, key: jax.Array):
            key = jax.random.fold_in(jax.random.fold_in(key, state.step), index)
            with on_mesh(self.mesh):
                return phase.run(state, frozen, batch, key)

        run.__name__ = phase.name
        out = (self.places, replicated(self.mesh))
        return jax.jit(run, donate_argnums=0, out_shardings=out)

    def _compile_look(self, look: Callable[[TrainState, Frozen, Batch], Any]) -> Any:
        """A program that changes nothing: all devices share its work and get its result."""

        def run(state: TrainState, frozen: Frozen, batch: Batch):
            with on_mesh(self.mesh):
                return look(state, frozen, batch)

        return jax.jit(run, out_shardings=replicated(self.mesh))

    def shapes(self, batch: Any) -> tuple[Any, ...]:
        """What every phase takes, as shapes with their places, for a batch of such."""
        state = with_shardings(self.abstract, self.places)
        return state, with_shardings(self.method.frozen, self.frozen_places), batch, self._key

    def lower(self, batch: Any) -> dict[str, Any]:
        """Every phase, lowered for a batch of `jax.ShapeDtypeStruct`; nothing runs."""
        return {phase.name: run.lower(*self.shapes(batch)) for phase, run in self.phases}

    def init(self) -> TrainState:
        """The state before the first step, born sharded."""
        given = jax.device_put(self.method.given, replicated(self.mesh))
        return jax.jit(self.method.init, out_shardings=self.places)(self._key, given)

    def place_frozen(self) -> Frozen:
        """The frozen networks on their devices."""
        return jax.tree.map(jax.device_put, self.method.frozen, self.frozen_places)

    def step(
        self, state: TrainState, frozen: Frozen, batch: Batch, *, step: int, images: int
    ) -> tuple[TrainState, Scalars]:
        """One step: the phases that are due, in order."""
        scalars: Scalars = {}
        for phase, run in self.phases:
            if phase.is_due(step, images):
                state, more = run(state, frozen, batch, self._key)
                scalars |= more
        return state._replace(step=state.step + 1), scalars


def tile(table: np.ndarray) -> np.ndarray:
    """A grid as one picture: [rows, columns, H, W, C] in [-1, 1] -> uint8 [H', W', 3]."""
    rows, columns, height, width, channels = table.shape
    picture = to_uint8(np.nan_to_num(table), offset=128).transpose(0, 2, 1, 3, 4)
    picture = picture.reshape(rows * height, columns * width, channels)
    return np.repeat(picture, 3, axis=2) if channels == 1 else picture


def _due(step: int, every: int, *, last: bool) -> bool:
    """Whether something done every so many steps, and at the end, is due after `step` steps."""
    return bool(every) and (last or step % every == 0)


def _on_host(tree: Any) -> Any:
    """Arrays of all processes as NumPy arrays, whole."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)


def release(bundle: Bundle, path: pathlib.Path) -> None:
    """Writes a bundle from arrays that may lie on the devices of several processes."""
    networks = {
        role: Network(network.module, _on_host(network.variables))
        for role, network in bundle.networks.items()
    }
    if is_main_process():
        save_bundle(path, replace(bundle, networks=networks))


@dataclass
class Run:
    """A run under way: what its hooks need."""

    recipe: Recipe
    every: Schedule  # In steps.
    workdir: pathlib.Path
    programs: Programs
    checkpoints: Checkpoints
    writer: Writer
    report: Report
    data: Batches
    frozen: Frozen
    examples: Batch
    evaluation: EvaluationData | None
    pending: Pending

    def images(self, step: int) -> int:
        """Images seen after `step` steps."""
        return step * self.recipe.batch_size

    def _write(self, step: int, values: dict[str, float]) -> None:
        """Writes a line of figures, if there are any."""
        if values:
            self.writer.scalars(step, self.images(step), values)
            self.report.log(self.images(step), values)

    def log(self, step: int) -> None:
        """Writes the means since the last line."""
        self._write(step, self.pending.take_means())

    def show_real(self) -> None:
        """Writes a grid of the pictures that the method's grids are made with."""
        images = as_float(_on_host(self.examples["image"]))
        rows, columns = grid_shape(images.shape[1])
        columns = min(columns, len(images))
        rows = min(rows, len(images) // columns)
        table = images[: rows * columns].reshape(rows, columns, *images.shape[1:])
        self.writer.pictures(0, 0, "real", tile(np.asarray(table)))

    def show(self, state: TrainState, step: int) -> None:
        """Writes the method's grids of pictures."""
        grids = self.programs.show(state, self.frozen, self.examples)
        for name, table in jax.device_get(grids).items():
            self.writer.pictures(step, self.images(step), name, tile(table))

    def evaluate(self, state: TrainState, step: int) -> dict[str, float]:
        """Writes and gives the means of the method's figures over unseen data."""
        found = []
        for batch in self.evaluation or ():
            placed = global_batch(self.programs.mesh, batch)
            found.append(jax.device_get(self.programs.evaluate(state, self.frozen, placed)))
        names = found[0] if found else {}
        figures = {f"evaluation/{k}": float(np.mean([f[k] for f in found])) for k in names}
        self._write(step, figures)
        return figures

    def save(
        self, state: TrainState, step: int, *, figures: dict[str, float], wait: bool = False
    ) -> None:
        """Writes a checkpoint, and `figures` with it if they decide which is the best.

        Raises:
            TrainingError: If a scalar or an array of the state is not finite.
        """
        pending = self.pending.fetch()
        for name, finite in jax.device_get(self.programs.finite(state)).items():
            if not finite:
                raise TrainingError(f"{name} is not finite after {step} steps; {_AGAIN}")
        meta = {"recipe": describe(self.recipe), "pending": pending}
        metrics = figures if self.recipe.best else None
        self.checkpoints.save(step, state, meta=meta, metrics=metrics, wait=wait)

    def follow(self, state: TrainState, step: int, *, stop: bool) -> None:
        """Does what is due after `step` steps; the log comes before the checkpoint."""
        every, last = self.every, step == self.every.total
        figures: dict[str, float] = {}
        self.report.advance(self.images(step))
        if _due(step, every.log, last=last):
            self.log(step)
        if _due(step, every.show, last=last):
            self.show(state, step)
        if _due(step, every.evaluate, last=last):
            figures = self.evaluate(state, step)
        may_be_best = bool(self.recipe.best and figures)
        if last or stop or may_be_best or _due(step, every.save, last=last):
            self.save(state, step, figures=figures, wait=last or stop)


def _in_steps(schedule: Schedule, batch_size: int) -> Schedule:
    """The schedule with all durations in steps."""
    names = ("total", "log", "show", "save", "evaluate")
    return Schedule(
        **{name: steps(getattr(schedule, name), batch_size) for name in names},
        evaluated=schedule.evaluated,
    )


def _begin(
    recipe: Recipe,
    programs: Programs,
    checkpoints: Checkpoints,
    data: Batches,
    workdir: pathlib.Path,
) -> tuple[int, TrainState, Pending]:
    """Steps taken, the state after them, and the scalars that await their line of the log."""
    step = checkpoints.latest_step()
    if step is None:
        return 0, programs.init(), Pending()
    check_same_run(recipe, checkpoints.meta(step=step)["recipe"], str(workdir))
    like = with_shardings(programs.abstract, programs.places)
    state, meta = checkpoints.restore(like, step=step)
    data.go_to(step)
    return step, state, Pending([(step, values) for step, values in meta["pending"]])


def _announce(run: Run, state: TrainState, start: int) -> None:
    """Says what runs where, and writes the recipe beside the log."""
    described = json.dumps(describe(run.recipe), indent=2)
    if is_main_process():
        (run.workdir / "recipe.json").write_text(described + "\n", encoding="utf-8")
    devices = run.programs.mesh.devices
    sizes = ", ".join(
        f"{role} of {parameter_overview.count_parameters(variables['params']):,} parameters"
        for role, variables in state.networks.items()
    )
    run.report.say(
        f"{run.recipe.name}: {sizes}, on {devices.size} x {devices.flat[0].device_kind}, step "
        f"{start} of {run.every.total}, {run.recipe.batch_size} pictures each; compiling"
    )


def _loop(run: Run, state: TrainState, start: int) -> TrainState:
    """Steps from `start` to the end, with everything that is due after each."""
    profile, blocking = run.recipe.profile, needs_blocking(run.programs.mesh)
    if start == 0 and run.every.show:
        run.show_real()
        run.show(state, 0)
    with Interruption() as interruption, contextlib.ExitStack() as tracing:
        for step in range(start, run.every.total):
            # Step.
            if profile and step == profile:
                tracing.enter_context(jax.profiler.trace(run.workdir / "profile"))
            batch = next(run.data)
            images = run.images(step)
            state, scalars = run.programs.step(state, run.frozen, batch, step=step, images=images)
            run.pending.add(step, scalars)
            if blocking or step == start:
                jax.block_until_ready(state)
            if step == profile + PROFILED - 1:
                tracing.close()

            # What is due.
            taken = step + 1
            if step == start:
                run.report.restart_clock(run.images(taken))
            stop = taken < run.every.total and interruption.agreed(taken)
            run.follow(state, taken, stop=stop)
            if stop:
                run.report.say(f"stopped after step {taken}; start again to go on from there")
                break
    return state


def fit(
    recipe: Recipe,
    method: Method,
    *,
    data: Batches,
    examples: Batch,
    evaluation: EvaluationData | None,
    mesh: Any,
    workdir: str | os.PathLike[str],
    rules: Rules = WIDE_KERNELS,
) -> pathlib.Path | None:
    """Trains, from the newest checkpoint in `workdir` or from the beginning.

    Args:
        recipe: Durations, batch size, seed.
        method: What is trained.
        data: Global batches: {"image": uint8 [N, R, R, C], ...}.
        examples: A global batch for the grids.
        evaluation: Unseen batches of this process, or None.
        mesh: From `parallel.mesh.make_mesh`.
        workdir: Holds checkpoints/, recipe.json, scalars.jsonl, samples/ and the bundle.
        rules: How parameters are divided among the devices of the axis `model`.

    Returns:
        The bundle of trained networks, or None if the run was asked to stop before its end: a
        bundle in `workdir` says that it is done.

    Raises:
        TrainingError: If a scalar or an array of the state is not finite.
        OptionError: If `workdir` is not local, or holds a run of another recipe.
    """
    if "://" in os.fspath(workdir):
        raise OptionError(
            f"{workdir}: is not a local folder; required is one that all processes share, such as "
            "a mounted bucket"
        )
    workdir = pathlib.Path(workdir)
    programs = Programs(method, mesh, rules=rules, key=jax.random.key(recipe.seed))
    best = Best(recipe.best, recipe.best_is) if recipe.best else None
    with contextlib.ExitStack() as stack:
        # State.
        folder = workdir / "checkpoints"
        checkpoints = stack.enter_context(Checkpoints(folder, keep=recipe.keep, best=best))
        start, state, pending = _begin(recipe, programs, checkpoints, data, workdir)

        # Hooks.
        every = _in_steps(recipe.schedule, recipe.batch_size)
        done, total = start * recipe.batch_size, every.total * recipe.batch_size
        report = Report(recipe.name, done=done, total=total, quiet=not is_main_process())
        run = Run(
            recipe=recipe,
            every=every,
            workdir=workdir,
            programs=programs,
            checkpoints=checkpoints,
            writer=stack.enter_context(open_writers(workdir, resume_step=start)),
            report=stack.enter_context(report),
            data=data,
            frozen=programs.place_frozen(),
            examples=examples,
            evaluation=evaluation,
            pending=pending,
        )
        _announce(run, state, start)
        state = _loop(run, state, start)
        path = workdir / f"{recipe.name}.safetensors"
        if int(state.step) < every.total:
            return None
        release(method.bundle(state), path)
        report.say(f"{recipe.name}: weights in {path}")
    return path


def local_batch_size(recipe: Recipe, mesh: Any) -> int:
    """Pictures of a batch that this process reads.

    Raises:
        TrainingError: If the processes do not share out the batch evenly.
    """
    _, parts = data_shard(mesh)
    if recipe.batch_size % parts:
        raise TrainingError(
            f"`batch_size` is {recipe.batch_size}; required is a multiple of the {parts} parts "
            "in which the processes read the data"
        )
    return recipe.batch_size // parts
