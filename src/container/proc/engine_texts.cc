#include "container/proc/engine_texts.h"

#include <malloc.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "container/config/launch_rules.h"

namespace fusebox::container {
namespace {

std::string bytes_line(std::string_view key, std::uint64_t bytes) {
  return std::string(key) + ":\t" + std::to_string(bytes) + " B\n";
}
std::string line(std::string_view key, std::string_view value) {
  return std::string(key) + ":\t" + std::string(value) + "\n";
}
std::string line(std::string_view key, std::uint64_t value) {
  return line(key, std::to_string(value));
}

}  // namespace

std::string wanted_text(const ContainersOptions& options) {
  const ProfileValues& profile = options.profile;
  std::string drivers;
  for (const std::string_view driver : core_drivers()) drivers += (drivers.empty() ? "" : " ") + std::string(driver);
  return line("platform", "linux") + line("version", options.version) + line("max_wapps", profile.max_wapps) +
         bytes_line("max_wapp_name", profile.name_bytes + 1) + bytes_line("max_path", profile.max_path_bytes) +
         bytes_line("wasm_stack", profile.wasm_stack_bytes) + bytes_line("wasm_heap", profile.wasm_heap_bytes) +
         bytes_line("wasm_worker_stack", profile.worker_stack_bytes) + line("wasm_max_pages", profile.max_pages) +
         line("max_drivers", profile.max_drivers) + bytes_line("max_options", profile.max_options_bytes) +
         line("log_slots", profile.max_wapps) + line("drivers", drivers) + line("profile", profile.name);
}

std::string memory_text(const ContainersOptions& options) {
  const struct mallinfo2 heap = ::mallinfo2();
  struct statvfs store{};
  const std::filesystem::path folder = options.registry_dir.empty() ? options.data_dir : options.registry_dir;
  // A registry that was never listed has no folder yet: then the file system it will be made in.
  if (::statvfs(folder.c_str(), &store) != 0 && ::statvfs(".", &store) != 0) store = {};
  return bytes_line("stack_size", options.profile.wasm_stack_bytes) +
         bytes_line("heap_used", heap.uordblks + heap.hblkhd) + bytes_line("heap_total", heap.arena + heap.hblkhd) +
         bytes_line("store_free", std::uint64_t{store.f_bavail} * store.f_frsize) +
         bytes_line("store_total", std::uint64_t{store.f_blocks} * store.f_frsize);
}

char clock_quality(const ContainersOptions& options) noexcept {
  constexpr char kSynchronised = 1;
  constexpr char kUncalibrated = 3;
  if (options.clock_quality != kClockQualityAuto) return static_cast<char>(options.clock_quality);
  struct timex state{};
  const int answer = ::adjtimex(&state);
  return answer >= 0 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0 ? kSynchronised : kUncalibrated;
}

}  // namespace fusebox::container
