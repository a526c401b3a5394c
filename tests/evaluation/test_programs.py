import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.evaluation.programs import Program
from sfe_jax.parallel.mesh import make_mesh


@pytest.fixture
def program():
    def scale(variables, offset, x):
        return {"scaled": x * variables["gain"] + offset}

    return Program(scale, {"gain": jnp.float32(3)}, make_mesh())


def test_rows_come_back_in_order_from_eight_devices(program):
    x = np.arange(16, dtype=np.float32)
    assert len(jax.devices()) == 8
    np.testing.assert_array_equal(program(x, shared=(np.float32(2),))["scaled"], 3 * x + 2)


def test_batch_that_devices_cannot_share_is_refused(program):
    with pytest.raises(ShapeError, match="8 devices"):
        program(np.zeros(12, np.float32), shared=(np.float32(0),))
