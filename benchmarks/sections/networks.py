"""Section `networks`: whole networks and what training does with them, in every form that runs."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.flops import count_flops
from benchmarks.measuring.forms import Arrays, Case, Form, jax_form, measure_case
from benchmarks.measuring.limits import Limits, measure_limits, number_types
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
    STEP,
    Task,
    by_weights,
    edit,
    forward,
    path_length,
    r1,
    training_phase,
)
from sfe_jax.core.choices import Precision
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.layer_table import channel_table
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.pipelines.random_bundle import full_size_modules, small_modules
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan import GanOptions

TEXT = (
    "As for operations. `GFLOP/s` counts the products of the mathematics, so that a form with "
    "fewer multiplications, such as Winograd's, can lie above its roof; bytes are weights, inputs "
    "and results. By weights: the gradient of half the squared distance of the result from 1. R1 "
    "and path length: the penalty and its gradient. A training step runs its phases one by one, "
    "each with its optimiser; its own row adds them, path lengths in every fourth step and R1 in "
    "every sixteenth. In a step PyTorch is given the random numbers, which ours draws while the "
    "clock runs; it leaves out the bound of activations, which these do not reach. Both move their "
    "weights in place, and begin each call with the first ones. `torch.compile` does not "
    "differentiate twice: its step takes the phases that need it as they are."
)

TOLERANCES = {"float32": 2e-4, "TF32": 3e-2, "bfloat16": 1e-1}
"""Largest error by type, through some twenty layers and back."""

BUDGET_S = 6.0
"""Seconds that the runs of a form may take together."""

PHASES = ("generator", "path_length", "discriminator", "r1", "average")
"""Of a step of the GAN."""

STANDS_IN = {COMPILED: f"{TORCH}, channels last"}
"""Whose phases a form takes in a step where it has none of its own."""

Make = Callable[[str], Task]
"""From a type of numbers to a task."""


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


def step_phases(name: str, options: GanOptions, resolution: int, *, batch: int) -> list[Make]:
    """Every phase of a step of the GAN."""

    def make(phase: str) -> Make:
        return lambda number: training_phase(
            name, options, resolution, phase=phase, batch=batch, number=number
        )

    return [make(phase) for phase in PHASES]


def quick_tasks() -> tuple[Make, ...]:
    """The smallest networks that have every part."""
    modules: dict[str, Any] = small_modules()
    alias_free = AliasFreeOptions(num_layers=4).build(resolution=32, base=256, maximum=16)
    return (
        lambda _: forward("StyleGAN2 64, narrow", modules["generator"], 2),
        lambda _: r1("StyleGAN2 64, narrow", modules["discriminator"], 2),
        lambda _: forward("StyleGAN3 32, narrow", alias_free, 2),
    )


def host_tasks() -> tuple[Make, ...]:
    """What two cores can do in some minutes."""
    small = partial(stylegan2, 64, base=4096)
    alias_free = partial(stylegan3, 64, base=2048, maximum=64)
    narrow = GanOptions(channel_base=1024, channel_max=96, z_dim=96, w_dim=96, mapping_layers=2)
    return (
        lambda number: forward("StyleGAN2 1024", stylegan2(1024, number), 1),
        lambda number: replace(edit(sfe_modules(number), 1), compiled=False),  # Takes minutes.
        lambda number: by_weights("StyleGAN2 64, base 4096", small(number), 4),
        lambda number: path_length("StyleGAN2 64, base 4096", small(number), 4),
        lambda number: r1("StyleGAN2 64, base 4096", discriminator(64, number, base=4096), 4),
        lambda number: forward("StyleGAN3 64, narrow", alias_free(number), 1),
        lambda number: by_weights("StyleGAN3 64, narrow", alias_free(number), 1),
        *step_phases("StyleGAN2 64, narrow", narrow, 64, batch=8),
    )


def device_tasks() -> tuple[Make, ...]:
    """Published sizes."""
    half = partial(stylegan2, 256, base=16384)
    judge = partial(discriminator, 256, base=16384)
    large = partial(stylegan3, 1024, base=32768, maximum=512)
    medium = partial(stylegan3, 256, base=16384, maximum=512)
    options = GanOptions(channel_base=16384, conv_clamp=256.0)
    return (
        lambda number: forward("StyleGAN2 1024", stylegan2(1024, number), 1),
        lambda number: forward("StyleGAN2 1024", stylegan2(1024, number), 8),
        lambda number: by_weights("StyleGAN2 256", half(number), 16),
        lambda number: path_length("StyleGAN2 256", half(number), 8),
        lambda number: r1("StyleGAN2 256", judge(number), 16),
        lambda number: forward("StyleGAN3 1024", large(number), 4),
        lambda number: by_weights("StyleGAN3 256", medium(number), 8),
        *step_phases("StyleGAN2 256", options, 256, batch=16),
        lambda number: edit(sfe_modules(number), 1),
        lambda number: edit(sfe_modules(number), 8),
    )


def tasks(*, quick: bool) -> Iterator[tuple[Make, str]]:
    """Tasks for this device, and the types of their numbers."""
    if quick or jax.default_backend() == "cpu":
        chosen = quick_tasks() if quick else host_tasks()
        yield from ((make, "float32") for make in chosen)
        return
    for number in number_types():
        for make in device_tasks():
            yield make, number


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


def make_case(make: Make, number: str, reasons: Mapping[str, str]) -> tuple[int, Case]:
    """A task in all forms, after its interval as a phase of a step, or 0."""
    task = make(number)
    arguments = (*task.fixed, *jax.eval_shape(task.draw, jax.random.key(0)))
    results = jax.eval_shape(task.function, *arguments)
    float32 = number == "float32"
    return task.interval, Case(
        name=task.name.format(number),
        draw=task.draw,
        forms=_forms(task, number, reasons),
        reference=PLAIN if float32 else partial(_in_float32, make("float32")),
        tolerance=TOLERANCES[number],
        number=number,
        gflop=count_flops(task.function, *arguments) / 1e9,
        gigabytes=_bytes((arguments, results)) / 1e9,
        images=task.images,
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
        yield Row(f"{case}training step", form, _joined(list(taken.values())), note)


def measure(chosen: Iterator[tuple[Make, str]], options: Options, limits: Limits) -> Iterator[Row]:
    """Rows of tasks; says on standard error how far it is."""
    reasons = absent(None)
    del reasons[NVIDIA]  # They are kernels of operations.
    if options.quick and TORCH not in reasons:
        reasons[COMPILED] = "Left out of a quick run: it compiles for minutes."
    yield from absent_rows(reasons)
    phases: dict[str, list[tuple[int, Row]]] = {}
    for make, number in chosen:
        interval, case = make_case(make, number, reasons)
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
    rows = (*limits.rows(), *measure(tasks(quick=options.quick), options, limits))
    return Section("Networks", TEXT, rows)
