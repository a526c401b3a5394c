"""`sfe compare`: two folders of pictures by name."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import tyro

from sfe_jax.cli.options import OptionalWeights
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    from sfe_jax.metrics.results import Result

Originals = Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="ORIGINALS")]
Others = Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="OTHERS")]
Picture = Annotated[str, tyro.conf.arg(aliases=["-p"], metavar="NAME")]
JsonFile = Annotated[pathlib.Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE.json")]


def figures_table(results: "list[Result]") -> str:
    """Figures as a table in Markdown, with what they rest on, and warnings below."""
    from sfe_jax.core.markdown import table
    from sfe_jax.evaluation.report import arrow, show

    rows = []
    for result in results:
        deviation = "" if result.deviation is None else f" ± {show(result.deviation)}"
        judge = result.network[:12] or "-"
        value = show(result.value) + deviation
        rows.append([arrow(result.metric), value, str(result.count), result.resize, judge])
    lines = table(("metric", "mean ± deviation", "n", "resize", "judge"), rows)
    return "\n".join([*lines, *(f"{each.warning}." for each in results if each.warning)])


def compare(
    originals: Originals,
    others: Others,
    picture: Picture = "",
    weights: OptionalWeights = None,
    size: int = 0,
    ms_ssim_size: int = 0,
    batch: int = 8,
    out: JsonFile = None,
) -> None:
    """Compares two folders of pictures name by name: L2, SSIM, MS-SSIM, LPIPS, identity, FID.

    A picture of ORIGINALS is compared with that of the same name in OTHERS, whatever the suffix.
    Published figures of inversions are taken with --size 256 --ms-ssim-size 1024.

    Example: sfe compare faces out --picture inversion, after sfe invert faces --out out

    Args:
        originals: folder of the originals
        others: folder with a picture for each original, of the same name and size
        picture: where OTHERS has a folder for each original, as `sfe invert` and `sfe edit` write,
            the picture in it that is compared, such as inversion or "smile +3"
        weights: bundle with the networks of LPIPS, identity and FID; what it lacks is not measured
        size: pixels a side for L2, SSIM and LPIPS; 0 leaves pictures as they are
        ms_ssim_size: pixels a side for MS-SSIM; 0 leaves pictures as they are
        batch: pictures computed together
        out: file for all figures, and those of every picture, as JSON
    """
    least = {"batch": (batch, 1), "size": (size, 0), "ms-ssim-size": (ms_ssim_size, 0)}
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise OptionError(f"--{name} is {value}; required is at least {lowest}")

    from sfe_jax.cli.report import write_json
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.evaluation.folders import compare_folders
    from sfe_jax.evaluation.pair_metrics import PairOptions
    from sfe_jax.pipelines.bundle import Bundle, load_bundle

    keep_compiled()
    found = compare_folders(
        originals,
        others,
        bundle=load_bundle(weights) if weights else Bundle({}),
        options=PairOptions(size=size, ms_ssim_size=ms_ssim_size),
        batch_size=batch,
        picture=picture,
    )
    print(figures_table(found.results))
    if out:
        write_json(
            out, {"figures": [each.record() for each in found.results], "pictures": found.scores}
        )
