"""Reads recipes of characters."""

import importlib.resources
import pathlib
import tomllib

from sfe_jax.characters.checking import check_recipe
from sfe_jax.characters.recipe import Recipe, RecipeFile
from sfe_jax.characters.tables import build
from sfe_jax.core.errors import FileFormatError


def bundled_recipe() -> pathlib.Path:
    """The recipe that comes with the package, for the bundled generator of faces."""
    return pathlib.Path(str(importlib.resources.files("sfe_jax.characters") / "faces64.toml"))


def read_recipe(path: str | pathlib.Path) -> RecipeFile:
    """Reads and checks a recipe.

    Raises:
        FileFormatError: If the file is missing, no TOML, or has a key or value that is none.
    """
    path = pathlib.Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
        raise FileFormatError(f"{path}: {reason}; give the path of a recipe") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: is no TOML ({error}); mend it") from error
    file = RecipeFile(path, build(Recipe, table, f"{path}:"))
    check_recipe(file)
    return file
