#include "engine/native_stack.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
// The sanitizer keeps a stack of its own, by function entry and exit: functions that switch it must not take part.
#define FUSEBOX_SWITCHES_STACKS __attribute__((noinline, no_sanitize("thread")))
#else
#define FUSEBOX_SWITCHES_STACKS
#endif

namespace fusebox::engine {

// Empty until it is first asked for, because reading it costs the main thread a file.
__attribute__((tls_model("initial-exec"))) constinit thread_local StackRange this_stack{};

namespace {

StackRange stack_of_thread() noexcept {
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return {1, 1};
  void* low = nullptr;
  std::size_t size = 0;
  std::size_t guard = 0;
  ::pthread_attr_getstack(&attributes, &low, &size);
  ::pthread_attr_getguardsize(&attributes, &guard);
  ::pthread_attr_destroy(&attributes);
  const auto base = reinterpret_cast<std::uintptr_t>(low);
  return {base + guard, base + size};
}

class Mapping {
 public:
  explicit Mapping(std::size_t bytes) noexcept
      : bytes_(bytes),
        at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1,
                   0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (ok()) ::munmap(at_, bytes_);
  }
  bool ok() const noexcept { return at_ != MAP_FAILED; }
  char* at() const noexcept { return static_cast<char*>(at_); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
  void* at_;
};

// One switch to another stack and back, with what the sanitizers must be told about it.
struct Switch {
  ucontext_t caller;
  ucontext_t callee;
  void (*body)(void*) noexcept;
  void* env;
  const void* callee_bottom;
  std::size_t callee_bytes;
#if defined(__SANITIZE_ADDRESS__)
  const void* caller_bottom = nullptr;
  std::size_t caller_bytes = 0;
#endif
#if defined(__SANITIZE_THREAD__)
  void* caller_fiber = nullptr;
#endif
};

FUSEBOX_SWITCHES_STACKS void run_body(Switch& s) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &s.caller_bottom, &s.caller_bytes);
#endif
  s.body(s.env);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, s.caller_bottom, s.caller_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(s.caller_fiber, 0);
#endif
}

// makecontext passes ints: a pointer travels as two halves.
FUSEBOX_SWITCHES_STACKS void entry(unsigned high, unsigned low) noexcept {
  auto* s = reinterpret_cast<Switch*>((static_cast<std::uintptr_t>(high) << 32) | low);
  run_body(*s);
}

FUSEBOX_SWITCHES_STACKS void switch_to(Switch& s) noexcept {
#if defined(__SANITIZE_THREAD__)
  s.caller_fiber = __tsan_get_current_fiber();
  void* fiber = __tsan_create_fiber(0);
  __tsan_switch_to_fiber(fiber, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, s.callee_bottom, s.callee_bytes);
#endif
  ::swapcontext(&s.caller, &s.callee);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(fiber);
#endif
}

}  // namespace

bool has_native_stack_once_known(std::size_t bytes) noexcept {
  if (this_stack.high != 0) return false;
  this_stack = stack_of_thread();
  return has_native_stack(bytes);
}

base::Result<void> run_on_own_stack(std::size_t bytes, void (*body)(void* env) noexcept, void* env) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t usable = (bytes + 2 * page - 1) / page * page;
  const Mapping stack(usable + page);
  if (!stack.ok() || ::mprotect(stack.at(), page, PROT_NONE) != 0) {
    return base::fail(base::Errc::unavailable,
                      "no memory for a guest stack of " + std::to_string(usable) + " bytes: " + std::strerror(errno));
  }
  Switch s{};
  s.body = body;
  s.env = env;
  s.callee_bottom = stack.at() + page;
  s.callee_bytes = usable;
  ::getcontext(&s.callee);
  s.callee.uc_stack.ss_sp = stack.at() + page;
  s.callee.uc_stack.ss_size = usable;
  s.callee.uc_link = &s.caller;
  const auto at = reinterpret_cast<std::uintptr_t>(&s);
  ::makecontext(&s.callee, reinterpret_cast<void (*)()>(&entry), 2, static_cast<unsigned>(at >> 32),
                static_cast<unsigned>(at));

  const StackRange outer = this_stack;
  const auto low = reinterpret_cast<std::uintptr_t>(s.callee_bottom);
  this_stack = {low, low + usable};
  switch_to(s);
  this_stack = outer;
  return {};
}

}  // namespace fusebox::engine
