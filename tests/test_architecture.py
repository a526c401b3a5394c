"""The house: imports point down, and every file stands on a floor."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent / "sfe_jax"

FLOORS = {
    "core": 0,
    "ops": 1,
    "nn": 2,
    "models": 3,
    "perceptual": 3,
    "edits": 4,
    "latents": 4,
    "optim": 4,
    "augment": 4,
    "losses": 4,
    "metrics": 4,
    "pipelines": 5,
    "training": 6,
    "evaluation": 6,
    "characters": 6,
    "cli": 7,
}
"""Floor of each package."""

BESIDE = {
    "readers": 4,
    "alignment": 5,
    "data": 5,
    "parallel": 5,
    "checkpoints": 5,
    "writers": 5,
    "weights": 6,
}
"""Packages and files beside the floors, which use core alone: the lowest floor that uses them."""

FILES = sorted(ROOT.rglob("*.py"))


MEASUREMENTS = ("measuring", "torch_reference", "rivals", "pods", "sections", "report")
"""Packages of `benchmarks` from the lowest floor up; those of kernels stand beside."""


def _package(name: str) -> str | None:
    """The package of the project that a dotted name lies in, or the file beside packages."""
    parts = name.split(".")
    return parts[1] if parts[0] == "sfe_jax" and len(parts) > 1 else None


def _imports(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {package for name in names if (package := _package(name)) in FLOORS | BESIDE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: pathlib.Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not _imports(path)
        return
    assert own in FLOORS or own in BESIDE, f"{own} has no floor in FLOORS"
    for other in _imports(path) - {own}:
        if own in BESIDE:
            assert other == "core", f"{own} stands beside the floors and uses core alone"
        elif other in BESIDE:
            assert FLOORS[own] >= BESIDE[other], f"{other} is used from floor {BESIDE[other]} up"
        else:
            assert FLOORS[other] < FLOORS[own], f"{own} imports {other}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_a_docstring(path: pathlib.Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_library_does_not_import_torch_or_tensorflow() -> None:
    for path in FILES:
        names = {
            node.module if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        heads = {(name or "").split(".")[0] for name in names}
        assert not heads & {"torch", "tensorflow"}, path


@pytest.mark.parametrize("package", MEASUREMENTS)
def test_imports_of_measurements_point_down(package: str) -> None:
    above = MEASUREMENTS[MEASUREMENTS.index(package) + 1 :]
    for path in sorted((ROOT.parent / "benchmarks" / package).rglob("*.py")):
        names = re.findall(r"^ *from benchmarks\.(\w+)", path.read_text(), re.MULTILINE)
        names += re.findall(r"^ *from benchmarks import (\w+)", path.read_text(), re.MULTILINE)
        assert not set(names) & set(above), path
