"""Section `networks`: whole networks and what training does with them, in every form that runs."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.flops import count_flops
from benchmarks.measuring.forms import (
    Arrays,
    Case,
    Form,
    difference,
    jax_form,
    largest_difference,
    measure_case,
)
from benchmarks.measuring.limits import PRECISIONS, Limits, measure_limits, number_types
from benchmarks.measuring.rows import OURS, Options, Row, Section
from benchmarks.rivals import plain, torch_forms
from benchmarks.rivals.competing import (
    COMPILED,
    NVIDIA,
    PLAIN,
    TORCH,
    absent,
    absent_rows,
    kernel_forms,
    within,
)
from benchmarks.rivals.swapping import tensor_float
from benchmarks.sections.network_tasks import (
    Task,
    by_weights,
    edit,
    forward,
    inception,
    path_length,
    r1,
    training_phase,
)
from sfe_jax.core.choices import Precision
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.layer_table import channel_table
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.pipelines.random_bundle import full_size_modules, small_modules
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan import Gan, GanOptions
from sfe_jax.training.recipe import Setting

TEXT = (
    "As for operations, but `error` of a forward pass in float32 is the largest difference over "
    "the largest value. `GFLOP/s` counts the products of the mathematics, so that a form with "
    "fewer multiplications, such as Winograd's, can lie above its roof; bytes are weights, inputs "
    "and results. By weights: the gradient of half the squared distance of the result from 1. R1 "
    "and path length: the penalty and its gradient. A training step runs its phases one by one, "
    "each with its optimiser; its own row adds them, path lengths in every fourth step and R1 in "
    "every sixteenth. In a step PyTorch is given the random numbers, which ours draws while the "
    "clock runs; it leaves out the bound of activations, which these do not reach. Both move their "
    "weights in place, and begin each call with the first ones. `torch.compile` does not "
    "differentiate twice: its step takes the phases that need it as they are."
)

TOLERANCES = {"float32": 1e-4, "TF32": 3e-2, "bfloat16": 1e-1}
"""Largest error by type, through some twenty layers and back."""

FORWARD_TOLERANCE = 2e-5
"""Largest error of forward passes in float32: roundings in another order."""

BUDGET_S = 30.0
"""Seconds that the runs of a form may take together."""

STEP = "training step: "
"""What stands before the name of a phase."""

PHASES = ("generator", "path_length", "discriminator", "r1", "average")
"""Of a step of the GAN."""

STANDS_IN = {COMPILED: f"{TORCH}, channels last"}
"""Whose phases a form takes in a step where it has none of its own."""


@dataclass(frozen=True)
class Plan:
    """A task whose networks are not made yet."""

    network: str
    what: str  # Is computed with it.
    task: Callable[[Any, int], Task]  # From networks and the pictures of a call.
    networks: Callable[[str], Any]  # From a type of numbers.
    batch: int
    numbers: tuple[str, ...] = tuple(PRECISIONS)  # Types in which it is computed.

    def name(self, number: str) -> str:
        """Name of its case in a type of numbers."""
        return f"{self.network}, batch {self.batch}, {number}, {self.what}"

    def make(self, number: str) -> Task:
        """The task in a type of numbers."""
        return self.task(self.networks(number), self.batch)


# Which tasks, by the device.


def _precision(number: str) -> Precision:
    return "bfloat16" if number == "bfloat16" else "float32"


def stylegan2(resolution: int, number: str, *, base: int = 32768) -> Generator:
    """A generator of configuration F."""
    channels = channel_table(resolution, base=base)
    return Generator(channels=channels, precision=_precision(number))


def discriminator(resolution: int, number: str, *, base: int = 32768) -> Discriminator:
    """A discriminator of configuration F."""
    channels = channel_table(resolution, base=base)
    return Discriminator(channels=channels, precision=_precision(number))


def stylegan3(resolution: int, number: str, *, base: int, maximum: int) -> AliasFreeGenerator:
    """A generator of configuration T."""
    sizes = {"base": base, "maximum": maximum}
    options = AliasFreeOptions()
    return options.build(resolution=resolution, **sizes, precision=_precision(number))


def sfe_modules(number: str) -> dict[str, Any]:
    """The networks of an edit, whose types follow the generator's."""
    modules = full_size_modules()
    return {**modules, "generator": stylegan2(1024, number)}


def gan(options: GanOptions, number: str, *, resolution: int, batch: int) -> Gan:
    """A GAN's method."""
    precision = _precision(number)
    setting = Setting(resolution, 3, 0, batch, precision, network={}.__getitem__)  # None is frozen.
    return options.build(setting)


def inceptions(*batches: int) -> list[Plan]:
    """FID's network, which is of float32 by definition."""
    parts = ("FID Inception", "forward", inception, lambda _: FidInception())
    return [Plan(*parts, batch, ("float32",)) for batch in batches]


