"""Runs reference cases and official files, and says how far our outputs are from theirs."""

import pathlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from convert_weights.combine import combine
from convert_weights.kinds.table import detect
from sfe_jax.core.errors import SfeError
from sfe_jax.pipelines.bundle import Network, Source
from sfe_jax.readers import read
from tests.golden.kinds import KINDS, to_nchw, to_nhwc
from tests.golden.reader import case_kind, case_names, load_case

TOLERANCE = 2e-5
"""Largest error relative to the output's maximum. Rounding of float32 gives 1e-6 to 5e-6; every
planted mistake gave over 4e-4."""

NOT_YET: tuple[str, ...] = ()
"""Kinds that are known and whose networks are not written yet."""


@dataclass(frozen=True)
class Result:
    """What one case or file gave."""

    name: str
    kind: str
    errors: dict[str, float]  # Output -> maximum absolute error over its maximum.
    failure: str = ""  # Why it could not run.
    pending: bool = False  # Whether the kind is known but not written yet.
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every output is there and near enough. NaN is not."""
        return not self.failure and all(error <= TOLERANCE for error in self.errors.values())


def relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Maximum absolute difference over the maximum of `theirs`; infinite if shapes differ."""
    if ours.shape != theirs.shape:
        return float("inf")
    if not theirs.size:
        return 0.0
    scale = np.max(np.abs(theirs))
    return float(np.max(np.abs(ours.astype(np.float64) - theirs)) / (scale if scale else 1.0))


def compare(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> dict[str, float]:
    """Error of every expected output; infinite for one that is not there."""
    return {
        key: relative_error(np.asarray(outputs[key]), value) if key in outputs else float("inf")
        for key, value in expected.items()
    }


def _timed(name: str, kind: str, run: Callable[[], dict[str, float]]) -> Result:
    start = time.perf_counter()
    try:
        errors, failure = run(), ""
    except (SfeError, LookupError, AttributeError, ValueError, TypeError, OSError) as error:
        errors, failure = {}, f"{type(error).__name__}: {error}"
    return Result(name, kind, errors, failure, seconds=time.perf_counter() - start)


def run_case(folder: pathlib.Path, name: str) -> Result:
    """Runs one reference case at float32 with exact products."""
    kind = case_kind(folder, name)
    if kind in NOT_YET:
        return Result(name, kind, {}, pending=True)
    if kind not in KINDS:
        return Result(name, kind, {}, failure=f"unknown kind {kind!r}")

    def run() -> dict[str, float]:
        case = load_case(folder, name)
        return compare(KINDS[kind](case), case.outputs)

    return _timed(name, kind, run)


def run_cases(folder: pathlib.Path, word: str = "") -> Iterator[Result]:
    """Runs every case of `folder` whose name or kind contains `word`."""
    for name in case_names(folder):
        if word in name or word in case_kind(folder, name):
            yield run_case(folder, name)


# Official files and the expected outputs beside them.


def _generator_outputs(generator: Network, expected: dict[str, np.ndarray]) -> dict:
    """Codes and pictures under the names that the expected files use."""
    module, variables = generator.module, generator.variables
    z = jnp.asarray(expected["z"], jnp.float32)
    labels = expected.get("c")
    c = jnp.asarray(labels) if labels is not None and labels.size else None

    @jax.jit
    def run(variables):
        def codes(psi):
            mapping = lambda m, z, c: m.mapping(z, c, psi=psi)  # noqa: E731
            return module.apply(variables, z, c, method=mapping)

        def image(ws):
            return module.apply(variables, ws, noise_mode="const", method="synthesize")["image"]

        ws, ws07, ws08 = codes(1.0), codes(0.7), codes(0.8)
        return ws, ws08, image(ws07), image(ws08)

    ws, ws08, image07, image08 = run(variables)
    return {
        "w": np.asarray(ws[:, 0]),
        "latent_avg": np.asarray(variables["buffers"]["mapping"]["w_avg"]),
        "ws_psi08": np.asarray(ws08),
        "image_psi07": to_nchw(image07),
        "image_g_ema_const_fp32": to_nchw(image08),
    }


def _discriminator_outputs(discriminator: Network, expected: dict[str, np.ndarray]) -> dict:
    """Logits under the name that the expected files use."""
    labels = expected.get("c")
    c = jnp.asarray(labels) if labels is not None and labels.size else None
    images = to_nhwc(expected["d_input"])
    logits = jax.jit(discriminator.module.apply)(discriminator.variables, images, c)
    return {"d_logits": np.asarray(logits)}


GIVEN = ("z", "c", "d_input")
"""Arrays of an expected file that are inputs."""


def run_checkpoint(path: pathlib.Path) -> Result:
    """Reads one official file and, if outputs stand beside it, converts it and compares."""
    vectors = path.with_suffix(".expected.npz")
    start = time.perf_counter()
    try:
        content = read(path)
    except SfeError as error:
        return Result(path.name, "unread", {}, failure=str(error))
    if not vectors.exists():
        seconds = time.perf_counter() - start
        return Result(path.name, "read only", {}, seconds=seconds)
    try:
        kind = detect(content, path.name)
    except SfeError as error:
        return Result(path.name, "unknown", {}, failure=str(error))
    if kind.name in NOT_YET:
        return Result(path.name, kind.name, {}, pending=True)

    def run() -> dict[str, float]:
        converted = kind.convert(content, path.name)
        bundle, _ = combine([(Source(path.name, ""), converted)])
        with np.load(vectors) as file:
            expected = {key: file[key] for key in file.files}
        outputs = _generator_outputs(bundle.networks["generator"], expected)
        if "d_input" in expected:
            outputs |= _discriminator_outputs(bundle.networks["discriminator"], expected)
        return compare(outputs, {k: v for k, v in expected.items() if k not in GIVEN})

    return _timed(path.name, kind.name, run)


SUFFIXES = (".pkl", ".pt", ".pth", ".npz", ".safetensors")
"""Official files that are looked for."""


def run_checkpoints(folder: pathlib.Path, word: str = "") -> Iterator[Result]:
    """Reads every official file directly in `folder` whose name contains `word`."""
    for path in sorted(folder.iterdir()):
        official = path.suffix in SUFFIXES and not path.name.endswith(".expected.npz")
        if official and word in path.name:
            yield run_checkpoint(path)
