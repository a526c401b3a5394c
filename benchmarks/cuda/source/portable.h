// One source for two machines: a kernel is a struct whose phases are functions of (block, thread).
//
// Between phases lies a barrier. On a GPU every thread runs all phases, with `__syncthreads()`
// between them. On a processor each block's phases run one after the other, every thread in turn:
// slow, but the same arithmetic on the same indices, so that a machine without a GPU can test them.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define SFE_BOTH __host__ __device__ __forceinline__
#define SFE_UNROLL _Pragma("unroll")
#else
#define SFE_BOTH inline
#define SFE_UNROLL
#endif

namespace sfe {

constexpr int kThreads = 256;  // Of every block.

// `V` neighbours, moved by one instruction where they are aligned.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

using Float4 = Pack<float, 4>;

struct Bfloat16 {
  uint16_t bits;
};

SFE_BOTH float to_float(float x) { return x; }

SFE_BOTH float to_float(Bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

SFE_BOTH void assign(float& y, float x) { y = x; }

// Rounds to the nearest, ties to even.
SFE_BOTH void assign(Bfloat16& y, float x) {
#ifdef __CUDA_ARCH__
  y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (x != x) {
    y.bits = 0x7fc0;
  } else {
    y.bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
#endif
}

SFE_BOTH int smaller(int a, int b) { return a < b ? a : b; }
SFE_BOTH int larger(int a, int b) { return a > b ? a : b; }
SFE_BOTH int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Rounds towards minus infinity; b > 0.
SFE_BOTH int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// What a launch ends with: null, or what went wrong.
using Failure = const char*;

#ifdef __CUDACC__

using Stream = cudaStream_t;
constexpr size_t kDefaultShared = 48 << 10;

template <class Body, int kPhase = 0>
__device__ __forceinline__ void run_phases(const typename Body::Arguments& arguments,
                                           float* shared) {
  Body::template phase<kPhase>(arguments, blockIdx.x, threadIdx.x, shared);
  if constexpr (kPhase + 1 < Body::kPhases) {
    __syncthreads();
    run_phases<Body, kPhase + 1>(arguments, shared);
  }
}

template <class Body>
__global__ void __launch_bounds__(kThreads)
    run_block(const __grid_constant__ typename Body::Arguments arguments) {
  extern __shared__ Float4 shared[];
  run_phases<Body>(arguments, reinterpret_cast<float*>(shared));
}

// Bytes of shared memory that one block may have.
inline size_t shared_limit() {
  int device = 0, bytes = static_cast<int>(kDefaultShared);
  if (cudaGetDevice(&device) == cudaSuccess) {
    cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  return bytes;
}

template <class Body>
Failure launch(const typename Body::Arguments& arguments, int64_t blocks, size_t shared_bytes,
               Stream stream) {
  if (blocks == 0) return nullptr;
  if (blocks > std::numeric_limits<int32_t>::max()) return "the grid has more than 2^31 - 1 blocks";
  if (shared_bytes > kDefaultShared) {
    const int bytes = static_cast<int>(shared_bytes);
    const cudaError_t error = cudaFuncSetAttribute(
        run_block<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return cudaGetErrorString(error);
  }
  run_block<Body><<<static_cast<unsigned>(blocks), kThreads, shared_bytes, stream>>>(arguments);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

#else

struct Stream {};

inline size_t shared_limit() { return 96 << 10; }

template <class Body, int kPhase = 0>
void run_phases(const typename Body::Arguments& arguments, unsigned block, float* shared) {
  for (int i = 0; i < kThreads; ++i) {
    // Odd blocks run backwards, so that a result that depends on the order of threads shows.
    const int thread = block % 2 ? kThreads - 1 - i : i;
    Body::template phase<kPhase>(arguments, block, thread, shared);
  }
  if constexpr (kPhase + 1 < Body::kPhases) run_phases<Body, kPhase + 1>(arguments, block, shared);
}

template <class Body>
Failure launch(const typename Body::Arguments& arguments, int64_t blocks, size_t shared_bytes,
               Stream) {
  const size_t count = shared_bytes / sizeof(Float4) + 1;
  std::vector<Float4> shared(count);
  const float unset = std::numeric_limits<float>::quiet_NaN();
  for (int64_t block = 0; block < blocks; ++block) {
    // What a block reads before it wrote it must show.
    shared.assign(count, Float4{{unset, unset, unset, unset}});
    run_phases<Body>(arguments, static_cast<unsigned>(block), shared.data()->v);
  }
  return nullptr;
}

#endif

}  // namespace sfe