def step_phases(network: str, options: GanOptions, resolution: int, *, batch: int) -> list[Plan]:
    """Every phase of a step of the GAN."""
    build = partial(gan, options, resolution=resolution, batch=batch)
    tasks = {phase: partial(training_phase, phase=phase) for phase in PHASES}
    return [Plan(network, STEP + phase, task, build, batch) for phase, task in tasks.items()]


def quick_plans() -> tuple[Plan, ...]:
    """The smallest networks that have every part."""
    modules: dict[str, Any] = small_modules()
    alias_free = AliasFreeOptions(num_layers=4).build(resolution=32, base=256, maximum=16)
    judge, small = FidInception(narrowing=16, input_size=75), partial(inception, side=64)
    return (
        Plan("StyleGAN2 64, narrow", "forward", forward, lambda _: modules["generator"], 2),
        Plan("StyleGAN2 64, narrow", "R1", r1, lambda _: modules["discriminator"], 2),
        Plan("StyleGAN3 32, narrow", "forward", forward, lambda _: alias_free, 2),
        Plan("FID Inception, narrow", "forward", small, lambda _: judge, 2),
    )


def host_plans() -> tuple[Plan, ...]:
    """What two cores can do in some minutes."""
    small = partial(stylegan2, 64, base=4096)
    judge = partial(discriminator, 64, base=4096)
    alias_free = partial(stylegan3, 64, base=2048, maximum=64)
    narrow = GanOptions(channel_base=1024, channel_max=96, z_dim=96, w_dim=96, mapping_layers=2)
    uncompiled = partial(edit, compiled=False)  # That takes minutes.
    return (
        Plan("StyleGAN2 1024", "forward", forward, partial(stylegan2, 1024), 1),
        Plan("SFE edit 1024", "forward", uncompiled, sfe_modules, 1),
        *inceptions(16, 32),
        Plan("StyleGAN2 64, base 4096", "by weights", by_weights, small, 4),
        Plan("StyleGAN2 64, base 4096", "path length", path_length, small, 4),
        Plan("StyleGAN2 64, base 4096", "R1", r1, judge, 4),
        Plan("StyleGAN3 64, narrow", "forward", forward, alias_free, 1),
        Plan("StyleGAN3 64, narrow", "by weights", by_weights, alias_free, 1),
        *step_phases("StyleGAN2 64, narrow", narrow, 64, batch=8),
    )


def device_plans() -> tuple[Plan, ...]:
    """Published sizes."""
    half = partial(stylegan2, 256, base=16384)
    judge = partial(discriminator, 256, base=16384)
    large = partial(stylegan3, 1024, base=32768, maximum=512)
    medium = partial(stylegan3, 256, base=16384, maximum=512)
    options = GanOptions(channel_base=16384, conv_clamp=256.0)
    return (
        Plan("StyleGAN2 1024", "forward", forward, partial(stylegan2, 1024), 1),
        Plan("StyleGAN2 1024", "forward", forward, partial(stylegan2, 1024), 8),
        Plan("StyleGAN2 256", "by weights", by_weights, half, 16),
        Plan("StyleGAN2 256", "path length", path_length, half, 8),
        Plan("StyleGAN2 256", "R1", r1, judge, 16),
        Plan("StyleGAN3 1024", "forward", forward, large, 4),
        Plan("StyleGAN3 256", "by weights", by_weights, medium, 8),
        *step_phases("StyleGAN2 256", options, 256, batch=16),
        *inceptions(16, 32),
        Plan("SFE edit 1024", "forward", edit, sfe_modules, 1),
        Plan("SFE edit 1024", "forward", edit, sfe_modules, 8),
    )


def plans(*, quick: bool) -> Iterator[tuple[Plan, str]]:
    """Tasks for this device, and the types of their numbers."""
    if quick or jax.default_backend() == "cpu":
        chosen = quick_plans() if quick else host_plans()
        yield from ((plan, "float32") for plan in chosen)
        return
    for number in number_types():
        yield from ((plan, number) for plan in device_plans() if number in plan.numbers)


def names(*, quick: bool) -> list[str]:
    """Names of all cases."""
    return [plan.name(number) for plan, number in plans(quick=quick)]


# Measuring.


def _forms(task: Task, number: str, reasons: Mapping[str, str]) -> dict[str, Form]:
    """Every form of a task that runs here."""
    ours = jax_form(task.function, fixed=task.fixed, compared=task.compared, donate=task.donate)
    found = {OURS: ours, PLAIN: within(plain.installed, ours), **kernel_forms(ours, reasons)}
    if number == "TF32":
        found = {name: within(tensor_float, form) for name, form in found.items()}
    if TORCH in reasons:
        return found
    make = partial(
        torch_forms.torch_form,
        task.torch,
        order=task.order,
        kinds=task.kinds,
        results=task.results,
        number=number,
        cast=True,
        fresh=task.fresh,
        compared=task.torch_compared,
    )
    found |= {TORCH: make(), f"{TORCH}, channels last": make(last=True)}
    if task.compiled and COMPILED not in reasons:
        found[COMPILED] = make(compiled=True, last=True)
    return found


