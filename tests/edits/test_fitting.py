"""Fits on synthetic codes and weights whose answer is known."""

import numpy as np
import pytest

from sfe_jax.core.errors import EditError, ShapeError
from sfe_jax.core.trees import apply
from sfe_jax.edits.fitting.attributes import (
    correlations,
    extremes,
    fit_boundary,
    fit_regression,
    orthogonalise,
)
from sfe_jax.edits.fitting.ganspace import principal_components
from sfe_jax.edits.fitting.sefa import affine_kernels, factorise
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.random_bundle import random_variables

W = 16


def _unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def normal():
    """The direction of W along which the synthetic score rises."""
    return _unit(np.random.default_rng(1).standard_normal(W))


@pytest.fixture(scope="module")
def codes():
    """[8000, W], normally distributed about a centre that is not 0."""
    return 3 + 0.4 * np.random.default_rng(2).standard_normal((8000, W))


@pytest.fixture(scope="module")
def scores(codes, normal):
    """[8000], linear in the codes but for noise."""
    return codes @ normal + 0.05 * np.random.default_rng(3).standard_normal(len(codes))


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_finds_the_normal_of_a_linear_score(fit, codes, scores, normal):
    assert fit(codes, scores).normal @ normal > 0.99


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_points_to_rising_scores(fit, codes, scores, normal):
    assert fit(codes, -scores).normal @ normal < -0.99


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_has_unit_length(fit, codes, scores):
    np.testing.assert_allclose(np.linalg.norm(fit(codes, scores).normal), 1, rtol=1e-12)


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_does_not_depend_on_the_scale_of_codes(fit, codes, scores):
    np.testing.assert_allclose(
        fit(100 * codes, scores).normal, fit(codes, scores).normal, atol=1e-6
    )


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_is_deterministic(fit, codes, scores):
    np.testing.assert_array_equal(fit(codes, scores).normal, fit(codes, scores).normal)


def test_regression_is_nearer_than_a_boundary_in_correlated_codes(normal):
    rng = np.random.default_rng(4)
    codes = rng.standard_normal((8000, W)) @ rng.standard_normal((W, W)) / 4
    scores = codes @ normal + 0.3 * rng.standard_normal(8000)
    nearness = [fit(codes, scores).normal @ normal for fit in (fit_boundary, fit_regression)]
    assert nearness[0] + 0.05 < nearness[1]


def test_boundary_is_right_on_held_out_codes_of_a_linear_score(codes, scores):
    assert fit_boundary(codes, scores).held_out == 1.0


def test_boundary_is_as_good_as_chance_on_held_out_codes_of_random_scores(codes):
    scores = np.random.default_rng(5).standard_normal(len(codes))
    assert abs(fit_boundary(codes, scores, share=0.4).held_out - 0.5) < 0.05


def test_regression_has_the_correlation_of_signal_and_noise_on_held_out_codes(codes, normal):
    noise = 0.4 * np.random.default_rng(6).standard_normal(len(codes))
    found = fit_regression(codes, codes @ normal + noise).held_out
    assert found == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_extremes_are_the_lowest_and_highest_scores():
    scores = np.random.default_rng(0).permutation(50)
    low, high = extremes(scores, share=0.1)
    assert (list(scores[low]), list(scores[high])) == ([0, 1, 2, 3, 4], [45, 46, 47, 48, 49])


@pytest.mark.parametrize("share", [0.0, 0.05, 0.6])
def test_extremes_are_refused_for_too_few_or_too_many_examples(share):
    with pytest.raises(EditError, match="required are 5 to 25"):
        extremes(np.arange(50), share=share)


def test_extremes_are_refused_where_both_sides_share_a_score():
    with pytest.raises(EditError, match="has the score 0 on both"):
        extremes(np.repeat([0.0, 1.0], [47, 3]), share=0.1)


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_is_refused_for_equal_scores(fit, codes):
    with pytest.raises(EditError, match="scores in 1 levels"):
        fit(codes, np.ones(len(codes)))


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_is_refused_for_scores_that_are_not_finite(fit, codes, scores):
    with pytest.raises(EditError, match="not finite"):
        fit(codes, np.where(np.arange(len(scores)) == 7, np.nan, scores))


@pytest.mark.parametrize("fit", [fit_boundary, fit_regression])
def test_fit_is_refused_for_another_number_of_scores(fit, codes, scores):
    with pytest.raises(ShapeError, match="`scores` has shape"):
        fit(codes, scores[:-1])


