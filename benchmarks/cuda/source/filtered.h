// Leaky ReLU between two resamplings, whose middle map stays in shared memory.
//
//     forward    y = D phi(U (x + b)),           phi(u) = bound(gain leaky(u))
//     backward   y = D (phi'(u) . (U x)),        phi'(u) read from the signs of a forward pass
//
// The signs take two bits a number, four channels a byte. The adjoint of the backward form is the
// backward form of the adjoint resamplings, under the same signs: so all derivatives are here.
#pragma once

#include "resampling.h"

namespace sfe {

enum Mode { kForward, kForwardKeepingSigns, kBackward };

enum Sign : uint8_t { kPositive = 0, kNegative = 1, kBounded = 2 };

struct LeakyRelu {
  float slope, gain, clamp;  // `clamp` is infinite for no bound.

  SFE_BOTH uint8_t sign(float u) const {
    const float y = gain * (u > 0 ? u : slope * u);
    return y >= clamp || y <= -clamp ? kBounded : u > 0 ? kPositive : kNegative;
  }
  SFE_BOTH float value(float u) const {
    const float y = gain * (u > 0 ? u : slope * u);
    return y > clamp ? clamp : y < -clamp ? -clamp : y;
  }
  SFE_BOTH float derivative(uint8_t sign) const {
    return sign == kPositive ? gain : sign == kNegative ? gain * slope : 0.0f;
  }
};

template <class T>
struct FilteredArguments {
  const T* x;
  const float* bias;  // [C], or null.
  uint8_t* signs;     // [N, up.y.out, up.x.out, ceil(C / 4)], written or read, or null.
  T* y;
  int channels;
  bool aligned;
  Resampling up, down;
  LeakyRelu leaky;
  Grid grid;
  int words;  // Of the first map in shared memory; the second follows.
};

// Where a block works: strips of the output, of the middle map, and what they read.
struct Reach {
  Strips down_y, down_x, up_y, up_x;
  Span in_y, in_x, middle_y, middle_x, out_x;

  SFE_BOTH Reach(const Resampling& up, const Resampling& down, const Place& place,
                 const Tile& tile) {
    down_y = {place.row / down.y.strip, tile.height / down.y.strip};
    down_x = {place.column / 4, tile.width / 4};
    const Span needed_y = read_by(down.y, down_y), needed_x = read_by(down.x, down_x);
    up_y = strips_over(up.y, needed_y.begin, needed_y.begin + needed_y.size);
    up_x = strips_over(up.x, needed_x.begin, needed_x.begin + needed_x.size);
    in_y = read_by(up.y, up_y);
    in_x = read_by(up.x, up_x);
    middle_y = made_by(up.y, up_y);
    middle_x = made_by(up.x, up_x);
    out_x = made_by(down.x, down_x);
  }
};

// Middle samples whose signs a block writes: up to where the next block's window starts.
SFE_BOTH Span owned(const Axis& axis, int tile, int index, bool last, int size) {
  const int strips = tile / axis.strip;
  const int begin = index == 0 ? 0 : axis.start(index * strips);
  return {begin, (last ? size : axis.start((index + 1) * strips)) - begin};
}

SFE_BOTH bool within(const Span& span, int at) {
  return at >= span.begin && at < span.begin + span.size;
}

template <class T, Mode kMode>
struct Filtered {
  using Arguments = FilteredArguments<T>;
  static constexpr int kPhases = 5;

  // Words of two maps, which take turns: loaded, filtered along x, middle, filtered along x again.
  static void sizes(const Resampling& up, const Resampling& down, const Tile& tile,
                    int (&words)[2]) {
    const auto most = [](const Axis& up, int needed) {
      return (needed + 2 * up.strip - 2) / up.strip;  // Strips over `needed` samples.
    };
    const int up_y = most(up.y, down.y.extent(tile.height / down.y.strip));
    const int up_x = most(up.x, down.x.extent(tile.width / 4));
    const int height = up_y * up.y.strip, width = up_x * 4, in_height = up.y.extent(up_y);
    const int loaded = map_words(in_height, up.x.extent(up_x), tile.vectors);
    const int half = up.separable ? map_words(in_height, width, tile.vectors) : 0;
    const int middle = map_words(height, width, tile.vectors);
    const int last = down.separable ? map_words(height, tile.width, tile.vectors) : 0;
    words[0] = larger(loaded, up.separable ? middle : last);
    words[1] = larger(half, up.separable ? last : middle);
  }

