import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measuring.forms import MissingFormError, as_float32, difference
from benchmarks.rivals import torch_forms
from benchmarks.sections.operations import ORDERS
from tests.compiling import jit


def test_torch_that_is_not_installed_is_a_missing_form(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingFormError, match="PyTorch is not installed"):
        torch_forms.torch_device()


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def scaled_square(x, y):
    """Not linear in either argument, so that all derivatives differ."""
    return x * x * y


IMAGE, KERNEL = (1, 2, 3, 4), (3, 1, 2, 5)
"""No two axes of one length that could stand for each other."""


class TestWithTorch:
    """What needs torch."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        torch = pytest.importorskip("torch", reason="torch is not installed; its forms need it")
        flags = torch.backends.cuda.matmul, torch.backends.cudnn
        before = [flag.allow_tf32 for flag in flags]
        yield
        for flag, value in zip(flags, before, strict=True):
            flag.allow_tf32 = value

    def build(self, function, *arrays, results=("image",), kinds=("image",), **options):
        """A form of a function of tensors, and what it gives for the arrays."""
        options = {"order": torch_forms.forward, **options}
        form = torch_forms.torch_form(lambda _: function, kinds=kinds, results=results, **options)
        built = form(arrays)
        return built, built.run(built.prepare(arrays))

    def test_device_that_torch_cannot_use_is_a_missing_form(self, monkeypatch):
        monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
        with pytest.raises(MissingFormError, match="cannot use this tpu"):
            torch_forms.torch_device()

    @pytest.mark.parametrize("order", ORDERS)
    def test_order_of_derivative_is_ours(self, order):
        arrays = normal(1, 2, 3, 4), normal(1, 2, 3, 4, seed=1)
        results = ("image",) if order == "forward" else ("image", "image")
        built, found = self.build(
            scaled_square,
            *arrays,
            kinds=("image", "image"),
            results=results,
            order=torch_forms.ORDERS[order],
        )
        expected = as_float32(jit(ORDERS[order](scaled_square, 2))(*arrays))
        assert difference(built.collect(found), expected) < 1e-6

    def test_distance_is_summed_in_float32(self):
        import torch

        many = torch.ones(1000, dtype=torch.bfloat16)
        assert float(torch_forms.half_square(many, 2.0)) == 500.0

    def test_forward_form_keeps_nothing_for_a_derivative(self):
        import torch

        weight = torch.ones(2, requires_grad=True)
        assert not torch_forms.forward(lambda x: x * weight)(torch.ones(2)).requires_grad

    def test_axes_are_in_the_order_of_torch(self):
        _, shapes = self.build(
            lambda *given: [x.shape for x in given],
            normal(*IMAGE),
            normal(*KERNEL),
            normal(6, 7),
            kinds=("image", "kernel", "vector"),
        )
        assert [tuple(shape) for shape in shapes] == [(1, 4, 2, 3), (5, 2, 3, 1), (6, 7)]

    def test_results_are_in_our_order_of_axes(self):
        arrays, kinds = (normal(*IMAGE), normal(*KERNEL)), ("image", "kernel")
        built, found = self.build(lambda *given: given, *arrays, kinds=kinds, results=kinds)
        assert difference(built.collect(found), as_float32(arrays)) == 0

    @pytest.mark.parametrize("last", [False, True])
    def test_pictures_have_the_layout_of_the_form(self, last):
        import torch

        _, found = self.build(lambda x: x, normal(2, 3, 4, 5), last=last)
        assert found.is_contiguous(memory_format=torch.channels_last) == last

    @pytest.mark.parametrize(("cast", "name"), [(False, "float32"), (True, "bfloat16")])
    def test_inputs_have_the_type_of_the_form_only_if_cast(self, cast, name):
        _, found = self.build(lambda x: x, normal(*IMAGE), number="bfloat16", cast=cast)
        assert str(found.dtype) == f"torch.{name}"

    @pytest.mark.parametrize(("number", "allowed"), [("float32", False), ("TF32", True)])
    def test_products_lose_bits_only_in_a_form_of_tf32(self, number, allowed):
        import torch

        self.build(lambda x: x, normal(*IMAGE), number=number)
        assert torch.backends.cuda.matmul.allow_tf32 == allowed

    def test_compiled_form_tells_how_long_that_took(self, monkeypatch):
        import torch

        seen = []
        monkeypatch.setattr(torch, "compile", lambda made: seen.append(made) or made)
        built, _ = self.build(
            scaled_square, *[normal(*IMAGE)] * 2, kinds=("image",) * 2, compiled=True
        )
        assert seen == [scaled_square]
        assert built.figures["compile s"] > 0

    def test_fresh_inputs_and_compared_results_take_the_place_of_what_is_given(self):
        built, found = self.build(
            lambda x: {"twice": 2 * x, "other": None},
            normal(*IMAGE),
            fresh=lambda made, arrays: [jnp.full(IMAGE, 3.0)],
            compared=lambda found: found["twice"],
        )
        np.testing.assert_array_equal(built.collect(found)[0], np.full(IMAGE, 6.0))
