import jax
import pytest

from sfe_jax.core.platforms import by_platform, traced_platform

FORMS = {"cpu": lambda x: x + 1, "tpu": lambda x: x + 2}


def choose(x):
    return by_platform(x, **FORMS, default=lambda x: x + 3)


@pytest.mark.parametrize(("platform", "result"), [("cpu", 1), ("tpu", 2), ("gpu", 3)])
def test_form_is_that_of_the_default_device(platform, result):
    with jax.default_device(platform):
        assert choose(0) == result


def test_form_is_that_of_the_backend_without_a_default_device():
    assert traced_platform() == jax.default_backend()


def test_default_device_may_be_one_device():
    with jax.default_device(jax.devices()[0]):
        assert traced_platform() == jax.devices()[0].platform


def test_one_function_is_traced_for_each_platform():
    jitted = jax.jit(choose)
    texts = []
    for platform in ("cpu", "tpu", "cpu"):
        with jax.default_device(platform):
            texts.append(str(jitted.trace(0).jaxpr))
    assert texts[0] == texts[2] != texts[1]
