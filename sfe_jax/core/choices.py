"""Words among which callers choose, and their check at the door."""

from typing import Any, Literal, get_args

from sfe_jax.core.errors import OptionError

Precision = Literal["float32", "bfloat16"]
"""Type of the activations; parameters are always float32."""


def check_choice(name: str, value: object, kind: Any) -> None:
    """Raises unless `value` is one of the words of `kind`.

    Args:
        name: What is chosen, for the message.
        value: The word met.
        kind: A `Literal`.

    Raises:
        OptionError: With the word and the choices.
    """
    if value not in get_args(kind):
        choices = ", ".join(map(repr, get_args(kind)))
        raise OptionError(f"`{name}` is {value!r}; required is one of {choices}")
