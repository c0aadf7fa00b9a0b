// Threads: runs the items of a task on XLA's existing threads and passes an error on any of them
// back to the caller.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

namespace rustseg {

// What the threads share of one piece of work; it outlives the call for helpers that come too late.
struct Job {
  std::atomic<int64_t> next{0}, done{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // the first one; written once, before its item counts as done
  std::mutex mutex;
  std::condition_variable finished;
};

// Runs one item, or leaves it out once another has failed: the result is lost already. Nothing may
// leave here: XLA's threads have nobody who catches, and the process would end.
template <typename F> void attempt(Job& job, const F& f, int64_t item) noexcept {
  if (job.failed.load()) return;
  try {
    f(item);
  } catch (...) {
    if (!job.failed.exchange(true)) job.error = std::current_exception();
  }
}

// Runs f(0) ... f(n - 1) on the pool's threads and on the caller's, and throws here the first error
// of any of them. The caller waits only for items that somebody has begun, so it cannot deadlock
// when every thread of the pool is a caller. Pool: num_threads() and Schedule(task), as
// xla::ffi::ThreadPool has them.
template <typename Pool, typename F> void parallel(Pool& pool, int64_t n, const F& f) {
  int64_t threads = std::min<int64_t>(pool.num_threads(), n);
  if (threads <= 1) {
    for (int64_t i = 0; i < n; ++i) f(i);
    return;
  }
  auto job = std::make_shared<Job>();
  auto work = [job, n, &f] {
    for (int64_t i; (i = job->next.fetch_add(1)) < n;) {
      attempt(*job, f, i);
      if (job->done.fetch_add(1) + 1 == n) {
        std::lock_guard<std::mutex> lock(job->mutex);
        job->finished.notify_all();
      }
    }
  };
  try {
    for (int64_t i = 1; i < threads; ++i) pool.Schedule(decltype(work)(work));
  } catch (...) {
    // Some helpers did not start. Those that did use f, so nothing may be thrown before the wait;
    // and the caller does what they leave.
  }
  work();
  // Helpers end at nearly the same time. 2000 looks take 30 to 90 microseconds, about as long as
  // falling asleep and being woken.
  for (int spin = 0; spin < 2000 && job->done.load() < n; ++spin) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  std::unique_lock<std::mutex> lock(job->mutex);
  job->finished.wait(lock, [&] { return job->done.load() == n; });
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace rustseg
