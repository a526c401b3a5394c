import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.easing import ease


@pytest.mark.parametrize("library", [np, jnp])
def test_step_begins_and_ends_at_rest(library):
    found = ease(library.asarray([0, 1e-3, 0.25, 0.5, 1 - 1e-3, 1]))
    np.testing.assert_allclose(found, [0, 3e-6, 0.15625, 0.5, 1 - 3e-6, 1], atol=1e-7)
