"""Measures speed on this machine's device, and writes a report: JSON, a page, plots.

    python -m benchmarks                          everything; some 25 minutes on two cores
    python -m benchmarks operations --quick       a first look, within a minute
    python -m benchmarks networks --repeats 15    more turns, narrower ranges
    python -m benchmarks --only "SFE edit" FID    the cases that have one of these in their names
    python -m benchmarks networks --memory returned    freed memory goes back to the system
    python -m benchmarks --compare OLD.json       measures, then prints what changed since
    python -m benchmarks --compare OLD.json NEW.json    only prints what changed between two
    python -m benchmarks --page REPORT.json       only writes its page and plots again
    python -m benchmarks operations --originals ../stylegan3    NVIDIA's own kernels compete too

Sections:
    operations  each operation of StyleGAN alone, in every form that runs here
    networks    whole networks: forward, gradients, training step, the SFE edit
    compiled    what the compiler makes of them for TPUs and GPUs that are not here
    input       pictures per second of the input pipeline
    scaling     one to many devices and processes

Forms that need what is not here (PyTorch, a GPU, a checkout of NVIDIA's code) are named with the
reason and left out. A form with a wrong result is not timed. The report holds all sections that
were ever measured on a device; measuring one again replaces it alone. Quick reports, those of some
cases, and those with returned memory have files of their own. Medians and ranges; a change counts
only beyond them.
"""

import argparse
import importlib
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from typing import Any

MODULES = {
    "operations": "benchmarks.sections.operations",
    "networks": "benchmarks.sections.networks",
    "compiled": "benchmarks.sections.deviceless",
    "input": "benchmarks.sections.input_pipeline",
    "scaling": "benchmarks.sections.scaling",
}
"""Module of a section, which has a function `section` of `rows.Options`."""

WITH_CASES = ("operations", "networks")
"""Sections whose module has a function `names` of all cases, and which heed `Options.only`."""

MEMORY = ("kept", "returned")
"""What becomes of freed memory: it serves the next run, or goes back to the system."""

RESULTS = pathlib.Path(__file__).parent / "results"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(MODULES)}; default all")
    add("--quick", action="store_true", help="tiny shapes, for a first look")
    add("--repeats", type=int, metavar="N", help="timed runs of each form; default 7, quick 3")
    add("--only", nargs="+", metavar="TEXT", help=f"cases of {' and '.join(WITH_CASES)}; see above")
    add("--memory", choices=MEMORY, default="kept", help="freed memory; default %(default)s")
    add(
        "--originals",
        type=pathlib.Path,
        metavar="DIR",
        help="checkout of stylegan2-ada-pytorch or stylegan3, whose CUDA kernels then compete in "
        "the section operations",
    )
    add("--compare", nargs="+", type=pathlib.Path, metavar="JSON", help="see above")
    add("--page", type=pathlib.Path, metavar="JSON", help="see above")
    add(
        "-o", "--out", type=pathlib.Path, default=RESULTS, metavar="DIR", help="default %(default)s"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.sections if name not in MODULES]:
        parser.error(f"section {unknown[0]!r} is unknown; choose of {', '.join(MODULES)}")
    if options.only and (others := [s for s in options.sections if s not in WITH_CASES]):
        parser.error(
            f"--only chooses cases of {' and '.join(WITH_CASES)}, not of {others[0]}; leave one out"
        )
    if options.originals and "operations" not in (options.sections or MODULES):
        parser.error(
            "--originals needs the section operations, where alone NVIDIA's kernels compete; add it"
        )
    if options.compare and len(options.compare) > 2:
        parser.error("--compare takes one report or two")
    if options.repeats is not None and options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; required is at least 1")
    return options


def device_name() -> str:
    """What this machine computes on."""
    import jax

    from benchmarks.measuring.timing import processor_name

    device = jax.devices()[0]
    return processor_name() if device.platform == "cpu" else device.device_kind


