#include "edge/host/fast_clock.h"

#include <time.h>

#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace fusebox::edge {
namespace {

constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
// A reading of both clocks is some 20 ns wide: over this time the pace is known to 20 millionths.
constexpr std::uint64_t kMeasureNanos = 2'000'000;
constexpr int kReadingsPerPair = 5;  // the narrowest one counts, so that an interruption does not

std::uint64_t system_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

#if defined(__x86_64__)

std::uint64_t cycles() noexcept {
  return __rdtsc();
}

// Constant pace in every sleep state, on every core (CPUID 8000'0007h, EDX bit 8).
bool counter_is_invariant() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x8000'0007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
}

// A kernel that measured the counter and found it wanting uses another clock; those listed are made of the counter.
bool kernel_trusts_counter() noexcept {
  std::FILE* file = std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (file == nullptr) return false;
  char name[64] = {};
  const bool read = std::fgets(name, sizeof name, file) != nullptr;
  std::fclose(file);
  if (char* end = std::strchr(name, '\n'); end != nullptr) *end = '\0';
  return read && (std::strcmp(name, "tsc") == 0 || std::strcmp(name, "kvm-clock") == 0 ||
                  std::strcmp(name, "hyperv_clocksource_tsc_page") == 0);
}

bool counter_is_good() noexcept {
  return counter_is_invariant() && kernel_trusts_counter();
}

#else

std::uint64_t cycles() noexcept {
  return 0;
}
bool counter_is_good() noexcept {
  return false;
}

#endif

struct Pair {
  std::uint64_t cycles;
  std::uint64_t nanos;
};

Pair read_pair() noexcept {
  Pair best{};
  std::uint64_t narrowest = ~std::uint64_t{0};
  for (int i = 0; i < kReadingsPerPair; ++i) {
    const std::uint64_t before = cycles();
    const std::uint64_t nanos = system_ns();
    const std::uint64_t width = cycles() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    best = {before + width / 2, nanos};
  }
  return best;
}

}  // namespace

FastClock::FastClock() noexcept {
  if (!counter_is_good()) return;
  const Pair begin = read_pair();
  Pair end = begin;
  while (end.nanos - begin.nanos < kMeasureNanos) end = read_pair();
  cycles_start_ = begin.cycles;
  nanos_start_ = begin.nanos;
  nanos_per_cycle_ = ((end.nanos - begin.nanos) << 32) / (end.cycles - begin.cycles);
}

const FastClock& FastClock::get() noexcept {
  static const FastClock clock;
  return clock;
}

std::uint64_t FastClock::now_ns() const noexcept {
  if (nanos_per_cycle_ == 0) return system_ns();
  __extension__ using Wide = unsigned __int128;
  return nanos_start_ + static_cast<std::uint64_t>((Wide{cycles() - cycles_start_} * nanos_per_cycle_) >> 32);
}

}  // namespace fusebox::edge
