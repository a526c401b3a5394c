"""vgg16.pt of the StyleGAN2 projector; arrays here are constants, which cost no memory."""

import numpy as np
import pytest

from convert_weights.kinds.table import detect
from convert_weights.name_maps.lpips import CONVOLUTIONS
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.perceptual.vgg import BLOCKS
from sfe_jax.readers import Record, read
from tests.readers import builders

WIDTHS = [width for width, depth in BLOCKS for _ in range(depth)]


def constant(value, *shape):
    return np.broadcast_to(np.float32(value), shape)


def module(**attributes):
    return Record("__torch__.torch.nn", "Module", {"training": False, **attributes})


def convolutions():
    inputs = [3, *WIDTHS[:-1]]
    return {
        f"conv{n}": module(weight=constant(n, o, i, 3, 3), bias=constant(-n, o))
        for n, (i, o) in enumerate(zip(inputs, WIDTHS, strict=True), start=1)
    }


def vgg(**layers):
    """The script's module, with dense layers that LPIPS does not need."""
    dense = module(weight=constant(0, 2, 2), bias=constant(0, 2))
    heads = {f"lpips{i}": constant(i + 0.5, width, 1, 1) for i, (width, _) in enumerate(BLOCKS)}
    return module(layers=module(fc1=dense, **{**convolutions(), **layers}), **heads)


@pytest.fixture(scope="module")
def converted():
    return detect(vgg(), "vgg16.pt").convert(vgg(), "vgg16.pt").networks


def test_the_projector_gives_lpips_over_vgg(converted):
    assert {role: net.module.trunk for role, net in converted.items()} == {"lpips_vgg": "vgg"}


def test_every_convolution_has_its_place(converted):
    flat = flatten(converted["lpips_vgg"].variables)
    for number, path in enumerate(CONVOLUTIONS["vgg"].values(), start=1):
        assert (flat[f"params/network/{path}/kernel"] == number).all()
        assert (flat[f"params/network/{path}/bias"] == -number).all()


def test_every_map_has_its_weights(converted):
    flat = flatten(converted["lpips_vgg"].variables)
    values = [flat[f"params/heads/head{i}/scale"] for i in range(5)]
    assert [set(map(float, x)) for x in values] == [{0.5}, {1.5}, {2.5}, {3.5}, {4.5}]


def test_kind_is_detected_of_an_archive(tmp_path):
    layers = builders.New(builders.Name("__torch__.nn", "Layers"), state={"training": False})
    state = {"layers": layers, "lpips0": builders.tensor("0", "FloatStorage", 3)}
    script = builders.New(builders.Name("__torch__.net", "VGG"), state=state)
    constants = [("model/constants.pkl", builders.dump(()))]
    path = tmp_path / "vgg16.pt"
    path.write_bytes(builders.torch_zip(script, {"0": bytes(12)}, constants))
    assert detect(read(path), "vgg16.pt").name == "projector-vgg16"


def test_an_archive_without_a_convolution_is_refused():
    content = vgg(conv7=module())
    with pytest.raises(WeightsError, match=r"vgg16\.pt: .*\n  missing layers\.conv7\.weight"):
        detect(content, "vgg16.pt").convert(content, "vgg16.pt")


def test_another_script_is_refused():
    with pytest.raises(WeightsError, match=r"inception\.pt: not a kind"):
        detect(module(layers=module()), "inception.pt")
