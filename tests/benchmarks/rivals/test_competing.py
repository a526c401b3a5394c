import contextlib

import jax.numpy as jnp

from benchmarks.measuring.forms import jax_form
from benchmarks.rivals.competing import CUDA, NVIDIA, PALLAS, absent, absent_rows, epilogues, within


def test_every_form_that_is_absent_says_why(tmp_path):
    reasons = absent(tmp_path)
    assert {CUDA, PALLAS, NVIDIA} <= reasons.keys()
    assert all(reason.endswith(".") for reason in reasons.values())


def test_an_absent_form_is_one_row():
    (row,) = absent_rows({CUDA: "No GPU."})
    assert (row.case, row.form, row.note) == ("every case", CUDA, "No GPU.")


def test_our_kernels_have_the_epilogue():
    assert set(epilogues({})) == {CUDA, PALLAS}


def test_kernels_that_are_absent_are_not_imported():
    assert epilogues({CUDA: "", PALLAS: ""}) == {}


def test_a_form_is_built_in_its_context():
    inside = []

    @contextlib.contextmanager
    def context():
        inside.append("in")
        yield
        inside.append("out")

    def double(x):
        inside.append("traced")
        return 2 * x

    within(context, jax_form(double))((jnp.ones(3),))
    assert inside == ["in", "traced", "out"]
