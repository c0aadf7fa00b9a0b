// Products: multiplies matrices small enough to keep all sums in registers.

#pragma once

#include <cstdint>

#include "vectors.h"

namespace rustseg {

// acc[r][n] += sum_k A[r * AR + k * AK] * B[k][n]
template <int V, int NV, int R, int AR, int AK>
INLINE void product(const float* A, const float* B, int64_t K, Vec<V> (&acc)[R][NV]) {
  for (int64_t k = 0; k < K; ++k, A += AK, B += NV * V) {
    Vec<V> b[NV];
#pragma GCC unroll 32
    for (int n = 0; n < NV; ++n) b[n] = load<V>(B + n * V);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
      for (int n = 0; n < NV; ++n) acc[r][n] += A[r * AR] * b[n];
    }
  }
}

// Rows of a register tile: as many accumulators as the registers hold beside b and one operand.
template <int NV> constexpr int rows() {
  return kRegisters == 32 ? (NV == 1 ? 24 : NV == 2 ? 12 : 8) : (NV == 1 ? 12 : NV == 2 ? 6 : 4);
}

template <int V, int NV, int R>
__attribute__((noinline)) void multiply_rows(const float* X, const float* U, float* M, int64_t T,
                                             int64_t cin) {
  Vec<V> acc[R][NV] = {};
  for (int64_t c = 0; c < cin; c += V) {
    product<V, NV, R, V, 1>(X + c * T, U + c * NV * V, V, acc);
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 32
    for (int n = 0; n < NV; ++n) store<V>(M + (r * NV + n) * V, acc[r][n]);
  }
}

// M[t][:] = sum_c X[c / V][t][c % V] U[c][:] for t < n.
template <int V, int NV>
void multiply(const float* X, const float* U, float* M, int64_t n, int64_t T, int64_t cin) {
  constexpr int R = rows<NV>();
  constexpr int BW = NV * V;
  int64_t t = 0;
  for (; t + R <= n; t += R) multiply_rows<V, NV, R>(X + t * V, U, M + t * BW, T, cin);
  for (; t + R / 2 <= n; t += R / 2) multiply_rows<V, NV, R / 2>(X + t * V, U, M + t * BW, T, cin);
  for (; t + 2 <= n; t += 2) multiply_rows<V, NV, 2>(X + t * V, U, M + t * BW, T, cin);
  for (; t < n; ++t) multiply_rows<V, NV, 1>(X + t * V, U, M + t * BW, T, cin);
}

}  // namespace rustseg
