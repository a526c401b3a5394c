// What follows a linear map, in one pass over memory: scale, noise, bias, activation, gain, bound.
//
//     u = x[n, p, c] scale[n, c] + noise[n, p] + bias[c]
//     y = m[n, p, c] D(u),      D the bounded activation or one of its first two derivatives
//
// Each of scale, noise, bias and m may be missing. With bias alone this is `bias_act`; with all of
// the first three it is the epilogue of a modulated convolution; m carries cotangents.
//
// A thread owns neighbouring channels, 16 bytes of them where their number allows, and walks over
// pixels: scale and bias are read once, nothing is divided in the loop, and a warp's loads touch
// one stretch of memory. Offsets of a sample have 64 bits, those within a block's pixels 32.
#pragma once

#include "activations.h"
#include "portable.h"

namespace sfe {

// How the threads of a block share a sample's pixels [pixels, channels].
struct Walk {
  int64_t pixels;
  int channels;
  int lanes;          // Threads side by side along the channels,
  int rows;           // and along the pixels.
  int pixels_a_block;
  int chunks;         // Blocks a sample.

  static Walk plan(int64_t pixels, int channels, int vector, int pixels_a_block) {
    const int lanes = smaller(channels / vector, kThreads);
    const int chunks = static_cast<int>((pixels + pixels_a_block - 1) / pixels_a_block);
    return {pixels, channels, lanes, kThreads / lanes, pixels_a_block, chunks};
  }

  SFE_BOTH int count(unsigned block) const {  // Pixels of a block.
    const int64_t left = pixels - static_cast<int64_t>(block % chunks) * pixels_a_block;
    return left < pixels_a_block ? static_cast<int>(left) : pixels_a_block;
  }
  SFE_BOTH int64_t sample(unsigned block) const { return block / chunks; }
  SFE_BOTH int64_t first(unsigned block) const {  // First pixel, in its sample.
    return static_cast<int64_t>(block % chunks) * pixels_a_block;
  }
};

template <class T>
struct PointwiseArguments {
  Walk walk;
  const T* x;
  const float* scale;  // [N, C]
  const float* noise;  // [N, P], or [P] if `noise_stride` is 0.
  const float* bias;   // [C]
  const T* factor;     // m, or the cotangent.
  T* y;
  int64_t noise_stride;  // From one sample's noise to the next.
  Nonlinearity nonlinearity;
  int order;  // Of the derivative.
  // Of the gradient alone:
  float* scale_sums;  // [N, chunks, C]
  float* noise_sums;  // [N, P]
  float* bias_sums;   // [N, chunks, C]
};

// What a thread reads once.
template <int V>
struct Channels {
  float scale[V], bias[V];

  template <class T>
  SFE_BOTH Channels(const PointwiseArguments<T>& a, int64_t sample, int channel) {
    SFE_UNROLL
    for (int k = 0; k < V; ++k) {
      scale[k] = a.scale ? a.scale[sample * a.walk.channels + channel + k] : 1.0f;
      bias[k] = a.bias ? a.bias[channel + k] : 0.0f;
    }
  }
};

// y = m D(u).
template <class T, int V, int kKnown>
struct Pointwise {
  using Arguments = PointwiseArguments<T>;
  static constexpr int kPhases = 1;

  template <int kPhase>
  SFE_BOTH static void phase(const Arguments& a, unsigned block, int thread, float*) {
    const Walk& walk = a.walk;
    const int row = thread / walk.lanes, lane = thread % walk.lanes;
    if (row >= walk.rows) return;
    const int64_t sample = walk.sample(block), first = walk.first(block);
    const int64_t base = (sample * walk.pixels + first) * walk.channels;
    const float* noise = a.noise ? a.noise + sample * a.noise_stride + first : nullptr;
    const int count = walk.count(block);
    for (int channel = lane * V; channel < walk.channels; channel += walk.lanes * V) {
      const Channels<V> own(a, sample, channel);
#pragma unroll 4
      for (int p = row; p < count; p += walk.rows) {
        const int64_t at = base + static_cast<int64_t>(p) * walk.channels + channel;
        const auto x = *reinterpret_cast<const Pack<T, V>*>(a.x + at);
        Pack<T, V> factor, y;
        if (a.factor) factor = *reinterpret_cast<const Pack<T, V>*>(a.factor + at);
        const float more = noise ? noise[p] : 0.0f;
        SFE_UNROLL
        for (int k = 0; k < V; ++k) {
          const float u = to_float(x.v[k]) * own.scale[k] + more + own.bias[k];
          const float d =
              a.order ? a.nonlinearity.template derivative<kKnown>(a.order, u)
                      : a.nonlinearity.template value<kKnown>(u);
          assign(y.v[k], a.factor ? to_float(factor.v[k]) * d : d);
        }
        *reinterpret_cast<Pack<T, V>*>(a.y + at) = y;
      }
    }
  }
};

// The slopes by x, scale, noise and bias, from one reading of x and the cotangent g (`factor`):
//
//     v = g D'(u),   dx = v scale,   dscale = sum_p v x,   dnoise = sum_c v,   dbias = sum_p v
//
// The sums over pixels are those of a block; the caller adds the blocks. Sums over channels are
// whole, since a block has all channels of its pixels.
template <class T, int V, int kKnown>
struct PointwiseGradient {
  using Arguments = PointwiseArguments<T>;
  static constexpr int kPhases = 2;

