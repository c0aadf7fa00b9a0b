// 3x3 convolutions, SAME padding, NHWC, float32, for jax.ffi: forward with bias, ReLU and 2x2 max
// pooling fused in, and the gradient of the kernel.
//
// Winograd's minimal filtering F(4x4, 3x3): Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", CVPR 2016. Each 4x4 tile of the output needs a 6x6 tile of the input; in the
// transformed domain the convolution is 36 independent matrix products over the channels, a quarter
// of the multiplications. The points of interpolation are 0, +-a, +-b and infinity.
//
// Scratch of one block of T tiles (V lanes of a vector, NV vectors in a column block of the output):
//   X [36][cin / V][T][V]          transformed input
//   U [cout / (NV V)][36][cin][NV V]   transformed kernel, made by `transform_kernel`
//   M [36][T][NV V]                product, one column block at a time
// so that every address within the inner loops is a constant displacement.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

// ---------------------------------------------------------------- vectors

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRegisters = 32;
#elif defined(__AVX__)
constexpr int kLanes = 8, kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kRegisters = 32;
#else
constexpr int kLanes = 4, kRegisters = 16;
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

#define INLINE inline __attribute__((always_inline))

template <int V> INLINE Vec<V> load(const float* p) {
  return *reinterpret_cast<const typename Lanes<V>::memory*>(p);
}
template <int V> INLINE void store(float* p, Vec<V> v) {
  *reinterpret_cast<typename Lanes<V>::memory*>(p) = v;
}
template <typename T> INLINE T maximum(T a, T b) { return a > b ? a : b; }

// ---------------------------------------------------------------- transforms

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

constexpr float kN0 = 1.0f, kNa = 1.0f / (2 * kA2 * (kA2 - kB2)), kNb = 1.0f / (2 * kB2 * (kB2 - kA2));

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

// ---------------------------------------------------------------- threads and scratch

struct Job {
  std::atomic<int64_t> next{0}, done{0};
  std::mutex mutex;
  std::condition_variable finished;
};

// Runs f(0) ... f(n - 1) on XLA's own threads and on the caller's. The caller waits only for items
// that somebody has begun, so it cannot deadlock when every thread of the pool is a caller.
template <typename F> void parallel(ffi::ThreadPool& pool, int64_t n, const F& f) {
  int64_t threads = std::min<int64_t>(pool.num_threads(), n);
  if (threads <= 1) {
    for (int64_t i = 0; i < n; ++i) f(i);
    return;
  }
  auto job = std::make_shared<Job>();
  auto work = [job, n, &f] {
    for (int64_t i; (i = job->next.fetch_add(1)) < n;) {
      f(i);
      if (job->done.fetch_add(1) + 1 == n) {
        std::lock_guard<std::mutex> lock(job->mutex);
        job->finished.notify_all();
      }
    }
  };
  for (int64_t i = 1; i < threads; ++i) pool.Schedule(decltype(work)(work));
  work();
  for (int spin = 0; spin < 2000 && job->done.load() < n; ++spin) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  std::unique_lock<std::mutex> lock(job->mutex);
  job->finished.wait(lock, [&] { return job->done.load() == n; });
}

struct Scratch {
  float* data = nullptr;
  size_t size = 0;
  float* get(size_t n) {
    if (n > size) {
      std::free(data);
      data = static_cast<float*>(std::aligned_alloc(64, (n * 4 + 127) / 64 * 64));
      if (!data) throw std::bad_alloc();
      size = n;
    }
    return data;
  }
  ~Scratch() { std::free(data); }
};
thread_local Scratch scratch;

// ---------------------------------------------------------------- products

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

// ---------------------------------------------------------------- Winograd, forward

struct Shape {
  int64_t B, H, W, cin, cout;
  int64_t th() const { return (H + 3) / 4; }
  int64_t tw() const { return (W + 3) / 4; }
  int64_t tiles() const { return B * th() * tw(); }
};

struct Tile {
  int64_t b, y, x;  // y, x: of the tile's first output position
};

INLINE Tile place(const Shape& s, int64_t tile) {
  int64_t per = s.th() * s.tw();
  return {tile / per, tile % per / s.tw() * 4, tile % s.tw() * 4};
}

// X[f][c / V][t][V] of the 6x6 patch round one tile. `patch`: 36 cin floats for tiles at the border.
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

struct Output {
  float* full;    // (B, H, W, cout) or null
  float* pooled;  // (B, H / 2, W / 2, cout) or null
  const float* bias;
  bool relu;
};

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
  if (o.full) {
    float* q = o.full + ((p.b * s.H + p.y) * s.W + p.x) * s.cout + c;
    int64_t h = s.H - p.y, v = s.W - p.x;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        if (i < h && j < v) store<V>(q + (i * s.W + j) * s.cout, y[i][j]);
      }
    }
  }
  if (o.pooled) {
    int64_t H = s.H / 2, W = s.W / 2, h = H - p.y / 2, v = W - p.x / 2;
    float* q = o.pooled + ((p.b * H + p.y / 2) * W + p.x / 2) * s.cout + c;
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
}

