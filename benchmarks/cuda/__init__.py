"""CUDA kernels of our own, to measure XLA's fusions against.

- pointwise: bias_act, and the epilogue of a modulated convolution (demodulation, noise, bias and
  activation in one pass), with one fused pass for all their slopes.
- resampling: upfirdn2d with any factors, padding and filter; its derivative is itself.
- filtered: bias, upsampling, leaky ReLU and downsampling, whose middle map stays in shared memory.

Each takes what its namesake in `sfe_jax.ops` takes, in float32 or bfloat16 with sums in float32,
and has reverse derivatives; `installed()` puts them in the place of the XLA forms in whole
networks. They are written from the mathematics, and are never required: `unavailable()` says in
one sentence what is missing.

The kernels' sources also build as a library for the processor, where all blocks and threads run one
after the other. That is how they are tested. No GPU was at hand: tiles, pixels a thread, the bound
of 256 threads and all else that decides speed and not values were chosen by counting, not measured.
"""

from benchmarks.cuda.building import BuildError, build
from benchmarks.cuda.installing import installed
from benchmarks.cuda.library import unavailable

__all__ = ["BuildError", "build", "installed", "unavailable"]
