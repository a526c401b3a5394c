from functools import cache

import jax
import numpy as np
import pytest

from convert_weights.assemble import export_state
from convert_weights.name_maps.mtcnn import mtcnn_entries
from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.mtcnn import ONet, PNet, RNet
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import networks as reference

CASES = {
    "pnet": (PNet(), (1, 19, 24), None),
    "rnet": (RNet(), (2, 24, 24), (3, 3, 0)),
    "onet": (ONet(), (2, 48, 48), (3, 3, 2, 0)),
}
"""Network, size of its pictures, and its pools if it reads crops."""


@cache
def _run(name):
    """What the network reads, and what NumPy does."""
    module, size, pools = CASES[name]
    images = draw(*size, 3)
    variables = variables_of(module, images)
    reading = jit(module.apply)(variables, images)
    state = export_state(variables, mtcnn_entries(module))
    x = images.astype(np.float64)
    if pools is None:
        return reading, reference.proposal_network(x, state)
    return reading, reference.crop_network(x, state, pools)


@pytest.mark.parametrize(
    ("name", "index", "head"),
    [
        (name, index, head)
        for name in CASES
        for index, head in enumerate(["logits", "offsets", "points"])
        if name == "onet" or head != "points"
    ],
)
def test_head_equals_numpy(name, index, head):
    reading, expected = _run(name)
    assert_near(reading[head], expected[index])


def test_windows_of_pictures_that_share_a_canvas_are_those_of_each_alone():
    """Pictures of odd size, one below the other: pools stand over the border of the first."""
    first, second = draw(1, 15, 17, 3), draw(1, 13, 14, 3, seed=1)
    canvas, inside = np.zeros((1, 30, 18, 3), np.float32), np.zeros((1, 28, 16, 1), bool)
    canvas[:, :15, :17], canvas[:, 16:29, :14] = first, second
    inside[:, :13, :15] = inside[:, 16:27, :12] = True
    variables = variables_of(PNet(), first)
    read = jit(PNet().apply)
    together = read(variables, canvas, inside)["logits"]
    for image, top in ((first, 0), (second, 8)):
        alone = read(variables, image)["logits"]
        rows, columns = alone.shape[1:3]
        assert_near(together[:, top : top + rows, :columns], alone)


@pytest.mark.parametrize(("module", "size"), [(RNet(), 24), (ONet(), 48)])
def test_crops_of_other_size_are_refused(module, size):
    with pytest.raises(ShapeError, match=rf"required is \(any, {size}, {size}, 3\)"):
        jax.eval_shape(module.init, jax.random.key(0), np.zeros((1, 12, 12, 3)))
