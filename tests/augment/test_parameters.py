import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.augment.parameters import draw_parameters, draw_variates, parameters_from
from sfe_jax.augment.pipeline import PIPELINES, Pipeline
from tests.compiling import jit

COUNT = 4000
EVERYTHING = PIPELINES["bgcfnc"]


def draw(p, pipeline=EVERYTHING, seed=0):
    """Parameters of many samples, without noise pictures."""
    variates = draw_variates(jax.random.key(seed), COUNT)
    return parameters_from(variates, p, pipeline=pipeline)


def share(condition):
    return float(np.mean(condition))


@pytest.mark.parametrize(
    ("field", "neutral", "visible"),
    [
        ("flip", 0, 1 / 2),
        ("quarter_turns", 0, 3 / 4),
        ("scale", 1, 1),
        ("stretch", 1, 1),
        ("brightness", 0, 1),
        ("contrast", 1, 1),
        ("luma_flip", 0, 1 / 2),
        ("hue", 0, 1),
        ("saturation", 1, 1),
        ("cutout_size", 0, 1),
    ],
)
def test_share_of_changed_samples_is_p(field, neutral, visible):
    changed = share(getattr(draw(0.6), field) != neutral)
    # Three standard deviations of the mean of `COUNT` draws.
    assert abs(changed - 0.6 * visible) < 1.5 / np.sqrt(COUNT)


def test_share_of_samples_turned_at_least_once_is_p():
    parameters = draw(0.6)
    turned = (parameters.rotation_before != 0) | (parameters.rotation_after != 0)
    assert abs(share(turned) - 0.6) < 1.5 / np.sqrt(COUNT)


def test_each_band_is_changed_with_probability_p():
    changed = np.mean(draw(0.6).bands != 1, axis=0)
    np.testing.assert_allclose(changed, np.full(4, 0.6), atol=1.5 / np.sqrt(COUNT))


def test_multiplier_scales_probability():
    changed = share(draw(0.8, Pipeline(hue=0.5)).hue != 0)
    assert abs(changed - 0.4) < 1.5 / np.sqrt(COUNT)


def test_p_above_one_counts_as_one():
    at_one, above = draw(1.0), draw(1.7)
    jax.tree.map(np.testing.assert_array_equal, at_one, above)


def test_transforms_outside_the_pipeline_stay_neutral():
    parameters = draw(1.0, PIPELINES["geom"])
    assert share(parameters.brightness == 0) == 1


def test_scale_is_log_normal_with_a_fifth_of_an_octave():
    octaves = np.log2(draw(1.0).scale)
    np.testing.assert_allclose(np.std(octaves), 0.2, rtol=0.05)


def test_shift_reaches_an_eighth_of_the_size_at_most():
    assert 0.12 < np.max(np.abs(draw(1.0).shift)) <= 0.125


def test_noise_has_a_tenth_of_a_half_normal_deviation():
    shape = (512, 8, 8, 3)
    parameters = draw_parameters(jax.random.key(0), 1.0, shape=shape, pipeline=EVERYTHING)
    deviations = np.std(parameters.noise, axis=(1, 2, 3))
    np.testing.assert_allclose(np.mean(deviations), 0.1 * np.sqrt(2 / np.pi), rtol=0.1)


def test_noise_is_absent_without_its_transform():
    parameters = draw_parameters(
        jax.random.key(0), 1.0, shape=(1, 8, 8, 3), pipeline=PIPELINES["bgc"]
    )
    assert parameters.noise is None


def test_another_p_needs_no_compilation():
    traces = []

    @jit
    def run(key, p):
        traces.append(p)
        return draw_parameters(key, p, shape=(2, 8, 8, 3), pipeline=EVERYTHING).scale

    for p in (0.0, 0.3, 0.6):
        run(jax.random.key(0), jnp.float32(p))
    assert len(traces) == 1
