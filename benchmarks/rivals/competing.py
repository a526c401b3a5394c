"""Kernels that stand in for XLA's: ours in CUDA and in Pallas, and NVIDIA's; and why one is absent.

An absent form is said once for a section, not in every case.
"""

import importlib
import pathlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import ModuleType

import jax

from benchmarks.measuring.forms import Arrays, Built, Form, MissingFormError
from benchmarks.measuring.rows import Row
from benchmarks.rivals.originals import open_originals
from benchmarks.rivals.torch_forms import torch_device

PLAIN, CUDA, PALLAS = "XLA, plain", "CUDA, ours", "Pallas, ours"
TORCH, NVIDIA = "PyTorch, eager", "NVIDIA's kernels"
COMPILED = "PyTorch, compiled"


PACKAGES = {CUDA: "benchmarks.cuda", PALLAS: "benchmarks.pallas"}
"""Where the kernels of a form are."""


def _package(form: str) -> ModuleType:
    """The package with the kernels of a form.

    Raises:
        MissingFormError: If they do not run here.
    """
    package = PACKAGES[form]
    if form == CUDA and jax.default_backend() != "gpu":
        raise MissingFormError("CUDA kernels need an NVIDIA GPU.")
    if form == PALLAS and jax.default_backend() == "cpu":
        raise MissingFormError("Pallas has no compiler for CPU.")
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingFormError(f"`{package}` cannot be imported: no {error.name}.") from error
    if reason := module.unavailable():
        raise MissingFormError(f"{reason[0].upper()}{reason[1:]}.")
    return module


def absent(folder: pathlib.Path | None) -> dict[str, str]:
    """Forms that cannot run here at all, and why.

    Args:
        folder: Of a checkout with NVIDIA's kernels, or None.
    """

    def originals() -> None:
        if folder is None:
            raise MissingFormError("`--originals DIR` names no checkout of them.")
        if torch_device().type != "cuda":
            raise MissingFormError("NVIDIA's kernels need an NVIDIA GPU.")
        open_originals(folder)

    reasons = {}
    checks: dict[str, Callable] = {form: partial(_package, form) for form in PACKAGES}
    checks |= {TORCH: torch_device, NVIDIA: originals}
    for form, check in checks.items():
        try:
            check()
        except MissingFormError as error:
            reasons[form] = str(error)
    return reasons


def absent_rows(reasons: Mapping[str, str]) -> list[Row]:
    """A row for each form that cannot run here."""
    return [Row("every case", form, {}, reason) for form, reason in reasons.items()]


def within(context: Callable[[], AbstractContextManager], form: Form) -> Form:
    """A form that is traced in a context, in which other kernels may stand in for the library's."""

    def build(example: Arrays) -> Built:
        with context():
            return form(example)

    return build


def kernel_forms(form: Form, reasons: Mapping[str, str]) -> dict[str, Form]:
    """A form made of the library's functions, with our kernels in their place, if they run here."""
    names = [name for name in PACKAGES if name not in reasons]
    return {name: within(_package(name).installed, form) for name in names}


def epilogues(reasons: Mapping[str, str]) -> dict[str, Callable]:
    """The epilogue of a modulated convolution as one kernel of ours, by form."""
    found = {}
    if CUDA not in reasons:
        found[CUDA] = importlib.import_module("benchmarks.cuda.pointwise").epilogue
    if PALLAS not in reasons:
        module = importlib.import_module("benchmarks.pallas.pointwise")
        found[PALLAS] = module.kernels(interpret=False).epilogue
    return found
