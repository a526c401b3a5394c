"""Bundles on disk for the command line; the compilation cache stays that of the tests."""

import os
import warnings

import jax
import numpy as np
import pytest

from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Bundle, Network, save_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from tests.pipelines.reconstruction import write_bundle, write_faces


@pytest.fixture(scope="session", autouse=True)
def _kept_settings():
    """The command turns a cache on and shows warnings its own way; both would outlive a test."""
    shown = warnings.showwarning
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(jax.config.jax_compilation_cache_dir)
    yield
    del os.environ["JAX_COMPILATION_CACHE_DIR"]
    warnings.showwarning = shown


@pytest.fixture(scope="session")
def sfe_weights(small_bundle, tmp_path_factory):
    """A bundle of every network."""
    path = tmp_path_factory.mktemp("weights") / "sfe.safetensors"
    save_bundle(path, small_bundle)
    return path


@pytest.fixture(scope="session")
def psp_weights(small_bundle, tmp_path_factory):
    """A bundle of generator and pSp, which loads and compiles fast."""
    path = tmp_path_factory.mktemp("weights") / "psp.safetensors"
    networks = {role: small_bundle.networks[role] for role in ("generator", "psp")}
    save_bundle(path, Bundle(networks, small_bundle.directions))
    return path


def _generator(folder, **changes):
    module = Generator(channels=(8, 8, 8), z_dim=6, w_dim=5, mapping_layers=2, **changes)
    path = folder / "generator.safetensors"
    network = Network(module, random_variables(module, np.random.default_rng(0)))
    save_bundle(path, Bundle({"generator": network}))
    return path


@pytest.fixture(scope="session")
def generator_weights(tmp_path_factory):
    """A bundle of a 16x16 generator alone."""
    return _generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="session")
def conditional_weights(tmp_path_factory):
    """A bundle of a 16x16 generator of three classes."""
    return _generator(tmp_path_factory.mktemp("conditional"), c_dim=3)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A bundle of a 16x16 generator and of features that see likeness."""
    return write_bundle(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A folder of three pictures of 16x16."""
    return write_faces(tmp_path_factory.mktemp("faces"))
