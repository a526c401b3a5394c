"""Prints, per output, the error relative to its maximum; fails if one exceeds 2e-5.

Examples:
    python -m tests.golden
    python -m tests.golden -k sg2_g64
    python -m tests.golden FOLDER
    python -m tests.golden --checkpoints FOLDER
"""

import argparse
import pathlib
import sys

from tests.golden.runner import TOLERANCE, Result, run_cases, run_checkpoints

VECTORS = pathlib.Path(__file__).parent / "vectors"
"""Cases of this repository: the small ones."""


def _print(result: Result) -> None:
    verdict = "not yet" if result.pending else "ok" if result.passed else "FAILED"
    print(f"{result.name} ({result.kind}): {verdict}, {result.seconds:.1f} s {result.failure}")
    for key, error in result.errors.items():
        mark = "" if error <= TOLERANCE else "  <-- above the tolerance"
        print(f"    {key:32} {error:.1e}{mark}", flush=True)


def main() -> int:
    """Runs a folder; the exit status is 1 if a case failed or nothing was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        type=pathlib.Path,
        nargs="?",
        default=VECTORS,
        help="reference cases (those of this repository by default), or official files",
    )
    parser.add_argument("-k", default="", metavar="WORD", help="only names or kinds with this word")
    parser.add_argument(
        "--checkpoints", action="store_true", help="FOLDER holds files in the official formats"
    )
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    run = run_checkpoints if options.checkpoints else run_cases
    results = []
    for result in run(options.folder, options.k):
        _print(result)
        results.append(result)
    failed = [result.name for result in results if not result.passed and not result.pending]
    print(f"{len(results) - len(failed)} of {len(results)} passed or not yet written")
    if not results:
        print(f"nothing in {options.folder} matches {options.k!r}")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
