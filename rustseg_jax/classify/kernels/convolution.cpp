// Registers the compiled convolutions with XLA: each function checks the shapes, selects the vector
// width, and passes the pointers of XLA's arrays to the kernels in the headers of this folder.
//
// 3x3 convolutions, SAME padding, NHWC, float32, for jax.ffi: forward with bias, ReLU and 2x2 max
// pooling fused in, and the gradient of the kernel.

#include <exception>
#include <new>
#include <string>

#include "xla/ffi/api/ffi.h"

#include "batch_norm.h"
#include "direct.h"
#include "gradient.h"
#include "shapes.h"
#include "winograd.h"

namespace ffi = xla::ffi;

namespace rustseg {
namespace {

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Array>;

ffi::Error refuse() { return ffi::Error::InvalidArgument("channels are not a multiple of 8"); }

// Every exception ends here, whichever thread it came from: XLA is built without them, and one that
// reached it would end the process. JAX raises the error in Python instead.
template <typename F> ffi::Error guarded(F&& f) {
  try {
    return f() ? ffi::Error::Success() : refuse();
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                      "no memory for the intermediate results of a compiled convolution");
  } catch (const std::exception& error) {
    return ffi::Error(ffi::ErrorCode::kInternal,
                      std::string("a compiled convolution failed: ") + error.what());
  } catch (...) {
    return ffi::Error(ffi::ErrorCode::kInternal, "a compiled convolution failed");
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
}  // namespace rustseg

using namespace rustseg;  // the names that XLA looks for are C's, outside of any namespace

#pragma GCC visibility push(default)  // all else is hidden: two builds may be in one process

#define POOL ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(rustseg_transform_kernel, TransformKernel,
                              POOL.Arg<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    rustseg_forward, Forward,
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

#pragma GCC visibility pop
