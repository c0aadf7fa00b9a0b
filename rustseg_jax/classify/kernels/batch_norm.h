// Batch norm, ReLU and 2x2 max pooling in one pass over the memory, and their gradients.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "shapes.h"
#include "threads.h"
#include "vectors.h"

namespace rustseg {

// Rows of the parameters p (5, C): z = relu(scale (y - mean) + shift), and for the gradient
// dy = scale g' + constant + slope (y - mean), with g' = g where z is positive (and, with pooling,
// where z is the first of the largest in its 2x2 block), 0 elsewhere.
enum { kMean, kScale, kShift, kConstant, kSlope };

// Positions are taken in parts: runs of one picture's positions, or pairs of rows when pooling.
struct Parts {
  Shape s;  // of y; cin = cout
  bool pool;
  // 64 KiB of y: the part stays in the cache while its channels are taken, V at a time.
  int64_t run() const { return std::max<int64_t>(1, 16384 / s.cout); }
  int64_t count() const {
    return pool ? s.B * ((s.H + 1) / 2) : (s.B * s.H * s.W + run() - 1) / run();
  }
};

template <int V> struct Channel {
  Vec<V> mean, scale, shift, constant, slope;
  Channel(const float* p, int64_t C, int64_t c)
      : mean(load<V>(p + kMean * C + c)), scale(load<V>(p + kScale * C + c)),
        shift(load<V>(p + kShift * C + c)), constant(load<V>(p + kConstant * C + c)),
        slope(load<V>(p + kSlope * C + c)) {}
  INLINE Vec<V> before(Vec<V> centred) const { return scale * centred + shift; }
};

// f(centred y, g', offset of the position in y) over all positions of one part, for V channels.
template <int V, typename F>
INLINE void each(const Parts& parts, int64_t part, const float* y, const float* g,
                 const Channel<V>& ch, int64_t c, F&& f) {
  const Shape& s = parts.s;
  int64_t C = s.cout;
  Vec<V> zero = {};
  if (!parts.pool) {
    int64_t last = std::min(s.B * s.H * s.W, (part + 1) * parts.run());
    for (int64_t i = part * parts.run(); i < last; ++i) {
      Vec<V> d = load<V>(y + i * C + c) - ch.mean, in = load<V>(g + i * C + c);
      f(d, ch.before(d) > zero ? in : zero, i * C + c);
    }
    return;
  }
  int64_t pairs = (s.H + 1) / 2, H = s.H / 2, W = s.W / 2, row = s.W * C;
  int64_t b = part / pairs, py = part % pairs, at = (b * s.H + 2 * py) * row + c;
  if (py == H) {  // the odd last row
    for (int64_t x = 0; x < s.W; ++x) f(load<V>(y + at + x * C) - ch.mean, zero, at + x * C);
    return;
  }
  const float* q = g + (b * H + py) * W * C + c;
  for (int64_t x = 0; x < W; ++x, at += 2 * C) {
    Vec<V> d0 = load<V>(y + at) - ch.mean, d1 = load<V>(y + at + C) - ch.mean;
    Vec<V> d2 = load<V>(y + at + row) - ch.mean, d3 = load<V>(y + at + row + C) - ch.mean;
    Vec<V> z0 = ch.before(d0), z1 = ch.before(d1), z2 = ch.before(d2), z3 = ch.before(d3);
    Vec<V> top = maximum(z0, z1), bottom = maximum(z2, z3), in = load<V>(q + x * C);
    Vec<V> all = maximum(top, bottom) > zero ? in : zero;
    Vec<V> g01 = top >= bottom ? all : zero, g23 = all - g01;
    Vec<V> g0 = z0 >= z1 ? g01 : zero, g2 = z2 >= z3 ? g23 : zero;
    f(d0, g0, at);
    f(d1, g01 - g0, at + C);
    f(d2, g2, at + row);
    f(d3, g23 - g2, at + row + C);
  }
  if (s.W % 2) {
    f(load<V>(y + at) - ch.mean, zero, at);
    f(load<V>(y + at + row) - ch.mean, zero, at + row);
  }
}

// Adds the parts' sums (count, 2, C) in a fixed order, in double precision.
inline void add_up(const std::vector<float>& sums, int64_t count, int64_t C, double* first,
            double* second) {
  std::fill(first, first + C, 0.0);
  std::fill(second, second + C, 0.0);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < C; ++c) {
      first[c] += sums[(2 * i) * C + c];
      second[c] += sums[(2 * i + 1) * C + c];
    }
  }
}

