import numpy as np
import pytest

from sfe_jax.alignment import pasting
from sfe_jax.alignment.cropping import align_face
from sfe_jax.alignment.pasting import paste_face, paste_weights
from sfe_jax.alignment.placement import apply
from sfe_jax.core.errors import ShapeError
from tests.alignment.pictures import noise, points_in, slopes

POINTS = points_in((70, 30), side=110, angle=0.3)
BEYOND = points_in((-40, 120), side=110, angle=-0.2)
"""Of a face that the left and lower border of `PHOTO` cut."""

PHOTO = noise(200, 230)


def weights_in(photo, face):
    """Weights [H, W] of the pixels of a photograph."""
    x, y = np.meshgrid(np.arange(photo.shape[1]) + 0.5, np.arange(photo.shape[0]) + 0.5)
    places = apply(face.placement.to_aligned, np.stack([x, y], axis=-1))
    return paste_weights(places, size=face.placement.size)


# Weights.


def test_weights_are_zero_at_the_border_and_outside():
    places = np.array([[0, 50], [50, 1], [100, 100], [130, 50], [50, -20]])
    np.testing.assert_array_equal(paste_weights(places, size=100), np.zeros(5))


def test_weights_are_one_inside():
    places = np.array([[50, 50], [15, 85], [85.5, 20]])
    np.testing.assert_array_equal(paste_weights(places, size=100), np.ones(3))


# Pasting.


@pytest.mark.parametrize("points", [POINTS, BEYOND])
def test_unchanged_face_gives_the_photograph(points):
    face = align_face(PHOTO, points, size=64)
    np.testing.assert_array_equal(paste_face(PHOTO, face, edited=face.image), PHOTO)


def test_photograph_outside_the_face_stays_as_it_is():
    face = align_face(PHOTO, POINTS, size=64)
    pasted = paste_face(PHOTO, face, edited=255 - face.image)
    outside = weights_in(PHOTO, face) == 0
    np.testing.assert_array_equal(pasted[outside], PHOTO[outside])


@pytest.mark.parametrize(("size", "levels"), [(32, 3), (64, 2), (256, 2)])
def test_face_of_another_photograph_is_pasted_where_it_was(size, levels):
    """Both are slopes, so that only rounding is lost; at 32 once more, where it is shrunk first."""
    photo, other = slopes(200, 230), slopes(200, 230)[::-1, ::-1]
    face, edit = (align_face(picture, POINTS, size=size) for picture in (photo, other))
    pasted = paste_face(photo, face, edited=edit.image)
    inside = weights_in(photo, face) == 1
    assert np.abs(pasted[inside].astype(int) - other[inside]).max() <= levels


def test_detail_finer_than_the_face_stays():
    """A face of 32 pixels is lit; the noise of the 110 that it has in the photograph stays."""
    photo = noise(200, 230) // 2
    face = align_face(photo, POINTS, size=32)
    pasted = paste_face(photo, face, edited=face.image + 40)
    inside = weights_in(photo, face) == 1
    np.testing.assert_array_equal(pasted[inside], photo[inside] + 40)


def test_edit_finer_than_the_photograph_is_averaged():
    """A checkerboard of 256 pixels in a face of 110 is grey; samples alone would keep levels."""
    photo = np.full((200, 230, 3), 100, np.uint8)
    face = align_face(photo, POINTS, size=256)
    board = np.where(np.indices((256, 256)).sum(0) % 2, 160, 40)[..., None]
    pasted = paste_face(photo, face, edited=np.broadcast_to(board, (256, 256, 3)).astype(np.uint8))
    assert np.abs(pasted.astype(int) - 100).max() <= 6


def test_face_cut_by_the_border_is_pasted_up_to_it():
    photo = np.full((200, 230, 3), 100, np.uint8)
    face = align_face(photo, BEYOND, size=64)
    pasted = paste_face(photo, face, edited=face.image + 50)
    whole = weights_in(photo, face) == 1
    assert whole[:, 0].sum() > 20
    assert (pasted[whole] == 150).all()


def test_bands_do_not_show(monkeypatch):
    face = align_face(PHOTO, POINTS, size=64)
    expected = paste_face(PHOTO, face, edited=255 - face.image).astype(int)
    monkeypatch.setattr(pasting, "BAND", 7)
    assert np.abs(paste_face(PHOTO, face, edited=255 - face.image) - expected).max() <= 1


def test_edit_of_another_size_is_refused():
    face = align_face(PHOTO, POINTS, size=64)
    with pytest.raises(ShapeError, match=r"`edited` has shape \(32, 32, 3\)"):
        paste_face(PHOTO, face, edited=face.image[:32, :32])
