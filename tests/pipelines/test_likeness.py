import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.losses.reconstruction import perceptual_distance
from sfe_jax.perceptual.lpips import Lpips
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.likeness import LpipsDistance, choose_likeness
from sfe_jax.pipelines.random_bundle import random_variables
from tests.models.networks import draw
from tests.pipelines.reconstruction import tiny_bundle


@pytest.fixture(scope="module")
def lpips():
    """LPIPS over SqueezeNet, the smallest."""
    module = Lpips("squeeze")
    return Network(module, random_variables(module, np.random.default_rng(0)))


def compared(likeness, images, target):
    seen, wanted = (likeness.distance.look(likeness.variables, x) for x in (images, target))
    return likeness.distance.compare(likeness.variables, seen, wanted)


def pictures(count, side, *, seed):
    return jnp.asarray(np.tanh(draw(count, side, side, 3, seed=seed)))


def test_lpips_in_two_steps_is_lpips(lpips):
    likeness = choose_likeness(Bundle({"lpips_squeeze": lpips}), size=None)
    images, target = pictures(2, 32, seed=1), pictures(2, 32, seed=2)
    expected = lpips.module.apply(lpips.variables, images, target)
    np.testing.assert_allclose(compared(likeness, images, target), expected, rtol=1e-5)


def test_larger_pictures_are_averaged_first(lpips):
    images = pictures(1, 64, seed=1)
    small = images.reshape(1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    found = LpipsDistance(lpips.module, 32).look(lpips.variables, images)
    expected = LpipsDistance(lpips.module, None).look(lpips.variables, small)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)


def test_features_are_compared_as_in_the_tables():
    bundle = tiny_bundle()
    likeness = choose_likeness(bundle, size=None)
    images, target = pictures(2, 16, seed=1), pictures(2, 16, seed=2)
    features = bundle.network("features")
    maps = [features.module.apply(features.variables, x)["maps"] for x in (images, target)]
    np.testing.assert_allclose(compared(likeness, images, target), perceptual_distance(*maps))


def test_vgg_comes_before_alexnet():
    networks = {role: Network(Lpips(role[6:]), {}) for role in ("lpips_alex", "lpips_vgg")}
    assert choose_likeness(Bundle(networks), size=None).role == "lpips_vgg"


def test_the_network_can_be_chosen():
    networks = {role: Network(Lpips(role[6:]), {}) for role in ("lpips_alex", "lpips_vgg")}
    assert choose_likeness(Bundle(networks), "lpips_alex", size=None).role == "lpips_alex"


def test_an_unknown_network_is_refused():
    with pytest.raises(OptionError, match="'arcface' is unknown; choose from lpips_vgg, features"):
        choose_likeness(tiny_bundle(), "arcface", size=None)


def test_a_bundle_without_such_a_network_is_refused():
    bundle = Bundle({}, path="bare.safetensors")
    with pytest.raises(WeightsError, match=r"bare\.safetensors: no network .* sees likeness"):
        choose_likeness(bundle, size=None)


def test_a_network_that_the_bundle_lacks_is_refused():
    with pytest.raises(WeightsError, match="no 'lpips_vgg' in this bundle; it holds features"):
        choose_likeness(tiny_bundle(), "lpips_vgg", size=None)
