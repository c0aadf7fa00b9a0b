// Runs the compiled convolutions without XLA, under the sanitizers of the compiler, on shapes that
// do not fit the vectors, the tiles or the strips, and compares them with sums written out by hand.
//
//   kernels           all checks; prints how many, or the first that fails
//   kernels overrun   reads one number past its input: the sanitizer must notice
//
// Every array has exactly its size, so that one number too many is one outside.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "batch_norm.h"
#include "direct.h"
#include "gradient.h"
#include "scratch.h"
#include "shapes.h"
#include "threads.h"
#include "winograd.h"

namespace {

using namespace rustseg;
using Numbers = std::vector<float>;

int checks = 0;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  std::exit(1);
}

void expect(bool right, const std::string& what) {
  ++checks;
  if (!right) fail(what);
}

std::string name(const char* what, const Shape& s) {
  std::string text = what;
  for (int64_t n : {s.B, s.H, s.W, s.cin, s.cout}) text += " " + std::to_string(n);
  return text;
}

// Three threads, new ones for every piece of work.
class Pool {
 public:
  int64_t num_threads() const { return 3; }
  template <typename F> void Schedule(F task) { threads_.emplace_back(std::move(task)); }
  ~Pool() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::vector<std::thread> threads_;
};

// ---------------------------------------------------------------- sums written out by hand

Numbers draw(int64_t size) {
  static std::mt19937 random(7);
  std::normal_distribution<float> normal;
  Numbers values(size);
  for (float& value : values) value = normal(random);
  return values;
}

// f(position of x, position of k, position of y) for every product of the convolution.
template <typename F> void products(const Shape& s, F&& f) {
  for (int64_t b = 0; b < s.B; ++b)
    for (int64_t y = 0; y < s.H; ++y)
      for (int64_t x = 0; x < s.W; ++x)
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t j = 0; j < 3; ++j) {
            int64_t v = y + i - 1, u = x + j - 1;
            if (v < 0 || u < 0 || v >= s.H || u >= s.W) continue;
            for (int64_t c = 0; c < s.cin; ++c)
              for (int64_t o = 0; o < s.cout; ++o)
                f(((b * s.H + v) * s.W + u) * s.cin + c, ((i * 3 + j) * s.cin + c) * s.cout + o,
                  ((b * s.H + y) * s.W + x) * s.cout + o);
          }
}

Numbers convolved(const Shape& s, const Numbers& x, const Numbers& k, const Numbers& bias,
                  bool relu) {
  std::vector<double> sums(s.B * s.H * s.W * s.cout);
  products(s, [&](int64_t at, int64_t kernel, int64_t out) {
    sums[out] += double(x[at]) * k[kernel];
  });
  Numbers y(sums.size());
  for (size_t i = 0; i < y.size(); ++i) {
    double value = sums[i] + bias[i % s.cout];
    y[i] = float(relu ? std::fmax(value, 0.0) : value);
  }
  return y;
}

Numbers gradient_of_kernel(const Shape& s, const Numbers& x, const Numbers& g) {
  std::vector<double> sums(9 * s.cin * s.cout);
  products(s, [&](int64_t at, int64_t kernel, int64_t out) {
    sums[kernel] += double(x[at]) * g[out];
  });
  return Numbers(sums.begin(), sums.end());
}

Numbers pooled(const Shape& s, const Numbers& y) {
  int64_t H = s.H / 2, W = s.W / 2;
  Numbers p(s.B * H * W * s.cout, -INFINITY);
  for (int64_t i = 0; i < int64_t(y.size()); ++i) {
    int64_t c = i % s.cout, u = i / s.cout % s.W, v = i / s.cout / s.W % s.H;
    if (v / 2 >= H || u / 2 >= W) continue;
    float& most = p[((i / s.cout / s.W / s.H * H + v / 2) * W + u / 2) * s.cout + c];
    most = std::fmax(most, y[i]);
  }
  return p;
}

