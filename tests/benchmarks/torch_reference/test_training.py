"""Parity of a step of training with plain PyTorch; skipped where torch is not installed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.tree_utils import tree_get

from benchmarks.sections.network_tasks import training_phase
from benchmarks.sections.networks import gan
from sfe_jax.core.trees import flatten
from sfe_jax.training.gan import GanOptions, lazy_adam
from tests.compiling import quick

torch = pytest.importorskip("torch", reason="torch is not installed; parity needs its CPU build")

from benchmarks.measuring.forms import as_float32  # noqa: E402
from benchmarks.torch_reference import discriminator, stylegan2, training  # noqa: E402
from benchmarks.torch_reference.loading import torch_name, torch_tensor  # noqa: E402

OPTIONS = GanOptions(channel_base=32, channel_max=4, z_dim=4, w_dim=4, mapping_layers=1)
TRAINED = {
    "generator": "generator",
    "path_length": "generator",
    "discriminator": "discriminator",
    "r1": "discriminator",
}
ROUNDING = 1e-4  # Of the largest number that is compared.


def tensor(x, kind="vector"):
    x = torch.tensor(np.asarray(x, np.float32))
    return x.permute(0, 3, 1, 2) if kind == "image" else x


def in_torch(params):
    """Our parameters by PyTorch's names and in its order of axes."""
    arrays = flatten({"params": params}).items()
    return {torch_name(path): torch_tensor(path, array).numpy() for path, array in arrays}


def numbers(network):
    return {name: p.detach().numpy() for name, p in network.named_parameters()}


class Turn:
    """A phase on one batch of two groups: our state before and after, PyTorch's players after."""

    def __init__(self, phase):
        self.role = TRAINED.get(phase, "")
        with quick():
            method = gan(OPTIONS, "float32", resolution=8, batch=8)
            self.task = training_phase(method, 8, phase=phase)
            arrays = self.task.draw(jax.random.key(3))
            (self.before,) = self.task.fixed
            self.results = jax.jit(self.task.function)(self.before, *arrays)
            module = self.task.torch(torch.empty(()))
            inputs = map(tensor, self.task.fresh(module, arrays), self.task.kinds)
        self.after, scalars = self.results
        self.losses = [x for name, x in scalars.items() if name.startswith("loss/")]
        self.found = self.task.order(module)(*inputs)
        self.players, self.losses_by_torch = self.found

    @property
    def slopes(self):
        """Our first moments, which with a first decay of 0 are the slopes."""
        return in_torch(tree_get(self.after.optimizers[self.role], "mu"))

    @property
    def slopes_by_torch(self):
        """PyTorch's; 0 for a parameter that no slope reached."""
        state = self.players.optimizers[self.role].state
        return {
            name: state[p]["exp_avg"].numpy() if p in state else np.zeros(p.shape)
            for name, p in getattr(self.players, self.role).named_parameters()
        }


def assert_near(found, expected, *, scale):
    """All arrays are equal but for `ROUNDING` of `scale`, and the last bit."""
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        np.testing.assert_allclose(found[name], x, rtol=2e-7, atol=ROUNDING * scale, err_msg=name)


def largest(arrays):
    return max(np.abs(x).max() for x in arrays.values())


def largest_change(before, after):
    return max(np.abs(after[name] - before[name]).max() for name in after)


@pytest.fixture(scope="module", params=list(TRAINED))
def turn(request):
    """The phases that train, one after the other."""
    return Turn(request.param)


def test_loss_equals_ours(turn):
    np.testing.assert_allclose(turn.losses_by_torch, turn.losses, rtol=1e-5)


def test_slopes_equal_ours(turn):
    assert_near(turn.slopes_by_torch, turn.slopes, scale=largest(turn.slopes))


def test_weights_move_as_ours(turn):
    """Where the slope is more than rounding: the first step of Adam is made of its sign alone."""
    ours = in_torch(turn.after.networks[turn.role]["params"])
    before = in_torch(turn.before.networks[turn.role]["params"])
    theirs, slopes = numbers(getattr(turn.players, turn.role)), turn.slopes
    least = ROUNDING * largest(slopes)
    clear = {name: np.abs(x) > least for name, x in slopes.items()}
    assert sum(x.sum() for x in clear.values()) > sum(x.size for x in clear.values()) / 2
    assert_near(
        {name: np.where(clear[name], theirs[name], 0) for name in ours},
        {name: np.where(clear[name], ours[name], 0) for name in ours},
        scale=largest_change(before, ours),
    )


def test_average_code_equals_ours(turn):
    ours = turn.after.networks["generator"]["buffers"]["mapping"]["w_avg"]
    np.testing.assert_allclose(turn.players.generator.mapping.w_avg, ours, rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def average():
    return Turn("average")


def test_average_moves_as_ours(average):
    ours = in_torch(average.after.averages["generator"]["params"])
    before = in_torch(average.before.averages["generator"]["params"])
    theirs = numbers(average.players.average)
    assert_near(theirs, ours, scale=largest_change(before, ours))


def test_what_stands_for_a_phase_equals_ours(average):
    ours = as_float32(average.task.compared(average.results))
    theirs = average.task.torch_compared(average.found)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)


def test_adam_moves_as_ours_over_some_steps():
    weights, rng = np.linspace(-1, 1, 6, dtype=np.float32), np.random.default_rng(0)
    ours, theirs = jnp.asarray(weights), torch.nn.Linear(6, 1, bias=False)
    theirs.weight = torch.nn.Parameter(tensor(weights)[None])
    optimizer, other = lazy_adam(0.002, 16), training.lazy_adam(theirs, 0.002, 16)
    state = optimizer.init(ours)
    with quick():
        for _ in range(4):
            slope = rng.standard_normal(6).astype(np.float32)
            updates, state = optimizer.update(jnp.asarray(slope), state)
            ours = optax.apply_updates(ours, updates)
            theirs.weight.grad = tensor(slope)[None]
            other.step()
    np.testing.assert_allclose(numbers(theirs)["weight"][0], np.asarray(ours), rtol=1e-6)


def test_reset_goes_back_to_the_first_weights_and_moments():
    generators = [stylegan2.Generator((2, 2), z_dim=2, w_dim=2, layers=1) for _ in range(2)]
    networks = (generators[0], discriminator.Discriminator((2, 2)), generators[1])
    for network in networks:
        network.load_state_dict({k: torch.rand(x.shape) for k, x in network.state_dict().items()})
    players = training.Players(*networks, OPTIONS)
    first = {name: x.clone() for name, x in players.state_dict().items()}
    for optimizer in players.optimizers.values():
        for p in optimizer.param_groups[0]["params"]:
            p.grad = torch.ones_like(p)
        optimizer.step()
    players.path_length.fill_(1)
    players.reset()
    assert all(torch.equal(x, first[name]) for name, x in players.state_dict().items())
    states = [m for each in players.optimizers.values() for m in each.state.values()]
    assert states
    assert not any(x.any() for moments in states for x in moments.values())
