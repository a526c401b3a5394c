"""Opens machines that are not there: meshes of chips to compile for, on which nothing can run.

TPUs need libtpu, NVIDIA GPUs the CUDA plugin of JAX and the assembler of CUDA: no chip, no driver.
"""

import importlib.util
import os
from typing import Any

from jax.experimental import topologies
from jax.sharding import Mesh

from benchmarks.pods.chips import CUDA_TARGET, Chip, chip_of
from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.mesh import make_mesh

QUIET = {"TPU_ACCELERATOR_TYPE": "v5litepod-8", "TPU_WORKER_HOSTNAMES": "localhost",
             "TPU_SKIP_MDS_QUERY": "1"}  # fmt: skip
"""Keeps libtpu from looking for the TPU that this machine does not have."""

CUDA_WHEELS = "pip install 'jax[cuda13-local]' 'nvidia-cuda-nvcc>=13' 'nvidia-nvvm>=13'"
"""What CUDA targets need: plugin, assembler, mathematical functions; no libraries."""

HOST = 8
"""GPUs that NVLink joins in one host."""

HOPPER = """
gpu_device_info {{
  cuda_compute_capability {{ major: 9 }}
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  l2_cache_size: 52428800
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  device_memory_size: {memory:.0f}
  memory_bandwidth: {bandwidth:.0f}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
device_description_str: "NVIDIA {name}"
"""
"""XLA's `GpuTargetConfigProto` of an SXM Hopper, in text.

Source: NVIDIA, "CUDA C++ Programming Guide", compute capability 9.0; "H100 Tensor Core GPU
Architecture", table of the SXM5 module.
"""


def _opened(target: str, remedy: str, **options: Any) -> list[Any]:
    """Devices of a topology."""
    try:
        return topologies.get_topology_desc(**options).devices
    except Exception as error:  # Plugins raise what they like.
        reason = str(error).partition("\n")[0]
        raise OptionError(f"target {target!r} cannot be opened ({reason}); {remedy}") from error


def _tpus(target: str) -> list[Any]:
    """Chips of a topology such as "v5e:16x16"."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    remedy = "required are a name such as v5e:16x16 and the extra `tpu`, pip install -e '.[tpu]'"
    return _opened(target, remedy, platform="tpu", topology_name=target)


def _gpus(target: str, chip: Chip, count: int) -> list[Any]:
    """GPUs of one host."""
    if not 1 <= count <= HOST:
        raise OptionError(
            f"target {target!r} has {count} GPUs; required are 1 to {HOST}, those of one host"
        )
    remedy = f"required is the CUDA plugin of this version of JAX, {CUDA_WHEELS}"
    if importlib.util.find_spec("jax_cuda13_plugin") is None:
        raise OptionError(f"target {target!r} needs what is not installed; {remedy}")
    facts = HOPPER.format(memory=chip.memory, bandwidth=chip.bandwidth, name=chip.name.upper())
    # Slices, hosts of each, GPUs of each.
    layout = f"1x1x{count}"
    return _opened(target, remedy, platform="cuda", topology=layout, target_config=facts)


def open_pod(target: str) -> Mesh:
    """A mesh of the chips of a target such as "v5e:16x16" or "cuda-h100x8", all along `data`.

    Raises:
        OptionError: If there is no such target, or a package is missing.
    """
    chip, gpus = chip_of(target), CUDA_TARGET.fullmatch(target)
    devices = _gpus(target, chip, int(gpus[2])) if gpus else _tpus(target)
    return make_mesh(devices=devices)
