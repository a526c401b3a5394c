// What XLA calls: reads buffers and attributes, plans, launches.
#pragma once

#include <string>
#include <type_traits>

#include "filtered.h"
#include "pointwise.h"
#include "resampling.h"
#include "tiles.h"
#include "xla/ffi/api/ffi.h"

namespace sfe {

namespace ffi = xla::ffi;

using In = ffi::AnyBuffer;
using Out = ffi::Result<ffi::AnyBuffer>;

inline ffi::Error answer(Failure failure) {
  return failure ? ffi::Error::Internal(failure) : ffi::Error::Success();
}

inline int size_of(const In& x, int axis) { return static_cast<int>(x.dimensions()[axis]); }

// The data of a buffer; null where it has no elements, which is how a missing operand comes.
template <class T>
T* data(const In& x) {
  return x.element_count() ? static_cast<T*>(x.untyped_data()) : nullptr;
}

inline bool on_bounds(const void* p, size_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

// Calls `function(T())` with the C++ type of `x`.
template <class Function>
ffi::Error by_type(const In& x, const Function& function) {
  switch (x.element_type()) {
    case ffi::DataType::F32:
      return function(float());
    case ffi::DataType::BF16:
      return function(Bfloat16());
    default:
      return ffi::Error::InvalidArgument("the type of `x` must be float32 or bfloat16");
  }
}

// Pointwise.

constexpr int kForwardPixels = 8;  // Pixels that a thread walks over.

template <class T>
PointwiseArguments<T> pointwise_arguments(const In& x, const In& scale, const In& noise,
                                          const In& bias, const In& factor, Out y,
                                          Nonlinearity nonlinearity, int order) {
  PointwiseArguments<T> a{};
  a.x = data<T>(x), a.factor = data<T>(factor), a.y = data<T>(*y);
  a.scale = data<float>(scale), a.noise = data<float>(noise), a.bias = data<float>(bias);
  a.noise_stride = a.noise && size_of(noise, 0) > 1 ? x.dimensions()[1] : 0;
  a.nonlinearity = nonlinearity, a.order = order;
  return a;
}

// Whether 16 bytes of channels may be moved at once.
template <class T>
bool in_packs(const PointwiseArguments<T>& a, int channels) {
  return channels % (16 / sizeof(T)) == 0 && on_bounds(a.x, 16) && on_bounds(a.y, 16) &&
         on_bounds(a.factor, 16);
}

// Calls `run(body, channels a move)` for the type, the alignment and the activation. Those that the
// networks of the family are made of are known to the compiler, the others are chosen as they run.
template <template <class, int, int> class Body, class T, class Run>
ffi::Error by_body(const PointwiseArguments<T>& a, int channels, const Run& run) {
  constexpr int kPack = 16 / sizeof(T);
  const auto known = [&](auto activation) {
    constexpr int kKnown = decltype(activation)::value;
    return in_packs(a, channels) ? run(Body<T, kPack, kKnown>(), kPack)
                                 : run(Body<T, 1, kKnown>(), 1);
  };
  switch (a.nonlinearity.activation) {
    case kLinear:
      return known(std::integral_constant<int, kLinear>());
    case kLrelu:
      return known(std::integral_constant<int, kLrelu>());
    default:
      return known(std::integral_constant<int, kAny>());
  }
}

// x [N, P, C], scale [N, C], noise [1 or N, P], bias [C], factor [N, P, C] -> y [N, P, C].
inline ffi::Error pointwise(Stream stream, In x, In scale, In noise, In bias, In factor, Out y,
                            int32_t activation, float alpha, float gain, float clamp,
                            int32_t order) {
  return by_type(x, [&](auto zero) {
    using T = decltype(zero);
    auto a = pointwise_arguments<T>(x, scale, noise, bias, factor, y,
                                    {activation, alpha, gain, clamp}, order);
    const int64_t samples = x.dimensions()[0], pixels = x.dimensions()[1];
    const int channels = size_of(x, 2);
    if (x.element_count() == 0) return ffi::Error::Success();
    return by_body<Pointwise>(a, channels, [&](auto body, int vector) {
      const int rows = kThreads / smaller(channels / vector, kThreads);
      a.walk = Walk::plan(pixels, channels, vector, rows * kForwardPixels);
      return answer(launch<decltype(body)>(a, samples * a.walk.chunks, 0, stream));
    });
  });
}

// As `pointwise`, with the cotangent as factor -> dx [N, P, C], and sums by scale [N, chunks, C],
// noise [N, P] and bias [N, chunks, C], each empty if not wanted.
inline ffi::Error pointwise_gradient(Stream stream, In x, In scale, In noise, In bias, In cotangent,
                                     Out dx, Out dscale, Out dnoise, Out dbias, int32_t activation,
                                     float alpha, float gain, float clamp,
                                     int32_t pixels_a_block) {
  return by_type(x, [&](auto zero) {
    using T = decltype(zero);
    auto a = pointwise_arguments<T>(x, scale, noise, bias, cotangent, dx,
                                    {activation, alpha, gain, clamp}, 1);
    a.scale_sums = data<float>(*dscale), a.noise_sums = data<float>(*dnoise);
    a.bias_sums = data<float>(*dbias);
    const int64_t samples = x.dimensions()[0], pixels = x.dimensions()[1];
    const int channels = size_of(x, 2);
    if (x.element_count() == 0) return ffi::Error::Success();
    return by_body<PointwiseGradient>(a, channels, [&](auto body, int vector) {
      using Body = decltype(body);
      a.walk = Walk::plan(pixels, channels, vector, pixels_a_block);
      const size_t bytes = sizeof(float) * Body::shared_floats(a);
      if (bytes > shared_limit()) {
        return ffi::Error::InvalidArgument(std::to_string(channels) + " channels need " +
                                           std::to_string(bytes) + " bytes of shared memory");
      }
      return answer(launch<Body>(a, samples * a.walk.chunks, bytes, stream));
    });
  });
}

// Resampling.

constexpr int kAxisNumbers = 7;

// From 14 whole numbers, columns (x) first, and the tables of taps.
inline Resampling resampling(ffi::Span<const int64_t> numbers, const In& taps) {
  const auto axis = [&](int from) {
    const auto at = [&](int i) { return static_cast<int>(numbers[from + i]); };
    return Axis{at(0), at(1), at(2), at(3), at(4), at(5), at(6)};
  };
  Resampling f{axis(0), axis(kAxisNumbers), true, data<float>(taps)};
  f.separable = f.y.strip == 4;
  return f;
}

inline ffi::Error no_tile(size_t limit) {
  return ffi::Error::InvalidArgument("the filters are too long for the " + std::to_string(limit) +
                                     " bytes of shared memory of a block");
}

// x [N, H, W, C] -> y [N, H', W', C].
inline ffi::Error resample(Stream stream, In x, In taps, Out y, ffi::Span<const int64_t> filter) {
  return by_type(x, [&](auto zero) {
    using T = decltype(zero);
    using Body = Resample<T>;
    if (y->element_count() == 0) return ffi::Error::Success();
    ResampleArguments<T> a{};
    a.x = data<T>(x), a.y = data<T>(*y);
    a.channels = size_of(x, 3);
    a.filter = resampling(filter, taps);
    a.aligned = a.channels % 4 == 0 && on_bounds(a.x, 16) && on_bounds(a.y, 16);
    const Choice choice = choose_tile(
        a.filter.y.out, a.filter.x.out, a.channels, a.filter.tables(), shared_limit(),
        [&](const Tile& tile, int (&words)[2]) { Body::sizes(a.filter, tile, words); },
        [&](const Tile& tile) { return clocks(a.filter, tile, sizeof(T)); });
    if (choice.bytes == 0) return no_tile(shared_limit());
    a.grid = Grid::plan(choice.tile, a.filter.y.out, a.filter.x.out, a.channels);
    a.words = choice.words[0];
    return answer(launch<Body>(a, a.grid.blocks(x.dimensions()[0]), choice.bytes, stream));
  });
}

template <class T, Mode kMode>
ffi::Error launch_filtered(Stream stream, FilteredArguments<T>& a, int64_t samples) {
  using Body = Filtered<T, kMode>;
  const Axis &rows = a.down.y, &columns = a.down.x;
  const Choice choice = choose_tile(
      rows.out, columns.out, a.channels, a.up.tables() + a.down.tables(), shared_limit(),
      [&](const Tile& tile, int (&words)[2]) { Body::sizes(a.up, a.down, tile, words); },
      [&](const Tile& tile) { return clocks(a.up, a.down, tile, sizeof(T)); });
  if (choice.bytes == 0) return no_tile(shared_limit());
  a.grid = Grid::plan(choice.tile, rows.out, columns.out, a.channels);
  a.words = choice.words[0];
  return answer(launch<Body>(a, a.grid.blocks(samples), choice.bytes, stream));
}

template <Mode kMode>
ffi::Error filtered(Stream stream, const In& x, const float* bias, uint8_t* signs,
                    const In& up_taps, const In& down_taps, Out y, ffi::Span<const int64_t> up,
                    ffi::Span<const int64_t> down, LeakyRelu leaky) {
  return by_type(x, [&](auto zero) {
    using T = decltype(zero);
    if (y->element_count() == 0) return ffi::Error::Success();
    FilteredArguments<T> a{};
    a.x = data<T>(x), a.bias = bias, a.signs = signs, a.y = data<T>(*y);
    a.channels = size_of(x, 3);
    a.aligned = a.channels % 4 == 0 && on_bounds(a.x, 16) && on_bounds(a.y, 16);
    a.up = resampling(up, up_taps), a.down = resampling(down, down_taps);
    a.leaky = leaky;
    return launch_filtered<T, kMode>(stream, a, x.dimensions()[0]);
  });
}

// x [N, H, W, C], bias [C] or empty -> y [N, H', W', C].
inline ffi::Error filtered_forward(Stream stream, In x, In bias, In up_taps, In down_taps, Out y,
                                   ffi::Span<const int64_t> up, ffi::Span<const int64_t> down,
                                   float slope, float gain, float clamp) {
  return filtered<kForward>(stream, x, data<float>(bias), nullptr, up_taps, down_taps, y, up, down,
                            {slope, gain, clamp});
}

// The same -> y, and the signs of the middle map [N, h, w, ceil(C / 4)].
inline ffi::Error filtered_keeping_signs(Stream stream, In x, In bias, In up_taps, In down_taps,
                                         Out y, Out signs, ffi::Span<const int64_t> up,
                                         ffi::Span<const int64_t> down, float slope, float gain,
                                         float clamp) {
  return filtered<kForwardKeepingSigns>(stream, x, data<float>(bias), data<uint8_t>(*signs),
                                        up_taps, down_taps, y, up, down, {slope, gain, clamp});
}

// x and signs -> y, linear in x.
inline ffi::Error filtered_backward(Stream stream, In x, In signs, In up_taps, In down_taps, Out y,
                                    ffi::Span<const int64_t> up, ffi::Span<const int64_t> down,
                                    float slope, float gain, float clamp) {
  return filtered<kBackward>(stream, x, nullptr, data<uint8_t>(signs), up_taps, down_taps, y, up,
                             down, {slope, gain, clamp});
}

}  // namespace sfe

#ifdef __CUDACC__
#define SFE_BIND xla::ffi::Ffi::Bind().Ctx<xla::ffi::PlatformStream<sfe::Stream>>()
#define SFE_CALL(function) sfe::function
#else
#define SFE_BIND xla::ffi::Ffi::Bind()
// Without the stream, of which a processor has none.
#define SFE_CALL(function) \
  [](auto... arguments) { return sfe::function(sfe::Stream(), arguments...); }
#endif

// XLA may record a handler into a CUDA graph: it does nothing but launch on the stream.
#define SFE_HANDLER(name, function, binding)                        \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, SFE_CALL(function), binding, \
                                {xla::ffi::Traits::kCmdBufferCompatible})

