"""`sfe translate`: faces of sketches and maps of labels; sharper, frontal or drawn ones."""

import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

from sfe_jax.cli.batches import (
    Opener,
    Portrait,
    check_reading,
    choose_opener,
    process_pictures,
)
from sfe_jax.cli.options import Images, Out, Precision, Weights, list_pictures
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.translation import Translator


MOST = 100
"""Variations of an input: all are held in memory, and stand side by side in a strip."""


class _Variety(NamedTuple):
    """How variations of every input are drawn."""

    rows: str  # As typed.
    weights: "np.ndarray"  # [L], of rows.
    seeds: list[int]  # One a variation.

    @property
    def names(self) -> list[str]:
        """Of the variations: files and captions."""
        return [f"variation {number}" for number, _ in enumerate(self.seeds, 1)]


def _open_translator(weights: pathlib.Path, *, precision: Precision, batch: int) -> "Translator":
    """The translator of a bundle, with the compilation cache on.

    Raises:
        SfeError: If the bundle cannot be used.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.translation import Translator

    keep_compiled()
    translator = Translator(load_bundle(weights), precision=precision, batch_size=batch)
    size, out = translator.input_size, translator.resolution
    say(f"{weights}: {translator.kind} of {size}x{size} to pictures of {out}x{out}")
    return translator


def _open_plain(translator: "Translator", *, crop: bool) -> Opener:
    """Reads what the encoder reads, from files."""

    def open_input(path: pathlib.Path) -> Portrait:
        return Portrait(translator.read(path, crop=crop))

    return Opener(open_input, open_input)


def _check_factor(translator: "Translator", factor: int | None) -> None:
    """Raises unless the encoder's pictures can be degraded by a factor; None is for not at all.

    Raises:
        OptionError: If they cannot.
    """
    if factor is None:
        return
    if translator.channels != 3:
        raise OptionError(f"--factor is for photographs; this encoder reads {translator.kind}")
    size = translator.input_size
    if factor < 1 or size % factor or size < 2 * factor:
        raise OptionError(
            f"--factor is {factor}; required is a divisor of {size}, at most {size // 2}"
        )


def _choose_variety(
    translator: "Translator", *, variations: int, rows: str | None, seed: int
) -> _Variety:
    """The rows and seeds of variations; rows that are not given are the original's.

    Raises:
        OptionError: If rows or seeds cannot be used.
    """
    from sfe_jax.latents.parsing import parse_rows
    from sfe_jax.pipelines.translation import usual_rows

    highest = 2**32 - variations
    if not 0 <= seed <= highest:
        raise OptionError(f"--seed is {seed}; required is 0 to {highest}")
    num_ws = translator.generator.num_ws
    rows = rows or usual_rows(translator.channels, num_ws)
    return _Variety(rows, parse_rows(rows, num_ws), list(range(seed, seed + variations)))


class _Job(NamedTuple):
    """What is done with every batch."""

    translator: "Translator"
    factor: int | None  # By which pictures are degraded first.
    variety: _Variety | None  # None for no variations.

    def _describe(self, folder: pathlib.Path) -> dict[str, Any]:
        """How the results of a folder were made, for the report."""
        facts: dict[str, Any] = {"reads": self.translator.kind}
        if self.factor is not None:
            facts["factor"] = self.factor
        if self.variety is not None:
            each = zip(self.variety.seeds, self.variety.names, strict=True)
            facts["rows"] = self.variety.rows
            facts["variations"] = [
                {"seed": seed, "file": f"{folder.name}/{name}.png"} for seed, name in each
            ]
        return facts

    def _fit(self, levels: "np.ndarray") -> "np.ndarray":
        """Inputs [N, S, S, C] in colours and at the size of the results: uint8 [N, R, R, 3]."""
        import numpy as np

        from sfe_jax.core.sheets import fit
        from sfe_jax.pipelines.translation import show_condition

        shown = show_condition(levels, self.translator.channels)
        return np.stack([fit(image, side=self.translator.resolution) for image in shown])

    def _vary(self, ws: "np.ndarray") -> "dict[str, np.ndarray]":
        """Name of a variation -> pictures uint8 [N, R, R, 3], of codes [N, L, W]."""
        if self.variety is None:
            return {}
        varied = self.translator.vary(ws, self.variety.weights, seeds=self.variety.seeds)
        return dict(zip(self.variety.names, varied.swapaxes(0, 1), strict=True))

    def _write(
        self,
        folders: list[pathlib.Path],
        inputs: "dict[str, np.ndarray]",
        made: "dict[str, np.ndarray]",
    ) -> None:
        """Writes pictures uint8 [N, R, R, 3] by name, and strips of them, to N folders."""
        from sfe_jax.core.images import save_image
        from sfe_jax.core.sheets import strip

        shown = {**inputs, **made}
        for index, folder in enumerate(folders):
            for name, pictures in made.items():
                save_image(folder / f"{name}.png", pictures[index])
            row = [pictures[index] for pictures in shown.values()]
            save_image(folder / "comparison.png", strip(row, list(shown)))

    def __call__(
        self, portraits: list[Portrait], folders: list[pathlib.Path]
    ) -> list[dict[str, Any]]:
        """Translates N inputs and writes the results to N folders; gives their records."""
        import numpy as np

        from sfe_jax.latents.files import save_codes
        from sfe_jax.pipelines.scores import score_pictures
        from sfe_jax.pipelines.translation import degrade_levels

        levels = np.stack([portrait.picture for portrait in portraits])
        inputs = {"input": self._fit(levels)}
        if self.factor is not None:
            levels = degrade_levels(levels, self.factor)
            inputs["degraded"] = self._fit(levels)
        found = self.translator.translate(levels)
        self._write(folders, inputs, {"translation": found.images, **self._vary(found.ws)})
        for folder, code in zip(folders, found.ws, strict=True):
            save_codes(folder / "ws.npy", code[None])
        scores: list[dict[str, float]] = [{} for _ in folders]
        if self.translator.channels == 3:
            scores = score_pictures(self.translator.bundle, inputs["input"], found.images)
        records = zip(map(self._describe, folders), scores, strict=True)
        return [{**facts, **score} for facts, score in records]


def translate(
    images: Images,
    /,
    weights: Weights,
    factor: int | None = None,
    variations: int = 0,
    rows: str | None = None,
    seed: int = 0,
    out: Out = pathlib.Path("out"),
    precision: Precision = "float32",
    batch: int = 1,
    crop: bool = False,
    align: bool = False,
    points: pathlib.Path | None = None,
) -> None:
    """Translates pictures by pSp: sketches and maps of labels to faces, faces to other faces.

    The bundle says what comes of what: sharp faces of blurred ones, frontal ones of turned ones,
    cartoons of photographs. One official file of pSp, converted, is such a bundle; the channels of
    its encoder say whether it reads photographs, sketches or maps of labels.

    Writes, per input, DIR/NAME/translation.png, "variation 1.png" and so on, a strip of all beside
    the input, comparison.png, and the codes as ws.npy [1, L, 512]; and DIR/translations.json, for
    photographs with L2 and identity similarity.

    Sketch to face: sfe translate sketch.png -w sketch.safetensors --variations 5

    Labels to face, in colours of its own: sfe translate map.png -w seg.safetensors --variations 5

    Super-resolution, tried on a sharp face: sfe translate face.png -w sr.safetensors --factor 16

    Super-resolution of a small face: sfe translate small.png -w sr.safetensors

    Frontal view: sfe translate photo.jpg --align -w frontal.safetensors

    Cartoon: sfe translate faces/ -w toonify.safetensors -o cartoons

    Args:
        images: Square pictures, or folders of them: aligned photographs; sketches, dark on white;
            maps of labels as 8-bit grey PNG, whose level is the number of the label, 0 to 18 in
            CelebAMask-HQ. With --align any photographs.
        weights: Bundle written by `python -m convert_weights` of a checkpoint of pSp.
        factor: Of super-resolution: shrink photographs by it first, as the original's demonstration
            does, such as 16; without it they are taken as they are, small ones enlarged.
        variations: Pictures drawn of each input beside the plain one, with random codes in some
            rows and random noise.
        rows: With --variations, rows of W+ that go to the random code, such as 8-17; with weights,
            such as 4-7=0.5, which goes half-way. By default 8 to the last for sketches and maps,
            4-7=0.5 for photographs.
        seed: Of the first variation; each has the next one, the same for every input.
        out: Folder for the results; it is made.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Inputs computed together.
        crop: Take the centre square of what is not square.
        align: Photographs are as they come from a camera: cut the largest face out of each, by
            MTCNN of the bundle.
        points: With --align, file (.json, .npy) of x, y in pixels of the only photograph, turned
            upright: two eyes, nose and two corners of the mouth, left before right as one sees the
            face, or dlib's 68 points. MTCNN is not needed then.
    """
    check_reading(align=align, crop=crop, points=points)
    if not 0 <= variations <= MOST:
        raise OptionError(f"--variations is {variations}; required is 0, for none, to {MOST}")
    if rows is not None and not variations:
        raise OptionError("--rows are those of variations; give --variations too")
    paths = list_pictures(images)
    translator = _open_translator(weights, precision=precision, batch=batch)
    if align and translator.channels != 3:
        raise OptionError(f"--align is for photographs; this encoder reads {translator.kind}")
    _check_factor(translator, factor)
    variety = None
    if variations:
        variety = _choose_variety(translator, variations=variations, rows=rows, seed=seed)
    process_pictures(
        paths,
        translator,
        choose_opener(
            translator.bundle,
            paths,
            plain=_open_plain(translator, crop=crop),
            size=translator.input_size,
            align=align,
            points=points,
        ),
        _Job(translator, factor, variety),
        what="translating",
        report=out / "translations.json",
        batch=batch,
    )
