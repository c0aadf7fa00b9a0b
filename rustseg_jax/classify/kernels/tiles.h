// Tiles: the 4x4 squares of output positions that Winograd's form works on, and how a 6x6 patch of
// the input becomes 36 transformed values.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "shapes.h"
#include "transforms.h"
#include "vectors.h"

namespace rustseg {

struct Tile {
  int64_t b, y, x;  // y, x: of the tile's first output position
};

INLINE Tile place(const Shape& s, int64_t tile) {
  int64_t per = s.th() * s.tw();
  return {tile / per, tile % per / s.tw() * 4, tile % s.tw() * 4};
}

// X[f][c / V][t][V] of the 6x6 patch round one tile. `patch`: 36 cin floats, for tiles at the
// border of the picture.
template <int V>
INLINE void transform_input(const float* x, const Shape& s, const Tile& p, float* patch, float* X,
                            int64_t T) {
  const float* d = x + ((p.b * s.H + p.y - 1) * s.W + p.x - 1) * s.cin;
  int64_t row = s.W * s.cin;
  if (p.y == 0 || p.x == 0 || p.y + 5 > s.H || p.x + 5 > s.W) {
    int64_t x0 = std::max<int64_t>(p.x - 1, 0), x1 = std::min(p.x + 5, s.W);
    std::memset(patch, 0, 36 * s.cin * sizeof(float));
    for (int64_t i = 0; i < 6; ++i) {
      int64_t y = p.y - 1 + i;
      if (y < 0 || y >= s.H) continue;
      std::memcpy(patch + (i * 6 + x0 - p.x + 1) * s.cin, x + ((p.b * s.H + y) * s.W + x0) * s.cin,
                  (x1 - x0) * s.cin * sizeof(float));
    }
    d = patch;
    row = 6 * s.cin;
  }
  int64_t stride = s.cin * T;
  for (int64_t c = 0; c < s.cin; c += V) {
    Vec<V> w[6][6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      Vec<V> in[6], out[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) in[i] = load<V>(d + i * row + j * s.cin + c);
      input_1d(in, out);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) w[i][j] = out[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      Vec<V> out[6];
      input_1d(w[i], out);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) store<V>(X + (i * 6 + j) * stride + c * T, out[j]);
    }
  }
}

// The transformed input of a block stays within half a typical second-level cache of 1 MiB. On the
// ten layers of width 24, half and double of it took the same time within 4 %.
constexpr int64_t kScratchBytes = 512 * 1024;

// Tiles of one block, an equal share for every thread. `unit`: as many as a register tile takes.
inline int64_t block_tiles(int64_t tiles, int64_t channels, int64_t most, int64_t unit,
                           int64_t threads) {
  int64_t T = std::clamp<int64_t>(kScratchBytes / (144 * channels), unit, most);
  T = T / unit * unit;
  int64_t blocks = (tiles + T - 1) / T;
  if (blocks < 4 * threads) blocks = (blocks + threads - 1) / threads * threads;
  return std::min(T, (tiles + blocks - 1) / blocks);
}

}  // namespace rustseg
