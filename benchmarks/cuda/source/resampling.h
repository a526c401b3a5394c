// Resampling by tiles in shared memory, and filtered leaky ReLU made of two of them.
//
// Four neighbouring outputs of a resampled axis are a strip. The strips s of an axis all read a
// window of the input under the same few tables of taps:
//
//     out[4 s + r] = sum_j taps[s mod period][j][r] in[start(s) + j],    0 <= j < window
//     start(s) = floor(s num / den) + offset,    period = den
//
// The tables hold the factors, the padding, the gain and the flips, and zeros where a filter has no
// tap; so there is no other case here, the adjoint of a resampling is a resampling, and a value
// that was read once serves four outputs.
//
// In shared memory a pixel's channels lie together, four of them in one 16-byte word. Neighbouring
// threads have neighbouring channels, then pixels across the direction of the filter: of one row
// for filters along y, of one column for filters along x. Rows are an odd number of pixels apart,
// so that both orders meet every bank equally.
#pragma once

#include "activations.h"
#include "portable.h"

namespace sfe {

struct Axis {
  int in, out;     // Lengths.
  int strip;       // Outputs that belong together: 4, or 1 for the rows of a filter of two axes.
  int num, den;    // Input samples from strip to strip.
  int offset;      // Start of strip 0.
  int window;      // Input samples of a strip.

  SFE_BOTH int start(int s) const {
    return (den == 1 ? s * num : floor_div(s * num, den)) + offset;
  }
  SFE_BOTH int table(int s) const { return den == 1 ? 0 : s - floor_div(s, den) * den; }

  // At most so many inputs are read by `count` strips in a row.
  SFE_BOTH int extent(int count) const {
    return ceil_div((count - 1) * num, den) + (den > 1) + window;
  }
};

struct Resampling {
  Axis x, y;
  bool separable;
  // If separable: [x.den, x.window, 4], then [y.den, y.window, 4].
  // Else: [y.den, y.window, x.den, x.window, 4].
  const float* taps;

  SFE_BOTH int tables() const {  // Words of four taps.
    const int x_words = x.den * x.window, y_words = y.den * y.window;
    return separable ? x_words + y_words : x_words * y_words;
  }
};

// Strips along one axis: first and how many.
struct Strips {
  int first, count;
};

// Strips that hold the samples from `begin` to before `end`.
SFE_BOTH Strips strips_over(const Axis& axis, int begin, int end) {
  const int first = floor_div(begin, axis.strip);
  return {first, floor_div(end - 1, axis.strip) - first + 1};
}

// A stretch of an axis.
struct Span {
  int begin, size;
};

SFE_BOTH Span read_by(const Axis& axis, Strips strips) {
  const int begin = axis.start(strips.first);
  return {begin, axis.start(strips.first + strips.count - 1) + axis.window - begin};
}

SFE_BOTH Span made_by(const Axis& axis, Strips strips) {
  return {strips.first * axis.strip, strips.count * axis.strip};
}

// A map in shared memory.
struct Map {
  Float4* words;  // [y.size, x.size | 1, vectors]
  Span y, x;
  int vectors;  // Words of a pixel.

