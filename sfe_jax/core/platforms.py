"""The platform that a program is traced for, and the form that it takes there."""

from collections.abc import Callable
from typing import Any

import jax


def traced_platform() -> str:
    """Where programs traced now will run: "cpu", "gpu" or "tpu".

    That is the platform of `jax.default_device` where one is set, or else JAX's default. Neither
    device nor plugin need be there to trace: `with jax.default_device("tpu"): jitted.trace(x)`.
    """
    config: Any = jax.config  # Its attributes are made when JAX is imported.
    device = config.jax_default_device
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform


def by_platform(*operands: Any, default: Callable[..., Any], **forms: Callable[..., Any]) -> Any:
    """What the form of the traced platform makes of the operands.

    All forms compute the same and run everywhere, only not as quickly. `jax.lax.platform_dependent`
    would choose later, when the program is lowered, and so traces and differentiates every form:
    five times the work of tracing the slopes of R1.

    Args:
        *operands: Arguments of the form.
        default: The form of platforms that are not named.
        **forms: Platform -> its form.
    """
    return forms.get(traced_platform(), default)(*operands)