  // Floats of a block: rows of sums by channel, twice, and a column of sums for each pixel. An odd
  // pitch puts the columns of neighbouring pixels on different banks.
  SFE_BOTH static int pitch(const Walk& walk) { return walk.lanes | 1; }
  static size_t shared_floats(const Arguments& a) {
    const size_t columns = a.noise_sums ? static_cast<size_t>(a.walk.pixels_a_block) : 0;
    return 2 * static_cast<size_t>(a.walk.rows) * a.walk.channels + columns * pitch(a.walk);
  }

  template <int kPhase>
  SFE_BOTH static void phase(const Arguments& a, unsigned block, int thread, float* shared) {
    float* columns = shared + 2 * a.walk.rows * a.walk.channels;
    if constexpr (kPhase == 0) {
      add_up(a, block, thread, shared, columns);
    } else {
      finish(a, block, thread, shared, columns);
    }
  }

  SFE_BOTH static void add_up(const Arguments& a, unsigned block, int thread, float* sums,
                              float* columns) {
    const Walk& walk = a.walk;
    const int row = thread / walk.lanes, lane = thread % walk.lanes;
    if (row >= walk.rows) return;
    const int64_t sample = walk.sample(block), first = walk.first(block);
    const int64_t base = (sample * walk.pixels + first) * walk.channels;
    const float* noise = a.noise ? a.noise + sample * a.noise_stride + first : nullptr;
    const int count = walk.count(block);
    for (int channel = lane * V; channel < walk.channels; channel += walk.lanes * V) {
      const Channels<V> own(a, sample, channel);
      float sum[V] = {}, sum_x[V] = {};
#pragma unroll 2
      for (int p = row; p < count; p += walk.rows) {
        const int64_t at = base + static_cast<int64_t>(p) * walk.channels + channel;
        const auto x = *reinterpret_cast<const Pack<T, V>*>(a.x + at);
        const auto g = *reinterpret_cast<const Pack<T, V>*>(a.factor + at);
        const float more = noise ? noise[p] : 0.0f;
        Pack<T, V> dx;
        float across = 0.0f;
        SFE_UNROLL
        for (int k = 0; k < V; ++k) {
          const float value = to_float(x.v[k]);
          const float u = value * own.scale[k] + more + own.bias[k];
          const float v = to_float(g.v[k]) * a.nonlinearity.template derivative<kKnown>(1, u);
          sum[k] += v;
          sum_x[k] += v * value;
          across += v;
          assign(dx.v[k], v * own.scale[k]);
        }
        *reinterpret_cast<Pack<T, V>*>(a.y + at) = dx;
        if (a.noise_sums) {
          float& column = columns[p * pitch(walk) + lane];
          column = channel == lane * V ? across : column + across;
        }
      }
      SFE_UNROLL
      for (int k = 0; k < V; ++k) {
        const int at = row * walk.channels + channel + k;
        sums[at] = sum[k];
        sums[walk.rows * walk.channels + at] = sum_x[k];
      }
    }
  }

  SFE_BOTH static void finish(const Arguments& a, unsigned block, int thread, const float* sums,
                              const float* columns) {
    const Walk& walk = a.walk;
    for (int channel = thread; channel < walk.channels; channel += kThreads) {
      float sum = 0.0f, sum_x = 0.0f;
      for (int row = 0; row < walk.rows; ++row) {
        const int at = row * walk.channels + channel;
        sum += sums[at];
        sum_x += sums[walk.rows * walk.channels + at];
      }
      const int64_t at = static_cast<int64_t>(block) * walk.channels + channel;
      if (a.bias_sums) a.bias_sums[at] = sum;
      if (a.scale_sums) a.scale_sums[at] = sum_x;
    }
    if (!a.noise_sums) return;
    float* found = a.noise_sums + walk.sample(block) * walk.pixels + walk.first(block);
    for (int p = thread; p < walk.count(block); p += kThreads) {
      float sum = 0.0f;
      for (int lane = 0; lane < walk.lanes; ++lane) sum += columns[p * pitch(walk) + lane];
      found[p] = sum;
    }
  }
};

}  // namespace sfe
