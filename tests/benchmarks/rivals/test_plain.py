from inspect import signature

import jax
import numpy as np
import pytest

from benchmarks.measuring.forms import as_float32, difference
from benchmarks.rivals import plain
from benchmarks.sections.operation_table import MAPS, minibatch_std
from sfe_jax.ops import modulated_conv, upfirdn2d
from tests.compiling import jit


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def apart(plain_form, library_form, *arguments):
    """`difference` of two forms of an operation."""
    found, expected = jit(lambda *given: [f(*given) for f in (plain_form, library_form)])(
        *arguments
    )
    return difference(as_float32(found), as_float32(expected))


@pytest.mark.parametrize("options", [{"up": 2, "gain": 4.0}, {"down": 2}, {"flip_filter": True}])
@pytest.mark.parametrize("taps", [[[1, 2], [3, 4], [5, 6]], [1, 2, 3]])
def test_resampling_is_the_library_s_for_any_filter(taps, options):
    f, x = np.array(taps, np.float32), normal(1, 6, 7, 3)
    options = {**options, "padding": (2, 1, 0, 3)}
    forms = [lambda x, m=m: m.upfirdn2d(x, f, **options) for m in (plain, upfirdn2d)]
    assert apart(*forms, x) < 1e-6


@pytest.mark.parametrize("make", [*MAPS, minibatch_std], ids=lambda make: make.__name__)
def test_every_operation_is_the_library_s(make):
    operation = make((4, 8, 4))
    arrays = [
        each.mean + normal(*each.shape, seed=seed) for seed, each in enumerate(operation.inputs)
    ]
    assert apart(operation.plain, operation.ours, *arrays) < 1e-5


@pytest.mark.parametrize("function", plain.REPLACED, ids=lambda function: function.__name__)
def test_every_operation_takes_the_library_s_arguments(function):
    named = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert set(named) <= set(signature(plain.REPLACED[function]).parameters)


def test_installed_operations_make_a_grouped_convolution():
    x, kernel, styles = normal(2, 8, 8, 4), normal(3, 3, 4, 4), normal(2, 4)
    with plain.installed():
        program = jax.make_jaxpr(lambda x, k, s: modulated_conv.modulated_conv(x, k, s))(
            x, kernel, styles
        )
    assert "feature_group_count=2" in str(program)
