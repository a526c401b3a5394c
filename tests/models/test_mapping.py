import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.models.mapping import Mapping, normalize_second_moment, truncate
from tests.compiling import jit
from tests.models.networks import NUM_WS, C, W, Z, assert_near, draw, generator, part
from tests.reference import stylegan2 as reference


def codes(z, c=None, *, c_dim=0, **options):
    module, variables = generator(c_dim=c_dim)
    return module.apply(variables, z, c, method="map", **options)


def average():
    return np.asarray(generator()[1]["buffers"]["mapping"]["w_avg"])


def test_second_moment_is_one():
    x = normalize_second_moment(7 * draw(3, 50))
    np.testing.assert_allclose(np.mean(np.square(x), axis=1), 1, rtol=1e-5)


def test_second_moment_of_zero_is_finite():
    np.testing.assert_array_equal(normalize_second_moment(jnp.zeros((1, 4))), 0)


def test_codes_equal_definition():
    expected = reference.mapping(draw(2, Z), None, part(generator()[1], "mapping"))
    assert_near(codes(draw(2, Z))[:, 0], expected)


def test_codes_equal_definition_with_labels():
    z, c = draw(2, Z), draw(2, C, seed=1)
    expected = reference.mapping(z, c, part(generator(c_dim=C)[1], "mapping"))
    assert_near(codes(z, c, c_dim=C)[:, 0], expected)


def test_codes_are_same_on_every_row():
    ws = codes(draw(2, Z))
    np.testing.assert_array_equal(ws, np.repeat(ws[:, :1], NUM_WS, axis=1))


def test_codes_ignore_scale_of_z():
    assert_near(codes(10 * draw(2, Z)), codes(draw(2, Z)))


def test_codes_are_not_repeated_without_rows():
    module = Mapping(w_dim=W, z_dim=Z, num_layers=1)
    shape = jax.eval_shape(module.init_with_output, jax.random.key(0), draw(2, Z))[0].shape
    assert shape == (2, W)


def test_hidden_layers_have_their_width():
    module = Mapping(w_dim=W, z_dim=Z, num_layers=3, layer_features=5)
    params = jax.eval_shape(module.init, jax.random.key(0), draw(2, Z))["params"]
    assert [params[f"dense{i}"]["kernel"].shape for i in range(3)] == [(Z, 5), (5, 5), (5, W)]


# Truncation.


@pytest.mark.parametrize("psi", [0.0, 0.7, 1.3, -1.0])
def test_truncation_pulls_towards_average(psi):
    expected = average() + psi * (np.asarray(codes(draw(2, Z))) - average())
    assert_near(codes(draw(2, Z), psi=psi), expected)


def test_truncation_leaves_rows_from_cutoff_on():
    ws, plain = codes(draw(2, Z), psi=0.5, cutoff=2), codes(draw(2, Z))
    np.testing.assert_array_equal(ws[:, 2:], plain[:, 2:])


def test_truncation_changes_rows_below_cutoff():
    ws = codes(draw(2, Z), psi=0.5, cutoff=2)
    np.testing.assert_array_equal(ws[:, :2], codes(draw(2, Z), psi=0.5)[:, :2])


def test_truncation_by_traced_psi_equals_static():
    traced = jit(lambda psi: codes(draw(2, Z), psi=psi))(jnp.float32(0.7))
    assert_near(traced, codes(draw(2, Z), psi=0.7))


def test_truncation_by_average_per_row():
    ws, center = draw(2, 3, 4), draw(3, 4, seed=1)
    assert_near(truncate(ws, center, psi=0.25), center + 0.25 * (ws - center))


# Refusals.


def test_mapping_refuses_missing_z():
    with pytest.raises(ShapeError, match=r"`z` is None; required is \[N, 7\]"):
        codes(None)


def test_mapping_refuses_z_of_other_size():
    with pytest.raises(ShapeError, match="`z` has shape"):
        codes(draw(2, Z + 1))


def test_mapping_refuses_missing_labels():
    with pytest.raises(ShapeError, match=r"`c` is None; this network needs labels \[N, 3\]"):
        codes(draw(2, Z), c_dim=C)


def test_mapping_refuses_labels_of_other_size():
    with pytest.raises(ShapeError, match="`c` has shape"):
        codes(draw(2, Z), draw(2, C + 1), c_dim=C)


def test_mapping_refuses_labels_it_was_not_trained_with():
    with pytest.raises(ShapeError, match="`c` has shape"):
        codes(draw(2, Z), draw(2, C))
