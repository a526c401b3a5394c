"""The same computation in our form and in PyTorch's, on the same weights and inputs."""

# pyright: reportMissingImports=false

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.measuring.flops import count_flops
from benchmarks.torch_reference.editing import Sfe
from benchmarks.torch_reference.encoders import E4e, Fuser, Inverter
from benchmarks.torch_reference.inception import Inception
from benchmarks.torch_reference.loading import load
from benchmarks.torch_reference.stylegan2 import Generator
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Variables
from sfe_jax.edits.operands import identity
from sfe_jax.perceptual.inception import FidInception, resize_for_fid
from sfe_jax.pipelines.methods import SfeMethod
from sfe_jax.pipelines.random_bundle import full_size_modules, random_variables, small_modules

LAYOUTS = {
    "PyTorch": torch.contiguous_format,
    "PyTorch, channels last": torch.channels_last,
}
"""PyTorch as it comes, and with the memory layout that its documentation advises for CPU."""

STRENGTH = 1.5
"""Of the edit."""


@dataclass(frozen=True)
class Contest:
    """One computation in all forms."""

    name: str
    images: int  # Pictures per call.
    gflop: float  # Per call, of the plain mathematics.
    ours: Callable[[], Any]  # Gives [N, ...], pictures as NHWC.
    theirs: dict[str, Callable[[], Any]]  # By form; pictures as NCHW.


def _contest(
    name: str,
    ours: Callable,
    arguments: Sequence[Any],
    theirs: Callable[[Any], Callable[..., Any]],
    inputs: Sequence[np.ndarray],
    *,
    compiled: bool,
) -> Contest:
    """Compiles our form, and builds PyTorch's in every layout.

    Args:
        name: Of the contest.
        ours: Function of `arguments`, to be jitted.
        arguments: Variables and inputs.
        theirs: Memory layout -> function of `inputs`.
        inputs: Arrays; pictures as NHWC. The first has one row per picture.
        compiled: Whether torch.compile enters too.
    """

    def tensors(layout: Any) -> list[Any]:
        return [to_torch(x, layout) for x in inputs]

    forms = {form: partial(theirs(layout), *tensors(layout)) for form, layout in LAYOUTS.items()}
    if compiled:
        layout = torch.channels_last
        forms["torch.compile"] = partial(torch.compile(theirs(layout)), *tensors(layout))
    program = jax.jit(ours).lower(*arguments).compile()
    gflop = count_flops(ours, *arguments) / 1e9
    return Contest(name, len(inputs[0]), gflop, partial(program, *arguments), forms)


def to_torch(x: np.ndarray, layout: Any) -> Any:
    """An array as a tensor; pictures as NCHW in the given layout."""
    if x.ndim < 4:
        return torch.tensor(x)
    return torch.tensor(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)


def to_numpy(x: Any) -> np.ndarray:
    """A tensor as an array; pictures as NHWC."""
    array = x.numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def random_networks(
    modules: Mapping[str, nn.Module], roles: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Variables]]:
    """Modules of some roles, and random variables of them."""
    chosen = {role: modules[role] for role in roles}
    rng = np.random.default_rng(0)
    return chosen, {role: random_variables(module, rng) for role, module in chosen.items()}


def generator_builder(generator: Any) -> Callable[[], Generator]:
    """Builds PyTorch's form of our StyleGAN2 generator."""
    sizes = {"z_dim": generator.z_dim, "w_dim": generator.w_dim}
    return partial(Generator, generator.channels, **sizes, layers=generator.mapping_layers)


def generator_contest(*, small: bool, compiled: bool) -> Contest:
    """From z to a picture, batch 1, stored noise."""
    modules = small_modules() if small else full_size_modules()
    chosen, variables = random_networks(modules, ["generator"])
    generator = chosen["generator"]
    z = np.random.default_rng(1).standard_normal((1, generator.z_dim), np.float32)

    def theirs(layout: Any) -> Callable[..., Any]:
        build = generator_builder(generator)
        return load(build, variables["generator"]).to(memory_format=layout)

    ours = partial(apply, generator)
    arguments = (variables["generator"], jnp.asarray(z))
    name = f"StyleGAN2 generator, {generator.resolution}x{generator.resolution}"
    return _contest(name, ours, arguments, theirs, [z], compiled=compiled)


