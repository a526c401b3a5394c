// The activations and their first two derivatives, in float32.
#pragma once

#include <cmath>

#include "portable.h"

namespace sfe {

// The order is that of `pointwise.ACTIVATIONS` in Python.
enum Activation { kLinear, kRelu, kLrelu, kTanh, kSigmoid, kElu, kSelu, kSoftplus, kSwish };

constexpr int kAny = -1;  // An activation that only the arguments of a kernel name.

// Klambauer et al. (arXiv:1706.02515), page 4.
constexpr float kSeluAlpha = 1.6732632423543772f;
constexpr float kSeluScale = 1.0507009873554805f;

SFE_BOTH float sigmoid(float u) { return 1.0f / (1.0f + expf(-u)); }

// Exponential linear unit, or its first or second derivative.
SFE_BOTH float elu(float u, float alpha, int order) {
  if (u > 0) return order == 0 ? u : order == 1 ? 1.0f : 0.0f;
  return alpha * (order == 0 ? expm1f(u) : expf(u));
}

// The derivative of order 0, 1 or 2 at `u`. The branches are the same for all threads.
SFE_BOTH float activate(int activation, int order, float u, float alpha) {
  switch (activation) {
    case kRelu:
      return order == 0 ? (u < 0 ? 0.0f : u) : order == 1 && u > 0 ? 1.0f : 0.0f;
    case kLrelu: {
      const float slope = u > 0 ? 1.0f : alpha;
      return order == 0 ? slope * u : order == 1 ? slope : 0.0f;
    }
    case kTanh: {
      const float t = tanhf(u), slope = 1.0f - t * t;
      return order == 0 ? t : order == 1 ? slope : -2.0f * t * slope;
    }
    case kSigmoid: {
      const float s = sigmoid(u), slope = s * (1.0f - s);
      return order == 0 ? s : order == 1 ? slope : slope * (1.0f - 2.0f * s);
    }
    case kElu:
      return elu(u, 1.0f, order);
    case kSelu:
      return kSeluScale * (u > 0 ? elu(u, 1.0f, order) : elu(u, kSeluAlpha, order));
    case kSoftplus: {
      const float s = sigmoid(u);
      if (order == 0) return fmaxf(u, 0.0f) + log1pf(expf(-fabsf(u)));
      return order == 1 ? s : s * (1.0f - s);
    }
    case kSwish: {
      const float s = sigmoid(u), slope = s * (1.0f - s);
      if (order == 0) return u * s;
      return order == 1 ? s + u * slope : slope * (2.0f + u * (1.0f - 2.0f * s));
    }
    default:  // kLinear.
      return order == 0 ? u : order == 1 ? 1.0f : 0.0f;
  }
}

// An activation with its gain and bound: y = min(max(gain a(u), -clamp), clamp).
//
// `kKnown` is the activation where the compiler shall know it, or `kAny`.
struct Nonlinearity {
  int activation;
  float alpha;  // Slope of negative values, for leaky ReLU.
  float gain;
  float clamp;  // Infinite for no bound.

  template <int kKnown>
  SFE_BOTH float unbounded(int order, float u) const {
    return gain * activate(kKnown == kAny ? activation : kKnown, order, u, alpha);
  }

  template <int kKnown>
  SFE_BOTH float value(float u) const {
    const float y = unbounded<kKnown>(0, u);
    return y > clamp ? clamp : y < -clamp ? -clamp : y;  // Leaves what is not a number.
  }

  // The derivative of order 1 or 2; 0 where the bound holds.
  template <int kKnown>
  SFE_BOTH float derivative(int order, float u) const {
    const bool bounded = fabsf(unbounded<kKnown>(0, u)) >= clamp;
    return bounded ? 0.0f : unbounded<kKnown>(order, u);
  }
};

}  // namespace sfe