  SFE_BOTH Float4* at(int row, int column, int vector) const {
    return words + ((row - y.begin) * (x.size | 1) + column - x.begin) * vectors + vector;
  }
};

SFE_BOTH Float4 zero4() { return {{0.0f, 0.0f, 0.0f, 0.0f}}; }

// sums[r] += taps[r] value, for the outputs r of a strip.
SFE_BOTH void accumulate(Float4 (&sums)[4], const Float4& taps, const Float4& value) {
  SFE_UNROLL
  for (int r = 0; r < 4; ++r) {
    SFE_UNROLL
    for (int k = 0; k < 4; ++k) sums[r].v[k] += taps.v[r] * value.v[k];
  }
}

// Filters the rows of `in` along x and gives strips to `store(row, column, vector, value)`.
template <class Store>
SFE_BOTH void along_x(const Axis& axis, const Float4* taps, const Map& in, Strips strips,
                      int thread, const Store& store) {
  const int items = strips.count * in.y.size * in.vectors;
  for (int i = thread; i < items; i += kThreads) {
    const int vector = i % in.vectors, rest = i / in.vectors;
    const int row = in.y.begin + rest % in.y.size, s = strips.first + rest / in.y.size;
    const Float4* value = in.at(row, axis.start(s), vector);
    const Float4* weights = taps + axis.table(s) * axis.window;
    Float4 sums[4] = {zero4(), zero4(), zero4(), zero4()};
    for (int j = 0; j < axis.window; ++j) accumulate(sums, weights[j], value[j * in.vectors]);
    SFE_UNROLL
    for (int r = 0; r < 4; ++r) store(row, 4 * s + r, vector, sums[r]);
  }
}

// Filters the columns `columns` of `in` along y.
template <class Store>
SFE_BOTH void along_y(const Axis& axis, const Float4* taps, const Map& in, Span columns,
                      Strips strips, int thread, const Store& store) {
  const int items = strips.count * columns.size * in.vectors;
  const int pitch = (in.x.size | 1) * in.vectors;
  for (int i = thread; i < items; i += kThreads) {
    const int vector = i % in.vectors, rest = i / in.vectors;
    const int column = columns.begin + rest % columns.size, s = strips.first + rest / columns.size;
    const Float4* value = in.at(axis.start(s), column, vector);
    const Float4* weights = taps + axis.table(s) * axis.window;
    Float4 sums[4] = {zero4(), zero4(), zero4(), zero4()};
    for (int j = 0; j < axis.window; ++j) accumulate(sums, weights[j], value[j * pitch]);
    SFE_UNROLL
    for (int r = 0; r < 4; ++r) store(4 * s + r, column, vector, sums[r]);
  }
}

// Filters `in` along both axes at once, for filters that are no outer product.
template <class Store>
SFE_BOTH void along_both(const Resampling& filter, const Float4* taps, const Map& in, Strips rows,
                         Strips strips, int thread, const Store& store) {
  const int items = rows.count * strips.count * in.vectors;
  const int pitch = (in.x.size | 1) * in.vectors;
  const int across = filter.x.window, tables = filter.x.den;
  for (int i = thread; i < items; i += kThreads) {
    const int vector = i % in.vectors, rest = i / in.vectors;
    const int row = rows.first + rest % rows.count, s = strips.first + rest / rows.count;
    const Float4* value = in.at(filter.y.start(row), filter.x.start(s), vector);
    const Float4* weights =
        taps + (filter.y.table(row) * filter.y.window * tables + filter.x.table(s)) * across;
    Float4 sums[4] = {zero4(), zero4(), zero4(), zero4()};
    for (int k = 0; k < filter.y.window; ++k) {
      for (int j = 0; j < across; ++j) accumulate(sums, weights[j], value[j * in.vectors]);
      value += pitch;
      weights += tables * across;
    }
    SFE_UNROLL
    for (int r = 0; r < 4; ++r) store(row, 4 * s + r, vector, sums[r]);
  }
}

SFE_BOTH void load_taps(const Resampling& filter, Float4* taps, int thread) {
  const Float4* given = reinterpret_cast<const Float4*>(filter.taps);
  for (int i = thread; i < filter.tables(); i += kThreads) taps[i] = given[i];
}

// A picture in global memory, of which a block has the channels from `channel` on.
template <class T>
struct Picture {
  T* data;  // [height, width, channels], of one sample.
  int height, width, channels;
  int channel;
  bool aligned;  // Whether four channels from a multiple of four on may be moved at once.

  SFE_BOTH bool holds(int row, int column) const {
    return row >= 0 && row < height && column >= 0 && column < width;
  }
  SFE_BOTH int64_t offset(int row, int column) const {
    return (static_cast<int64_t>(row) * width + column) * channels + channel;
  }
};

// Fills `map`; zeros outside the picture and beyond its channels. Inside, `bias` is added.
template <class T>
SFE_BOTH void load(const Picture<const T>& from, const float* bias, const Map& map, int thread) {
  const int each = from.aligned ? map.vectors : 4 * map.vectors;  // Moves a pixel.
  const int items = map.y.size * map.x.size * each;
  for (int i = thread; i < items; i += kThreads) {
    const int part = i % each, rest = i / each;
    const int column = map.x.begin + rest % map.x.size, row = map.y.begin + rest / map.x.size;
    const bool inside = from.holds(row, column);
    if (from.aligned) {
      Float4 value = zero4();
      const int channel = from.channel + 4 * part;
      if (inside && channel < from.channels) {
        const T* source = from.data + from.offset(row, column) + 4 * part;
        const auto found = *reinterpret_cast<const Pack<T, 4>*>(source);
        SFE_UNROLL
        for (int k = 0; k < 4; ++k) {
          value.v[k] = to_float(found.v[k]) + (bias ? bias[channel + k] : 0.0f);
        }
      }
      *map.at(row, column, part) = value;
    } else {  // A channel a thread, so that a warp's loads still touch one stretch of memory.
      float value = 0.0f;
      const int channel = from.channel + part;
      if (inside && channel < from.channels) {
        value = to_float(from.data[from.offset(row, column) + part]);
        if (bias) value += bias[channel];
      }
      map.at(row, column, part / 4)->v[part % 4] = value;
    }
  }
}

// Writes four channels of a pixel, where the picture has them.
template <class T>
SFE_BOTH void save(const Picture<T>& to, int row, int column, int vector, const Float4& value) {
  if (!to.holds(row, column)) return;
  T* target = to.data + to.offset(row, column) + 4 * vector;
  const int left = to.channels - to.channel - 4 * vector;
  if (to.aligned) {
    if (left <= 0) return;
    Pack<T, 4> rounded;
    SFE_UNROLL
    for (int k = 0; k < 4; ++k) assign(rounded.v[k], value.v[k]);
    *reinterpret_cast<Pack<T, 4>*>(target) = rounded;
  } else {
    SFE_UNROLL
    for (int k = 0; k < 4; ++k) {
      if (k < left) assign(target[k], value.v[k]);
    }
  }
}

// The output pixels and channels that a block makes. Height and width are multiples of 4.
struct Tile {
  int height, width, vectors;  // Pixels, and words of four channels.
};

// Which tile a block makes.
struct Place {
  int row, column;    // First output pixel.
  int channel;        // First channel.
  int down, across;   // Index of the tile,
  bool last_down, last_across;  // and whether it is the last.
  int64_t sample;
};

struct Grid {
  Tile tile;
  int down, across, groups;  // Tiles of a sample.

