"""`sfe tune`: move the generator until it shows a picture at a code of it."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from sfe_jax.cli.options import (
    Images,
    OptionalWeights,
    Out,
    Precision,
    list_pictures,
)
from sfe_jax.cli.reconstruction import DistanceName, check_counts, open_bundle, reconstruct
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.bundle import Bundle
    from sfe_jax.pipelines.reconstruction import Look, Watch
    from sfe_jax.pipelines.tuning import Tuned, Tuner

CODE_FILES = ("projected_w.npz", "pivot.npz", "ws.npy")
"""Names under which `sfe project`, `sfe tune` and `sfe invert` write the code of a picture."""

PivotName = Literal["w", "w+", "e4e", "psp", "inverter"]
"""How a pivot is found: by projection, or by an encoder."""

Pivots = Callable[["np.ndarray", "Watch"], "np.ndarray"]
"""Pictures uint8 [n, R, R, 3], in the order of the command line, and what watches, to codes
[n, L, W]."""


def _code_file(folder: pathlib.Path) -> pathlib.Path:
    """The file of a picture's code.

    Raises:
        OptionError: If there is none.
    """
    for name in CODE_FILES:
        if (folder / name).is_file():
            return folder / name
    known = ", ".join(CODE_FILES)
    raise OptionError(f"--ws: {folder} holds no code; required is one of {known}")


def read_pivots(
    ws: pathlib.Path, paths: list[pathlib.Path], *, num_ws: int, w_dim: int
) -> "np.ndarray":
    """Codes of pictures, from what other commands wrote.

    Args:
        ws: Folder with a folder per picture, as `sfe project` and `sfe invert` write, or one file
            with a code per picture.
        paths: Of the pictures.
        num_ws: Rows L of the generator.
        w_dim: Size W of a row.

    Returns:
        float32 [N, L, W].

    Raises:
        OptionError: If a code is missing, or does not fit the generator.
        FileFormatError: If a file holds no codes.
    """
    import numpy as np

    from sfe_jax.cli.report import find_results
    from sfe_jax.latents.files import read_codes

    folders = find_results(ws, paths) if ws.is_dir() else []
    files = [_code_file(folder) for folder in folders] or [ws]
    codes = np.concatenate([read_codes(file, num_ws=num_ws, w_dim=w_dim) for file in files])
    if len(codes) != len(paths):
        raise OptionError(f"--ws: {ws} holds {len(codes)} codes; there are {len(paths)} pictures")
    return codes


def _read(codes: "np.ndarray") -> Pivots:
    """Pivots that are known already, batch after batch."""
    rest: Iterator[np.ndarray] = iter(codes)

    def next_codes(pictures: "np.ndarray", _: "Watch") -> "np.ndarray":
        import numpy as np

        return np.stack([next(rest) for _ in pictures])

    return next_codes


def _find(
    bundle: "Bundle", pivot: PivotName, *, options: dict[str, Any], precision: Precision, batch: int
) -> Pivots:
    """Pivots by projection, with `options` of `Projector`, or by an encoder."""
    import numpy as np

    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.projection import Projector

    if pivot in ("w", "w+"):
        sizes: dict[str, Any] = {"batch_size": batch, "precision": precision}
        projector = Projector(bundle, space=pivot, **options, **sizes)
        return lambda pictures, watch: projector.project(pictures, watch=watch).ws
    encoder = Editor(bundle, method=pivot, precision=precision, batch_size=batch)
    return lambda pictures, _: np.asarray(encoder.invert(pictures).ws)


class _Job(NamedTuple):
    """What is done with every batch."""

    tuner: "Tuner"
    pivots: Pivots
    pivot_steps: int  # Of `pivots`, before those of the tuning.

    def _write(
        self,
        folder: pathlib.Path,
        target: "np.ndarray",
        before: "np.ndarray",
        tuned: "Tuned",
        row: int,
    ) -> None:
        """Writes the pictures, the code and the generator of one result."""
        from sfe_jax.core.images import save_image
        from sfe_jax.core.sheets import strip
        from sfe_jax.latents.files import save_codes
        from sfe_jax.pipelines.bundle import save_bundle

        save_image(folder / "tuned.png", tuned.images[row])
        parts = [target, before, tuned.images[row]]
        save_image(folder / "comparison.png", strip(parts, ["target", "pivot", "tuned"]))
        save_codes(folder / "pivot.npz", tuned.ws[row : row + 1])
        own = tuned.bundle(row)
        networks = {"generator": own.network("generator")}
        save_bundle(folder / "tuned.safetensors", dataclasses.replace(own, networks=networks))

    def __call__(
        self, pictures: "np.ndarray", folders: list[pathlib.Path], watch: "Watch"
    ) -> list[dict[str, Any]]:
        """Tunes for pictures uint8 [n, R, R, 3] and writes the results to n folders."""
        from sfe_jax.pipelines.scores import score_pictures

        def watch_tuning(look: "Look") -> None:
            watch(look._replace(step=self.pivot_steps + look.step))

        ws = self.pivots(pictures, watch)
        before = self.tuner.show(pictures, ws)
        tuned = self.tuner.tune(pictures, ws, watch=watch_tuning)
        for row, folder in enumerate(folders):
            self._write(folder, pictures[row], before.images[row], tuned, row)
        scores = score_pictures(self.tuner.bundle, pictures, tuned.images)
        figures = zip(tuned.distances, before.distances, tuned.steps, scores, strict=True)
        return [
            {
                "distance": float(distance),
                "pivot_distance": float(pivot_distance),
                "steps": int(steps),
                **score,
            }
            for distance, pivot_distance, steps, score in figures
        ]


def tune(
    images: Images,
    /,
    weights: OptionalWeights = None,
    pivot: PivotName = "w",
    ws: pathlib.Path | None = None,
    pivot_steps: int = 450,
    pivot_learning_rate: float = 0.01,
    steps: int = 350,
    learning_rate: float = 3e-4,
    l2: float = 1.0,
    perceptual: float = 1.0,
    enough: float = 0.06,
    locality: float = 0.0,
    distance: DistanceName | None = None,
    seed: int = 303,
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None,
    out: Out = pathlib.Path("out"),
    precision: Precision = "float32",
    batch: int = 1,
    crop: bool = False,
) -> None:
    """Tunes a generator to each photograph, as PTI does: near to it, and still editable.

    Defaults are the original's. Writes, per photograph, DIR/NAME/tuned.safetensors, a bundle with
    the generator and the directions; pivot.npz, the code at which it shows the photograph;
    tuned.png and comparison.png; and DIR/tunings.json. `sfe grid --weights tuned.safetensors --base
    pivot.npz` edits the result.

    Example: sfe tune face.png --weights ffhq.safetensors -o out

    Args:
        images: Aligned square photographs, or folders of them.
        weights: Bundle with a generator of StyleGAN2 or 3, and LPIPS; by default that of the
            package, of drawn faces.
        pivot: How codes are found: projection into w or w+, or an encoder of the bundle.
        ws: Codes instead: a folder of `sfe project` or `sfe invert`, or a file with one per
            photograph (.npy, .npz, .pt).
        pivot_steps: Of the projection.
        pivot_learning_rate: Of the projection, at its highest.
        steps: Of the tuning, at most.
        learning_rate: Of Adam, on all parameters of the synthesis network.
        l2: Weight of the mean squared error.
        perceptual: Weight of the perceptual distance.
        enough: Perceptual distance at which tuning ends.
        locality: Weight of the penalty on changes around the pivot; 0.1 in the paper.
        distance: Network that judges likeness; by default lpips_vgg, else what the bundle has. The
            original takes lpips_alex.
        seed: Of all noise.
        class_index: Class of a conditional generator, from 0.
        out: Folder for the results; it is made.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Generators tuned together; more than 1 is meant for accelerators, and slow on CPU.
        crop: Take the centre square of photographs that are not square.
    """
    check_counts(batch=batch, steps=steps, **{"pivot-steps": pivot_steps})
    paths = list_pictures(images)

    from sfe_jax.latents.pivotal_tuning import TuningOptions
    from sfe_jax.latents.projection import ProjectionOptions
    from sfe_jax.pipelines.tuning import Tuner

    options = TuningOptions(
        steps=steps,
        learning_rate=learning_rate,
        l2=l2,
        perceptual=perceptual,
        enough=enough,
        locality=locality,
        class_index=class_index,
    )
    bundle, size = open_bundle(weights, encoder=pivot), min(batch, len(paths))
    tuner = Tuner(
        bundle, distance=distance, options=options, seed=seed, batch_size=size, precision=precision
    )
    search_steps = pivot_steps if ws is None and pivot in ("w", "w+") else 0
    if ws is not None:
        shape = {"num_ws": tuner.generator.num_ws, "w_dim": tuner.generator.w_dim}
        pivots = _read(read_pivots(ws, paths, **shape))
    else:
        search: dict[str, Any] = {
            "options": ProjectionOptions(steps=pivot_steps, learning_rate=pivot_learning_rate),
            "distance": distance,
            "seed": seed,
            "class_index": class_index,
        }
        pivots = _find(bundle, pivot, options=search, precision=precision, batch=size)
    reconstruct(
        paths,
        tuner,
        _Job(tuner, pivots, search_steps),
        what="tuning",
        steps=search_steps + steps,
        report=out / "tunings.json",
        crop=crop,
    )
