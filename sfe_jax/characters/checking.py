"""What must be true of a recipe beyond the types of its fields."""

import re
from typing import Any

from sfe_jax.characters.recipe import (
    OWN,
    AssetOptions,
    Crop,
    Draw,
    Mix,
    Project,
    RecipeFile,
    Source,
)
from sfe_jax.characters.tables import refuse
from sfe_jax.core.animations import LIMITS
from sfe_jax.core.errors import FileFormatError, OptionError

MAX_SIDE = 4096
"""Pixels a side of sprites; more is a slip of the keyboard."""


MAX_FRAMES = 1000
"""Frames from expression to expression; likewise."""


def _check_numbers(options: Any, place: str, least: dict[str, float]) -> None:
    """Raises if a field is below what it must be at least."""
    for name, lowest in least.items():
        if getattr(options, name) < lowest:
            refuse(f"{place}.{name}", getattr(options, name), f"at least {lowest}")


def _check_file(file: RecipeFile, name: str, place: str) -> None:
    try:
        is_file = file.beside(name).is_file()
    except OSError:  # The name is too long.
        is_file = False
    if not is_file:
        where = f"which is no file; names are relative to {file.path.parent}"
        raise FileFormatError(f"{place} is {name[:200]!r}, {where}")


def _check_source(file: RecipeFile, source: Source, place: str) -> None:
    """Raises unless one code is named, which may be the character's own."""
    given = [name for name in ("file", "seed") if getattr(source, name) is not None]
    given += ["offset"] if source.offset else []
    if len(given) > 1:
        raise FileFormatError(f"{place} has {' and '.join(given)}; required is at most one of them")
    if source.file is not None:
        _check_file(file, source.file, f"{place}.file")
    elif source.index:
        raise FileFormatError(f"{place}.index is given without `file`; write both or neither")
    if source.seed is not None and not 0 <= source.seed < 2**32:
        refuse(f"{place}.seed", source.seed, "a seed from 0 to 4294967295")
    _check_numbers(source, place, {"index": 0})


def _check_crop(file: RecipeFile, crop: Crop, place: str) -> None:
    """Raises unless the region is one, and is said in one way."""
    if (crop.box is None) == (crop.detector is None):
        raise FileFormatError(f"{place} needs a region; required is one of `box` and `detector`")
    if crop.box is not None:
        left, top, right, bottom = crop.box
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            required = "left, top, right, bottom in [0, 1], left below right, top below bottom"
            refuse(f"{place}.box", crop.box, required)
    if crop.detector is not None:
        _check_file(file, crop.detector, f"{place}.detector")
    _check_numbers(crop, place, {"margin": 0})


def _check_steps(file: RecipeFile) -> None:
    """Raises unless steps can follow each other as they do, and what they name is there."""
    recipe, has_code = file.recipe, False
    if not recipe.steps or not isinstance(recipe.steps[0], Draw):
        raise FileFormatError(f"{file.path}: steps must begin with a draw; write one first")
    for number, step in enumerate(recipe.steps, start=1):
        place = f"{file.path}: steps.{number}"
        if isinstance(step, Draw) and number > 1:
            raise FileFormatError(f"{place} draws again; only the first step may, mix rows instead")
        if isinstance(step, Mix) and not has_code:
            raise FileFormatError(f"{place} mixes a cropped picture; project it before")
        if isinstance(step, Source):
            _check_source(file, step, place)
        if isinstance(step, Crop):
            _check_crop(file, step, place)
        if isinstance(step, Draw | Project) and step.generator not in recipe.generators:
            known = ", ".join(recipe.generators) or "none"
            refuse(f"{place}.generator", step.generator, f"one of `generators`: {known}")
        if isinstance(step, Project):
            _check_numbers(step, place, {"steps": 1})
        has_code = not isinstance(step, Crop)
    if not has_code and any(x.mix or x.edits for x in recipe.expressions.values()):
        raise FileFormatError(f"{file.path}: expressions change a cropped picture; project it last")


def _check_expressions(file: RecipeFile) -> None:
    """Raises unless there are expressions whose names can be files'."""
    if not file.recipe.expressions:
        raise FileFormatError(f"{file.path}: expressions is empty; write one or leave it away")
    for name, expression in file.recipe.expressions.items():
        place = f"{file.path}: expressions.{name}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            refuse(f"{file.path}: a name in expressions", name, "letters, digits, _ and -")
        for number, mix in enumerate(expression.mix, start=1):
            _check_source(file, mix, f"{place}.mix.{number}")


def _check_assets(assets: AssetOptions, place: str) -> None:
    """Raises unless sheet and animation can be written."""
    _check_numbers(assets, place, {"side": 1, "columns": 1, "frames": 1})
    for name, most in {"side": MAX_SIDE, "frames": MAX_FRAMES}.items():
        if getattr(assets, name) > most:
            refuse(f"{place}.{name}", getattr(assets, name), f"at most {most}")
    fastest = LIMITS[".gif"].fps
    if not 0 < assets.fps <= fastest:
        refuse(f"{place}.fps", assets.fps, f"more than 0 and at most {fastest}")


def check_recipe(file: RecipeFile) -> None:
    """Raises unless a recipe can be used, as far as it alone can tell.

    Raises:
        FileFormatError: With the first value that cannot be used.
    """
    for name, generator in file.recipe.generators.items():
        if generator.bundle != OWN:
            _check_file(file, generator.bundle, f"{file.path}: generators.{name}.bundle")
    _check_steps(file)
    _check_expressions(file)
    _check_assets(file.recipe.assets, f"{file.path}: assets")


def check_seed(file: RecipeFile, seed: int) -> None:
    """Raises unless every code that a character needs has a seed.

    Args:
        file: The recipe.
        seed: Of the character.

    Raises:
        OptionError: If the seed, or what a step makes of it, is no seed.
    """
    steps, expressions = file.recipe.steps, file.recipe.expressions.values()
    sources = [step for step in steps if isinstance(step, Source)]
    sources += [mix for expression in expressions for mix in expression.mix]
    for offset in (0, *(source.offset for source in sources)):
        if not 0 <= seed + offset < 2**32:
            raise OptionError(
                f"{file.path}: seed {seed} with offset {offset} is {seed + offset}; required is a "
                "seed from 0 to 4294967295"
            )
