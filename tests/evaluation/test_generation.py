from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, OptionError, ShapeError
from sfe_jax.evaluation import paths
from sfe_jax.evaluation.equivariance import measure_equivariance
from sfe_jax.evaluation.extraction import SetReading
from sfe_jax.evaluation.generation import (
    evaluate_generation,
    measure_set,
    picture_labels,
    real_reading,
)
from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.pair_metrics import PairMetric, Resize
from sfe_jax.evaluation.paths import measure_paths, path_ends
from sfe_jax.evaluation.recipe import EvaluationRecipe, GenerationOptions, PictureOptions
from sfe_jax.evaluation.seeds import fresh_noise, number_batches, seeded
from sfe_jax.metrics.gaussians import feature_statistics
from sfe_jax.metrics.path_length import EPSILON
from sfe_jax.metrics.rows import PADDING
from sfe_jax.metrics.statistics_files import write_statistics
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import random_variables
from tests.data.pictures import flat_files, write_folder
from tests.evaluation.pictures import noise_files, picture_set

SIZE = 16


class Waves(nn.Module):
    """A generator: w is twice z, and the picture a wave of the phase w, moved by a transform."""

    z_dim: int = 2
    c_dim: int = 0
    resolution: int = SIZE

    def map(self, z, psi=1.0):
        return (2 * psi * z)[:, None]

    def synthesize(self, ws, transform=None):
        matrix = jnp.eye(3) if transform is None else transform
        places = (jnp.arange(SIZE, dtype=jnp.float32) + 0.5) / SIZE - 0.5
        x = places[None, :] + matrix[0, 2]
        phase = ws[:, 0, 0, None, None]
        row = jnp.sin(2 * jnp.pi * x[None] + phase)
        picture = jnp.broadcast_to(row, (ws.shape[0], SIZE, SIZE))
        return {"image": jnp.broadcast_to(picture[..., None], (*picture.shape, 3))}


GENERATOR = Network(Waves(), {})
FACES = FaceFeatures(("smile",), channels=(4, 4, 4))


@pytest.fixture
def setup(tmp_path):
    eyes = Network(FACES, random_variables(FACES, np.random.default_rng(0)))
    pictures = write_folder(tmp_path / "real", noise_files(8, SIZE))
    recipe = EvaluationRecipe(
        name="run",
        weights=(),
        data=PictureOptions(source=str(pictures), threads=0),
        features="features",
        generation=GenerationOptions(count=10, path_count=6, path_network="features"),
        batch_size=4,
        cache=str(tmp_path / "cache"),
    )
    bundle = Bundle({"generator": GENERATOR, "features": eyes})
    return Setup(recipe, bundle, make_mesh(devices=jax.devices()[:1]), tmp_path)


def test_codes_are_those_of_the_originals_seeds():
    z = seeded(np.array([0, 5]), 3)
    np.testing.assert_array_equal(z[1], np.random.RandomState(5).randn(1, 3).astype(np.float32)[0])


def test_last_batch_of_numbers_is_filled_up(setup):
    batches = list(number_batches(6, setup))
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, PADDING, PADDING]]


def test_generation_is_measured_and_logged(setup):
    evaluate_generation(setup)
    found = {each.result.metric: each.result for each in setup.log.found}
    names = ["Fréchet distance of features", "kernel distance of features", "precision", "recall"]
    assert [*found] == [*names, "path length of features (w, end, whole)"]
    assert [result.count for result in found.values()] == [10, 10, 10, 10, 6]
    assert found[names[0]].target_count == 8
    assert len((setup.folder / "results.jsonl").read_text().splitlines()) == 5


def test_folder_of_another_generator_is_measured_beside(setup, tmp_path):
    write_folder(tmp_path / "others", noise_files(8, SIZE))
    options = replace(setup.recipe.generation, folders=(f"others={tmp_path}/others",), path_count=0)
    setup.recipe.generation = options
    evaluate_generation(setup)
    values = {(x.method, x.result.metric): x.result.value for x in setup.log.found}
    assert values["others", "Fréchet distance of features"] == pytest.approx(0, abs=1e-9)
    assert values["generator", "Fréchet distance of features"] > 1e-6


def reading(count, *, mean=0.0, classes=False):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((count, 3)).astype(np.float32)
    statistics = feature_statistics(features + np.float32(mean)).gaussian()
    odds = np.full((count, 4), 0.25, np.float32) if classes else None
    return SetReading(statistics, features + np.float32(mean), odds)


