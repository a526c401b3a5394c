"""Trains a network of the method from a recipe.

    python train.py --config=configs/faces64_gan.py --workdir=runs/faces64_gan
    python train.py --config=configs/ffhq1024_gan.py --config.batch_size=256
    python train.py --config=configs/ffhq1024_psp.py --export=psp.safetensors --export_step=best

Every field of a recipe can be set on the command line. A run goes on from the newest checkpoint in
its folder; SIGTERM and Ctrl-C save one first. On several hosts, start the same command on each.
"""

import functools
import os
import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from sfe_jax.cli.flags import parse_recipe, recipe_of
from sfe_jax.core.errors import SfeError

CONFIG = config_flags.DEFINE_config_file("config", help_string="The recipe, configs/NAME.py.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made if it does not exist.")
EXPORT = flags.DEFINE_string(
    "export", None, "Writes the networks of a checkpoint of the run to this bundle instead."
)
EXPORT_STEP = flags.DEFINE_string(
    "export_step", "newest", "Which checkpoint: newest, best by the recipe's `best`, or a step."
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Prints the resolved recipe and its networks.")


def main(arguments: list[str]) -> None:
    """Reads the recipe and trains."""
    del arguments
    logging.set_verbosity(logging.WARNING)
    try:
        from sfe_jax.cli.console import show_warnings_in_one_line
        from sfe_jax.training.recipe import Recipe
        from sfe_jax.training.start import describe_run, train

        show_warnings_in_one_line()
        recipe = recipe_of(CONFIG, Recipe)
        if DRY_RUN.value:
            print(describe_run(recipe))
            return
        workdir = WORKDIR.value or os.path.join("runs", recipe.name)
        if EXPORT.value:
            from sfe_jax.training.export import export

            out = pathlib.Path(EXPORT.value)
            step = export(recipe, workdir, out, step=EXPORT_STEP.value)
            print(f"{EXPORT.value}: networks after step {step} of {workdir}")
            return
        train(recipe, workdir)
    except SfeError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # A full disk, met by the log or by pictures.
        sys.exit(f"error: {error.filename or 'a file of the run'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("error: stopped at once; start again to go on from the newest checkpoint")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=functools.partial(parse_recipe, config=CONFIG))