  static Grid plan(Tile tile, int height, int width, int channels) {
    return {tile, ceil_div(height, tile.height), ceil_div(width, tile.width),
            ceil_div(channels, 4 * tile.vectors)};
  }
  int64_t blocks(int64_t samples) const { return samples * down * across * groups; }

  // Groups of channels come first: neighbours in time share lines of memory.
  SFE_BOTH Place place(unsigned block) const {
    const int group = block % groups;
    unsigned rest = block / groups;
    const int column = rest % across;
    rest /= across;
    const int row = rest % down;
    return {row * tile.height, column * tile.width, group * 4 * tile.vectors, row, column,
            row == down - 1, column == across - 1, rest / down};
  }
};

// Words of shared memory that a map of at most these sizes takes.
SFE_BOTH int map_words(int height, int width, int vectors) {
  return height * (width | 1) * vectors;
}

// One resampling: x [N, H, W, C] -> y [N, H', W', C].
template <class T>
struct ResampleArguments {
  const T* x;
  T* y;
  int channels;
  bool aligned;
  Resampling filter;
  Grid grid;
  int words;  // Of the first map in shared memory.
};

template <class T>
struct Resample {
  using Arguments = ResampleArguments<T>;
  static constexpr int kPhases = 3;

  // Words of the loaded map, and of the one filtered along x.
  static void sizes(const Resampling& f, const Tile& tile, int (&words)[2]) {
    const int height = f.y.extent(tile.height / f.y.strip);
    words[0] = map_words(height, f.x.extent(tile.width / 4), tile.vectors);
    words[1] = f.separable ? map_words(height, tile.width, tile.vectors) : 0;
  }

  template <int kPhase>
  SFE_BOTH static void phase(const Arguments& a, unsigned block, int thread, float* shared) {
    const Resampling& f = a.filter;
    const Tile& tile = a.grid.tile;
    const Place place = a.grid.place(block);
    const Strips rows{place.row / f.y.strip, tile.height / f.y.strip};
    const Strips columns{place.column / 4, tile.width / 4};
    Float4* taps = reinterpret_cast<Float4*>(shared);
    const Map loaded{taps + f.tables(), read_by(f.y, rows), read_by(f.x, columns), tile.vectors};
    const Map halfway{loaded.words + a.words, loaded.y, made_by(f.x, columns), tile.vectors};
    if constexpr (kPhase == 0) {
      load_taps(f, taps, thread);
      const int64_t base = place.sample * f.y.in * f.x.in * a.channels;
      load(Picture<const T>{a.x + base, f.y.in, f.x.in, a.channels, place.channel, a.aligned},
           nullptr, loaded, thread);
    } else if constexpr (kPhase == 1) {
      if (!f.separable) return;
      along_x(f.x, taps, loaded, columns, thread,
              [&](int row, int column, int vector, const Float4& value) {
                *halfway.at(row, column, vector) = value;
              });
    } else {
      const int64_t base = place.sample * f.y.out * f.x.out * a.channels;
      const Picture<T> to{a.y + base, f.y.out, f.x.out, a.channels, place.channel, a.aligned};
      const auto store = [&](int row, int column, int vector, const Float4& value) {
        save(to, row, column, vector, value);
      };
      if (f.separable) {
        along_y(f.y, taps + f.x.den * f.x.window, halfway, halfway.x, rows, thread, store);
      } else {
        along_both(f, taps, loaded, rows, columns, thread, store);
      }
    }
  }
};

}  // namespace sfe
