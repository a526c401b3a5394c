"""What official files of StyleCLIP's mappers hold, small and random."""

import numpy as np

LEVELS = ("course", "medium", "fine")


def official(levels=LEVELS, *, size=8, seed=0):
    """A mapper of some levels, and of the generator it was trained with an array."""
    rng = np.random.default_rng(seed)
    state = {"decoder.input.input": np.ones((1, size), np.float32)}
    for level in levels:
        for number in (1, 2, 3, 4):
            name = f"mapper.{level}_mapping.mapping.{number}"
            state[f"{name}.weight"] = 100 * rng.standard_normal((size, size), np.float32)
            state[f"{name}.bias"] = 10 * rng.standard_normal(size, np.float32)
    options = {f"no_{level.replace('u', 'a')}_mapper": level not in levels for level in LEVELS}
    return {"state_dict": state, "opts": {"mapper_type": "LevelsMapper", **options}}
