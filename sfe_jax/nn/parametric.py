"""The base of modules with parameters of their own."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
from flax.errors import ScopeParamShapeError


class ParametricModule(nn.Module):
    """A module that does not trace the initialiser of a parameter that it has.

    Flax does, for its shape, whenever a module is applied: two fifths of the time in which the full
    edit is traced.
    """

    @nn.nowrap
    def param(
        self, name: str, init_fn: Callable[..., Any], *init_args: Any, **init_kwargs: Any
    ) -> Any:
        """As `flax.linen.Module.param`; the first of `init_args` is the shape.

        Raises:
            ScopeParamShapeError: If the parameter has another shape.
        """
        if self.is_initializing() or not self.has_variable("params", name) or not init_args:
            return super().param(name, init_fn, *init_args, **init_kwargs)
        value, shape = self.get_variable("params", name), tuple(init_args[0])
        if value.shape != shape:
            raise ScopeParamShapeError(name, "/".join(self.path), value.shape, shape)
        return value
