"""`sfe character`: characters for games, by a recipe."""

import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import tyro

from sfe_jax.cli.options import Out
from sfe_jax.core.choices import Precision

Seeds = Annotated[str, tyro.conf.arg(aliases=["--seed"])]


@contextmanager
def _bar(seed: int, total: int) -> Iterator[Callable[[str, int, str], None]]:
    """A progress bar of one character that names its steps.

    Args:
        seed: Of the character.
        total: Units of work.

    Yields:
        A function of the name of a step, the units done, and a word about them.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from sfe_jax.core.console import console

    columns = (
        TextColumn("character {task.fields[seed]}: {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.fields[word]}"),
    )
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task("", total=total, seed=seed, word="")
        yield lambda name, done, word: bar.update(task, description=name, completed=done, word=word)


def character(
    recipe: Annotated[pathlib.Path | None, tyro.conf.arg(metavar="[RECIPE]")] = None,
    /,
    seeds: Seeds = "0",
    out: Out = pathlib.Path("out/characters"),
    precision: Precision = "float32",
) -> None:
    """Makes characters for games: drawn, mixed, cropped, projected, with expressions.

    The recipe is a TOML file; that of the package, which is used where none is given, says by
    example what one may hold. The same seed gives the same files. Writes, per seed,
    DIR/character0003/ with portraits/NAME.png of every expression, sprites.png, expressions.gif,
    overview.png, the character after each step, all codes as .npy, and character.json.

    Example: sfe character --seed 3 -o out

    Example: sfe character hero.toml --seeds 0-3 -o heroes

    Args:
        recipe: TOML file; names of files in it are relative to its folder.
        seeds: Of the characters, such as 3 or 0-3,7.
        out: Folder for the results; it is made.
        precision: float32 equals the original; bfloat16 is faster on accelerators.
    """
    from sfe_jax.characters.reading import bundled_recipe, read_recipe
    from sfe_jax.latents.parsing import parse_seeds

    numbers = parse_seeds(seeds)
    file = read_recipe(recipe or bundled_recipe())

    from sfe_jax.characters.assets import write_character
    from sfe_jax.characters.checking import check_seed
    from sfe_jax.characters.workshop import Workshop
    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.core.cache import keep_compiled

    for seed in numbers:
        check_seed(file, seed)
    keep_compiled()
    workshop = Workshop(file, precision=precision)
    said: set[str] = set()
    announce_compilation()
    for seed in numbers:
        with _bar(seed, workshop.units) as move:
            made = workshop.make(seed, progress=move)
        folder = out / f"character{seed:04d}"
        write_character(folder, made)
        for note in (note for note in workshop.notes if note not in said):
            say(note)
            said.add(note)
        say(f"wrote {len(made.portraits.names)} portraits and all else to {folder}")
