// The gradient of a kernel in Winograd's form: how the loss changes with each of its weights, a sum
// over all positions, by products in the transformed domain.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "products.h"
#include "scratch.h"
#include "shapes.h"
#include "threads.h"
#include "tiles.h"
#include "transforms.h"
#include "vectors.h"

namespace rustseg {

// Y[f][c / BW][t][BW] of one 4x4 tile of the output's gradient.
template <int V, int NV>
INLINE void transform_gradient(const float* g, const Shape& s, const Tile& p, float* Y, int64_t T) {
  constexpr int64_t BW = NV * V;
  int64_t h = s.H - p.y, v = s.W - p.x;
  for (int64_t c = 0; c < s.cout; c += V) {
    const float* d = g + ((p.b * s.H + p.y) * s.W + p.x) * s.cout + c;
    float* y = Y + c / BW * BW * T + c % BW;
    Vec<V> w[6][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      Vec<V> in[4], out[6];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        in[i] = i < h && j < v ? load<V>(d + (i * s.W + j) * s.cout) : Vec<V>{};
      }
      gradient_1d(in, out);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) w[i][j] = out[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      Vec<V> out[6];
      gradient_1d(w[i], out);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) store<V>(y + (i * 6 + j) * s.cout * T, out[j]);
    }
  }
}

// D[i][:] += sum_t X[t][i] Y[t][:] for V input channels i.
template <int V, int NV>
__attribute__((noinline)) void accumulate(const float* X, const float* Y, float* D, int64_t n) {
  constexpr int R = kRegisters == 32 ? (NV == 1 ? V : V < 8 ? V : 8) : 4;
  constexpr int BW = NV * V;
  for (int64_t i = 0; i < V; i += R) {
    Vec<V> acc[R][NV];
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) acc[r][v] = load<V>(D + (i + r) * BW + v * V);
    }
    product<V, NV, R, 1, V>(X + i, Y, n, acc);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
      for (int v = 0; v < NV; ++v) store<V>(D + (i + r) * BW + v * V, acc[r][v]);
    }
  }
}

// The transformed gradient D[f][c / BW][cin][BW] += the products of n tiles, for all channels.
template <int V, int NV>
void accumulate_tiles(const Shape& s, const float* X, const float* Y, float* D, int64_t n,
                      int64_t T) {
  constexpr int64_t BW = NV * V;
  for (int64_t f = 0; f < 36; ++f) {
    for (int64_t c = 0; c < s.cout; c += BW) {
      for (int64_t i = 0; i < s.cin; i += V) {
        accumulate<V, NV>(X + (f * s.cin + i) * T, Y + (f * s.cout + c) * T,
                          D + (f * s.cout + c) * s.cin + i * BW, n);
      }
    }
  }
}

// out[:][:][i][:] from the sums D of all shares.
template <int V, int NV>
void transform_back(const Shape& s, const float* sums, int64_t shares, int64_t i, float* out) {
  constexpr int64_t BW = NV * V;
  int64_t size = 36 * s.cin * s.cout;
  for (int64_t c = 0; c < s.cout; c += V) {
    Vec<V> u[6][6] = {}, w[3][6];
    for (int64_t share = 0; share < shares; ++share) {
      const float* D = sums + share * size + c / BW * BW * s.cin + i * BW + c % BW;
      for (int f = 0; f < 36; ++f) u[f % 6][f / 6] += load<V>(D + f * s.cin * s.cout);
    }
    for (int x = 0; x < 6; ++x) {
      Vec<V> k[3];
      kernel_back_1d(u[x], k);
      for (int y = 0; y < 3; ++y) w[y][x] = k[y];
    }
    for (int y = 0; y < 3; ++y) {
      Vec<V> k[3];
      kernel_back_1d(w[y], k);
      for (int x = 0; x < 3; ++x) store<V>(out + ((y * 3 + x) * s.cin + i) * s.cout + c, k[x]);
    }
  }
}

// Tiles of a block at most, and the unit that they are rounded to. On the ten layers of width 24,
// 48 took 7 % less time at best, 192 the same. Another number is another order of the sums: the
// last bits of every training would change.
constexpr int64_t kGradientTiles = 96, kGradientUnit = 8;

// out (3, 3, cin, cout): the gradient of the kernel, given x (B, H, W, cin) and g (B, H, W, cout).
template <int V, int NV, typename Pool>
void kernel_gradient(Pool& pool, const Shape& s, const float* x, const float* g, float* out) {
  constexpr int64_t BW = NV * V;
  int64_t tiles = s.tiles(), size = 36 * s.cin * s.cout;
  int64_t threads = std::max<int64_t>(pool.num_threads(), 1);
  int64_t T = block_tiles(tiles, s.cin + s.cout, kGradientTiles, kGradientUnit, threads);
  int64_t blocks = (tiles + T - 1) / T;
  // Each share of the tiles has its own sums; together they stay under 256 MiB. Which blocks belong
  // to a share is fixed, so that the same gradient comes out to the bit each time. Two shares a
  // thread even out threads that are held up, while a share's sums are under 1 MiB.
  int64_t shares = threads * (size < (1 << 18) ? 2 : 1);
  shares = std::min({shares, blocks, std::max<int64_t>(1, (int64_t{1} << 26) / size)});
  Floats sums = allocate(shares * size);
  parallel(pool, shares, [&](int64_t share) {
    float* D = sums.get() + share * size;
    std::memset(D, 0, size * sizeof(float));
    float* patch = scratch(36 * (s.cin + T * (s.cin + s.cout)));
    float* X = patch + 36 * s.cin;
    float* Y = X + 36 * T * s.cin;
    for (int64_t block = share; block < blocks; block += shares) {
      int64_t first = block * T, n = std::min(T, tiles - first);
      for (int64_t t = 0; t < n; ++t) {
        Tile p = place(s, first + t);
        transform_input<V>(x, s, p, patch, X + t * V, T);
        transform_gradient<V, NV>(g, s, p, Y + t * BW, T);
      }
      accumulate_tiles<V, NV>(s, X, Y, D, n, T);
    }
  });
  parallel(pool, s.cin, [&](int64_t i) {
    transform_back<V, NV>(s, sums.get(), shares, i, out);
  });
}

}  // namespace rustseg
