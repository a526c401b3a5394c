r"""Measures generators, inversions and edits from a recipe.

    python evaluate.py --config=configs/eval_faces64.py --workdir=runs/eval_faces64
    python evaluate.py --config=configs/eval_celebahq_inversion.py \
        --config.data.source=celebahq_test.zip --config.folders="('other=results/other',)"

Every field of a recipe can be set on the command line. The folder then holds `report.md` with its
pictures, and `results.jsonl` with every figure and where it comes from. On several hosts, start the
same command on each.
"""

import functools
import os
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from sfe_jax.cli.flags import parse_recipe, recipe_of
from sfe_jax.core.errors import SfeError

CONFIG = config_flags.DEFINE_config_file("config", help_string="The recipe, configs/eval_NAME.py.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the results; made if it does not exist.")


def main(arguments: list[str]) -> None:
    """Reads the recipe and measures."""
    del arguments
    logging.set_verbosity(logging.WARNING)
    try:
        from sfe_jax.cli.console import say, show_warnings_in_one_line
        from sfe_jax.evaluation.recipe import EvaluationRecipe
        from sfe_jax.evaluation.start import evaluate

        show_warnings_in_one_line()
        recipe = recipe_of(CONFIG, EvaluationRecipe)
        page = evaluate(recipe, WORKDIR.value or os.path.join("runs", recipe.name))
        say(f"{page}: the figures; every one with its provenance in {page.parent}/results.jsonl")
    except SfeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: stopped; the figures that were found are in results.jsonl")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=functools.partial(parse_recipe, config=CONFIG))