#ifndef SCRATCH_KIB
#define SCRATCH_KIB 512
#endif
#ifndef MOST_TILES
#define MOST_TILES 48
#endif

// Tiles of one block: X within half a typical second-level cache, an equal share for every thread.
int64_t block_tiles(int64_t tiles, int64_t channels, int64_t most, int64_t unit, int64_t threads) {
  int64_t T = std::clamp<int64_t>(SCRATCH_KIB * 1024 / (144 * channels), unit, most);
  T = T / unit * unit;
  int64_t blocks = (tiles + T - 1) / T;
  if (blocks < 4 * threads) blocks = (blocks + threads - 1) / threads * threads;
  return std::min(T, (tiles + blocks - 1) / blocks);
}

template <int V, int NV>
void forward(ffi::ThreadPool& pool, const Shape& s, const float* x, const float* U,
             const Output& o) {
  constexpr int64_t BW = NV * V;
  int64_t tiles = s.tiles();
  int64_t T = block_tiles(tiles, s.cin, MOST_TILES, rows<NV>(), pool.num_threads());
  parallel(pool, (tiles + T - 1) / T, [&](int64_t block) {
    float* patch = scratch.get(36 * (s.cin + T * s.cin + T * BW));
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

// ---------------------------------------------------------------- choice of widths

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

// ---------------------------------------------------------------- transformed kernels

// U[cout / BW][36][cin][BW] of k (3, 3, cin, cout).
template <int V, int NV>
void transform_kernel(ffi::ThreadPool& pool, const Shape& s, const float* k, float* U) {
  constexpr int64_t BW = NV * V;
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

// ---------------------------------------------------------------- Winograd, kernel gradient

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

template <int V, int NV>
void kernel_gradient(ffi::ThreadPool& pool, const Shape& s, const float* x, const float* g,
                     float* out) {
  constexpr int64_t BW = NV * V;
  int64_t tiles = s.tiles(), size = 36 * s.cin * s.cout;
  int64_t T = block_tiles(tiles, s.cin + s.cout, 96, 8, pool.num_threads());
  int64_t blocks = (tiles + T - 1) / T;
  // Each share of the tiles has its own sums; together they stay under 256 MiB. Which blocks belong
  // to a share is fixed, so that the same gradient comes out to the bit each time.
  int64_t shares = std::max<int64_t>(pool.num_threads(), 1) * (size < (1 << 18) ? 2 : 1);
  shares = std::min({shares, blocks, std::max<int64_t>(1, (int64_t{1} << 26) / size)});
  std::unique_ptr<float[], decltype(&std::free)> sums(
      static_cast<float*>(std::aligned_alloc(64, (shares * size * 4 + 63) / 64 * 64)), &std::free);
  if (!sums) throw std::bad_alloc();
  parallel(pool, shares, [&](int64_t share) {
    float* D = sums.get() + share * size;
    std::memset(D, 0, size * sizeof(float));
    float* patch = scratch.get(36 * (s.cin + T * (s.cin + s.cout)));
    float* X = patch + 36 * s.cin;
    float* Y = X + 36 * T * s.cin;
    for (int64_t block = share; block < blocks; block += shares) {
      int64_t first = block * T, n = std::min(T, tiles - first);
      for (int64_t t = 0; t < n; ++t) {
        Tile p = place(s, first + t);
        transform_input<V>(x, s, p, patch, X + t * V, T);
        transform_gradient<V, NV>(g, s, p, Y + t * BW, T);
      }
      for (int64_t f = 0; f < 36; ++f) {
        for (int64_t c = 0; c < s.cout; c += BW) {
          for (int64_t i = 0; i < s.cin; i += V) {
            accumulate<V, NV>(X + (f * s.cin + i) * T, Y + (f * s.cout + c) * T,
                              D + (f * s.cout + c) * s.cin + i * BW, n);
          }
        }
      }
    }
  });
  parallel(pool, s.cin, [&](int64_t i) {
    for (int64_t c = 0; c < s.cout; c += V) {
      Vec<V> u[6][6] = {}, w[3][6];
      for (int64_t share = 0; share < shares; ++share) {
        const float* D = sums.get() + share * size + c / BW * BW * s.cin + i * BW + c % BW;
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
  });
}

// ---------------------------------------------------------------- direct, for few input channels

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

template <int V, int NV, int CIN>
void direct(ffi::ThreadPool& pool, const Shape& s, const float* x, const float* kernel,
            const Output& o) {
  constexpr int64_t BW = NV * V, R = rows<NV>();
  int64_t strips = (s.H + kStrip - 1) / kStrip, width = s.W + 2;
  parallel(pool, s.B * strips, [&](int64_t item) {
    int64_t b = item / strips, y0 = item % strips * kStrip, y1 = std::min(s.H, y0 + kStrip);
    float* strip = scratch.get((kStrip + 2) * width * s.cin + 9 * s.cin * s.cout);
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

template <int V>
void direct_kernel_gradient(ffi::ThreadPool& pool, const Shape& s, const float* x, const float* g,
                            float* out) {
  int64_t strips = (s.H + kStrip - 1) / kStrip, items = s.B * strips, width = s.W + 2;
  int64_t size = 9 * s.cin * s.cout;
  int64_t shares = std::min(std::max<int64_t>(pool.num_threads(), 1) * 2, items);
  std::vector<float> sums(shares * size, 0.0f);
  parallel(pool, shares, [&](int64_t share) {
    float* D = sums.data() + share * size;
    float* strip = scratch.get((kStrip + 2) * width * s.cin);
    for (int64_t item = share; item < items; item += shares) {
      int64_t b = item / strips, y0 = item % strips * kStrip, y1 = std::min(s.H, y0 + kStrip);
      pad_rows(x, s, b, y0, y1, strip);
      for (int64_t y = y0; y < y1; ++y) {
        const float* grow = g + (b * s.H + y) * s.W * s.cout;
        for (int64_t ky = 0; ky < 3; ++ky) {
          const float* row = strip + (y - y0 + ky) * width * s.cin;
          float* d = D + ky * 3 * s.cin * s.cout;
          for (int64_t c = 0; c < s.cout; c += V) {
            if (s.cin == 3) {
              direct_accumulate<V, 9>(row, 3, grow + c, s.cout, s.W, d + c);
              continue;
            }
            for (int64_t j = 0; j < 3 * s.cin; j += 3) {
              direct_accumulate<V, 3>(row + j, s.cin, grow + c, s.cout, s.W, d + j * s.cout + c);
            }
          }
        }
      }
    }
  });
  for (int64_t j = 0; j < size; ++j) {
    float sum = 0;
    for (int64_t share = 0; share < shares; ++share) sum += sums[share * size + j];
    out[j] = sum;
  }
}

// ---------------------------------------------------------------- batch norm, ReLU, pooling

// Rows of the parameters p (5, C): z = relu(scale (y - mean) + shift), and for the gradient
// dy = scale g' + constant + slope (y - mean), with g' = g where z is positive (and, with pooling,
// where z is the first of the largest in its 2x2 block), 0 elsewhere.
enum { kMean, kScale, kShift, kConstant, kSlope };

// Positions are taken in parts: runs of one picture's positions, or pairs of rows when pooling.
struct Parts {
  Shape s;  // of y; cin = cout
  bool pool;
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
void add_up(const std::vector<float>& sums, int64_t count, int64_t C, double* first,
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
template <int V>
void moments(ffi::ThreadPool& pool, const Shape& s, const float* y, float* mean, float* variance) {
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

template <int V>
void normalise(ffi::ThreadPool& pool, const Parts& parts, const float* y, const float* p,
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
template <int V>
void normalise_sums(ffi::ThreadPool& pool, const Parts& parts, const float* y, const float* p,
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

template <int V>
void normalise_gradient(ffi::ThreadPool& pool, const Parts& parts, const float* y, const float* p,
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

// ---------------------------------------------------------------- entry points

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Array>;

ffi::Error refuse() { return ffi::Error::InvalidArgument("channels are not a multiple of 8"); }

template <typename F> ffi::Error guarded(F&& f) {
  try {
    return f() ? ffi::Error::Success() : refuse();
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "no memory for a convolution's scratch");
  }
}

Shape shape_of(const Array& x, int64_t cout) {
  auto d = x.dimensions();
  return {d[0], d[1], d[2], d[3], cout};
}

ffi::Error TransformKernel(ffi::ThreadPool pool, Array k, Result u) {
  auto d = k.dimensions();
  Shape s{1, 1, 1, d[2], d[3]};
  return guarded([&] {
    return dispatch(s, [&](auto v, auto nv) {
      transform_kernel<decltype(v)::value, decltype(nv)::value>(pool, s, k.typed_data(),
                                                                u->typed_data());
    });
  });
}

ffi::Error run_forward(ffi::ThreadPool& pool, const Array& x, const Array& u, const Array& bias,
                       float* full, float* pooled, bool relu) {
  Shape s = shape_of(x, bias.dimensions()[0]);
  Output o{full, pooled, bias.typed_data(), relu};
  return guarded([&] {
    return dispatch(s, [&](auto v, auto nv) {
      forward<decltype(v)::value, decltype(nv)::value>(pool, s, x.typed_data(), u.typed_data(), o);
    });
  });
}

ffi::Error Forward(ffi::ThreadPool pool, Array x, Array u, Array bias, Result y, bool relu) {
  return run_forward(pool, x, u, bias, y->typed_data(), nullptr, relu);
}

ffi::Error ForwardPool(ffi::ThreadPool pool, Array x, Array u, Array bias, Result p, bool relu) {
  return run_forward(pool, x, u, bias, nullptr, p->typed_data(), relu);
}

ffi::Error ForwardBoth(ffi::ThreadPool pool, Array x, Array u, Array bias, Result y, Result p,
                       bool relu) {
  return run_forward(pool, x, u, bias, y->typed_data(), p->typed_data(), relu);
}

ffi::Error KernelGradient(ffi::ThreadPool pool, Array x, Array g, Result dk) {
  Shape s = shape_of(x, g.dimensions()[3]);
  return guarded([&] {
    return dispatch(s, [&](auto v, auto nv) {
      kernel_gradient<decltype(v)::value, decltype(nv)::value>(pool, s, x.typed_data(),
                                                               g.typed_data(), dk->typed_data());
    });
  });
}

ffi::Error DirectKernelGradient(ffi::ThreadPool pool, Array x, Array g, Result dk) {
  Shape s = shape_of(x, g.dimensions()[3]), columns = s;
  columns.cin = columns.cout;
  return guarded([&] {
    return with_lanes(columns, [&](auto v) {
      direct_kernel_gradient<decltype(v)::value>(pool, s, x.typed_data(), g.typed_data(),
                                                 dk->typed_data());
    });
  });
}

ffi::Error Direct(ffi::ThreadPool pool, Array x, Array k, Array bias, Result y, bool relu) {
  Shape s = shape_of(x, bias.dimensions()[0]), columns = s;
  columns.cin = columns.cout;
  Output o{y->typed_data(), nullptr, bias.typed_data(), relu};
  return guarded([&] {
    return dispatch(columns, [&](auto v, auto nv) {
      constexpr int V = decltype(v)::value, NV = decltype(nv)::value;
      if (s.cin == 3) {
        direct<V, NV, 3>(pool, s, x.typed_data(), k.typed_data(), o);
      } else {
        direct<V, NV, 0>(pool, s, x.typed_data(), k.typed_data(), o);
      }
    });
  });
}

template <typename F> ffi::Error by_channel(const Array& y, F&& f) {
  Shape s = shape_of(y, y.dimensions()[3]);
  return guarded([&] {
    return with_lanes(s, [&](auto v) { f(v, s); });
  });
}

ffi::Error Moments(ffi::ThreadPool pool, Array y, Result mean, Result variance) {
  return by_channel(y, [&](auto v, const Shape& s) {
    moments<decltype(v)::value>(pool, s, y.typed_data(), mean->typed_data(),
                                variance->typed_data());
  });
}

ffi::Error Normalise(ffi::ThreadPool pool, Array y, Array p, Result z, bool pooled) {
  return by_channel(y, [&](auto v, const Shape& s) {
    normalise<decltype(v)::value>(pool, {s, pooled}, y.typed_data(), p.typed_data(),
                                  z->typed_data());
  });
}

ffi::Error NormaliseSums(ffi::ThreadPool pool, Array y, Array p, Array g, Result sums,
                         bool pooled) {
  return by_channel(y, [&](auto v, const Shape& s) {
    normalise_sums<decltype(v)::value>(pool, {s, pooled}, y.typed_data(), p.typed_data(),
                                       g.typed_data(), sums->typed_data());
  });
}

ffi::Error NormaliseGradient(ffi::ThreadPool pool, Array y, Array p, Array g, Result dy,
                             bool pooled) {
  return by_channel(y, [&](auto v, const Shape& s) {
    normalise_gradient<decltype(v)::value>(pool, {s, pooled}, y.typed_data(), p.typed_data(),
                                           g.typed_data(), dy->typed_data());
  });
}

}  // namespace

#define POOL ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(rustseg_transform_kernel, TransformKernel,
                              POOL.Arg<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_forward, Forward,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("relu"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_forward_pool, ForwardPool,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("relu"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_forward_both, ForwardBoth,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Ret<Array>().Attr<bool>("relu"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_direct, Direct,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("relu"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(rustseg_kernel_gradient, KernelGradient,
                              POOL.Arg<Array>().Arg<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(rustseg_direct_kernel_gradient, DirectKernelGradient,
                              POOL.Arg<Array>().Arg<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(rustseg_moments, Moments,
                              POOL.Arg<Array>().Ret<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_normalise, Normalise,
    POOL.Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("pooled"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_normalise_sums, NormaliseSums,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("pooled"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_normalise_gradient, NormaliseGradient,
    POOL.Arg<Array>().Arg<Array>().Arg<Array>().Ret<Array>().Attr<bool>("pooled"));
