"""For each kind of reference case: our networks on its inputs, in PyTorch's layout.

Every function takes a `Case` and returns the outputs under the names of the case. Networks are
built through the name maps of `convert_weights`, so that these are tested too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from convert_weights.kinds.network import below, network
from convert_weights.kinds.table import by_name
from convert_weights.name_maps import encoders, inception, stylegan2, stylegan3
from sfe_jax.edits.operands import identity
from sfe_jax.metrics import frechet
from sfe_jax.metrics.gaussians import feature_statistics
from sfe_jax.metrics.ms_ssim import WEIGHTS, similarity_of_scales
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.convolution import convolve, downsample_convolve, upsample_convolve
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.modulated_conv import modulated_conv
from sfe_jax.ops.upfirdn2d import downsample2d, filter2d, upfirdn2d, upsample2d
from sfe_jax.perceptual.inception import resize_for_fid
from sfe_jax.pipelines.bundle import Network
from sfe_jax.pipelines.methods import InverterMethod, SfeMethod
from tests.compiling import jit
from tests.golden.reader import Case
from tests.golden.training_kinds import ada_augment, ranger

Outputs = dict[str, np.ndarray]


def to_nhwc(x: np.ndarray) -> jax.Array:
    """Pictures [N, C, H, W] -> [N, H, W, C], float32."""
    return jnp.asarray(np.asarray(x, np.float32).transpose(0, 2, 3, 1))


def to_nchw(x: jax.Array) -> np.ndarray:
    """Pictures [N, H, W, C] -> [N, C, H, W]."""
    return np.asarray(x).transpose(0, 3, 1, 2)


def _labels(case: Case) -> jax.Array | None:
    return jnp.asarray(case.inputs["c"]) if case.config.get("c_dim") else None


# StyleGAN2, stylegan2-ada-pytorch.


def stylegan2_ada_generator(case: Case) -> Outputs:
    net = network(case.state, stylegan2.ada_generator, stylegan2.ada_generator_entries, case.name)
    module, variables = net.module, net.variables
    z, c, stride = jnp.asarray(case.inputs["z"]), _labels(case), case.config["image_stride"]

    @jax.jit
    def run(variables):
        def codes(**options):
            mapping = lambda m, z, c: m.mapping(z, c, **options)  # noqa: E731
            return module.apply(variables, z, c, method=mapping)

        def image(ws, mode):
            return module.apply(variables, ws, noise_mode=mode, method="synthesize")["image"]

        ws, truncated = codes(), codes(psi=0.7, cutoff=4)
        return ws, truncated, image(ws, "const"), image(ws, "none"), image(truncated, "const")

    ws, truncated, const, none, truncated_image = run(variables)
    strided = lambda x: to_nchw(x)[:, :, ::stride, ::stride]  # noqa: E731
    return {
        "ws": np.asarray(ws[:, :2]),
        "ws_psi07_cutoff4": np.asarray(truncated[:, np.array([0, 3, 4, -1])]),
        "image_const": strided(const),
        "image_none": strided(none),
        "image_psi07_cutoff4": strided(truncated_image),
    }


PERTURBATIONS = 24
"""Runs of a gradient case on inputs that differ by rounding."""

ROUNDING = 3e-7
"""Relative size of those differences; sums of a few hundred terms round by as much."""


def _nearest(candidates: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Of several runs, the one nearest to `expected`: [K, ...] -> [...]."""
    errors = np.abs(candidates - expected).reshape(len(candidates), -1).max(axis=1)
    return candidates[np.argmin(errors)]


def stylegan2_ada_discriminator(case: Case) -> Outputs:
    """Logits, and gradients with the kinks of leaky ReLU taken on either side.

    The gradient jumps where a leaky ReLU's input is 0. An input of 3e-8 has either sign in float32,
    according to the order of a sum: PyTorch itself, with and without its oneDNN kernels, differs by
    3e-4 in such a case. So the recorded gradient must be met on the recorded input or on one that
    differs by rounding (`ROUNDING`), picture by picture; logits must be met on the input as it is.
    """
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    net = network(case.state, build, entries, case.name)
    x, c = to_nhwc(case.inputs["x"]), _labels(case)

    @jax.jit
    def run(variables, x):
        def logits(x):
            return net.module.apply(variables, x, c)

        return logits(x), jax.grad(lambda x: jnp.sum(logits(x)))(x)

    logits, gradient = run(net.variables, x)
    rng = np.random.default_rng(0)
    noises = ROUNDING * rng.standard_normal((PERTURBATIONS, *x.shape)).astype(np.float32)
    gradients = [gradient, *(run(net.variables, x * (1 + noise))[1] for noise in noises)]
    penalties = np.stack([np.sum(np.square(g), axis=(1, 2, 3)) for g in gradients])
    expected = case.outputs["r1_penalty"]
    picked = [_nearest(penalties[:, i], expected[i]) for i in range(len(expected))]
    first = np.stack([to_nchw(g)[0] for g in gradients])
    return {
        "logits": np.asarray(logits),
        "r1_penalty": np.asarray(picked),
        "grad_x0": _nearest(first, case.outputs["grad_x0"]),
    }


