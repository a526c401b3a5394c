import importlib.resources

import pytest

from sfe_jax.core.errors import WeightsError
from sfe_jax.weights import faces64


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of the package's weights, empty."""
    monkeypatch.setattr(importlib.resources, "files", lambda name: tmp_path)
    return tmp_path


def test_bundled_weights_are_a_file_of_the_package(package):
    (package / "faces64.safetensors").write_bytes(b"")
    assert faces64() == package / "faces64.safetensors"


def test_missing_weights_are_named_with_the_remedy(package):
    with pytest.raises(WeightsError, match=r"faces64.safetensors: .*make train-faces"):
        faces64()
