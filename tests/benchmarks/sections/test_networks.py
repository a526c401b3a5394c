from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measuring.forms import difference, largest_difference
from benchmarks.measuring.limits import Limits
from benchmarks.measuring.rows import Options, Row
from benchmarks.rivals.competing import COMPILED, TORCH
from benchmarks.sections.network_tasks import by_weights, forward, total_square, training_phase
from benchmarks.sections.networks import (
    PHASES,
    STEP,
    Plan,
    gan,
    make_case,
    measure,
    plans,
    whole_step,
)
from benchmarks.sections.operation_table import MAPS, minibatch_std
from benchmarks.sections.operations import make_case as operation_case
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.training.gan import GanOptions

ABSENT = {"PyTorch, eager": "", "CUDA, ours": "", "Pallas, ours": "", "NVIDIA's kernels": ""}
ABSENT_BUT_TORCH = {**{n: "" for n in ABSENT if n != "PyTorch, eager"}, "PyTorch, compiled": ""}
NARROW = Generator(channels=(4, 4), z_dim=4, w_dim=4, mapping_layers=1)


def phase_row(phase, ms, form="XLA, ours"):
    figures = {"ms": ms, "least ms": ms, "most ms": 2 * ms, "images/s": 8000 / ms}
    figures |= {"compile s": 3.0, "peak MiB": ms}
    return Row(f"net, batch 8, float32, {STEP}{phase}", form, figures)


def step_rows(form="XLA, ours"):
    intervals = (1, 4, 1, 16, 1)
    return [
        (interval, phase_row(phase, 16.0, form))
        for phase, interval in zip(PHASES, intervals, strict=True)
    ]


def test_a_step_adds_its_phases_by_how_often_they_run():
    (row,) = whole_step(step_rows())
    assert row.case == "net, batch 8, float32, training step"
    assert row.figures["ms"] == 16 * (3 + 1 / 4 + 1 / 16)


def test_a_step_states_its_pictures_per_second():
    (row,) = whole_step(step_rows())
    assert row.figures["images/s"] == pytest.approx(8 / (row.figures["ms"] / 1e3))


def test_a_form_that_lacks_a_phase_has_no_step():
    assert [row.form for row in whole_step([*step_rows(), *step_rows("other")[:-1]])] == [
        "XLA, ours"
    ]


def torch_rows(form, phases):
    """Rows of PyTorch's on a CPU, which tells no memory."""
    for interval, row in step_rows(form):
        if row.case.rpartition(" ")[2] in phases:
            figures = {name: x for name, x in row.figures.items() if name != "peak MiB"}
            yield interval, replace(row, figures=figures)


def test_a_step_lacks_the_figures_that_its_phases_lack():
    (row,) = whole_step(list(torch_rows(TORCH, PHASES)))
    assert "ms" in row.figures
    assert "peak MiB" not in row.figures


def test_a_compiled_step_takes_the_other_phases_as_they_are():
    layout = f"{TORCH}, channels last"
    own = ("generator", "discriminator")
    rows = [*torch_rows(layout, PHASES), *torch_rows(COMPILED, own)]
    _, row = whole_step(rows)
    assert row.form == COMPILED
    assert row.note.endswith(f"path_length, r1, average: as in {layout}.")


def test_a_compiled_step_needs_the_other_phases():
    assert not list(whole_step(list(torch_rows(COMPILED, ("generator", "discriminator")))))


def test_total_square_adds_all_numbers():
    assert float(total_square({"a": jnp.array([1.0, 2.0]), "b": jnp.array([[3.0]])})) == 14.0


def narrow_plan(task=forward):
    return Plan("net", "a task", task, lambda _: NARROW, 2)


def test_a_case_is_named_by_its_plan():
    interval, case = make_case(narrow_plan(), "float32", ABSENT)
    assert (interval, case.name, case.images) == (0, "net, batch 2, float32, a task", 2)


@pytest.mark.parametrize(
    ("task", "distance"), [(forward, largest_difference), (by_weights, difference)]
)
def test_forward_passes_alone_are_compared_at_their_worst_number(task, distance):
    _, case = make_case(narrow_plan(task), "float32", ABSENT)
    assert case.distance is distance


def test_no_two_cases_of_this_device_have_one_name():
    found = [plan.name(number) for plan, number in plans(quick=False)]
    assert len(set(found)) == len(found)


def test_a_plan_that_was_not_chosen_is_not_made(tmp_path):
    def fail(number):
        raise AssertionError(number)

    options = Options(1, quick=True, originals=None, workdir=tmp_path, only=("edit",))
    chosen = iter([(replace(narrow_plan(), networks=fail), "float32")])
    assert all(row.case == "every case" for row in measure(chosen, options, Limits(1.0, {})))


def test_phase_of_training_moves_its_state_in_place():
    options = GanOptions(channel_base=32, channel_max=4, z_dim=4, w_dim=4, mapping_layers=1)
    average = partial(training_phase, phase="average")
    build = partial(gan, options, resolution=8, batch=4)
    _, case = make_case(Plan("net", "average", average, build, 4), "float32", ABSENT)
    arrays = case.draw(jax.random.key(0))
    built = case.forms["XLA, ours"](arrays)
    state, *_ = inputs = built.prepare(arrays)
    built.wait(built.run(inputs))
    params = state.averages["generator"]["params"]
    assert all(x.is_deleted() for x in jax.tree.leaves(params))


class TestWithTorch:
    """What needs torch."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch", reason="torch is not installed; its forms need it")

    @pytest.mark.parametrize("make", [*MAPS, minibatch_std], ids=lambda make: make.__name__)
    def test_torch_operation_is_the_plain_one(self, make):
        case = operation_case(make((4, 8, 4)), "gradient", "float32", ABSENT_BUT_TORCH)
        example = case.draw(jax.random.key(0))
        plain, *theirs = (
            case.forms[name](example)
            for name in ("XLA, plain", "PyTorch, eager", "PyTorch, eager, channels last")
        )
        expected = plain.collect(plain.run(plain.prepare(example)))
        for built in theirs:
            found = built.collect(built.run(built.prepare(example)))
            assert difference(found, expected) < 1e-5

    def test_torch_discriminator_is_ours(self):
        from benchmarks.torch_reference.discriminator import Discriminator as Theirs
        from benchmarks.torch_reference.loading import load
        from sfe_jax.core.trees import apply
        from sfe_jax.models.discriminator import Discriminator
        from sfe_jax.pipelines.random_bundle import random_variables

        ours = Discriminator(channels=(8, 8, 4))
        variables = random_variables(ours, np.random.default_rng(0))
        images = np.random.default_rng(1).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
        import torch

        with torch.no_grad():
            tensor = torch.tensor(images.transpose(0, 3, 1, 2).copy())
            found = load(lambda: Theirs(ours.channels), variables)(tensor).numpy()
        expected = jax.jit(partial(apply, ours))(variables, images)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
