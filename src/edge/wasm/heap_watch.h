// For the edge runtime's tests: how often this thread asks for heap memory, whoever asks, the engine included.
//
// It stands in for malloc in the whole test program (heap_watch_test.cc), so it exists once. Not under sanitizers, which
// stand there themselves.
// Threads  counts of the calling thread.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FUSEBOX_HEAP_WATCHED 0
#else
#define FUSEBOX_HEAP_WATCHED 1
#endif

namespace fusebox::edge::test {

// malloc, calloc, realloc and their aligned kin, since the thread began; always 0 where nothing is watched.
std::uint64_t heap_requests() noexcept;

// Until the end of the scope this thread gets no heap memory.
class NoHeap {
 public:
  NoHeap() noexcept;
  NoHeap(const NoHeap&) = delete;
  NoHeap& operator=(const NoHeap&) = delete;
  ~NoHeap();
};

}  // namespace fusebox::edge::test
