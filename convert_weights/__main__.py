r"""Converts official weights to one safetensors bundle, without running any code of theirs.

Examples:
    python -m convert_weights sfe_editor_light.pt stylegan2-ffhq-config-f.pt e4e_ffhq_encode.pt \
        -o sfe_ffhq.safetensors
    python -m convert_weights network-snapshot.pkl -o my_generator.safetensors
    python -m convert_weights faces64.safetensors own_directions.safetensors -o both.safetensors
    python -m convert_weights faces64.safetensors -o small.safetensors --only generator e4e
    python -m convert_weights --inspect network-snapshot.pkl
    python -m convert_weights export my_generator.safetensors --layout rosinality \
        -o g_ema.safetensors
"""

import argparse
import dataclasses
import pathlib
import sys
from typing import TYPE_CHECKING

from sfe_jax.core.console import one_line, printable
from sfe_jax.core.errors import SfeError, WeightsError

if TYPE_CHECKING:
    from convert_weights.kinds.kind import Converted
    from sfe_jax.pipelines.bundle import Bundle


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert_weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        type=pathlib.Path,
        metavar="SRC",
        help="official files: .pt .pth .pkl .safetensors .npy .npz, files or folders of "
        "directions, and bundles; several make one bundle",
    )
    parser.add_argument(
        "-o", "--out", type=pathlib.Path, metavar="OUT.safetensors", help="the bundle to write"
    )
    parser.add_argument("--kind", help="kind of the only SRC, where its keys do not tell")
    parser.add_argument(
        "--only", nargs="+", metavar="ROLE", help="networks to keep, such as generator e4e"
    )
    parser.add_argument(
        "--half", action="store_true", help="write networks as float16, in half the space"
    )
    parser.add_argument("--inspect", action="store_true", help="only print what the files hold")
    return parser


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert_weights export",
        description="Writes a bundle's generator as an official state dict (safetensors).",
    )
    parser.add_argument(
        "bundle", type=pathlib.Path, metavar="BUNDLE", help="file written by convert_weights"
    )
    parser.add_argument(
        "--layout", required=True, help="stylegan2-ada or rosinality (whose code reads it)"
    )
    parser.add_argument(
        "--role",
        default="generator",
        help="generator (default) or generator_training, the one without averaged weights",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=pathlib.Path,
        required=True,
        metavar="OUT.safetensors",
        help="the state dict to write",
    )
    return parser


def _export(arguments: list[str]) -> None:
    from convert_weights.export import write_generator
    from sfe_jax.pipelines.bundle import load_bundle

    options = _export_parser().parse_args(arguments)
    network = load_bundle(options.bundle).network(options.role)
    for note in write_generator(network, options.layout, options.out):
        print(printable(note))
    print(one_line(f"wrote {options.out} in the layout of {options.layout}"))


def _held(content: "Converted | Bundle") -> str:
    """Roles of networks and names of directions' arrays, in one line."""
    return ", ".join([*sorted(content.networks), *sorted(content.directions)])


def _convert(options: argparse.Namespace) -> None:
    from convert_weights.combine import combine
    from convert_weights.convert import convert_source, expand_folders
    from sfe_jax.pipelines.bundle import save_bundle

    if options.out.suffix != ".safetensors":
        raise WeightsError(f"--out is {options.out}; required is a name ending in .safetensors")
    if options.kind and len(options.sources) > 1:
        raise WeightsError("--kind goes with one SRC; convert the others without it")
    parts = []
    for path in expand_folders(options.sources):
        source, converted = convert_source(path, options.kind)
        print(one_line(f"{path}: {converted.kind} with {_held(converted)}"))
        parts.append((source, converted))
    bundle, notes = combine(parts)
    for note in notes:
        print(printable(note))
    if options.only:
        networks = {role: bundle.network(role) for role in options.only}
        bundle = dataclasses.replace(bundle, networks=networks)
    save_bundle(options.out, bundle, half=options.half)
    size = options.out.stat().st_size / 2**20
    print(one_line(f"wrote {options.out} ({size:.1f} MiB) with {_held(bundle)}"))


def _inspect(options: argparse.Namespace) -> None:
    from convert_weights.inspect_file import inspect_file

    for path in options.sources:
        for line in inspect_file(path):
            print(one_line(line))


def main(arguments: list[str]) -> int:
    """Runs the command; the exit status is 2 after an error that the user can mend."""
    try:
        if arguments[:1] == ["export"]:
            _export(arguments[1:])
            return 0
        options = _parser().parse_args(arguments)
        if options.inspect:
            _inspect(options)
        elif options.out is None:
            raise WeightsError("-o OUT.safetensors is missing; or use --inspect")
        else:
            _convert(options)
    except SfeError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # The reader of --inspect, such as `head`, has seen enough.
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