  // What becomes of a middle sample of four channels.
  SFE_BOTH static Float4 bend(const Arguments& a, const Place& place, const Span& rows,
                              const Span& columns, int row, int column, int vector,
                              const Float4& value) {
    const int height = a.up.y.out, width = a.up.x.out, groups = (a.channels + 3) / 4;
    const int group = place.channel / 4 + vector;
    Float4 y = zero4();
    if (row < 0 || row >= height || column < 0 || column >= width || group >= groups) return y;
    uint8_t* byte = nullptr;
    if constexpr (kMode != kForward) {
      const int64_t line = (place.sample * height + row) * width + column;
      byte = a.signs + line * groups + group;
    }
    if constexpr (kMode == kBackward) {
      const uint8_t signs = *byte;
      SFE_UNROLL
      for (int k = 0; k < 4; ++k) y.v[k] = value.v[k] * a.leaky.derivative(signs >> 2 * k & 3);
    } else {
      SFE_UNROLL
      for (int k = 0; k < 4; ++k) y.v[k] = a.leaky.value(value.v[k]);
    }
    if constexpr (kMode == kForwardKeepingSigns) {
      if (within(rows, row) && within(columns, column)) {
        unsigned signs = 0;
        SFE_UNROLL
        for (int k = 0; k < 4; ++k) signs |= a.leaky.sign(value.v[k]) << 2 * k;
        *byte = static_cast<uint8_t>(signs);
      }
    }
    return y;
  }

  template <int kPhase>
  SFE_BOTH static void phase(const Arguments& a, unsigned block, int thread, float* shared) {
    const Resampling &up = a.up, &down = a.down;
    const Tile& tile = a.grid.tile;
    const Place place = a.grid.place(block);
    const Reach reach(up, down, place, tile);
    Float4* up_taps = reinterpret_cast<Float4*>(shared);
    Float4* down_taps = up_taps + up.tables();
    Float4* first = down_taps + down.tables();
    Float4* second = first + a.words;
    const Map loaded{first, reach.in_y, reach.in_x, tile.vectors};
    const Map half{second, reach.in_y, reach.middle_x, tile.vectors};
    const Map middle{up.separable ? first : second, reach.middle_y, reach.middle_x, tile.vectors};
    const Map last{up.separable ? second : first, reach.middle_y, reach.out_x, tile.vectors};

    const auto into = [](const Map& map) {
      return [map](int row, int column, int vector, const Float4& value) {
        *map.at(row, column, vector) = value;
      };
    };

    if constexpr (kPhase == 0) {
      load_taps(up, up_taps, thread);
      load_taps(down, down_taps, thread);
      const int64_t base = place.sample * up.y.in * up.x.in * a.channels;
      load(Picture<const T>{a.x + base, up.y.in, up.x.in, a.channels, place.channel, a.aligned},
           a.bias, loaded, thread);
    } else if constexpr (kPhase == 1) {
      if (up.separable) along_x(up.x, up_taps, loaded, reach.up_x, thread, into(half));
    } else if constexpr (kPhase == 2) {
      const Span rows = owned(down.y, tile.height, place.down, place.last_down, up.y.out);
      const Span columns = owned(down.x, tile.width, place.across, place.last_across, up.x.out);
      const auto store = [&](int row, int column, int vector, const Float4& value) {
        *middle.at(row, column, vector) =
            bend(a, place, rows, columns, row, column, vector, value);
      };
      if (up.separable) {
        const Float4* taps = up_taps + up.x.den * up.x.window;
        along_y(up.y, taps, half, half.x, reach.up_y, thread, store);
      } else {
        along_both(up, up_taps, loaded, reach.up_y, reach.up_x, thread, store);
      }
    } else if constexpr (kPhase == 3) {
      if (down.separable) along_x(down.x, down_taps, middle, reach.down_x, thread, into(last));
    } else {
      const int64_t base = place.sample * down.y.out * down.x.out * a.channels;
      const Picture<T> to{a.y + base,  down.y.out,    down.x.out,
                          a.channels, place.channel, a.aligned};
      const auto store = [&](int row, int column, int vector, const Float4& value) {
        save(to, row, column, vector, value);
      };
      if (down.separable) {
        const Float4* taps = down_taps + down.x.den * down.x.window;
        along_y(down.y, taps, last, last.x, reach.down_y, thread, store);
      } else {
        along_both(down, down_taps, middle, reach.down_y, reach.down_x, thread, store);
      }
    }
  }
};

}  // namespace sfe
