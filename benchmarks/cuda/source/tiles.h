// Chooses the tile of a block: how many output pixels and channels it makes.
//
// A large tile reads and filters its margin less often; a small one leaves shared memory to more
// blocks, and wastes less on a small picture. The cost below counts the clocks of a multiprocessor
// by what is known of recent GPUs: 32 bytes a clock from memory beyond it, 128 bytes a clock from
// its shared memory, 128 multiply-adds a clock.
#pragma once

#include "filtered.h"

namespace sfe {

constexpr double kSector = 32;  // Bytes of the smallest read from memory.

// What a block does, in clocks: a pass makes `strips` of four outputs from `window` words each.
inline double pass_clocks(double strips, double window) {
  const double words = strips * (window + 4);     // Of 16 bytes.
  const double products = strips * window * 16;
  return words / 8 + products / 128;
}

inline double resampling_clocks(const Resampling& f, int in_height, int height, int width,
                                int vectors) {
  const double strips = width / 4.0 * vectors;
  if (!f.separable) return pass_clocks(strips * height, double(f.x.window) * f.y.window);
  return pass_clocks(strips * in_height, f.x.window) +
         pass_clocks(strips * height, f.y.window);
}

// Clocks to move `pixels` of a tile, whose channels may fill less than a sector.
inline double moving_clocks(double pixels, int vectors, size_t bytes) {
  const double line = 4.0 * vectors * bytes;
  return pixels * (line < kSector ? kSector : line) / 32;
}

inline double clocks(const Resampling& f, const Tile& tile, size_t bytes) {
  const int height = f.y.extent(tile.height / f.y.strip), width = f.x.extent(tile.width / 4);
  return moving_clocks(double(height) * width + double(tile.height) * tile.width, tile.vectors,
                       bytes) +
         resampling_clocks(f, height, tile.height, tile.width, tile.vectors);
}

inline double clocks(const Resampling& up, const Resampling& down, const Tile& tile, size_t bytes) {
  Tile middle = tile;
  middle.height = ceil_div(down.y.extent(tile.height / down.y.strip), 4) * 4;
  middle.width = ceil_div(down.x.extent(tile.width / 4), 4) * 4;
  return clocks(up, middle, bytes) +
         resampling_clocks(down, middle.height, tile.height, tile.width, tile.vectors);
}

struct Choice {
  Tile tile;
  int words[2];  // Of the two maps in shared memory.
  size_t bytes;  // Of all shared memory; 0 if no tile fits.
};

// The cheapest tile for a picture of `height` x `width` x `channels`.
//
// `sizes(tile, words)` gives the maps, `cost(tile)` the clocks, `tables` the words of all taps.
template <class Sizes, class Cost>
Choice choose_tile(int height, int width, int channels, int tables, size_t limit,
                   const Sizes& sizes, const Cost& cost) {
  Choice best{};
  double least = 0;
  for (int tall = 4; tall <= 32; tall *= 2) {
    for (int wide = 4; wide <= 32; wide *= 2) {
      for (int vectors = 1; vectors <= 16; vectors *= 2) {
        Choice choice{{tall, wide, vectors}, {}, 0};
        sizes(choice.tile, choice.words);
        choice.bytes = sizeof(Float4) * (size_t(tables) + choice.words[0] + choice.words[1]);
        if (choice.bytes > limit) continue;
        const Grid grid = Grid::plan(choice.tile, height, width, channels);
        // Beside few other blocks, a block at a barrier leaves the multiprocessor idle.
        const double idle = double(choice.bytes) / limit;
        const double all = cost(choice.tile) * grid.blocks(1) * (1 + idle);
        if (best.bytes == 0 || all < least) best = choice, least = all;
      }
    }
  }
  return best;
}

}  // namespace sfe
