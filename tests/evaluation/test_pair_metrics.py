from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sfe_jax.core.errors import ImageError, ShapeError, WeightsError
from sfe_jax.evaluation import pair_metrics as module
from sfe_jax.evaluation.inversion import pair_results
from sfe_jax.evaluation.pair_metrics import (
    PairJudge,
    PairMetric,
    PairOptions,
    Prepared,
    Resize,
    identity_metric,
    pair_metrics,
    perceptual_metric,
    pixel_metrics,
)
from sfe_jax.metrics.rows import PADDING
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.face_detection import Face
from sfe_jax.pipelines.random_bundle import random_variables
from tests.data.pictures import noise

NUMBERS = np.arange(2)
FIRST, SECOND = noise(2, 32, 32, 3), noise(2, 32, 32, 3, seed=1)


def judge(metrics):
    return PairJudge(metrics, make_mesh(devices=jax.devices()[:1]))


def compare(metrics, first=FIRST, second=SECOND, numbers=NUMBERS):
    return judge(metrics).compare(numbers, first, second)


def mean_difference():
    """A metric without networks."""
    return PairMetric("difference", Resize(0), lambda _, x, y: jnp.mean(x - y, axis=(1, 2, 3)))


def shrunk(images, side):
    resized = [Image.fromarray(x).resize((side, side), Image.Resampling.BILINEAR) for x in images]
    return np.stack([np.asarray(x, np.float64) for x in resized])


def test_l2_is_taken_of_levels_that_pillow_resized():
    small = [shrunk(images, 16) for images in (FIRST, SECOND)]
    squares = np.square((small[0] - small[1]) / 127.5).mean(axis=(1, 2, 3))
    found = compare(pixel_metrics(PairOptions(size=16, ms_ssim_size=16)))
    np.testing.assert_allclose(found["L2"].values, squares, rtol=1e-5)


def test_flat_pictures_are_as_similar_as_their_levels_above_black():
    first, second = (np.full((1, 32, 32, 3), level, np.uint8) for level in (200, 100))
    found = compare(pixel_metrics(PairOptions(16, 16)), first, second, np.arange(1))
    c1 = (0.01 * 255) ** 2
    expected = (2 * 200 * 100 + c1) / (200**2 + 100**2 + c1)
    means = [found[name].mean for name in ("SSIM", "MS-SSIM")]
    assert means == pytest.approx([expected, expected], rel=1e-4)


def test_pictures_are_resized_as_those_of_published_figures():
    found = {each.name: str(each.prepare) for each in pixel_metrics(PairOptions())}
    small, large = "256, Pillow's bilinear", "1024, Pillow's bicubic"
    assert found == {"L2": small, "MS-SSIM": large, "SSIM": small}


def test_equal_pictures_have_the_best_values():
    found = compare(pixel_metrics(PairOptions(size=0, ms_ssim_size=0)), second=FIRST)
    means = {name: rows.mean for name, rows in found.items()}
    assert means == pytest.approx({"L2": 0, "MS-SSIM": 1, "SSIM": 1}, abs=1e-5)


def test_rows_that_fill_up_are_left_out():
    (rows,) = compare([mean_difference()], numbers=np.array([7, PADDING])).values()
    assert rows.numbers.tolist() == [7]


def test_pictures_of_two_sizes_are_refused_where_nothing_resizes():
    with pytest.raises(ShapeError):
        compare(pixel_metrics(PairOptions(size=0, ms_ssim_size=0)), second=noise(2, 40, 40, 3))


def test_metrics_that_want_pictures_alike_share_one_resize():
    class Counted(Resize):
        calls = 0

        def __call__(self, images):
            Counted.calls += 1
            return super().__call__(images)

    prepare = Counted(16)
    metrics = [PairMetric(name, prepare, mean_difference().compare) for name in ("a", "b", "c")]
    compare(metrics)
    assert Counted.calls == 2


# Networks.


@pytest.fixture(scope="module")
def faces():
    network = FaceFeatures(("smile",), channels=(4, 4, 4, 4))
    variables = random_variables(network, np.random.default_rng(0))
    return Bundle({"features": Network(network, variables)}, path="faces.safetensors")


def test_faces_are_judged_by_their_own_network(faces):
    options = PairOptions(size=0, ms_ssim_size=0, perceptual="features", identity="features")
    found = compare(pair_metrics(faces, options), second=FIRST)
    assert found["feature distance"].mean == pytest.approx(0, abs=1e-6)
    assert found["identity"].mean == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("metric", "match"),
    [
        (
            partial(perceptual_metric, size=0),
            r"safetensors: 'eyes' is a Dense; required is LPIPS",
        ),
        (
            identity_metric,
            r"safetensors: 'eyes' is a Dense; required is CurricularFace, ArcFace",
        ),
    ],
)
def test_network_of_another_kind_is_named(metric, match):
    bundle = Bundle({"eyes": Network(nn.Dense(1), {})}, path="w.safetensors")
    with pytest.raises(WeightsError, match=match):
        metric(bundle, "eyes")


def test_network_that_is_missing_is_named_with_what_is_there(faces):
    with pytest.raises(WeightsError, match=r"no 'lpips_alex' in this bundle; it holds features"):
        pair_metrics(faces, PairOptions())


class FirstHasNoFace:
    """A detector that sees a face in bright pictures alone."""

    def detect(self, image):
        points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20.0]])
        return [Face(np.zeros(4), points, 1.0)] * 2 if image.mean() > 100 else []


class Colours(nn.Module):
    """Stands for CurricularFace."""

    def __call__(self, images):
        return jnp.mean(images, axis=(1, 2))


def test_pictures_without_a_face_are_left_out_of_identity(monkeypatch):
    monkeypatch.setattr(module, "FaceDetector", lambda _: FirstHasNoFace())
    monkeypatch.setattr(module, "CurricularFace", Colours)
    metric = identity_metric(Bundle({"curricular_face": Network(Colours(), {})}), "curricular_face")
    first = np.full((2, 32, 32, 3), 200, np.uint8)
    second = np.stack([np.zeros((32, 32, 3), np.uint8), first[1]])
    rows = compare([metric], first, second)["identity (CurricularFace)"]
    assert rows.numbers.tolist() == [1]


def nobody(images):
    return Prepared(images, np.zeros(len(images), bool))


def test_metric_that_no_pair_has_is_named():
    metric = PairMetric("identity", nobody, mean_difference().compare)
    rows = compare([metric])
    with pytest.raises(ImageError, match="identity: in no pair both pictures show a face"):
        pair_results([metric], rows, weights="", dtype="", seconds=0.0)


def test_result_says_what_the_mean_rests_on(faces):
    metric = perceptual_metric(faces, "features", size=0)
    about = {"weights": "ab", "dtype": "float32", "seconds": 2.0}
    (result,) = pair_results([metric], compare([metric]), **about)
    assert (result.count, result.resize) == (2, "32, Pillow's bilinear")
    assert (result.network, result.weights) == (metric.network, "ab")