#define SFE_IN .Arg<xla::ffi::AnyBuffer>()
#define SFE_OUT .Ret<xla::ffi::AnyBuffer>()
#define SFE_NUMBERS(name) .Attr<xla::ffi::Span<const int64_t>>(name)

// clang-format off
SFE_HANDLER(sfe_pointwise, pointwise, SFE_BIND
    SFE_IN SFE_IN SFE_IN SFE_IN SFE_IN SFE_OUT
    .Attr<int32_t>("activation").Attr<float>("alpha").Attr<float>("gain").Attr<float>("clamp")
    .Attr<int32_t>("order"));

SFE_HANDLER(sfe_pointwise_gradient, pointwise_gradient, SFE_BIND
    SFE_IN SFE_IN SFE_IN SFE_IN SFE_IN SFE_OUT SFE_OUT SFE_OUT SFE_OUT
    .Attr<int32_t>("activation").Attr<float>("alpha").Attr<float>("gain").Attr<float>("clamp")
    .Attr<int32_t>("pixels_a_block"));

SFE_HANDLER(sfe_resample, resample, SFE_BIND
    SFE_IN SFE_IN SFE_OUT SFE_NUMBERS("filter"));

#define SFE_LEAKY .Attr<float>("slope").Attr<float>("gain").Attr<float>("clamp")

SFE_HANDLER(sfe_filtered_forward, filtered_forward, SFE_BIND
    SFE_IN SFE_IN SFE_IN SFE_IN SFE_OUT SFE_NUMBERS("up") SFE_NUMBERS("down") SFE_LEAKY);

SFE_HANDLER(sfe_filtered_keeping_signs, filtered_keeping_signs, SFE_BIND
    SFE_IN SFE_IN SFE_IN SFE_IN SFE_OUT SFE_OUT SFE_NUMBERS("up") SFE_NUMBERS("down") SFE_LEAKY);

SFE_HANDLER(sfe_filtered_backward, filtered_backward, SFE_BIND
    SFE_IN SFE_IN SFE_IN SFE_IN SFE_OUT SFE_NUMBERS("up") SFE_NUMBERS("down") SFE_LEAKY);
// clang-format on