def _in_float32(task: Task, arrays: Arrays) -> list[np.ndarray]:
    """Results of the plain form of a task of float32."""
    ours = jax_form(task.function, fixed=task.fixed, compared=task.compared)
    built = within(plain.installed, ours)(arrays)
    return built.collect(built.run(built.prepare(arrays)))


def _bytes(tree: Any) -> int:
    """Bytes of all arrays."""
    leaves = jax.tree.leaves(tree)
    return sum(x.size * x.dtype.itemsize for x in leaves)


def make_case(plan: Plan, number: str, reasons: Mapping[str, str]) -> tuple[int, Case]:
    """A task in all forms, after its interval as a phase of a step, or 0."""
    task = plan.make(number)
    arguments = (*task.fixed, *jax.eval_shape(task.draw, jax.random.key(0)))
    results = jax.eval_shape(task.function, *arguments)
    float32 = number == "float32"
    exact = float32 and task.order is torch_forms.forward
    return task.interval, Case(
        name=plan.name(number),
        draw=task.draw,
        forms=_forms(task, number, reasons),
        reference=PLAIN if float32 else partial(_in_float32, plan.make("float32")),
        tolerance=FORWARD_TOLERANCE if exact else TOLERANCES[number],
        number=number,
        gflop=count_flops(task.function, *arguments) / 1e9,
        gigabytes=_bytes((arguments, results)) / 1e9,
        images=task.images,
        distance=largest_difference if exact else difference,
    )


def _joined(parts: Sequence[tuple[int, Row]]) -> dict[str, float]:
    """Figures of a step from the interval and the row of each of its phases."""
    rows = [row for _, row in parts]
    names = ("ms", "least ms", "most ms")
    figures = {n: sum(row.figures[n] / interval for interval, row in parts) for n in names}
    figures["images/s"] = rows[0].figures["images/s"] * rows[0].figures["ms"] / figures["ms"]
    for name, join in (("compile s", sum), ("peak MiB", max)):
        if known := [row.figures[name] for row in rows if name in row.figures]:
            figures[name] = join(known)
    return figures


def whole_step(phases: Sequence[tuple[int, Row]]) -> Iterator[Row]:
    """Rows of a step from those of its phases, for the forms that did all of them.

    Args:
        phases: Interval of each phase, and its row in one form.
    """
    forms: dict[str, dict[str, tuple[int, Row]]] = {}
    for interval, row in phases:
        forms.setdefault(row.form, {})[row.case.partition(STEP)[2]] = (interval, row)
    for form, own in forms.items():
        taken = {**forms.get(STANDS_IN.get(form, form), {}), **own}
        if len(taken) < len(PHASES) or any("ms" not in row.figures for _, row in taken.values()):
            continue
        note = "Sum over the phases, each over its interval."
        if others := [name for name in taken if name not in own]:
            note += f" {', '.join(others)}: as in {STANDS_IN[form]}."
        case = next(iter(own.values()))[1].case.partition(STEP)[0]
        yield Row(f"{case}{STEP.removesuffix(': ')}", form, _joined(list(taken.values())), note)


def measure(chosen: Iterator[tuple[Plan, str]], options: Options, limits: Limits) -> Iterator[Row]:
    """Rows of tasks; says on standard error how far it is."""
    reasons = absent(None)
    del reasons[NVIDIA]  # They are kernels of operations.
    if options.quick and TORCH not in reasons:
        reasons[COMPILED] = "Left out of a quick run: it compiles for minutes."
    yield from absent_rows(reasons)
    phases: dict[str, list[tuple[int, Row]]] = {}
    for plan, number in chosen:
        if not options.chooses(plan.name(number)):
            continue
        interval, case = make_case(plan, number, reasons)
        print(case.name, file=sys.stderr, flush=True)
        rows = measure_case(case, repeats=options.repeats, limits=limits, budget_s=BUDGET_S)
        yield from rows
        if interval:
            step = phases.setdefault(case.name.partition(STEP)[0], [])
            step += [(interval, row) for row in rows]
    for step in phases.values():
        yield from whole_step(step)


def section(options: Options) -> Section:
    """Measures every task."""
    limits = measure_limits(quick=options.quick, repeats=options.repeats)
    rows = (*limits.rows(), *measure(plans(quick=options.quick), options, limits))
    return Section("Networks", TEXT, rows)
