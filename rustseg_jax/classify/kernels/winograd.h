// Winograd's form of a convolution: transform the kernel and the tiles of the input, multiply, and
// transform back, with bias, ReLU and 2x2 maxima on the way out.
//
// Each 4x4 tile of the output needs a 6x6 tile of the input. In the transformed domain the
// convolution is 36 independent matrix products over the channels, a quarter of the work.
//
// Scratch of one block of T tiles; V lanes of a vector, NV vectors in a column block of the output:
//   X [36][cin / V][T][V]          transformed input
//   U [cout / (NV V)][36][cin][NV V]   transformed kernel, made by `transform_kernel`
//   M [36][T][NV V]                product, one column block at a time
// so that every address within the inner loops is a constant displacement.

#pragma once

#include <algorithm>
#include <cstdint>

#include "products.h"
#include "scratch.h"
#include "shapes.h"
#include "threads.h"
#include "tiles.h"
#include "transforms.h"
#include "vectors.h"

namespace rustseg {

// U[cout / BW][36][cin][BW] of k (3, 3, cin, cout).
template <int V, int NV, typename Pool>
void transform_kernel(Pool& pool, const Shape& s, const float* k, float* U) {
  constexpr int64_t BW = NV * V;
  // An item is 9 * 8192 weights or so, 288 KiB: small kernels are not worth a second thread.
  int64_t rows = std::max<int64_t>(1, 8192 / s.cout), items = (s.cin + rows - 1) / rows;
  parallel(pool, items, [&](int64_t item) {
    int64_t last = std::min(s.cin, (item + 1) * rows);
    for (int64_t i = item * rows; i < last; ++i) {
      for (int64_t c = 0; c < s.cout; c += V) {
        Vec<V> w[6][3];
        for (int x = 0; x < 3; ++x) {
          Vec<V> in[3], out[6];
          for (int y = 0; y < 3; ++y) in[y] = load<V>(k + ((y * 3 + x) * s.cin + i) * s.cout + c);
          kernel_1d(in, out);
          for (int y = 0; y < 6; ++y) w[y][x] = out[y];
        }
        float* u = U + c / BW * BW * 36 * s.cin + i * BW + c % BW;
        for (int y = 0; y < 6; ++y) {
          Vec<V> out[6];
          kernel_1d(w[y], out);
          for (int x = 0; x < 6; ++x) store<V>(u + (y * 6 + x) * s.cin * BW, out[x]);
        }
      }
    }
  });
}

// Writes the part of a 4x4 tile that lies within the picture.
template <int V>
INLINE void store_full(const Vec<V> (&y)[4][4], const Shape& s, const Tile& p, float* full,
                       int64_t c) {
  float* q = full + ((p.b * s.H + p.y) * s.W + p.x) * s.cout + c;
  int64_t h = s.H - p.y, v = s.W - p.x;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      if (i < h && j < v) store<V>(q + (i * s.W + j) * s.cout, y[i][j]);
    }
  }
}

// Writes its 2x2 maxima; an odd last row or column is left out.
template <int V>
INLINE void store_pooled(const Vec<V> (&y)[4][4], const Shape& s, const Tile& p, float* pooled,
                         int64_t c) {
  int64_t H = s.H / 2, W = s.W / 2, h = H - p.y / 2, v = W - p.x / 2;
  float* q = pooled + ((p.b * H + p.y / 2) * W + p.x / 2) * s.cout + c;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      Vec<V> m = maximum(maximum(y[2 * i][2 * j], y[2 * i][2 * j + 1]),
                         maximum(y[2 * i + 1][2 * j], y[2 * i + 1][2 * j + 1]));
      if (i < h && j < v) store<V>(q + (i * W + j) * s.cout, m);
    }
  }
}

// One tile's V output channels from M[f][t][...] to memory. c: first channel.
template <int V>
INLINE void transform_output(const float* M, int64_t stride, const Shape& s, const Tile& p,
                             const Output& o, int64_t c) {
  Vec<V> w[4][6], y[4][4];
  Vec<V> bias = load<V>(o.bias + c), zero = {};
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    Vec<V> in[6], out[4];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) in[i] = load<V>(M + (i * 6 + j) * stride);
    output_1d(in, out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) w[i][j] = out[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    output_1d(w[i], y[i]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      y[i][j] += bias;
      if (o.relu) y[i][j] = maximum(y[i][j], zero);
    }
  }
  store_full<V>(y, s, p, o.full, c);
  if (o.pooled) store_pooled<V>(y, s, p, o.pooled, c);
}

// Tiles of a block at most. On the ten layers of width 24, 24 took 3 % less time, 96 took 3 % more:
// no more than these measurements are good for.
constexpr int64_t kForwardTiles = 48;

// Writes the convolution of x (B, H, W, cin) with the transformed kernel U to o.
template <int V, int NV, typename Pool>
void forward(Pool& pool, const Shape& s, const float* x, const float* U, const Output& o) {
  constexpr int64_t BW = NV * V;
  int64_t tiles = s.tiles();
  int64_t T = block_tiles(tiles, s.cin, kForwardTiles, rows<NV>(), pool.num_threads());
  parallel(pool, (tiles + T - 1) / T, [&](int64_t block) {
    float* patch = scratch(36 * (s.cin + T * s.cin + T * BW));
    float* X = patch + 36 * s.cin;
    float* M = X + 36 * T * s.cin;
    int64_t first = block * T, n = std::min(T, tiles - first);
    for (int64_t t = 0; t < n; ++t) {
      transform_input<V>(x, s, place(s, first + t), patch, X + t * V, T);
    }
    for (int64_t c = 0; c < s.cout; c += BW) {
      const float* u = U + c * 36 * s.cin;
      for (int64_t f = 0; f < 36; ++f) {
        multiply<V, NV>(X + f * T * s.cin, u + f * s.cin * BW, M + f * T * BW, n, T, s.cin);
      }
      for (int64_t t = 0; t < n; ++t) {
        Tile p = place(s, first + t);
        for (int64_t v = 0; v < NV; ++v) {
          transform_output<V>(M + t * BW + v * V, T * BW, s, p, o, c + v * V);
        }
      }
    }
  });
}

}  // namespace rustseg
