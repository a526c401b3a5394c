"""`sfe trial`: the whole path on random networks, to see that an installation works."""

import pathlib

from sfe_jax.cli.options import Out


def trial(out: Out = pathlib.Path("out/trial")) -> None:
    """Runs inversion and editing with small random networks; no weights are needed.

    The networks are not trained: their pictures are coloured noise, not faces. What it shows is
    that every step runs here. Writes the bundle, generated pictures, and their edits.

    Example: sfe trial -o out/trial

    Args:
        out: Folder for the results; it is made.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.cli.edit import edit
    from sfe_jax.cli.generate import generate
    from sfe_jax.pipelines.bundle import save_bundle
    from sfe_jax.pipelines.random_bundle import random_bundle, small_modules

    say("These are small RANDOM networks, not trained ones: expect coloured noise, not faces.")
    weights = out / "random.safetensors"
    save_bundle(weights, random_bundle(small_modules(), seed=0))
    generate(weights, seeds="0-3", out=out / "generated")
    pictures = tuple(out / "generated" / f"seed{seed:04d}.png" for seed in range(4))
    edit(pictures, weights, edit=("smile=-4,0,4", "age=-4,0,4"), out=out / "edited", batch=3)
    say(f"Pictures of RANDOM networks are in {out / 'edited'}: one folder each, with strips.")
