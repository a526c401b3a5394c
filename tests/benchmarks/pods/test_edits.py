"""The edit as shapes alone."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.pods.edits import abstract_edit
from sfe_jax.pipelines.random_bundle import small_modules


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_edit_gives_pictures_of_the_size_it_takes(precision):
    run, shapes = abstract_edit(small_modules(), pictures=3, precision=precision)
    with jax.numpy_dtype_promotion("standard"):  # Flax's norm mixes types before its cast.
        edited = jax.eval_shape(run, *shapes)
    assert edited.shape == shapes[1].shape == (3, 64, 64, 3)
    assert edited.dtype == jnp.float32


def test_precision_is_that_of_the_activations():
    run, shapes = abstract_edit(small_modules(), pictures=1, precision="bfloat16")
    with jax.numpy_dtype_promotion("standard"):
        text = jax.jit(run).lower(*shapes).as_text()
    assert "tensor<1x16x16x32xbf16>" in text