def stylegan2_path_length(case: Case) -> Outputs:
    net = network(case.state, stylegan2.ada_generator, stylegan2.ada_generator_entries, case.name)
    noise = to_nhwc(case.inputs["noise"]) / case.config["resolution"]

    @jax.jit
    def lengths(variables, ws):
        def projected(ws):
            out = net.module.apply(variables, ws, noise_mode="const", method="synthesize")
            return jnp.sum(out["image"] * noise)

        gradient = jax.grad(projected)(ws)
        return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(gradient), axis=2), axis=1))

    return {"lengths": np.asarray(lengths(net.variables, jnp.asarray(case.inputs["ws"])))}


UPFIRDN_CASES = {
    "up2": {"up": 2, "padding": (2, 1, 2, 1), "gain": 4.0},
    "down2": {"down": 2, "padding": (1, 1, 1, 1)},
    "up3down2_crop": {
        "up": 3,
        "down": 2,
        "padding": (-1, 2, 3, -2),
        "flip_filter": True,
        "gain": 0.5,
    },
    "aniso": {"up": (2, 1), "down": (1, 3), "padding": (3, 0, 1, 2)},
}
"""Arguments of the recorded upfirdn2d cases, as the case's `about` gives them."""

BIAS_ACT_VARIANTS = {"lrelu_alpha.1_gain2_clamp.5": ("lrelu", 0.1, 2.0, 0.5)}
"""Activation, alpha, gain and clamp of the variants that are not plain."""


def stylegan2_ops(case: Case) -> Outputs:
    inputs = case.inputs
    x = to_nhwc(inputs["x"])
    filters = {k.removeprefix("f_"): v for k, v in inputs.items() if k.startswith("f_")}
    outputs = {}
    for key in case.outputs:
        op, _, rest = key.partition("/")
        if op == "upfirdn2d":
            name, _, f = rest.partition("/")
            y = upfirdn2d(x, filters[f], **UPFIRDN_CASES[name])
        elif op in ("upsample2d", "downsample2d", "filter2d"):
            y = {"upsample2d": upsample2d, "downsample2d": downsample2d, "filter2d": filter2d}[op](
                x, filters[rest]
            )
        elif op == "bias_act":
            name, alpha, gain, clamp = BIAS_ACT_VARIANTS.get(rest, (rest, None, None, None))
            bias = jnp.asarray(inputs["b"])
            y = bias_act(x, bias, activation=name, alpha=alpha, gain=gain, clamp=clamp)
        else:
            y = _modulated(op, rest, inputs)
        outputs[key] = to_nchw(y)
    return outputs


def _modulated(op: str, rest: str, inputs: Mapping[str, np.ndarray]) -> jax.Array:
    """The recorded modulated convolutions, such as modconv3/up2down1/demod1."""
    kernel = jnp.asarray(inputs["mc_w" + op.removeprefix("modconv")].transpose(2, 3, 1, 0))
    resampled = {"up2": upsample_convolve, "down2": downsample_convolve}
    match = re.search(r"up2|down2", rest)
    return modulated_conv(
        to_nhwc(inputs["mc_x"]),
        kernel,
        jnp.asarray(inputs["mc_s"]),
        demodulate=rest.endswith("demod1"),
        convolution=resampled[match[0]] if match else convolve,
    )


# StyleGAN3.


def stylegan3_generator(case: Case) -> Outputs:
    net = network(case.state, stylegan3.generator, stylegan3.generator_entries, case.name)
    module, z, c = net.module, jnp.asarray(case.inputs["z"]), _labels(case)

    @jax.jit
    def run(variables):
        ws = module.apply(variables, z, c, method="map")
        return ws, module.apply(variables, ws, method="synthesize")["image"]

    ws, image = run(net.variables)
    stride = case.config["image_stride"]
    image = to_nchw(image)[:, :, ::stride, ::stride]
    return {"ws": np.asarray(ws[:, np.array([0, -1])]), "image": image}


FILTERED_LRELU_CASES = {
    "a": {"up": 2, "down": 2, "padding": (9, 10, 9, 10)},
    "b": {
        "up": 4,
        "down": 2,
        "padding": (19, 18, 20, 17),
        "gain": 1.3,
        "slope": 0.1,
        "clamp": 0.4,
    },
    "d": {"up": 2, "down": 1, "padding": (-2, 3, 1, 0)},
}
"""Arguments of the recorded filtered_lrelu cases, as the case's `about` gives them."""


