import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from tests.compiling import jit
from tests.models.networks import C, as_float64, assert_near, discriminator, draw
from tests.reference import stylegan2 as reference

IMAGES = draw(4, 16, 16, 3)


def logits(images=IMAGES, c=None, **fields):
    module, variables = discriminator(**fields)
    return np.asarray(jit(module.apply)(variables, images, c))


@pytest.mark.parametrize("c_dim", [0, C])
@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_logits_equal_definition(architecture, c_dim):
    c = draw(4, C, seed=1) if c_dim else None
    fields = {"architecture": architecture, "c_dim": c_dim}
    variables = as_float64(discriminator(**fields)[1])
    assert_near(logits(c=c, **fields), reference.discriminator(IMAGES, c, variables, 3))


def test_logits_equal_definition_for_picture_of_4():
    images, fields = draw(2, 4, 4, 3), {"channels": (6,)}
    variables = as_float64(discriminator(**fields)[1])
    assert_near(logits(images, **fields), reference.discriminator(images, None, variables, 1))


def test_logits_follow_size_of_embedded_label():
    _, variables = discriminator(c_dim=C, cmap_dim=9)
    assert variables["params"]["b4"]["out"]["kernel"].shape == (6, 9)


def test_pictures_are_judged_alone_without_minibatch_statistic():
    together = logits(num_std_channels=0)
    assert_near(logits(IMAGES[:1], num_std_channels=0), together[:1])


def test_pictures_are_compared_with_minibatch_statistic():
    other = np.concatenate([IMAGES[:1], 5 * IMAGES[1:]])
    assert np.abs(logits(other) - logits())[0] > 1e-3


def test_pictures_are_compared_within_strided_group():
    other = np.array(IMAGES)
    other[1::2] *= 5  # Of the groups {0, 2} and {1, 3}, the second.
    assert_near(logits(other, group_size=2)[::2], logits(group_size=2)[::2])


def test_bfloat16_logits_are_near_float32():
    difference = np.abs(logits(precision="bfloat16") - logits())
    assert difference.max() < 0.05 * np.abs(logits()).max()


def test_logits_are_float32_in_bfloat16():
    assert logits(precision="bfloat16").dtype == np.float32


# Refusals.


def test_discriminator_refuses_pictures_of_other_size():
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, 16, 16, 3\)"):
        logits(IMAGES[:, :8])


def test_discriminator_refuses_missing_labels():
    with pytest.raises(ShapeError, match="`c` is None; this network needs labels"):
        logits(c_dim=C)


@pytest.mark.parametrize("shape", [(4, C + 1), (3, C)], ids=["size", "samples"])
def test_discriminator_refuses_labels_of_other_shape(shape):
    with pytest.raises(ShapeError, match="`c` has shape"):
        logits(c=draw(*shape), c_dim=C)


def test_discriminator_refuses_labels_it_was_not_trained_with():
    with pytest.raises(ShapeError, match="`c` has shape"):
        logits(c=draw(4, C))


def test_discriminator_refuses_samples_that_do_not_divide_into_groups():
    with pytest.raises(ShapeError, match="5 samples; required is a multiple of the group size 4"):
        logits(draw(5, 16, 16, 3))
