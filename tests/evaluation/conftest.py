"""Programs are compiled without optimisation here: they run once, on a few pictures."""

import jax
import pytest

from sfe_jax.data.faces import render_faces
from sfe_jax.evaluation.drawn_faces import table
from tests.compiling import jit


@pytest.fixture(scope="package", autouse=True)
def _quick_compilation():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "jit", jit)
        patch.setattr(table, "_draw", jit(render_faces, static_argnames="resolution"))
        yield