def test_correlations_are_signed_and_0_for_a_constant():
    x = np.arange(5.0)
    columns = np.stack([2 * x, 1 - x, np.ones(5)], axis=1)
    np.testing.assert_allclose(correlations(x, columns), [1, -1, 0], atol=1e-12)


def test_orthogonalised_normal_is_orthogonal_to_every_other(normal):
    others = list(np.random.default_rng(7).standard_normal((3, W)))
    np.testing.assert_allclose(np.stack(others) @ orthogonalise(normal, others), 0, atol=1e-12)


def test_orthogonalised_normal_follows_the_paper_for_one_other(normal):
    other = _unit(np.random.default_rng(8).standard_normal(W))
    expected = _unit(normal - (normal @ other) * other)
    np.testing.assert_allclose(orthogonalise(normal, [other]), expected, atol=1e-12)


def test_orthogonalised_normal_is_refused_when_nothing_is_left(normal):
    with pytest.raises(EditError, match="nothing is left"):
        orthogonalise(normal, [2 * normal])


@pytest.fixture(scope="module")
def gaussian():
    """Orthonormal axes [4, 4], their standard deviations [4], and 20000 codes drawn from them."""
    rng = np.random.default_rng(9)
    axes = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    std = np.array([4.0, 2.0, 1.0, 0.5])
    return axes, std, 7 + (rng.standard_normal((20000, 4)) * std) @ axes


def test_components_are_the_axes_of_a_gaussian(gaussian):
    axes, _, codes = gaussian
    found = principal_components(codes, 4)["components"]
    assert (np.abs(np.sum(found * axes, axis=1)) > 0.999).all()


def test_components_have_the_standard_deviations_of_a_gaussian(gaussian):
    _, std, codes = gaussian
    np.testing.assert_allclose(principal_components(codes, 4)["std"], std, rtol=0.02)


def test_components_stand_on_the_mean_of_the_codes(gaussian):
    codes = gaussian[2]
    np.testing.assert_allclose(principal_components(codes, 2)["mean"], codes.mean(0), rtol=1e-6)


def test_components_have_the_types_and_shapes_of_a_ganspace_file(gaussian):
    parts = principal_components(gaussian[2], 3)
    found = {name: (value.shape, value.dtype.name) for name, value in parts.items()}
    assert found == {
        "mean": ((4,), "float32"),
        "components": ((3, 4), "float32"),
        "std": ((3,), "float32"),
    }


@pytest.mark.parametrize("count", [0, 5])
def test_components_are_refused_beyond_the_size_of_w(gaussian, count):
    with pytest.raises(EditError, match="required is 1 to 4"):
        principal_components(gaussian[2], count)


def test_sefa_finds_the_eigenvectors_of_known_weights_sorted():
    """Unit columns along the axes, in numbers 3, 1 and 2: the eigenvalues of A A^T."""
    axes = np.eye(3)[[0, 0, 1, 0, 2, 2]].T
    np.testing.assert_allclose(factorise([axes[:, :2], axes[:, 2:]], 3), np.eye(3)[[0, 2, 1]])


def test_sefa_brings_every_channel_to_unit_length():
    axes = np.eye(3)[[0, 0, 1, 0, 2, 2]].T
    lengths = np.array([1.0, 2.0, 9.0, 0.1, 0.3, 5.0])
    np.testing.assert_allclose(factorise([axes * lengths], 3), factorise([axes], 3), atol=1e-12)


def test_sefa_leaves_channels_without_weights_aside():
    dead = np.zeros((3, 1))
    axes = np.eye(3)[[0, 0, 1]].T
    np.testing.assert_allclose(factorise([axes, dead], 2), factorise([axes], 2), atol=1e-12)


@pytest.mark.parametrize(("kernels", "count"), [([], 1), ([np.eye(3)], 4)])
def test_sefa_is_refused_for_more_directions_than_there_are(kernels, count):
    with pytest.raises(EditError, match="choose rows that drive convolutions"):
        factorise(kernels, count)


def test_affine_kernels_turn_codes_into_styles():
    generator = Generator(channels=(8, 8), z_dim=4, w_dim=4, mapping_layers=1)
    variables = random_variables(generator, np.random.default_rng(0))
    ws = np.random.default_rng(1).standard_normal((1, 4, 4)).astype(np.float32)
    moved = ws + np.eye(4, dtype=np.float32)[:1]
    styles, after = (apply(generator, variables, x, method="styles") for x in (ws, moved))
    layer = generator.layers[2]
    (kernel,) = affine_kernels(variables, [layer])
    change = after[layer.name][0] - styles[layer.name][0]
    np.testing.assert_allclose(change, kernel[0] / np.sqrt(4), rtol=1e-4, atol=1e-5)