// Mean and variance of each channel; each part is centred on its own first position.
template <int V, typename Pool>
void moments(Pool& pool, const Shape& s, const float* y, float* mean, float* variance) {
  Parts parts{s, false};
  int64_t C = s.cout, count = parts.count(), n = s.B * s.H * s.W;
  std::vector<float> sums(count * 2 * C);
  parallel(pool, count, [&](int64_t part) {
    int64_t first = part * parts.run(), last = std::min(n, first + parts.run());
    for (int64_t c = 0; c < C; c += V) {
      Vec<V> a = {}, b = {}, origin = load<V>(y + first * C + c);
      for (int64_t i = first; i < last; ++i) {
        Vec<V> d = load<V>(y + i * C + c) - origin;
        a += d;
        b += d * d;
      }
      store<V>(&sums[2 * part * C + c], a);
      store<V>(&sums[(2 * part + 1) * C + c], b);
    }
  });
  for (int64_t c = 0; c < C; ++c) {
    double total = 0, square = 0;
    for (int64_t part = 0; part < count; ++part) {
      int64_t first = part * parts.run(), size = std::min(n, first + parts.run()) - first;
      double o = y[first * C + c], a = sums[2 * part * C + c], b = sums[(2 * part + 1) * C + c];
      total += a + size * o;
      square += b + 2 * o * a + size * o * o;
    }
    double m = total / n;
    mean[c] = static_cast<float>(m);
    variance[c] = static_cast<float>(std::max(0.0, square / n - m * m));
  }
}

template <int V, typename Pool>
void normalise(Pool& pool, const Parts& parts, const float* y, const float* p,
               float* out) {
  const Shape& s = parts.s;
  int64_t C = s.cout, count = parts.pool ? s.B * (s.H / 2) : parts.count();
  parallel(pool, count, [&](int64_t part) {
    for (int64_t c = 0; c < C; c += V) {
      Channel<V> ch(p, C, c);
      Vec<V> zero = {};
      auto z = [&](int64_t i) { return ch.before(load<V>(y + i) - ch.mean); };
      if (!parts.pool) {
        int64_t last = std::min(s.B * s.H * s.W, (part + 1) * parts.run());
        for (int64_t i = part * parts.run(); i < last; ++i) {
          store<V>(out + i * C + c, maximum(z(i * C + c), zero));
        }
        continue;
      }
      int64_t H = s.H / 2, W = s.W / 2, row = s.W * C;
      int64_t at = (part / H * s.H + part % H * 2) * row + c;
      for (int64_t x = 0; x < W; ++x, at += 2 * C) {
        Vec<V> top = maximum(z(at), z(at + C)), bottom = maximum(z(at + row), z(at + row + C));
        store<V>(out + (part * W + x) * C + c, maximum(maximum(top, bottom), zero));
      }
    }
  });
}

// sums (2, C): of g' and of g' (y - mean).
template <int V, typename Pool>
void normalise_sums(Pool& pool, const Parts& parts, const float* y, const float* p,
                    const float* g, float* out) {
  int64_t C = parts.s.cout, count = parts.count();
  std::vector<float> sums(count * 2 * C);
  parallel(pool, count, [&](int64_t part) {
    for (int64_t c = 0; c < C; c += V) {
      Channel<V> ch(p, C, c);
      Vec<V> a = {}, b = {};
      each<V>(parts, part, y, g, ch, c, [&](Vec<V> d, Vec<V> in, int64_t) {
        a += in;
        b += in * d;
      });
      store<V>(&sums[2 * part * C + c], a);
      store<V>(&sums[(2 * part + 1) * C + c], b);
    }
  });
  std::vector<double> total(2 * C);
  add_up(sums, count, C, total.data(), total.data() + C);
  std::copy(total.begin(), total.end(), out);
}

template <int V, typename Pool>
void normalise_gradient(Pool& pool, const Parts& parts, const float* y, const float* p,
                        const float* g, float* dy) {
  int64_t C = parts.s.cout;
  parallel(pool, parts.count(), [&](int64_t part) {
    for (int64_t c = 0; c < C; c += V) {
      Channel<V> ch(p, C, c);
      each<V>(parts, part, y, g, ch, c, [&](Vec<V> d, Vec<V> in, int64_t i) {
        store<V>(dy + i, ch.scale * in + ch.constant + ch.slope * d);
      });
    }
  });
}

}  // namespace rustseg
