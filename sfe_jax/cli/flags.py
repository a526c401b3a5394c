"""Command lines of programs that take a recipe: `--config=configs/X.py --config.field=value`."""

import sys
from typing import Any, Literal, TypeVar

from absl import app, flags
from ml_collections import config_flags

from sfe_jax.core.errors import OptionError, SfeError

Recipe = TypeVar("Recipe")


def parse_recipe(arguments: list[str], config: flags.FlagHolder[Any]) -> list[str]:
    """Reads the command line, and the recipe with it; what is wrong there ends in one line.

    Args:
        arguments: Of the program, its name first.
        config: From `config_flags.DEFINE_config_file`.

    Returns:
        What is left of `arguments`: the name of the program.
    """
    # Which words a field takes is checked with the rest of the recipe.
    config_flags.register_flag_parser_for_type(Literal, flags.ArgumentParser())
    try:
        rest = app.parse_flags_with_usage(arguments)
        _ = config.value.name  # A file that is not there is missed when it is first used.
    except SyntaxError as error:
        sys.exit(f"error: --config: is no recipe, {error}")
    except (KeyError, ValueError, OSError, SfeError) as error:
        sys.exit(f"error: --config: {' '.join(str(error.args[-1]).split())}")
    if rest[1:]:
        sys.exit(f"error: unknown argument {rest[1]!r}; options begin with --")
    return rest


def recipe_of(config: flags.FlagHolder[Any], kind: type[Recipe]) -> Recipe:
    """The recipe of a command line that was read.

    Raises:
        OptionError: If it is of another kind.
    """
    recipe = config.value
    if not isinstance(recipe, kind):
        raise OptionError(
            f"--config: {recipe.name} is of another program, a {type(recipe).__name__}; required "
            f"is a {kind.__name__}"
        )
    return recipe
