"""Words that are chosen."""

import pytest

from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError


@pytest.mark.parametrize("value", ["float32", "bfloat16"])
def test_a_choice_is_accepted(value):
    check_choice("precision", value, Precision)


@pytest.mark.parametrize("value", ["bf16", "", None, 32])
def test_another_word_is_refused_with_the_choices(value):
    with pytest.raises(OptionError, match=r"`precision` is .*; required is one of 'float32', 'bf"):
        check_choice("precision", value, Precision)
