"""Trains a network of the method from a recipe.

    python train.py --config=configs/faces64_gan.py --workdir=runs/faces64_gan
    python train.py --config=configs/ffhq1024_gan.py --config.batch_size=256

Every field of a recipe can be set on the command line. A run goes on from the newest checkpoint in
its folder; SIGTERM and Ctrl-C save one first. On several hosts, start the same command on each.
"""

import os
import pathlib
import sys
from typing import Literal

from absl import app, flags, logging
from ml_collections import config_flags

from sfe_jax.core.errors import SfeError

CONFIG = config_flags.DEFINE_config_file("config", help_string="The recipe, configs/NAME.py.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made if it does not exist.")
EXPORT = flags.DEFINE_string(
    "export", None, "Writes the networks of the run's newest checkpoint to this bundle instead."
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Prints the resolved recipe and its networks.")


def parse(arguments: list[str]) -> list[str]:
    """Reads the command line, and the recipe with it; what is wrong there is said in one line."""
    # Which words a field takes is checked with the rest of the recipe.
    config_flags.register_flag_parser_for_type(Literal, flags.ArgumentParser())
    try:
        rest = app.parse_flags_with_usage(arguments)
        _ = CONFIG.value.name  # A file that is not there is missed when it is first used.
    except (KeyError, ValueError, OSError) as error:
        sys.exit(f"error: --config: {' '.join(str(error.args[-1]).split())}")
    if rest[1:]:
        sys.exit(f"error: unknown argument {rest[1]!r}; options begin with --")
    return rest


def main(arguments: list[str]) -> None:
    """Reads the recipe and trains."""
    del arguments
    logging.set_verbosity(logging.WARNING)
    try:
        from sfe_jax.training.start import describe_run, train

        if DRY_RUN.value:
            print(describe_run(CONFIG.value))
            return
        workdir = WORKDIR.value or os.path.join("runs", CONFIG.value.name)
        if EXPORT.value:
            from sfe_jax.training.export import export

            step = export(CONFIG.value, workdir, pathlib.Path(EXPORT.value))
            print(f"{EXPORT.value}: networks after step {step} of {workdir}")
            return
        train(CONFIG.value, workdir)
    except SfeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: stopped at once; start again to go on from the newest checkpoint")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=parse)
