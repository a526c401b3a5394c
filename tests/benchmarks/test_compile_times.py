import jax
import jax.numpy as jnp
import pytest

from benchmarks.compile_times import Preparation, cold_and_cached, page, parse
from sfe_jax.core.errors import OptionError


def build_chain():
    """A program that takes longer to compile than to load."""

    def chain(x):
        for _ in range(30):
            x = jnp.sin(x @ x)
        return x

    return lambda: [jax.jit(chain).lower(jax.ShapeDtypeStruct((8, 8), jnp.float32))]


def test_second_process_finds_the_program_in_the_cache():
    cold, cached = cold_and_cached(build_chain)
    assert 0 < cached.compile < cold.compile


def test_page_shows_both_preparations_and_their_sums():
    text = page({"edit": (Preparation(1.0, 2.5), Preparation(1.0, 0.3))})
    assert "| edit | 1.0 | 2.5 | 3.5 | 1.0 | 0.3 | 1.3 |" in text


def test_page_must_not_take_the_name_of_its_json():
    with pytest.raises(OptionError, match=r"\.md"):
        parse(["-o", "COMPILE.json"])
