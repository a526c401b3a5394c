"""One process of a weak-scaling run: steps of a small StyleGAN2 on all devices of all processes.

    python -m benchmarks.sections.scaling_worker RESOLUTION BATCH_PER_DEVICE STEPS

Process 0 prints what it found as the last line, in JSON. Started by `benchmarks.sections.scaling`.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.hlo import collectives, parse
from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.mesh import batch_sharding, global_batch, make_mesh
from sfe_jax.parallel.processes import initialize, is_main_process
from sfe_jax.parallel.sharding import WIDE_KERNELS
from sfe_jax.pipelines.bundle import Network
from sfe_jax.training.gan import GanOptions
from sfe_jax.training.loop import Programs
from sfe_jax.training.recipe import Setting

SMALL = GanOptions(
    channel_base=512,
    channel_max=32,
    z_dim=32,
    w_dim=32,
    mapping_layers=2,
    r1_interval=0,
    path_length_interval=0,
)
"""Every step is the same: generator, discriminator, average."""


def _no_network(role: str) -> Network:
    raise OptionError(f"network {role!r} is not needed here; required is a method without it")


class Game:
    """A small StyleGAN2 with its compiled phases, on a mesh of all devices.

    Args:
        resolution: R, pixels a side.
        batch: Pictures of each device.
    """

    def __init__(self, *, resolution: int, batch: int):
        self.mesh, self.resolution = make_mesh(), resolution
        self.pictures = batch * self.mesh.size
        setting = Setting(resolution, 3, 0, self.pictures, "float32", _no_network)
        key = jax.random.key(0)
        self.programs = Programs(SMALL.build(setting), self.mesh, rules=WIDE_KERNELS, key=key)
        shape = jax.ShapeDtypeStruct(
            (self.pictures, resolution, resolution, 3),
            np.uint8,
            sharding=batch_sharding(self.mesh),
        )
        lowered = self.programs.lower({"image": shape})
        self.compiled = {name: phase.compile() for name, phase in lowered.items()}
        self.key = key

    def exchanged(self) -> tuple[int, int]:
        """Exchanges of a step, and bytes of the whole arrays exchanged."""
        found = [
            each.size
            for phase in self.compiled.values()
            for each in collectives(parse(phase.as_text()))
        ]
        return len(found), sum(found)

    def _batch(self, step: int) -> Mapping[str, Any]:
        """New noise for every step."""
        rng = np.random.default_rng([step, jax.process_index()])
        local = self.pictures // jax.process_count()
        shape = (local, self.resolution, self.resolution, 3)
        return global_batch(self.mesh, {"image": rng.integers(0, 256, shape, dtype=np.uint8)})

    def times(self, steps: int) -> tuple[list[float], float]:
        """Runs one step and then `steps` that count; every phase is waited for.

        Returns:
            Seconds of each step, and processor seconds of this process for a step.
        """
        state, frozen = self.programs.init(), self.programs.place_frozen()
        found, used = [], 0.0
        for step in range(steps + 1):
            batch = jax.block_until_ready(self._batch(step))
            start, worked = time.perf_counter(), time.process_time()
            for phase in self.compiled.values():
                state, _ = jax.block_until_ready(phase(state, frozen, batch, self.key))
            if step:
                found.append(time.perf_counter() - start)
                used += (time.process_time() - worked) / steps
            state = state._replace(step=state.step + 1)
        return found, used


def main(arguments: Sequence[str]) -> None:
    """Joins the other processes, runs, and prints."""
    resolution, batch, steps = map(int, arguments)
    initialize()
    game = Game(resolution=resolution, batch=batch)
    times, used = game.times(steps)
    count, size = game.exchanged()
    if is_main_process():
        said = {
            "seconds": times,
            "processor_s": used * jax.process_count(),
            "pictures": game.pictures,
            "exchanges": count,
            "bytes": size,
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