// Within 1e-5 of the largest value, as in the tests against jax.lax.
void compare(const std::string& what, const Numbers& found, const Numbers& right) {
  double scale = 0, worst = 0;
  for (float value : right) scale = std::fmax(scale, std::fabs(value));
  bool defined = found.size() == right.size();
  for (size_t i = 0; defined && i < right.size(); ++i) {
    defined = std::isfinite(found[i]);
    worst = std::fmax(worst, std::fabs(double(found[i]) - right[i]));
  }
  expect(defined && worst <= 1e-5 * scale, what + ", worst " + std::to_string(worst));
}

// ---------------------------------------------------------------- the kernels

Numbers unset(int64_t size) { return Numbers(size, NAN); }

void check_winograd(const Shape& s, bool relu) {
  Numbers x = draw(s.B * s.H * s.W * s.cin), k = draw(9 * s.cin * s.cout), bias = draw(s.cout);
  Numbers g = draw(s.B * s.H * s.W * s.cout), u = unset(36 * s.cin * s.cout), dk = unset(k.size());
  Numbers y = unset(g.size()), alone = y, p = unset(s.B * (s.H / 2) * (s.W / 2) * s.cout);
  bool fits = dispatch(s, [&](auto lanes, auto vectors) {
    constexpr int V = decltype(lanes)::value, NV = decltype(vectors)::value;
    Pool pool;
    transform_kernel<V, NV>(pool, s, k.data(), u.data());
    forward<V, NV>(pool, s, x.data(), u.data(), {y.data(), p.data(), bias.data(), relu});
    forward<V, NV>(pool, s, x.data(), u.data(), {alone.data(), nullptr, bias.data(), relu});
    kernel_gradient<V, NV>(pool, s, x.data(), g.data(), dk.data());
  });
  expect(fits, name("no vectors for", s));
  compare(name("winograd", s), y, convolved(s, x, k, bias, relu));
  compare(name("winograd, pooled", s), p, pooled(s, y));
  expect(alone == y, name("winograd, with and without pooling", s));
  compare(name("gradient of the kernel", s), dk, gradient_of_kernel(s, x, g));
}

void check_direct(const Shape& s, bool relu) {
  Numbers x = draw(s.B * s.H * s.W * s.cin), k = draw(9 * s.cin * s.cout), bias = draw(s.cout);
  Numbers g = draw(s.B * s.H * s.W * s.cout), y = unset(g.size()), dk = unset(k.size());
  Shape columns = s;
  columns.cin = s.cout;
  bool fits = dispatch(columns, [&](auto lanes, auto vectors) {
    constexpr int V = decltype(lanes)::value, NV = decltype(vectors)::value;
    Pool pool;
    Output o{y.data(), nullptr, bias.data(), relu};
    if (s.cin == 3) {
      direct<V, NV, 3>(pool, s, x.data(), k.data(), o);
    } else {
      direct<V, NV, 0>(pool, s, x.data(), k.data(), o);
    }
    direct_kernel_gradient<V>(pool, s, x.data(), g.data(), dk.data());
  });
  expect(fits, name("no vectors for", s));
  compare(name("direct", s), y, convolved(s, x, k, bias, relu));
  compare(name("direct gradient of the kernel", s), dk, gradient_of_kernel(s, x, g));
}

// The formulas themselves are tested in Python; here, that nothing outside is touched.
void check_batch_norm(const Shape& s, bool pool_too) {
  int64_t C = s.cout, size = s.B * s.H * s.W * C;
  int64_t rest = pool_too ? s.B * (s.H / 2) * (s.W / 2) * C : size;
  Numbers y = draw(size), p = draw(5 * C), g = draw(rest), z = unset(rest), dy = unset(size);
  Numbers mean = unset(C), variance = unset(C), sums = unset(2 * C), right(C);
  std::vector<double> totals(C);
  for (int64_t i = 0; i < size; ++i) totals[i % C] += y[i] += 1.0f;  // a mean of 0 has no scale
  Shape square = s;
  square.cin = C;
  bool fits = with_lanes(square, [&](auto lanes) {
    constexpr int V = decltype(lanes)::value;
    Pool pool;
    Parts parts{square, pool_too};
    moments<V>(pool, square, y.data(), mean.data(), variance.data());
    normalise<V>(pool, parts, y.data(), p.data(), z.data());
    normalise_sums<V>(pool, parts, y.data(), p.data(), g.data(), sums.data());
    normalise_gradient<V>(pool, parts, y.data(), p.data(), g.data(), dy.data());
  });
  expect(fits, name("no vectors for", s));
  for (int64_t c = 0; c < C; ++c) right[c] = float(totals[c] / double(size / C));
  compare(name("mean", s), mean, right);
  for (const Numbers* all : {&variance, &z, &sums, &dy}) {
    bool whole = std::all_of(all->begin(), all->end(), [](float v) { return std::isfinite(v); });
    expect(whole, name("batch norm left a hole", s));
  }
}

