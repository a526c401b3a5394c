"""Every published configuration of stylegan2-ada, and every way in which pickles were written."""

import math
import re
import sys
import types
from collections import OrderedDict
from functools import cache

import jax
import numpy as np
import pytest

from convert_weights.convert import convert_source
from convert_weights.kinds.network import network
from convert_weights.name_maps import stylegan2
from sfe_jax.core.trees import flatten
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from tests.convert_weights import test_stylegan3 as alias_free
from tests.convert_weights.official import state_of
from tests.readers import builders
from tests.readers.builders import Call, Name

# Published configurations: stylegan2-ada-pytorch train.py, --cfg. Arrays of one number each, seen
# at their full shape; names and shapes as torch lists them.

FILTER = (4, 4)


def dense(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def generator_shapes(resolution, base, depth, c_dim=0, embed=512):
    shapes = {"mapping.w_avg": (512,), "synthesis.b4.const": (512, 4, 4)}
    if c_dim:
        shapes |= dense("mapping.embed", c_dim, embed)
    for index in range(depth):
        shapes |= dense(f"mapping.fc{index}", 512 + (embed if c_dim and not index else 0), 512)
    before = 512
    for block in (1 << level for level in range(2, resolution.bit_length())):
        width, key = min(base // block, 512), f"synthesis.b{block}"
        shapes[f"{key}.resample_filter"] = FILTER
        for part, inputs in (("conv0", before), ("conv1", width))[block == 4 :]:
            shapes |= {
                f"{key}.{part}.weight": (width, inputs, 3, 3),
                f"{key}.{part}.bias": (width,),
                f"{key}.{part}.noise_strength": (),
                f"{key}.{part}.noise_const": (block, block),
                f"{key}.{part}.resample_filter": FILTER,
                **dense(f"{key}.{part}.affine", 512, inputs),
            }
        shapes |= {f"{key}.torgb.weight": (3, width, 1, 1), f"{key}.torgb.bias": (3,)}
        shapes |= dense(f"{key}.torgb.affine", 512, width)
        before = width
    return shapes


def discriminator_shapes(resolution, base, c_dim=0, architecture="resnet"):
    def conv(name, inputs, outputs, size, bias=True):
        shapes = {
            f"{name}.weight": (outputs, inputs, size, size),
            f"{name}.resample_filter": FILTER,
        }
        return {**shapes, f"{name}.bias": (outputs,)} if bias else shapes

    shapes = conv(f"b{resolution}.fromrgb", 3, min(base // resolution, 512), 1)
    for block in (1 << level for level in range(3, resolution.bit_length())):
        width, after = (min(base // r, 512) for r in (block, block // 2))
        shapes[f"b{block}.resample_filter"] = FILTER
        shapes |= conv(f"b{block}.conv0", width, width, 3)
        shapes |= conv(f"b{block}.conv1", width, after, 3)
        if architecture == "resnet":
            shapes |= conv(f"b{block}.skip", width, after, 1, bias=False)
    shapes |= conv("b4.conv", 513, 512, 3)
    shapes |= dense("b4.fc", 16 * 512, 512) | dense("b4.out", 512, 512 if c_dim else 1)
    if c_dim:
        shapes |= dense("mapping.embed", c_dim, 512)
        for index in range(8):
            shapes |= dense(f"mapping.fc{index}", 512, 512)
    return shapes


def state_of_shapes(shapes):
    one = np.float32(1)
    return {
        name: RESAMPLE_FILTER if name.endswith("resample_filter") else np.broadcast_to(one, shape)
        for name, shape in shapes.items()
    }


GENERATORS = {  # Numbers in all parameters; one class vector of 512 enters in the last.
    "auto at 256": (generator_shapes(256, 16384, 2), 23_191_522),
    "auto at 512": (generator_shapes(512, 32768, 2), 30_276_583 - 6 * 513 * 512),
    "stylegan2 and paper1024": (generator_shapes(1024, 32768, 8), 30_370_060),
    "paper256": (generator_shapes(256, 16384, 8), 24_767_458),
    "paper512": (generator_shapes(512, 32768, 8), 30_276_583),
    "cifar": (generator_shapes(32, 32768, 2), 19_947_539),
    "cifar conditional": (generator_shapes(32, 32768, 2, 10), 19_947_539 + 11 * 512 + 512**2),
}

DISCRIMINATORS = {
    "auto and paper256": (discriminator_shapes(256, 16384), 24_001_089),
    "auto and paper512": (discriminator_shapes(512, 32768), 28_982_849),
    "stylegan2 and paper1024": (discriminator_shapes(1024, 32768), 29_012_513),
    "cifar": (discriminator_shapes(32, 32768, architecture="orig"), 20_720_641),
    "cifar conditional": (
        discriminator_shapes(32, 32768, 10, architecture="orig"),
        20_720_641 + 511 * 513 + 11 * 512 + 8 * 513 * 512,
    ),
}


def parameters(net):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(net.variables["params"]))


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_of_published_configuration_converts_whole(name):
    shapes, count = GENERATORS[name]
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    assert parameters(network(state_of_shapes(shapes), build, entries, name)) == count


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator_of_published_configuration_converts_whole(name):
    shapes, count = DISCRIMINATORS[name]
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    assert parameters(network(state_of_shapes(shapes), build, entries, name)) == count


# Ways in which pickles were written. Each gives the same networks, bit for bit.

BUFFERS = re.compile(
    r"noise_const|resample_filter|w_avg|(up|down)_filter|freqs|phases|transform|.*_ema"
)


class EasyDict(dict):
    """A dict of the original's own class."""


@pytest.fixture(autouse=True)
def _easy_dict(monkeypatch):
    """Makes `EasyDict` known under its original name, for pickle to write that."""
    for name in ("dnnlib", "dnnlib.util"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["dnnlib.util"].EasyDict = EasyDict
    monkeypatch.setattr(EasyDict, "__module__", "dnnlib.util")


def contiguous(array):
    return builders.persistent_tensor(array)


def channels_last(array):
    """A tensor of four axes whose channels lie together, as --nhwc keeps kernels."""
    if array.ndim != 4:
        return contiguous(array)
    _, channels, height, width = array.shape
    moved = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    whole = contiguous(moved)
    storage, offset, _, _, *rest = whole.arguments
    steps = (height * width * channels, 1, width * channels, channels)
    return Call(whole.function, storage, offset, array.shape, steps, *rest)


def module(state, made, *, path="", tensor=contiguous, ordered=False, frozen=()):
    """A persistent module: `ordered` as torch before 2 fills it, `frozen` modules in buffers."""
    filled = OrderedDict if ordered else dict
    parameters, buffers, modules = filled(), filled(), filled()
    for name, value in state.items():
        if "." in name:
            modules.setdefault(name.partition(".")[0])
        elif BUFFERS.fullmatch(name) or path in frozen:
            buffers[name] = tensor(value)
        else:
            rebuild = Name("torch._utils", "_rebuild_parameter")
            parameters[name] = Call(rebuild, tensor(value), True, filled())
    for name in modules:
        start = f"{name}."
        inner = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
        options = {"tensor": tensor, "ordered": ordered, "frozen": frozen}
        modules[name] = module(inner, {}, path=f"{path}.{name}".lstrip("."), **options)
    extra = {"training": False, "_non_persistent_buffers_set": set(), "_backward_hooks": filled()}
    extra |= {"weight_gain": np.float64(0.5), "in_size": np.array([4, 4])}
    sub = {"parameters": parameters, "buffers": buffers, "modules": modules}
    return builders.persistent("Module", **sub, **extra, **made)


def content(generator, discriminator, **options):
    made = {"_init_args": (16,), "_init_kwargs": EasyDict(c_dim=0, synthesis_kwargs=EasyDict())}
    return {
        "G": None,
        "D": module(discriminator, {"_init_args": (), "_init_kwargs": EasyDict()}, **options),
        "G_ema": module(generator, made, **options),
        "training_set_kwargs": EasyDict(class_name="training.dataset.ImageFolderDataset"),
        "augment_pipe": module({"p": np.float32(0.2).reshape(())}, {}, **options),
    }


def ada_states():
    generator, discriminator = state_of("ada"), state_of("ada discriminator")
    for key in ("synthesis.b8.resample_filter", "synthesis.b8.conv0.resample_filter"):
        generator[key] = RESAMPLE_FILTER
    return generator, discriminator


def stylegan3_states():
    return alias_free.state_of(alias_free.MODULES["R"]), state_of("ada discriminator")


WAYS = {
    "of torch before 2": (3, {"ordered": True}),
    "of torch before 2, newer Python": (4, {"ordered": True}),
    "channels last": (4, {"tensor": channels_last}),
    "frozen layers": (4, {"frozen": ("b64.fromrgb", "b64.conv0", "b64.conv1", "b64.skip")}),
}
"""Protocol and options of `module`."""


@cache
def converted(states, way, folder):
    protocol, options = WAYS.get(way, (4, {}))
    path = folder / "network-snapshot.pkl"
    path.write_bytes(builders.dump(content(*states(), **options), protocol))
    return convert_source(path)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("states", "kind"), [(ada_states, "stylegan2-ada"), (stylegan3_states, "stylegan3")]
)
def test_pickle_converts_alike_however_it_was_written(folder, states, kind, way):
    expected, found = (converted(states, x, folder) for x in ("of today", way))
    assert found.kind == expected.kind == kind
    for role, net in expected.networks.items():
        ours = flatten(found.networks[role].variables)
        for path, value in flatten(net.variables).items():
            np.testing.assert_array_equal(ours[path], value, err_msg=f"{role}/{path}", strict=True)


@pytest.mark.parametrize("states", [ada_states, stylegan3_states])
def test_pickle_gives_generator_and_discriminator(folder, states):
    networks = converted(states, "of today", folder).networks
    assert networks.keys() == {"generator", "discriminator"}


def test_kernel_of_a_pickle_is_that_of_its_state(folder):
    kernel = ada_states()[0]["synthesis.b8.conv1.weight"]
    net = converted(ada_states, "channels last", folder).networks["generator"]
    ours = net.variables["params"]["synthesis"]["b8"]["conv1"]["kernel"]
    np.testing.assert_array_equal(ours, kernel.transpose(2, 3, 1, 0))
