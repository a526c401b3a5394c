"""Linear and bilinear maps as primitives of JAX, whose derivatives are such maps again.

Left to itself, JAX differentiates a map through the steps it is made of, and gets forms that may be
slow; here the map's author states its adjoints. Derivatives of any order, forward and reverse, are
then made of the stated maps alone, and each map is one step for whoever traces them.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from sfe_jax.core.platforms import traced_platform
from sfe_jax.core.types import Array

Form = Callable[..., Array]
"""A map of arrays; of the arrays and a `plan`, static and hashable, if there is more to it."""


def make_primitive(name: str, form: Form) -> Primitive:
    """A primitive that is computed as `form(*arrays)`, or as `form(*arrays, plan)`.

    The form may ask for the platform it is traced for; it is told that of the place where the
    primitive was called, also where JAX traces it later. Batches of maps (`jax.vmap`) are computed
    and differentiated as the form is.

    Args:
        name: As jaxprs show it.
        form: Of one array for `declare_linear`, of two for `declare_bilinear`.
    """
    primitive = Primitive(name)

    def run(*arrays: Array, plan: Any, platform: str) -> Array:
        with jax.default_device(platform):
            return form(*arrays) if plan is None else form(*arrays, plan)

    @functools.lru_cache(maxsize=1024)
    def shape(*avals: Any, **static: Any) -> Any:
        return jax.make_jaxpr(functools.partial(run, **static))(*avals).out_avals[0]

    def batched(arrays: Any, axes: Any, **static: Any) -> tuple[Array, int]:
        return jax.vmap(functools.partial(run, **static), tuple(axes))(*arrays), 0

    primitive.def_impl(jax.jit(run, static_argnames=("plan", "platform")))
    primitive.def_abstract_eval(shape)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=False))
    batching.primitive_batchers[primitive] = batched
    return primitive


def call(primitive: Primitive, *arrays: Array, plan: Any = None) -> Array:
    """What the map gives.

    Args:
        primitive: From `make_primitive`.
        *arrays: Its arguments.
        plan: Static and hashable.
    """
    return primitive.bind(*arrays, plan=plan, platform=traced_platform())


def declare_linear(primitive: Primitive, adjoint: Callable[..., Array]) -> None:
    """States the derivatives of a linear map.

    Args:
        primitive: From `make_primitive`.
        adjoint: (g, shape of x, plan) -> slope by x, of that shape.
    """

    def transpose(g: Array, x: Any, *, plan: Any, platform: str) -> list[Array]:
        with jax.default_device(platform):
            return [adjoint(g, x.aval.shape, plan)]

    ad.deflinear2(primitive, transpose)


def declare_bilinear(
    primitive: Primitive, left: Callable[..., Array], right: Callable[..., Array]
) -> None:
    """States the derivatives of a map (x, y) that is linear in either argument.

    Args:
        primitive: From `make_primitive`.
        left: (g, y) -> slope by x.
        right: (g, x) -> slope by y.
    """

    def by_left(g: Array, x: Any, y: Array, *, plan: Any, platform: str) -> Array:
        with jax.default_device(platform):
            return left(g, y)

    def by_right(g: Array, x: Array, y: Any, *, plan: Any, platform: str) -> Array:
        with jax.default_device(platform):
            return right(g, x)

    ad.defbilinear(primitive, by_left, by_right)