ABOUT = {"weights": "", "dtype": "float32", "seconds": 1.0}


def test_sets_of_equal_spread_are_as_far_apart_as_their_means(setup):
    (first, *_) = measure_set(setup, reading(20), reading(20, mean=2.0), **ABOUT)
    assert first.value == pytest.approx(3 * 2.0**2, rel=1e-6)


def test_inception_score_is_measured_where_there_are_classes(setup):
    *_, last = measure_set(setup, reading(20), reading(20, classes=True), **ABOUT)
    assert (last.metric, last.value, last.target_count) == ("Inception score", 1.0, None)


def test_statistics_of_a_file_give_the_frechet_distance_alone(setup):
    real = replace(reading(20), features=None)
    assert len(measure_set(setup, real, reading(20), **ABOUT)) == 1


def test_too_few_pictures_for_recall_are_said(setup):
    with pytest.raises(ShapeError, match="there are 3 pictures; required are more than the 3"):
        measure_set(setup, reading(20), reading(3), **ABOUT)


def test_generator_of_classes_gets_the_labels_of_the_pictures(tmp_path):
    files = flat_files(3)
    pictures = picture_set(write_folder(tmp_path, files, [[n, i] for i, n in enumerate(files)]))
    labels = picture_labels(pictures, 3, np.array([1, 3]))
    np.testing.assert_array_equal(labels, [[0, 1, 0], [1, 0, 0]])


def test_labels_of_another_size_are_refused(setup):
    with pytest.raises(OptionError, match="labels of size 5, the pictures of size 0"):
        picture_labels(setup.pictures, 5, np.array([0]))


def test_statistics_of_another_network_are_named(setup, tmp_path):
    write_statistics(tmp_path / "real.npz", reading(20).gaussian)
    setup.recipe.data = replace(setup.recipe.data, statistics=str(tmp_path / "real.npz"))
    with pytest.raises(FileFormatError, match=r"real\.npz: holds 3 features; required are the 4"):
        real_reading(setup, SIZE)


# Paths.


def test_paths_end_or_are_met_anywhere():
    seeds = np.arange(4)
    assert path_ends("w_end", seeds, 2)[2].tolist() == [0, 0, 0, 0]
    far = path_ends("z_full", seeds, 2)[2]
    assert len(set(far.tolist())) == 4
    assert far.min() >= 0
    assert far.max() < 1


@pytest.mark.parametrize("kind", ["x_end", "w_end"])
def test_path_whose_pictures_the_network_cannot_see_is_refused(setup, kind):
    with pytest.raises(OptionError, match=f"'{kind}'; required for 'features' are .* w_end_whole,"):
        measure_paths(setup, GENERATOR, kind)


class Noise(Waves):
    """A generator of noise, where it is drawn; stored noise gives waves."""

    use_noise: bool = True

    def synthesize(self, ws, noise_mode="const"):
        if noise_mode == "const":
            return super().synthesize(ws)
        return {"image": jax.random.normal(self.make_rng("noise"), (len(ws), SIZE, SIZE, 3))}


def test_noise_of_paths_is_drawn_and_is_that_of_both_ends(setup):
    assert measure_paths(setup, Network(Noise(), {}), "w_end_whole").value == 0


def test_noise_is_drawn_anew_for_every_batch():
    keys = [fresh_noise(Noise(), jnp.uint32(seed))["rngs"]["noise"] for seed in (0, 4)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(("kind", "seen"), [("w_end_whole", 16), ("w_end", 8), ("z_full", 8)])
def test_face_alone_is_seen_on_paths_of_the_first_protocol(setup, monkeypatch, kind, seen):
    def side(_, images, target):
        return jnp.full(len(images), EPSILON**2 * images.shape[1])

    metric = PairMetric("LPIPS", Resize(0), side)
    monkeypatch.setattr(paths, "perceptual_metric", lambda *_, **__: metric)
    assert measure_paths(setup, GENERATOR, kind).value == pytest.approx(seen)


# Movements.


def test_generator_that_moves_its_wave_is_equivariant(setup):
    setup.recipe.generation = replace(setup.recipe.generation, equivariance_count=6)
    found = {each.metric: each for each in measure_equivariance(setup, GENERATOR)}
    assert found["EQ-T (dB)"].value > 60
    assert found["EQ-T_frac (dB)"].value > 30
    assert found["EQ-R (dB)"].value < 20
    assert found["EQ-T (dB)"].count == 6
