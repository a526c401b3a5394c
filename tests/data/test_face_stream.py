"""Faces drawn on the device: a function of seed and step, resumable, sharded."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.data import face_stream
from sfe_jax.data.face_stream import FaceStream
from sfe_jax.data.faces import ATTRIBUTES

pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def stream():
    """One compiled stream; its tests set the step that they begin with."""
    return FaceStream(batch_size=8, resolution=16, seed=3)


def taken(stream, count, *, step=0):
    stream.go_to(step)
    return [jax.device_get(batch) for batch in itertools.islice(stream, count)]


def test_batch_has_the_documented_shapes(stream):
    (batch,) = taken(stream, 1)
    shapes = {name: (leaf.shape, str(leaf.dtype)) for name, leaf in batch.items()}
    assert shapes == {
        "image": ((8, 16, 16, 3), "float32"),
        "attributes": ((8, len(ATTRIBUTES)), "float32"),
        "identity": ((8,), "int32"),
    }


def test_pictures_lie_in_range_and_differ(stream):
    (batch,) = taken(stream, 1)
    assert np.abs(batch["image"]).max() <= 1
    assert len(np.unique(batch["image"].reshape(8, -1), axis=0)) == 8


def test_people_are_new_in_every_step(stream):
    identities = [batch["identity"].tolist() for batch in taken(stream, 2)]
    assert identities == [[0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6, 7, 7]]


def test_pictures_of_one_person_have_other_attributes(stream):
    (batch,) = taken(stream, 1)
    assert (batch["attributes"][::2] != batch["attributes"][1::2]).any(axis=1).all()


def test_resumed_stream_goes_on_exactly(stream):
    batches = taken(stream, 3)
    (again,) = taken(stream, 1, step=2)
    jax.tree.map(np.testing.assert_array_equal, again, batches[2])


def test_sharded_stream_draws_the_same(monkeypatch):
    def render(drawn, resolution):  # The real one takes seconds to compile.
        levels = drawn.attributes.lighting[:, None, None, None]
        return jnp.broadcast_to(levels, (len(levels), resolution, resolution, 3))

    monkeypatch.setattr(face_stream, "render_faces", render)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.P("data"))
    options = {"batch_size": 8, "resolution": 16, "seed": 3}
    sharded, whole = (next(FaceStream(**options, sharding=s)) for s in (sharding, None))
    assert sharded["image"].sharding.is_equivalent_to(sharding, 4)
    jax.tree.map(np.testing.assert_array_equal, *jax.device_get((sharded, whole)))


@pytest.mark.parametrize(("batch_size", "pictures"), [(0, 1), (3, 2), (2, 0)])
def test_batch_that_cuts_a_person_in_two_is_refused(batch_size, pictures):
    with pytest.raises(OptionError, match="`batch_size` is"):
        FaceStream(batch_size=batch_size, resolution=16, seed=0, pictures_per_identity=pictures)