// ---------------------------------------------------------------- errors

// A helper fails while the caller is still at work: the caller gets the error, after the wait.
void check_error_of_a_helper() {
  std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> failing{false};
  std::atomic<int> running{0};
  bool caught = false;
  {
    Pool pool;
    try {
      parallel(pool, 64, [&](int64_t) {
        ++running;
        if (std::this_thread::get_id() == caller) {
          while (!failing) std::this_thread::yield();
        }
        --running;
        if (std::this_thread::get_id() != caller) {
          failing = true;
          throw std::runtime_error("of a helper");
        }
      });
    } catch (const std::runtime_error& error) {
      caught = std::string(error.what()) == "of a helper";
      expect(running == 0, "the error came before the others had ended");
    }
  }
  expect(caught, "the error of a helper did not reach the caller");
}

// A pool that has no memory for a task: the caller does all of the work.
struct Broken {
  int64_t num_threads() const { return 3; }
  template <typename F> void Schedule(F) { throw std::bad_alloc(); }
};

void check_broken_pool() {
  Broken pool;
  int done = 0;
  parallel(pool, 10, [&](int64_t) { ++done; });
  expect(done == 10, "items were left out without helpers");
}

// After scratch that is too large, a smaller one is there again.
void check_scratch() {
  bool caught = false;
  try {
    scratch(size_t{1} << 58);
  } catch (const std::bad_alloc&) {
    caught = true;
  }
  expect(caught, "2^60 bytes of scratch were granted");
  float* some = scratch(16);
  expect(some != nullptr, "no scratch after a failure");
  some[15] = 1.0f;
}

void overrun() {
  Shape s{1, 5, 5, 8, 8};
  Numbers x = draw(s.H * s.W * s.cin - 1), u = draw(36 * 64), bias = draw(8), y = unset(200);
  dispatch(s, [&](auto lanes, auto vectors) {
    Pool pool;
    forward<decltype(lanes)::value, decltype(vectors)::value>(
        pool, s, x.data(), u.data(), {y.data(), nullptr, bias.data(), false});
  });
}

}  // namespace

int main(int count, char** words) {
  if (count > 1 && std::strcmp(words[1], "overrun") == 0) {
    overrun();
    return 0;
  }
  // Heights and widths beside multiples of 2, 4 and 8; channels for blocks of one, two and three
  // vectors; more tiles than one block has.
  for (const Shape& s : std::vector<Shape>{{1, 1, 1, 8, 8}, {2, 3, 2, 16, 8}, {1, 5, 9, 8, 24},
                                           {3, 6, 7, 24, 16}, {1, 13, 30, 8, 40}, {1, 4, 8, 32, 48},
                                           {2, 37, 41, 8, 8}}) {
    check_winograd(s, s.W % 2 == 0);
    check_batch_norm(s, false);
    check_batch_norm(s, true);
  }
  for (const Shape& s : std::vector<Shape>{{1, 1, 1, 3, 8}, {2, 9, 7, 3, 16}, {1, 8, 30, 3, 24},
                                           {1, 17, 5, 1, 8}, {2, 3, 26, 5, 40}}) {
    check_direct(s, s.W % 2 == 0);
  }
  Shape odd{1, 4, 4, 6, 6};
  expect(!dispatch(odd, [](auto, auto) {}), "six channels fit no vector");
  check_error_of_a_helper();
  check_broken_pool();
  check_scratch();
  std::printf("%d checks\n", checks);
}
