#include "edge/wasm/heap_watch.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "edge/wasm/backend_fixture.h"

#if FUSEBOX_HEAP_WATCHED

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

__attribute__((tls_model("initial-exec"))) constinit thread_local std::uint64_t requests = 0;
__attribute__((tls_model("initial-exec"))) constinit thread_local bool refusing = false;

bool refuse() noexcept {
  ++requests;
  if (refusing) errno = ENOMEM;
  return refusing;
}

}  // namespace

extern "C" {
void* malloc(std::size_t size) noexcept {
  return refuse() ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return refuse() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  return refuse() ? nullptr : __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return refuse() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  *out = memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}

namespace fusebox::edge::test {
std::uint64_t heap_requests() noexcept {
  return requests;
}
NoHeap::NoHeap() noexcept {
  refusing = true;
}
NoHeap::~NoHeap() {
  refusing = false;
}
}  // namespace fusebox::edge::test

#else

namespace fusebox::edge::test {
std::uint64_t heap_requests() noexcept {
  return 0;
}
NoHeap::NoHeap() noexcept = default;
NoHeap::~NoHeap() = default;
}  // namespace fusebox::edge::test

#endif

namespace fusebox::edge::test {
namespace {

TEST(HeapWatch, CountsAndRefuses) {
  if (!FUSEBOX_HEAP_WATCHED) GTEST_SKIP() << "a sanitizer stands in for malloc";
  const std::uint64_t before = heap_requests();
  void* volatile got = std::malloc(10);
  EXPECT_EQ(heap_requests(), before + 1);
  std::free(got);
  void* volatile refused = nullptr;
  void* volatile refused_new = nullptr;
  {
    const NoHeap none;
    refused = std::malloc(10);
    refused_new = ::operator new(10, std::nothrow);
  }
  EXPECT_EQ(refused, nullptr);
  EXPECT_EQ(refused_new, nullptr);
}

class CountingSink final : public ImportSink {
 public:
  const char* import_called(const ImportRow&, void*, std::uint64_t* values) override {
    ++calls;
    values[0] = 1;
    return nullptr;
  }
  int calls = 0;
};

constexpr char kBusy[] = R"((module
  (import "env" "temp_get_reading" (func $temp (result f32)))
  (import "env" "module_log_event" (func $log (param i32 i32 i32)))
  (memory 1)
  (func (export "module_step") (drop (call $temp)) (call $log (i32.const 0) (i32.const 4) (i32.const 0))
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000)))))";

TEST(BackendHeap, StepsAndImportsNeedNone) {
  if (!FUSEBOX_HEAP_WATCHED) GTEST_SKIP() << "a sanitizer stands in for malloc";
  const auto backend = small_backend();
  CountingSink sink;
  const Guest guest(*backend, kBusy, sink);
  ASSERT_EQ(guest.step().end, CallEnd::completed);
  for (const CallLimits& limits :
       {CallLimits{}, CallLimits{.cpu_us = 1'000'000}, CallLimits{.cpu_us = 1'000'000, .ticks = 1'000'000}}) {
    const std::uint64_t before = heap_requests();
    bool completed = true;
    {
      const NoHeap none;
      for (int i = 0; i < 1000; ++i) completed = completed && guest.step(limits).end == CallEnd::completed;
      completed = completed && backend->memory(guest.instance()).size == 65536 && backend->pages(guest.instance()) == 1;
    }
    EXPECT_TRUE(completed);
    EXPECT_EQ(heap_requests(), before);
  }
  EXPECT_EQ(sink.calls, 2 * 3001);
}

TEST(BackendHeap, AnInterruptNeedsNone) {
  if (!FUSEBOX_HEAP_WATCHED) GTEST_SKIP() << "a sanitizer stands in for malloc";
  const auto backend = small_backend();
  CountingSink sink;
  const Guest guest(*backend, kBusy, sink);
  const std::uint64_t before = heap_requests();
  backend->interrupt(guest.instance());
  EXPECT_EQ(heap_requests(), before);
  EXPECT_EQ(guest.step().end, CallEnd::stopped);
}

}  // namespace
}  // namespace fusebox::edge::test