def stylegan3_ops(case: Case) -> Outputs:
    inputs, outputs = case.inputs, {}
    for key in case.outputs:
        _, name, down = key.split("/")
        filters = {
            "up_filter": inputs["fu"],
            "down_filter": inputs["fd" if down == "sep" else "fd_radial"],
        }
        run = jax.jit(partial(filtered_lrelu, **filters, **FILTERED_LRELU_CASES[name]))
        outputs[key] = to_nchw(run(to_nhwc(inputs["x"]), jnp.asarray(inputs["b"])))
    return outputs


# StyleGAN2, rosinality.


def rosinality_generator(case: Case) -> Outputs:
    build, entries = stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    average = case.inputs["avg"][0]
    net = network(case.state, build, entries, case.name, w_avg=average)
    module = net.module
    names = ["b4.const", *(layer.name for layer in module.layers if layer.kind == "conv")]
    z, feature = jnp.asarray(case.inputs["z"]), to_nhwc(case.inputs["new_feature_5"])

    @jax.jit
    def run(variables):
        def codes(psi):
            return module.apply(variables, z, method=lambda m, z: m.mapping(z, psi=psi))

        def synthesize(ws, **options):
            return module.apply(variables, ws, method="synthesize", **options)

        ws = codes(1.0)
        full = synthesize(ws)
        inserted = synthesize(ws, replace={names[5]: feature}, strength=0.4)
        images = {
            "image": full["image"],
            "image_psi06": synthesize(codes(0.6))["image"],
            "image_early_stop32": synthesize(ws, stop_at=32)["image"],
            "image_inserted": inserted["image"],
        }
        return ws[:, 0], images, full["features"]

    w, images, features = run(net.variables)
    outputs = {"w": np.asarray(w)} | {key: to_nchw(image) for key, image in images.items()}
    for index, name in enumerate(names):
        outputs[f"feat{index}"] = to_nchw(features[name])[:, ::64, ::2, ::2]
    return outputs


def rosinality_discriminator(case: Case) -> Outputs:
    build, entries = stylegan2.rosinality_discriminator, stylegan2.rosinality_discriminator_entries
    net = network(case.state, build, entries, case.name)
    return {"logits": _apply(net, to_nhwc(case.inputs["x"]))}


def _apply(net: Network, *inputs: jax.Array, **options) -> np.ndarray:
    return np.asarray(jax.jit(lambda v: net.module.apply(v, *inputs, **options))(net.variables))


# Encoders.


def psp_gradual_style_encoder(case: Case) -> Outputs:
    net = network(case.state, encoders.gradual_style_encoder, encoders.pyramid_entries, case.name)
    return {"styles": _apply(net, to_nhwc(case.inputs["x"]))}


def psp_w_encoder(case: Case) -> Outputs:
    net = network(case.state, encoders.w_encoder, encoders.w_encoder_entries, case.name)
    return {"w": _apply(net, to_nhwc(case.inputs["x"]))}


def psp_wplus_encoder(case: Case) -> Outputs:
    net = network(case.state, encoders.w_plus_encoder, encoders.w_plus_encoder_entries, case.name)
    return {"w": _apply(net, to_nhwc(case.inputs["x"]))}


def e4e_encoder(case: Case) -> Outputs:
    net = network(case.state, encoders.e4e_encoder, encoders.pyramid_entries, case.name)
    x = to_nhwc(case.inputs["x"])
    outputs = {}
    for key in case.outputs:
        stage = None if key == "w" else int(key.removeprefix("w_stage"))
        outputs[key] = _apply(net, x, stage=stage)
    return outputs


def e4e_latent_discriminator(case: Case) -> Outputs:
    build, entries = encoders.latent_discriminator, encoders.latent_discriminator_entries
    net = network(case.state, build, entries, case.name)
    return {"logits": _apply(net, jnp.asarray(case.inputs["w"]))}


def arcface(case: Case) -> Outputs:
    net = network(case.state, encoders.arcface, encoders.arcface_entries, case.name)
    return {"features": _apply(net, to_nhwc(case.inputs["x"]))}


# FID.


def fid_inception(case: Case) -> Outputs:
    net = network(case.state, inception.inception, inception.inception_entries, case.name)
    images = 2 * to_nhwc(case.inputs["x"]) - 1
    read = jax.jit(lambda v: net.module.apply(v, resize_for_fid(images)))
    reading = {key: np.asarray(value) for key, value in read(net.variables).items()}
    blocks = {f"block{index}": reading[f"block{index}"] for index in range(3)}
    return {**blocks, "block3": reading["features"], "pool": reading["features"]}


# Metrics.


def frechet_distance(case: Case) -> Outputs:
    first, second = (feature_statistics(case.inputs[name]).gaussian() for name in "ab")
    return {"distance": np.asarray(frechet.frechet_distance(first, second))}


