"""Seeds, labels and statistics of a small generator."""

import jax
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.latents import sampling
from sfe_jax.latents.sampling import map_to_w, one_hot, sample_w, seeded_z
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.random_bundle import random_variables


@pytest.fixture(scope="module")
def conditional():
    module = Generator(channels=(8, 8), z_dim=6, c_dim=3, w_dim=5, mapping_layers=2)
    return module, random_variables(module, np.random.default_rng(0))


def test_seeds_are_those_of_the_original():
    # NumPy's legacy generator, whose draws never change: RandomState(7).randn(1, 3).
    expected = [[1.6905257, -0.46593738, 0.03282016]]
    np.testing.assert_allclose(seeded_z([7], 3), expected, rtol=1e-6)


def test_every_seed_draws_alone():
    np.testing.assert_array_equal(seeded_z([0, 7], 3)[1:], seeded_z([7], 3))


def test_labels_are_one_hot():
    assert one_hot(1, 3, 2).tolist() == [[0, 1, 0], [0, 1, 0]]


def test_no_class_is_no_label():
    assert one_hot(None, 0, 2).shape == (2, 0)


@pytest.mark.parametrize(
    ("index", "message"),
    [(None, "is None; this generator has 3 classes: choose 0 to 2"), (3, "is 3"), (-1, "is -1")],
)
def test_classes_are_refused_where_they_do_not_fit(index, message):
    with pytest.raises(OptionError, match=f"`class_index` {message}"):
        one_hot(index, 3, 1)


def test_a_class_of_a_generator_without_classes_is_refused():
    with pytest.raises(OptionError, match="`class_index` is 0; this generator has no classes"):
        one_hot(0, 0, 1)


def test_codes_are_those_of_the_mapping_network(conditional):
    module, variables = conditional
    z, labels = seeded_z([0, 1], 6), one_hot(2, 3, 2)
    expected = jax.jit(lambda v: module.apply(v, z, labels, method="map"))(variables)
    np.testing.assert_allclose(map_to_w(module, variables, z, labels), expected[:, 2], rtol=1e-5)


def test_the_mapping_network_is_compiled_once(conditional):
    z, labels = seeded_z([0, 1, 2], 6), one_hot(2, 3, 3)
    map_to_w(*conditional, z, labels)
    compiled = sampling._map._cache_size()
    map_to_w(*conditional, z + 1, labels)
    assert sampling._map._cache_size() == compiled


def test_samples_are_those_of_the_original_projector(conditional):
    module, variables = conditional
    labels = one_hot(2, 3, 4)
    z = np.random.RandomState(123).randn(4, 6).astype(np.float32)
    expected = map_to_w(module, variables, z, labels)
    np.testing.assert_array_equal(sample_w(module, variables, labels), expected)
