"""Builds the CUDA kernels that the benchmarks compare with.

Needs CMake, a C++ compiler and, for GPUs, nvcc; no GPU. The library goes to a cache folder, and is
built again only when its sources change.

Example: python -m benchmarks.cuda build
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import get_args

from benchmarks.cuda.building import Device, build
from sfe_jax.cli.console import fail
from sfe_jax.core.errors import SfeError


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("build", help="build the library").add_argument
    add("--device", choices=get_args(Device), default="cuda", help="host: for tests, on CPU")
    add("--dir", type=pathlib.Path, help="in place of the cache folder")
    add("--architectures", help='of GPUs, such as "80;90"; default: all from A100 to B100')
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds, and says where the library is."""
    options = parse(arguments)
    try:
        library = build(options.device, folder=options.dir, architectures=options.architectures)
    except SfeError as error:
        return fail(str(error))
    print(library)
    return 0


if __name__ == "__main__":
    sys.exit(main())
