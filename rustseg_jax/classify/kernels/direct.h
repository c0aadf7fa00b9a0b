// The direct form: the textbook convolution, for the first layer, whose three colour channels are
// too few for Winograd's form to pay off; and the gradient of its kernel.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "products.h"
#include "scratch.h"
#include "shapes.h"
#include "threads.h"
#include "vectors.h"

namespace rustseg {

// Rows that a thread takes at a time: their two neighbours add a quarter to what is copied.
constexpr int64_t kStrip = 8;

// Copies input rows y0 - 1 ... y1 of picture b, with a zero position at both ends.
INLINE void pad_rows(const float* x, const Shape& s, int64_t b, int64_t y0, int64_t y1, float* d) {
  int64_t width = (s.W + 2) * s.cin;
  for (int64_t y = y0 - 1; y <= y1; ++y, d += width) {
    std::memset(d, 0, width * sizeof(float));
    if (y < 0 || y >= s.H) continue;
    std::memcpy(d + s.cin, x + (b * s.H + y) * s.W * s.cin, s.W * s.cin * sizeof(float));
  }
}

// R output positions from zero-padded input rows; CIN = 0: any number of channels.
template <int V, int NV, int R, int CIN>
INLINE void direct_pixels(const float* row, int64_t width, const float* k, int64_t cin,
                          const Output& o, float* q, int64_t cout, int64_t c) {
  Vec<V> acc[R][NV], zero = {};
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) acc[r][v] = load<V>(o.bias + c + v * V);
  }
  for (int y = 0; y < 3; ++y) {
    if constexpr (CIN > 0) {
      product<V, NV, R, CIN, 1>(row + y * width * CIN, k + y * 3 * CIN * NV * V, 3 * CIN, acc);
    } else {
      for (int64_t j = 0; j < 3 * cin; ++j) {
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
          for (int v = 0; v < NV; ++v) {
            acc[r][v] += row[(y * width + r) * cin + j] *
                         load<V>(k + ((y * 3 * cin + j) * NV + v) * V);
          }
        }
      }
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
    for (int v = 0; v < NV; ++v) {
      store<V>(q + r * cout + v * V, o.relu ? maximum(acc[r][v], zero) : acc[r][v]);
    }
  }
}

// Writes the convolution of x with a kernel (3, 3, cin, cout) to o.full; CIN as above.
template <int V, int NV, int CIN, typename Pool>
void direct(Pool& pool, const Shape& s, const float* x, const float* kernel, const Output& o) {
  constexpr int64_t BW = NV * V, R = rows<NV>();
  int64_t strips = (s.H + kStrip - 1) / kStrip, width = s.W + 2;
  parallel(pool, s.B * strips, [&](int64_t item) {
    int64_t b = item / strips, y0 = item % strips * kStrip, y1 = std::min(s.H, y0 + kStrip);
    float* strip = scratch((kStrip + 2) * width * s.cin + 9 * s.cin * s.cout);
    float* k = strip + (kStrip + 2) * width * s.cin;
    for (int64_t c = 0; c < s.cout; c += BW) {
      for (int64_t j = 0; j < 9 * s.cin; ++j) {
        std::memcpy(k + (c * 9 * s.cin) + j * BW, kernel + j * s.cout + c, BW * sizeof(float));
      }
    }
    pad_rows(x, s, b, y0, y1, strip);
    for (int64_t y = y0; y < y1; ++y) {
      const float* row = strip + (y - y0) * width * s.cin;
      float* q = o.full + (b * s.H + y) * s.W * s.cout;
      for (int64_t c = 0; c < s.cout; c += BW) {
        const float* kc = k + c * 9 * s.cin;
        int64_t t = 0;
        for (; t + R <= s.W; t += R) {
          direct_pixels<V, NV, R, CIN>(row + t * s.cin, width, kc, s.cin, o, q + t * s.cout + c,
                                       s.cout, c);
        }
        for (; t < s.W; ++t) {
          direct_pixels<V, NV, 1, CIN>(row + t * s.cin, width, kc, s.cin, o, q + t * s.cout + c,
                                       s.cout, c);
        }
      }
    }
  });
}

// D[j][c...] += sum_x row[x * cin + j] g[x][c...] for R successive j and V output channels.
template <int V, int R>
INLINE void direct_accumulate(const float* row, int64_t cin, const float* g, int64_t cout,
                              int64_t width, float* D) {
  Vec<V> acc[R];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) acc[r] = load<V>(D + r * cout);
  for (int64_t x = 0; x < width; ++x) {
    Vec<V> b = load<V>(g + x * cout);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) acc[r] += row[x * cin + r] * b;
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) store<V>(D + r * cout, acc[r]);
}

// D[ky][kx][c][...] += the products of one row of g with the three padded rows of x beside it.
template <int V>
INLINE void direct_accumulate_row(const Shape& s, const float* rows, const float* g, float* D) {
  for (int64_t ky = 0; ky < 3; ++ky) {
    const float* row = rows + ky * (s.W + 2) * s.cin;
    float* d = D + ky * 3 * s.cin * s.cout;
    for (int64_t c = 0; c < s.cout; c += V) {
      if (s.cin == 3) {
        direct_accumulate<V, 9>(row, 3, g + c, s.cout, s.W, d + c);
        continue;
      }
      for (int64_t j = 0; j < 3 * s.cin; j += 3) {
        direct_accumulate<V, 3>(row + j, s.cin, g + c, s.cout, s.W, d + j * s.cout + c);
      }
    }
  }
}

// out (3, 3, cin, cout): the gradient of the kernel, given x and g (B, H, W, cout).
template <int V, typename Pool>
void direct_kernel_gradient(Pool& pool, const Shape& s, const float* x, const float* g,
                            float* out) {
  int64_t strips = (s.H + kStrip - 1) / kStrip, items = s.B * strips, width = s.W + 2;
  int64_t size = 9 * s.cin * s.cout;
  int64_t shares = std::min(std::max<int64_t>(pool.num_threads(), 1) * 2, items);
  std::vector<float> sums(shares * size, 0.0f);
  parallel(pool, shares, [&](int64_t share) {
    float* strip = scratch((kStrip + 2) * width * s.cin);
    for (int64_t item = share; item < items; item += shares) {
      int64_t b = item / strips, y0 = item % strips * kStrip, y1 = std::min(s.H, y0 + kStrip);
      pad_rows(x, s, b, y0, y1, strip);
      for (int64_t y = y0; y < y1; ++y) {
        direct_accumulate_row<V>(s, strip + (y - y0) * width * s.cin,
                                 g + (b * s.H + y) * s.W * s.cout, sums.data() + share * size);
      }
    }
  });
  for (int64_t j = 0; j < size; ++j) {
    float sum = 0;
    for (int64_t share = 0; share < shares; ++share) sum += sums[share * size + j];
    out[j] = sum;
  }
}

}  // namespace rustseg
