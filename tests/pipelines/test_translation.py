from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image

from sfe_jax.core.errors import ImageError, OptionError, ShapeError, WeightsError
from sfe_jax.core.trees import apply
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.conditions import degrade
from sfe_jax.pipelines.generation import Synthesizer
from sfe_jax.pipelines.translation import (
    LABEL_COLOURS,
    Translator,
    degrade_levels,
    read_condition,
    show_condition,
    usual_rows,
)
from tests.pipelines.translation import INPUT_SIZE, ROWS, translating

pytestmark = pytest.mark.usefixtures("quick_programs")

ROUNDING = 1  # Levels of 255: rounding moves values across the border of two.


def noise(*shape, highest=256):
    return np.random.default_rng(0).integers(0, highest, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def translators():
    """One translator of sketches and one of maps of 19 labels, in pairs."""
    return {channels: Translator(translating(channels), batch_size=2) for channels in (1, 19)}


@pytest.fixture(scope="module")
def sketches():
    return noise(3, INPUT_SIZE, INPUT_SIZE, 1)


@pytest.fixture(scope="module")
def found(translators, sketches):
    return translators[1].translate(sketches)


def saved(path, levels, **options):
    Image.fromarray(levels).save(path, **options)
    return path


# Files.


def test_a_sketch_becomes_grey_before_it_is_resized(tmp_path):
    picture = noise(96, 96, 3)
    found = read_condition(saved(tmp_path / "a.png", picture), channels=1, size=64)
    grey = Image.fromarray(picture).convert("L")
    expected = np.asarray(grey.resize((64, 64), Image.Resampling.BILINEAR))[..., None]
    np.testing.assert_array_equal(found, expected)


def test_labels_are_resized_without_new_ones(tmp_path):
    ids = np.repeat(np.repeat(noise(32, 32, highest=19), 3, axis=0), 3, axis=1)
    found = read_condition(saved(tmp_path / "a.png", ids), channels=19, size=32)
    np.testing.assert_array_equal(found[..., 0], ids[::3, ::3])


def test_a_picture_is_enlarged_however_small(tmp_path):
    path = saved(tmp_path / "a.png", noise(16, 16, 3))
    assert read_condition(path, channels=3, size=256).shape == (256, 256, 3)


@pytest.mark.parametrize("channels", [1, 3, 19])
def test_an_input_that_is_not_square_is_refused(tmp_path, channels):
    path = saved(tmp_path / "a.png", noise(64, 48, highest=19))
    with pytest.raises(ImageError, match=r"a\.png: is 48 x 64"):
        read_condition(path, channels=channels, size=64)


def test_the_centre_square_is_read_with_crop(tmp_path):
    ids = noise(64, 48, highest=19)
    found = read_condition(saved(tmp_path / "a.png", ids), channels=19, size=48, crop=True)
    np.testing.assert_array_equal(found[..., 0], ids[8:56])


# Colours.


def test_every_label_has_a_colour_of_its_own():
    shown = show_condition(np.arange(19, dtype=np.uint8)[None, :, None], 19)
    assert [tuple(colour) for colour in shown[0].tolist()] == list(LABEL_COLOURS)
    assert len(set(LABEL_COLOURS)) == 19


def test_a_sketch_is_shown_in_grey():
    shown = show_condition(noise(4, 4, 1), 1)
    np.testing.assert_array_equal(shown, np.repeat(noise(4, 4, 1), 3, axis=-1))


# Networks.


def test_codes_are_those_of_the_encoder(translators):
    levels = noise(2, INPUT_SIZE, INPUT_SIZE, 1, highest=19)
    psp = translators[19].bundle.networks["psp"]
    values = np.eye(19, dtype=np.float32)[levels[..., 0]]
    expected = jax.jit(partial(apply, psp.module))(psp.variables, values)
    np.testing.assert_allclose(translators[19].translate(levels).ws, expected, atol=1e-4)


def test_pictures_are_those_of_the_codes(translators, found):
    translator = translators[1]
    pictures = list(Synthesizer(translator.bundle, batch_size=3).pictures(found.ws))
    difference = np.abs(np.stack(pictures).astype(int) - found.images)
    assert difference.max() <= ROUNDING  # StyleGAN rounds half a level higher.


def test_the_last_input_is_not_dropped_when_it_fills_no_batch(translators, found, sketches):
    alone = translators[1].translate(sketches[2:])
    np.testing.assert_allclose(found.ws[2:], alone.ws, atol=1e-5)
    assert found.images.shape == (3, 32, 32, 3)


def test_a_label_that_the_encoder_does_not_know_is_refused(translators):
    levels = np.full((1, INPUT_SIZE, INPUT_SIZE, 1), 19, np.uint8)
    with pytest.raises(ImageError, match="has the levels 19; required are ids 0 to 18"):
        translators[19].translate(levels)


def test_inputs_of_another_size_are_refused(translators):
    with pytest.raises(ShapeError, match="levels"):
        translators[1].translate(noise(1, 64, 64, 1))


def test_a_bundle_without_psp_is_refused():
    networks = {"generator": translating(1).networks["generator"]}
    with pytest.raises(WeightsError, match="no 'psp'"):
        Translator(Bundle(networks))


# Variations.


def test_a_variation_of_all_rows_is_the_picture_of_its_seed(translators, found):
    translator = translators[1]
    varied = translator.vary(found.ws[:1], np.ones(ROWS, np.float32), seeds=[3, 4])
    synthesizer = Synthesizer(translator.bundle, noise_mode="random", batch_size=2)
    codes = synthesizer.codes_of_seeds([3, 4])
    expected = np.stack(list(synthesizer.pictures(codes, seeds=[3, 4])))
    assert np.abs(varied[0].astype(int) - expected).max() <= ROUNDING


def test_a_variation_does_not_depend_on_what_is_computed_beside(translators, found):
    weights = np.linspace(0, 1, ROWS, dtype=np.float32)
    together = translators[1].vary(found.ws, weights, seeds=[3, 4])
    alone = translators[1].vary(found.ws[2:], weights, seeds=[4])
    assert np.abs(together[2, 1].astype(int) - alone[0, 0]).max() <= ROUNDING


def test_variations_without_seeds_are_refused(translators, found):
    with pytest.raises(OptionError, match="`seeds` are none"):
        translators[1].vary(found.ws, np.ones(ROWS, np.float32), seeds=[])


@pytest.mark.parametrize(("channels", "rows"), [(1, "8-17"), (19, "8-17"), (3, "4-7=0.5")])
def test_usual_rows_are_those_of_the_original(channels, rows):
    assert usual_rows(channels, 18) == rows


@pytest.mark.parametrize(("channels", "rows"), [(1, "3-5"), (3, "3-5=0.5")])
def test_usual_rows_of_a_small_generator_are_its_finer_half(channels, rows):
    assert usual_rows(channels, 6) == rows


# Super-resolution.


def test_a_degraded_picture_is_rounded_to_levels():
    levels = noise(1, 16, 16, 3)
    values = degrade(jax.device_put(levels / np.float32(127.5) - 1), 4)
    expected = (np.asarray(values) + 1) * 127.5
    assert np.abs(degrade_levels(levels, 4) - expected).max() <= 0.501
