#include "engine/cpu_identity.h"

#include <cstdint>
#include <cstdio>

#if defined(__x86_64__)
#include <cpuid.h>
#else
#include <sys/auxv.h>
#endif

namespace fusebox::engine {
namespace {

std::string hex(std::uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

#if defined(__x86_64__)

std::string cpu_identity() {
  // Feature words only: leaf 1 EBX and the like hold the number of the core one happens to run on.
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  std::string text = "x86_64";
  if (__get_cpuid(1, &a, &b, &c, &d) != 0) text += ":" + hex(c) + "." + hex(d);
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) text += ":" + hex(b) + "." + hex(c);
  if (__get_cpuid(0x80000001, &a, &b, &c, &d) != 0) text += ":" + hex(c);
  return text;
}

#else

std::string cpu_identity() {
  return "hwcap:" + hex(getauxval(AT_HWCAP)) + "." + hex(getauxval(AT_HWCAP2));
}

#endif

}  // namespace fusebox::engine
