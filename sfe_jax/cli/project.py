"""`sfe project`: search the code whose picture looks most like a given one."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from sfe_jax.cli.options import Images, OptionalWeights, Out, list_pictures
from sfe_jax.cli.reconstruction import DistanceName, check_counts, open_bundle, reconstruct
from sfe_jax.core.choices import Precision

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.projection import Projector
    from sfe_jax.pipelines.reconstruction import Look, Shown, Watch

FRAMES_PER_SECOND = 10
"""Of animations; the original's."""


class _Job(NamedTuple):
    """What is done with every batch."""

    projector: "Projector"
    encoder: "Editor | None"  # Reads the codes at which the search begins; None for the mean code.
    animation: str | None  # Suffix without its dot.

    def _write(self, folder: pathlib.Path, target: "np.ndarray", found: "Shown", row: int) -> None:
        """Writes the pictures and the code of one result."""
        from sfe_jax.core.images import save_image
        from sfe_jax.core.sheets import strip
        from sfe_jax.latents.files import save_codes

        save_image(folder / "target.png", target)
        save_image(folder / "projection.png", found.images[row])
        pair = strip([target, found.images[row]], ["target", "projection"])
        save_image(folder / "comparison.png", pair)
        save_codes(folder / "projected_w.npz", found.ws[row : row + 1])

    def _animate(
        self, pictures: "np.ndarray", folders: list[pathlib.Path], looks: "list[Look]"
    ) -> None:
        """Writes the way of every picture: the target beside what was found so far."""
        import numpy as np

        from sfe_jax.core.animations import write_animation
        from sfe_jax.core.sheets import enlarge

        ways = [self.projector.show(pictures, look.ws).images for look in looks]
        for row, folder in enumerate(folders):
            frames = (np.concatenate([pictures[row], way[row]], axis=1) for way in ways)
            path = folder / f"projection.{self.animation}"
            write_animation(path, map(enlarge, frames), fps=FRAMES_PER_SECOND)

    def __call__(
        self, pictures: "np.ndarray", folders: list[pathlib.Path], watch: "Watch"
    ) -> list[dict[str, Any]]:
        """Projects pictures uint8 [n, R, R, 3] and writes the results to n folders."""
        import numpy as np

        from sfe_jax.pipelines.scores import score_pictures

        looks: list[Look] = []

        def keep(look: "Look") -> None:
            watch(look)
            if self.animation:
                looks.append(look)

        start = np.asarray(self.encoder.invert(pictures).ws) if self.encoder else None
        found = self.projector.project(pictures, start=start, watch=keep)
        for row, folder in enumerate(folders):
            self._write(folder, pictures[row], found, row)
        if self.animation:
            self._animate(pictures, folders, looks)
        start_name = self.encoder.method_name if self.encoder else "average"
        made = {"space": self.projector.space, "start": start_name}
        scores = score_pictures(self.projector.bundle, pictures, found.images)
        return [
            {**made, "distance": float(distance), **score}
            for distance, score in zip(found.distances, scores, strict=True)
        ]


def project(
    images: Images,
    /,
    weights: OptionalWeights = None,
    space: Literal["w", "w+"] = "w",
    start: Literal["average", "e4e", "psp", "inverter"] = "average",
    steps: int = 1000,
    learning_rate: float = 0.1,
    code_noise: float = 0.05,
    whiteness: float = 1e5,
    distance: DistanceName | None = None,
    seed: int = 303,
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None,
    animation: Literal["gif", "webp", "mp4"] | None = None,
    out: Out = pathlib.Path("out"),
    precision: Precision = "float32",
    batch: int = 8,
    crop: bool = False,
) -> None:
    """Searches the codes whose pictures look most like given ones, as StyleGAN2's projector does.

    Defaults are the original's. Writes, per photograph, DIR/NAME/projection.png, target.png, both
    side by side as comparison.png, and the code [1, L, W] as projected_w.npz; and
    DIR/projections.json with distances, L2 and identity similarity.

    Example: sfe project face.png --space w+ --start e4e --animation gif -o out

    Args:
        images: Aligned square photographs, or folders of them.
        weights: Bundle with a generator of StyleGAN2 or 3, and LPIPS or the projector's VGG-16; by
            default that of the package, of drawn faces.
        space: w for one code per picture, w+ for one per row, which is nearer and edits worse.
        start: Where the search begins: the mean of 10,000 codes, or what an encoder of the bundle
            reads, whose rows are averaged in w.
        steps: Of the search.
        learning_rate: Of Adam at its highest; it rises for 5 percent of the steps and falls for 25.
        code_noise: On codes at the start, as a share of their spread; gone after 75 percent.
        whiteness: Weight of the penalty that keeps noise maps white.
        distance: Network that judges likeness; by default lpips_vgg, else what the bundle has.
        seed: Of all noise. A picture's result does not depend on those beside it.
        class_index: Class of a conditional generator, from 0.
        animation: Format of a moving picture of the search, DIR/NAME/projection.gif and so on.
        out: Folder for the results; it is made.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
        batch: Pictures projected together.
        crop: Take the centre square of photographs that are not square.
    """
    check_counts(batch=batch, steps=steps)
    paths = list_pictures(images)

    from sfe_jax.core.animations import check_animation
    from sfe_jax.latents.projection import ProjectionOptions
    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.projection import Projector

    if animation:
        check_animation(out / f"projection.{animation}", fps=FRAMES_PER_SECOND)
    options = ProjectionOptions(
        steps=steps, learning_rate=learning_rate, code_noise=code_noise, whiteness=whiteness
    )
    bundle, size = open_bundle(weights, encoder=start), min(batch, len(paths))
    encoder = None
    if start != "average":
        encoder = Editor(bundle, method=start, precision=precision, batch_size=size)
    projector = Projector(
        bundle,
        space=space,
        distance=distance,
        options=options,
        seed=seed,
        class_index=class_index,
        batch_size=size,
        precision=precision,
    )
    reconstruct(
        paths,
        projector,
        _Job(projector, encoder, animation),
        what="projecting",
        steps=steps,
        report=out / "projections.json",
        crop=crop,
    )
