// Scratch: memory for intermediate results, which each thread reuses from call to call.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace rustseg {

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float[], Free>;

// Room for n floats, not set to anything, at the start of a cache line (64 bytes).
inline Floats allocate(size_t n) {
  size_t bytes = (n * sizeof(float) + 63) / 64 * 64;  // aligned_alloc wants a multiple
  Floats memory(static_cast<float*>(std::aligned_alloc(64, bytes)));
  if (!memory) throw std::bad_alloc();
  return memory;
}

// This thread's n floats; the next call on the same thread takes them back.
inline float* scratch(size_t n) {
  static thread_local Floats memory;
  static thread_local size_t size = 0;
  if (n > size) {
    memory.reset();  // before the larger one, so that there is only one at a time
    size = 0;        // and nothing is promised if that one fails
    memory = allocate(n);
    size = n;
  }
  return memory.get();
}

}  // namespace rustseg