def surroundings(options: Any) -> dict[str, Any]:
    """What the figures of a section depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import jax

    from benchmarks.measuring.timing import processors
    from benchmarks.report.page import PEAK

    where = {
        "device": device_name(),
        "processors": processors(),
        "repeats": options.repeats,
        "quick": options.quick,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }
    for package in ("torch", "libtpu", "jax-cuda13-plugin"):
        try:
            where[package] = version(package)
        except PackageNotFoundError:
            continue
    if options.only:
        where["only"] = " or ".join(options.only)
    statistics = jax.devices()[0].memory_stats() or {}
    if peak := statistics.get("peak_bytes_in_use"):
        where[PEAK] = f"{peak / 2**20:.0f} MiB"
    return where


def measure(name: str, options: Any, *, memory: str) -> Any:
    """A section, measured; one that cannot be says why, and those after it go on."""
    from benchmarks.measuring.rows import Section
    from benchmarks.report.page import Measured
    from sfe_jax.core.errors import SfeError

    print(f"== {name}", file=sys.stderr, flush=True)
    try:
        section = importlib.import_module(MODULES[name]).section(options)
    except SfeError as error:
        section = Section(name.capitalize(), f"Not measured: {error}.", ())
    where = surroundings(options)
    if name != "scaling":  # Its workers are processes of their own.
        where["freed memory"] = memory
    return Measured(section, where)


def write_page(report: Any, folder: pathlib.Path, name: str) -> None:
    """Writes page and plots of a report."""
    from benchmarks.measuring.pages import write_whole
    from benchmarks.report.page import page
    from benchmarks.report.plots import draw

    files: dict[str, list[str]] = {}
    for section, each in report.items():
        for key, picture in draw(section, each.section).items():
            file = f"{name}-{key}.png"
            write_whole(folder / file, partial(picture.save, optimize=True))
            files.setdefault(section, []).append(file)
    text = page(report, files)
    write_whole(folder / f"{name}.md", lambda path: path.write_text(text))


def write(report: Any, folder: pathlib.Path, name: str) -> None:
    """Writes JSON, page and plots of a report."""
    from benchmarks.measuring.pages import write_whole
    from benchmarks.report.page import to_json

    text = to_json(report)
    write_whole(folder / f"{name}.json", lambda path: path.write_text(text))
    write_page(report, folder, name)


def file_name(device: str, options: argparse.Namespace) -> str:
    """Name of a device's report, without what kind of file it is."""
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    ends = {
        "-memory-returned": options.memory == "returned",
        "-some-cases": bool(options.only),
        "-quick": options.quick,
    }
    return name + "".join(end for end, applies in ends.items() if applies)


def chosen_sections(options: argparse.Namespace) -> list[str]:
    """The sections to be measured: those asked for, or with `--only` those with such a case.

    Raises:
        OptionError: If no case has one of the texts in its name.
    """
    from sfe_jax.core.errors import OptionError

    if not options.only:
        return options.sections or list(MODULES)
    names = {
        section: importlib.import_module(MODULES[section]).names(quick=options.quick)
        for section in options.sections or WITH_CASES
    }
    known = [name for each in names.values() for name in each]
    for text in options.only:
        if not any(text in name for name in known):
            beginnings = dict.fromkeys(name.partition(", ")[0] for name in known)
            raise OptionError(
                f"--only is {text!r}; required is a part of a case's name, such as {known[0]!r}, "
                f"which begin with {', '.join(beginnings)}"
            )
    return [s for s, each in names.items() if any(t in name for t in options.only for name in each)]


def print_changes(before: Any, after: Any) -> None:
    """Prints what differs between two reports."""
    from benchmarks.report.page import changes

    print("\n".join(changes(before, after)) or "Nothing changed beyond its spread.")


def check_platforms(platforms: str | None) -> None:
    """Refuses a list of JAX's platforms without the processor, on which FLOPs are counted.

    Args:
        platforms: With commas between; none means all.

    Raises:
        OptionError: If it is such a list.
    """
    from sfe_jax.core.errors import OptionError

    if platforms and "cpu" not in platforms.split(","):
        raise OptionError(
            f"JAX_PLATFORMS is {platforms}; required is cpu too, on which the section operations "
            f"counts FLOPs: set it to {platforms},cpu"
        )


def run(options: argparse.Namespace, *, memory: str = "returned") -> None:
    """Measures what was asked for, and writes the report after each section.

    Args:
        options: Of the command line.
        memory: What becomes of freed memory in this process, of `MEMORY`.

    Raises:
        SfeError: If an option or a file cannot be used.
    """
    from benchmarks.measuring.rows import Options
    from benchmarks.report.page import read

    if options.page:
        write_page(read(options.page), options.page.parent, options.page.stem)
        return
    given = [read(path) for path in options.compare or ()]
    if len(given) == 2:
        print_changes(*given)
        return
    sections = chosen_sections(options)
    if "operations" in sections:
        check_platforms(os.environ.get("JAX_PLATFORMS"))
    name = file_name(device_name(), options)
    known = options.out / f"{name}.json"
    report = read(known) if known.exists() else {}
    fresh = {}
    with tempfile.TemporaryDirectory() as workdir:
        repeats = options.repeats or (3 if options.quick else 7)
        how = Options(
            repeats,
            options.quick,
            options.originals,
            pathlib.Path(workdir),
            tuple(options.only or ()),
        )
        for section in sections:
            fresh[section] = measure(section, how, memory=memory)
            found = {**report, **fresh}
            report = {name: found[name] for name in MODULES if name in found}
            write(report, options.out, name)
    print(f"Written: {options.out / name}.md, .json and plots")
    for before in given:
        print_changes(before, fresh)


def main() -> None:
    """Measures, or compares."""
    options = parse()
    # What else computes on a GPU needs memory too, and JAX would take three quarters of it.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from sfe_jax.cli.console import fail
    from sfe_jax.core.errors import SfeError
    from sfe_jax.core.memory import keep_freed_memory

    kept = options.memory == "kept" and keep_freed_memory()
    try:
        run(options, memory="kept" if kept else "returned")
    except SfeError as error:
        sys.exit(fail(str(error)))


if __name__ == "__main__":
    main()
