"""Whole networks in plain PyTorch against ours; skipped where torch is not installed."""

import jax
import pytest

from benchmarks.measuring.forms import as_float32, difference
from benchmarks.rivals.torch_forms import torch_form
from benchmarks.sections import network_tasks
from benchmarks.sections.networks import gan
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.inception import FidInception
from sfe_jax.pipelines.random_bundle import small_modules
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan import GanOptions

torch = pytest.importorskip("torch", reason="torch is not installed; its networks need it")

from benchmarks.rivals import torch_networks  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_programs")

SIZES = {"z_dim": 4, "w_dim": 4, "mapping_layers": 1}
PLAIN = Generator(channels=(4, 3), **SIZES)
READER = FidInception(narrowing=16, input_size=75)
JUDGE = Discriminator(channels=(4, 3))
OPTIONS = GanOptions(channel_base=32, channel_max=4, **SIZES)
ROUNDING = 2e-5
"""Of float32 through all layers and back, over the size of the result."""


def alias_free():
    options = AliasFreeOptions(num_layers=2, num_critical=1, margin=2)
    return options.build(resolution=16, base=64, maximum=4, **SIZES)


TASKS = {
    "forward": lambda: network_tasks.forward(PLAIN, 2),
    "by weights": lambda: network_tasks.by_weights(PLAIN, 2),
    "R1": lambda: network_tasks.r1(JUDGE, 4),
    "path length": lambda: network_tasks.path_length(PLAIN, 2),
    "alias-free forward": lambda: network_tasks.forward(alias_free(), 1),
    "Inception": lambda: network_tasks.inception(READER, 2, side=32),
}


def form(task):
    """A task in PyTorch, for inputs like its own."""
    build = torch_form(
        task.torch,
        order=task.order,
        kinds=task.kinds,
        results=task.results,
        cast=True,
        fresh=task.fresh,
        compared=task.torch_compared,
    )
    return build(task.draw(jax.random.key(0)))


def results(task):
    """Ours, and PyTorch's of the same numbers."""
    arrays, built = task.draw(jax.random.key(0)), form(task)
    ours = task.compared(jax.jit(task.function)(*task.fixed, *arrays))
    return as_float32(ours), built.collect(built.run(built.prepare(arrays)))


@pytest.mark.parametrize("make", TASKS.values(), ids=TASKS)
def test_network_in_torch_is_ours(make):
    expected, found = results(make())
    assert difference(found, expected) < ROUNDING


@pytest.mark.slow
def test_edit_in_torch_is_ours():
    expected, found = results(network_tasks.edit(small_modules(), 1))
    assert difference(found, expected) < ROUNDING


def phase(name):
    method = gan(OPTIONS, "float32", resolution=8, batch=4)
    return network_tasks.training_phase(method, 4, phase=name)


@pytest.mark.parametrize("name", ["r1", "average"])
def test_what_stands_for_a_phase_is_ours(name):
    expected, found = results(phase(name))
    assert difference(found, expected) < ROUNDING


def test_phase_begins_every_call_with_the_first_weights():
    task = phase("average")
    built, arrays = form(task), task.draw(jax.random.key(0))
    first, second = (built.collect(built.run(built.prepare(arrays))) for _ in range(2))
    assert difference(first, second) == 0


def test_sum_of_squares_is_of_all_numbers_in_float32():
    ones = [torch.ones(2, 300, dtype=torch.bfloat16), torch.full((2,), 2.0)]
    assert float(torch_networks.total_square(ones)) == 608.0


def test_waves_alone_stay_in_float32_in_a_network_of_bfloat16():
    module = alias_free()
    (variables,) = network_tasks.forward(module, 1).fixed
    network = torch_networks.generator(module, variables)(torch.empty(0, dtype=torch.bfloat16))
    wide = {name for name, p in network.named_parameters() if p.dtype == torch.float32}
    assert wide == {name for name, _ in network.named_parameters() if ".input." in name}