def sfe_builders(modules: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Builds PyTorch's forms of the networks of an edit, by role."""
    inverter, e4e, editor = modules["inverter"], modules["e4e"], modules["feature_editor"]
    sizes = {"rows": inverter.num_styles, "w_dim": inverter.w_dim}
    body = {"depths": inverter.depths, "widths": inverter.widths}
    fused = {"features": inverter.features, "units": inverter.num_units}
    e4e_body = {"depths": e4e.depths, "widths": e4e.widths, "input_size": e4e.input_size}
    return {
        "generator": generator_builder(modules["generator"]),
        "inverter": partial(Inverter, **sizes, **body, **fused),
        "feature_editor": partial(Fuser, editor.features, editor.num_units),
        "e4e": partial(E4e, **sizes, **e4e_body),
    }


def edit_contest(*, small: bool, compiled: bool) -> Contest:
    """The full SFE edit: a picture in, an edited picture out, batch 1."""
    modules = small_modules() if small else full_size_modules()
    roles = ("generator", "inverter", "feature_editor", "e4e")
    chosen, variables = random_networks(modules, roles)
    generator, builders = chosen["generator"], sfe_builders(chosen)
    rng, size = np.random.default_rng(1), generator.resolution
    images = rng.uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    shift = rng.standard_normal((1, generator.num_ws, generator.w_dim), np.float32)
    shift /= np.linalg.norm(shift, axis=-1, keepdims=True)
    method = SfeMethod(**chosen)
    operands = identity(**generator.code_sizes)
    operands = replace(operands, shift=jnp.asarray(shift))

    def ours(variables: Any, images: Any, operands: Any, strength: Any) -> Any:
        inversion = method.invert(variables, images)
        return method.edit(variables, inversion, operands, strength)

    def theirs(layout: Any) -> Callable[..., Any]:
        networks = {
            role: load(build, variables[role]).to(memory_format=layout)
            for role, build in builders.items()
        }
        return partial(
            Sfe(**networks, input_size=chosen["inverter"].input_size).edit, strength=STRENGTH
        )

    arguments = (variables, jnp.asarray(images), operands, jnp.full(1, STRENGTH))
    name = f"full SFE edit, {size}x{size}"
    return _contest(name, ours, arguments, theirs, [images, shift], compiled=compiled)


def inception_contest(count: int, *, small: bool, compiled: bool) -> Contest:
    """FID's features of pictures of 256x256, `count` at once."""
    narrowing, input_size, side = (16, 75, 64) if small else (1, 299, 256)
    module = FidInception(narrowing=narrowing, input_size=input_size)
    variables = random_variables(module, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (count, side, side, 3)).astype(np.float32)

    def ours(variables: Any, images: Any) -> Any:
        return apply(module, variables, resize_for_fid(images, input_size))["features"]

    def theirs(layout: Any) -> Callable[..., Any]:
        build = partial(Inception, narrowing=narrowing, input_size=input_size)
        return load(build, variables).to(memory_format=layout)

    arguments = (variables, jnp.asarray(images))
    name = f"FID Inception, pictures of {side}x{side}"
    return _contest(name, ours, arguments, theirs, [images], compiled=compiled)


BUILDERS: dict[str, Callable[..., Contest]] = {
    "generator": generator_contest,
    "edit": edit_contest,
    "inception16": partial(inception_contest, 16),
    "inception32": partial(inception_contest, 32),
}
"""Contests by the name under which they are asked for."""


def contests(names: Sequence[str], *, small: bool, compiled: bool) -> Iterator[Contest]:
    """Builds contests one after the other, so that only one lies in memory.

    Args:
        names: Of `BUILDERS`.
        small: Narrow networks, to try the program.
        compiled: Whether torch.compile enters too.

    Yields:
        Contests; PyTorch's forms run without gradients while the caller works on them.
    """
    for name in names:
        with torch.inference_mode():
            yield BUILDERS[name](small=small, compiled=compiled)


def threads() -> int:
    """Threads that PyTorch computes with."""
    return torch.get_num_threads()
