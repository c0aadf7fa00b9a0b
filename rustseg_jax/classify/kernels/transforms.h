// The transforms of Winograd's minimal filtering F(4x4, 3x3): small fixed sums that turn six input
// values, three kernel values or four output values into the domain where a convolution is a
// product for each point, and back. All are along one axis; the callers apply them along both.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. The points of
// interpolation are 0, +-a, +-b and infinity.

#pragma once

#include "vectors.h"

namespace rustseg {

// Points with a b = 1 need the fewest operations; sqrt(1/2) and sqrt(2) round off a third as much
// as the usual 1 and 2 (measured against float64 at 16 and 256 channels).
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;
constexpr float kA2 = kA * kA, kB2 = kB * kB, kA3 = kA2 * kA, kB3 = kB2 * kB, kSum = kA2 + kB2;

// B^T d: 6 -> 6.
template <typename T> INLINE void input_1d(const T d[6], T r[6]) {
  T u = d[4] - kB2 * d[2], v = kA * d[3] - kB * d[1];
  T p = d[4] - kA2 * d[2], q = kB * d[3] - kA * d[1];
  r[0] = d[0] - kSum * d[2] + d[4];
  r[1] = u + v;
  r[2] = u - v;
  r[3] = p + q;
  r[4] = p - q;
  r[5] = d[1] - kSum * d[3] + d[5];
}

// A^T m: 6 -> 4.
template <typename T> INLINE void output_1d(const T m[6], T y[4]) {
  T s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
  y[0] = m[0] + s + t;
  y[1] = kA * d + kB * e;
  y[2] = kA2 * s + kB2 * t;
  y[3] = kA3 * d + kB3 * e + m[5];
}

// A g: 4 -> 6, the transpose of output_1d.
template <typename T> INLINE void gradient_1d(const T g[4], T r[6]) {
  T u = g[0] + kA2 * g[2], v = kA * g[1] + kA3 * g[3];
  T p = g[0] + kB2 * g[2], q = kB * g[1] + kB3 * g[3];
  r[0] = g[0];
  r[1] = u + v;
  r[2] = u - v;
  r[3] = p + q;
  r[4] = p - q;
  r[5] = g[3];
}

constexpr float kN0 = 1.0f, kNa = 1.0f / (2 * kA2 * (kA2 - kB2));
constexpr float kNb = 1.0f / (2 * kB2 * (kB2 - kA2));

// G k: 3 -> 6.
template <typename T> INLINE void kernel_1d(const T k[3], T r[6]) {
  T u = kNa * k[0] + (kNa * kA2) * k[2], v = (kNa * kA) * k[1];
  T p = kNb * k[0] + (kNb * kB2) * k[2], q = (kNb * kB) * k[1];
  r[0] = kN0 * k[0];
  r[1] = u + v;
  r[2] = u - v;
  r[3] = p + q;
  r[4] = p - q;
  r[5] = k[2];
}

// G^T u: 6 -> 3, the transpose of kernel_1d.
template <typename T> INLINE void kernel_back_1d(const T u[6], T k[3]) {
  T s = u[1] + u[2], d = u[1] - u[2], t = u[3] + u[4], e = u[3] - u[4];
  k[0] = kN0 * u[0] + kNa * s + kNb * t;
  k[1] = (kNa * kA) * d + (kNb * kB) * e;
  k[2] = (kNa * kA2) * s + (kNb * kB2) * t + u[5];
}

}  // namespace rustseg
