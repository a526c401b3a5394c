import importlib
import sys

import numpy as np
import pytest

from benchmarks.measuring.forms import MissingFormError
from benchmarks.rivals import originals

BUILT = "def _init():\n    return True\n"
FAILED = "def _init():\n    return False\n"
FILTER = np.ones((2, 2), np.float32)


def raising(error):
    return f"def _init():\n    raise {error}('no nvcc\\nat line 7')\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Writes modules of `torch_utils.ops`, and `training`, into a folder that can be imported."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(**modules):
        folder = tmp_path / "torch_utils" / "ops"
        folder.mkdir(parents=True)
        for name, text in {"upfirdn2d": BUILT, **modules}.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        originals.open_originals(tmp_path)
        return tmp_path

    yield write
    for name in [n for n in sys.modules if n.partition(".")[0] in ("torch_utils", "training")]:
        del sys.modules[name]


def test_a_folder_without_the_originals_is_refused_by_name(tmp_path):
    with pytest.raises(MissingFormError, match=r"upfirdn2d\.py is not there"):
        originals.open_originals(tmp_path)


def test_kernels_that_build_compete(checkout):
    checkout(bias_act=BUILT + "def bias_act(x, b, act):\n    return x, b, act\n")
    assert originals.bias_act(None)(1, 2) == (1, 2, "lrelu")


@pytest.mark.parametrize("error", ["RuntimeError", "OSError", "ImportError", "AssertionError"])
def test_kernels_whose_build_fails_are_absent_with_the_reason(checkout, error):
    checkout(bias_act=raising(error))
    with pytest.raises(MissingFormError, match=r"`bias_act` .* does not build: no nvcc; it needs"):
        originals.bias_act(None)


@pytest.mark.parametrize(
    "form", [originals.upfirdn2d, originals.downsample_conv, originals.modulated_conv_up]
)
def test_a_slow_stand_in_for_resampling_is_not_measured_as_nvidia_s(checkout, form):
    checkout(upfirdn2d=FAILED)
    with pytest.raises(MissingFormError, match="`upfirdn2d` of this checkout does not build"):
        form(None, FILTER)


def test_an_operation_that_a_checkout_lacks_is_named(checkout):
    checkout()
    with pytest.raises(MissingFormError, match=r"torch_utils\.ops\.filtered_lrelu"):
        originals.filtered_lrelu(None, FILTER, FILTER)


def test_a_package_that_a_checkout_lacks_is_named(checkout):
    checkout(bias_act="import no_such_package\n")
    with pytest.raises(MissingFormError, match="No module named 'no_such_package'"):
        originals.bias_act(None)


@pytest.mark.parametrize("name", ["networks", "networks_stylegan2"])
def test_the_modulated_convolution_is_that_of_either_repository(checkout, name):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    folder = checkout() / "training"
    folder.mkdir()
    (folder / f"{name}.py").write_text(
        "def modulated_conv2d(*given, **options):\n    return given\n"
    )
    assert originals.modulated_conv_up(torch.zeros(1), FILTER)(1, 2, 3) == (1, 2, 3)
