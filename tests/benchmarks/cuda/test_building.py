import pytest

from benchmarks.cuda import __main__ as command
from benchmarks.cuda import building, library
from benchmarks.cuda.building import BuildError, build, library_path
from sfe_jax.core.errors import OptionError


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Sources that no compiler takes."""
    source = tmp_path / "source"
    source.mkdir()
    for path in building.SOURCE.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    (source / "host.cc").write_text("this is no C++\n")
    monkeypatch.setattr(building, "SOURCE", source)


def test_cuda_sources_compile_where_nvcc_is_found(cuda_kernels_folder):
    assert build("cuda", folder=cuda_kernels_folder, architectures="90").stat().st_size > 0


def test_command_says_where_the_library_is(kernels, capsys):
    from tests.benchmarks.cuda.conftest import KERNELS

    assert command.main(["build", "--device", "host", "--dir", str(KERNELS)]) == 0
    assert capsys.readouterr().out.strip() == str(library_path("host", KERNELS))


def test_missing_compiler_is_named_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(building.shutil, "which", lambda tool: None if tool == "nvcc" else tool)
    assert command.main(["build", "--dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: nvcc is not found")
    assert "\n" not in said


def test_broken_source_is_said_in_one_line(kernels, broken, tmp_path, capsys):
    assert command.main(["build", "--device", "host", "--dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "error" in said
    assert "log.txt" in said
    assert "\n" not in said


def test_changed_source_has_a_library_of_its_own(broken, tmp_path, monkeypatch):
    changed = library_path("host", tmp_path)
    monkeypatch.undo()
    assert library_path("host", tmp_path) != changed


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(OptionError, match="choose one of cuda, host"):
        build("tpu", folder=tmp_path)


def test_unbuilt_library_says_how_it_is_built(tmp_path):
    with pytest.raises(BuildError, match=r"run python -m benchmarks\.cuda build --device host"):
        library.load("host", tmp_path)


def test_unavailable_says_so_on_another_backend():
    assert library.unavailable("cuda") == (
        "the CUDA kernels need JAX to run on gpu; here it runs on cpu"
    )


def test_unavailable_is_none_where_the_kernels_run(kernels):
    from tests.benchmarks.cuda.conftest import KERNELS

    assert library.unavailable("host", KERNELS) is None


def test_unavailable_does_not_fail_on_a_broken_library(tmp_path):
    path = library_path("host", tmp_path)
    path.parent.mkdir()
    path.write_text("no library")
    assert "cannot be loaded" in library.unavailable("host", tmp_path)
