"""What a platform that need not be here would run: programs lowered for it, as text."""

import jax

from sfe_jax.core import platforms


def lowered(function, *arguments, platform: str) -> str:
    """StableHLO of `function` for "cpu", "gpu" or "tpu"; nothing is compiled or run."""
    with jax.default_device(platform):
        traced = jax.jit(function).trace(*arguments)
    compiler = "cuda" if platform == "gpu" else platform
    return traced.lower(lowering_platforms=(compiler,)).as_text()


def pretend(monkeypatch, platform: str) -> None:
    """What is traced from now on takes the forms of `platform`, and runs here."""
    monkeypatch.setattr(platforms, "traced_platform", lambda: platform)