def ms_ssim_jorge_pessoa(case: Case) -> Outputs:
    """The port that SFE carries: means over pictures and channels come before the product."""
    images, target = (2 * to_nhwc(case.inputs[name]) - 1 for name in "ab")
    similarity, structure = map(np.asarray, jit(similarity_of_scales)(images, target))
    terms = np.concatenate([structure[:, :-1], similarity[:, -1:]], axis=1).mean((0, 2))
    return {"msssim": np.asarray(np.prod(terms ** np.asarray(WEIGHTS)))}


# LPIPS.


def lpips(case: Case) -> Outputs:
    (net,) = by_name("lpips").convert(case.state, case.name).networks.values()
    images = [to_nhwc(case.inputs[name]) for name in "ab"]

    @jax.jit
    def run(variables):
        features = [net.module.apply(variables, x, method="features") for x in images]
        shares = net.module.apply(variables, *features, method="compare")
        return net.module.apply(variables, *images), shares

    distance, shares = run(net.variables)
    layers = {f"layer{index}": np.asarray(share) for index, share in enumerate(shares.T)}
    return {"distance": np.asarray(distance), **layers}


# StyleFeatureEditor.


def style_feature_editor(case: Case) -> Outputs:
    average = case.state["latent_avg"]
    parts = {
        "generator": ("decoder", stylegan2.rosinality_generator),
        "inverter": ("inverter", encoders.inverter),
        "feature_editor": ("encoder", encoders.feature_editor),
        "e4e": ("e4e_encoder", encoders.e4e_encoder),
    }
    entries = {
        "generator": stylegan2.rosinality_generator_entries,
        "inverter": encoders.inverter_entries,
        "feature_editor": encoders.feature_editor_entries,
        "e4e": encoders.pyramid_entries,
    }
    nets = {
        role: network(below(case.state, prefix), build, entries[role], f"{case.name}: {role}")
        for role, (prefix, build) in parts.items()
    }
    variables = {role: net.variables for role, net in nets.items()}
    variables["inverter"]["buffers"]["backbone"]["w_avg"] = average
    variables["e4e"]["buffers"]["w_avg"] = average
    method = SfeMethod(**{role: net.module for role, net in nets.items()})
    phase1 = InverterMethod(method.generator, method.inverter)
    sizes = {layer.name: layer.in_channels for layer in method.generator.layers}
    still = identity(*case.inputs["direction"].shape, style_channels=sizes)
    operands = replace(still, shift=jnp.asarray(case.inputs["direction"] / 2)[None])
    power = case.inputs["power"].reshape(1)

    @jax.jit
    def run(variables, x):
        weights = variables["generator"]
        predicted = method.inverter.apply(variables["inverter"], x, method="predict")
        inversion = method.invert(variables, x)
        styles = method.generator.apply(weights, inversion.ws, method="styles")
        edited_e4e = inversion.ws_e4e + power[:, None, None] * operands.shift
        styles_e4e = method.generator.apply(weights, edited_e4e, method="styles")
        delta = inversion.feature_e4e - method.lower(weights, styles_e4e).feature
        features = {
            "predicted_feat": predicted["feature"],
            "w_feat": method.lower(weights, styles).feature,
            "fused_feat": inversion.feature,
            "delta": delta,
            "edited_feat": method.edited_feature(variables, inversion, delta),
        }
        images = {
            "image_inverter_only": phase1.reconstruct(variables, inversion),
            "image_inversion": method.reconstruct(variables, inversion),
            "image_edited": method.edit(variables, inversion, operands, power),
        }
        return inversion.ws, inversion.ws_e4e, features, images

    ws, ws_e4e, features, images = run(variables, to_nhwc(case.inputs["x"]))
    channels, rows, columns = case.config["feature_stride"]
    stride = case.config["image_stride"]
    return {
        "w": np.asarray(ws),
        "w_e4e": np.asarray(ws_e4e),
        **{k: to_nchw(v)[:, ::channels, ::rows, ::columns] for k, v in features.items()},
        **{k: to_nchw(v)[:, :, ::stride, ::stride] for k, v in images.items()},
    }


KINDS: dict[str, Callable[[Case], Outputs]] = {
    function.__name__: function
    for function in (
        stylegan2_ada_generator,
        stylegan2_ada_discriminator,
        stylegan2_path_length,
        stylegan2_ops,
        stylegan3_generator,
        stylegan3_ops,
        rosinality_generator,
        rosinality_discriminator,
        psp_gradual_style_encoder,
        psp_w_encoder,
        psp_wplus_encoder,
        e4e_encoder,
        e4e_latent_discriminator,
        arcface,
        fid_inception,
        frechet_distance,
        ms_ssim_jorge_pessoa,
        lpips,
        style_feature_editor,
        ranger,
        ada_augment,
    )
}
"""Every kind that is supported, by its name in the cases."""
