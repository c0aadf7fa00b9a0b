// Vectors: V numbers that the processor adds or multiplies in one step, and how to load and store
// them. Which widths V exist depends on the processor that is compiled for.

#pragma once

namespace rustseg {

// Vector registers that the processor has.
#if defined(__AVX512F__)
constexpr int kRegisters = 32;
#elif defined(__AVX__)
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

template <int V> struct Lanes;
#if !defined(__AVX__)
template <> struct Lanes<4> {
  typedef float type __attribute__((vector_size(16)));
  typedef float memory __attribute__((vector_size(16), aligned(4), may_alias));
};
#else
template <> struct Lanes<8> {
  typedef float type __attribute__((vector_size(32)));
  typedef float memory __attribute__((vector_size(32), aligned(4), may_alias));
};
#endif
#if defined(__AVX512F__)
template <> struct Lanes<16> {
  typedef float type __attribute__((vector_size(64)));
  typedef float memory __attribute__((vector_size(64), aligned(4), may_alias));
};
#endif
template <int V> using Vec = typename Lanes<V>::type;

// What handles registers must be inlined: a call would pass the vectors through memory.
#define INLINE inline __attribute__((always_inline))

template <int V> INLINE Vec<V> load(const float* p) {
  return *reinterpret_cast<const typename Lanes<V>::memory*>(p);
}
template <int V> INLINE void store(float* p, Vec<V> v) {
  *reinterpret_cast<typename Lanes<V>::memory*>(p) = v;
}
template <typename T> INLINE T maximum(T a, T b) { return a > b ? a : b; }

}  // namespace rustseg
