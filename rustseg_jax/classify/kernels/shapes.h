// Shapes: the sizes of the images, the layout of the results, and the choice of a vector width that
// divides the channels.

#pragma once

#include <cstdint>
#include <type_traits>

#include "vectors.h"

namespace rustseg {

// Of x (B, H, W, cin) and the result (B, H, W, cout); th, tw: rows and columns of 4x4 tiles.
struct Shape {
  int64_t B, H, W, cin, cout;
  int64_t th() const { return (H + 3) / 4; }
  int64_t tw() const { return (W + 3) / 4; }
  int64_t tiles() const { return B * th() * tw(); }
};

// Where a convolution writes, and what it does on the way.
struct Output {
  float* full;    // (B, H, W, cout)
  float* pooled;  // (B, H / 2, W / 2, cout) or null
  const float* bias;
  bool relu;
};

constexpr bool divides(int64_t lanes, const Shape& s) {
  return s.cin % lanes == 0 && s.cout % lanes == 0;
}

// Calls f(V) for the widest vectors that fit the channels; false where none does.
template <typename F> bool with_lanes(const Shape& s, F&& f) {
#if defined(__AVX512F__)
  if (divides(16, s)) return f(std::integral_constant<int, 16>()), true;
#endif
#if defined(__AVX__)
  if (divides(8, s)) return f(std::integral_constant<int, 8>()), true;
#else
  if (divides(4, s)) return f(std::integral_constant<int, 4>()), true;
#endif
  return false;
}

// Calls f(V, NV): also the vectors of a column block.
template <typename F> bool dispatch(const Shape& s, F&& f) {
  return with_lanes(s, [&](auto lanes) {
    int64_t vectors = s.cout / decltype(lanes)::value;
    if (vectors % 2 == 0) {
      f(lanes, std::integral_constant<int, 2>());
    } else if (vectors % 3 == 0) {
      f(lanes, std::integral_constant<int, 3>());
    } else {
      f(lanes, std::integral_constant<int, 1>());
    }
  });
}

}  // namespace rustseg
