"""What a phase hands to its optimiser: the loss as a number, beside the terms that it logs."""

from unittest import mock

import jax

from sfe_jax.training.method import Trainer
from tests.compiling import quick


def _read(self, state, loss, carry, batch, key):
    """In the place of `Trainer.update`: the loss is read, and nothing moves."""
    value, (carry, scalars) = loss(state.networks[self.role]["params"], carry, batch, key)
    return state, carry, {**scalars, "whole": value}


def terms(method, phase, state, batch):
    """Scalars of the phase of this name, with its whole loss as "whole"."""
    (chosen,) = (each for each in method.phases if each.name == phase)
    with mock.patch.object(Trainer, "update", _read), quick():
        run = jax.jit(lambda *operands: chosen.run(*operands)[1])
        return run(state, method.frozen, batch, jax.random.key(5))
