import signal
import time

import jax
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.parallel.sharding import with_shardings
from tests.parallel.saving import filled
from tests.running import program


@pytest.mark.timeout(60)
@pytest.mark.parametrize("trial", range(2))
def test_newest_checkpoint_is_whole_after_a_kill(tmp_path, trial):
    with program("parallel.saving", tmp_path, devices=2) as process:
        begun = [int(process.stdout.readline()) for _ in range(3 + trial)]
        time.sleep(0.05 * trial)
        process.send_signal(signal.SIGKILL)
        begun += [int(line) for line in process.stdout.read().split()]
    like = with_shardings(jax.eval_shape(lambda: filled(0)), SingleDeviceSharding(jax.devices()[0]))
    with Checkpoints(tmp_path) as checkpoints:
        newest = checkpoints.latest_step()
        state, meta = checkpoints.restore(like)
        assert begun[-2] <= newest <= begun[-1] + 1
        assert meta == {"step": newest}
        assert {float(x) for array in state.values() for x in np.unique(array)} == {newest}
        assert checkpoints.save(newest + 1, filled(0), wait=True)
