"""What a platform that need not be here would run: programs lowered for it, as text."""

import jax


def lowered(function, *arguments, platform: str) -> str:
    """StableHLO of `function` for "cpu", "tpu" or "cuda"; nothing is compiled or run."""
    traced = jax.jit(function).trace(*arguments)
    return traced.lower(lowering_platforms=(platform,)).as_text()


def pretend(monkeypatch, platform: str) -> None:
    """What is traced from now on takes the forms of `platform`, and runs here."""

    def choose(*arguments, default, **forms):
        return forms.get(platform, default)(*arguments)

    monkeypatch.setattr(jax.lax, "platform_dependent", choose)
