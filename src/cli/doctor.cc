#include "cli/doctor.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/units.h"
#include "cli/sandbox_setup.h"
#include "cli/wat.h"
#include "http/library.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;

// A fast-layout instance reserves two linear memories of about 6 GiB each.
constexpr std::uint64_t kMapsPerInstance = 4;

Finding processors() {
  const unsigned count = std::thread::hardware_concurrency();
  return {Health::good, "processors", std::to_string(count) + " threads can run guests at once", ""};
}

Finding clock_cost() {
  constexpr int kReads = 2000;
  timespec begin{}, end{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < kReads; ++i) clock_gettime(CLOCK_MONOTONIC, &end);
  const long ns = ((end.tv_sec - begin.tv_sec) * 1'000'000'000L + end.tv_nsec - begin.tv_nsec) / kReads;
  const bool fast = ns < 100;
  return {fast ? Health::good : Health::weak, "clock",
          "reading the monotonic clock takes " + std::to_string(ns) + " ns",
          fast ? "" : "the kernel's clock source is slow (no vDSO); every limited call pays for two reads"};
}

Finding resolution_beneath() {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  const base::Fd fd = base::Fd::adopt(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how)));
  if (fd) return {Health::good, "openat2", "the kernel confines file access beneath a root", ""};
  return {Health::weak, "openat2", "refused by this kernel or its container",
          "files are walked component by component instead; same rules, slower"};
}

Finding mappings() {
  const auto text = base::read_file("/proc/sys/vm/max_map_count", 64);
  const std::uint64_t count = text ? std::strtoull(text->c_str(), nullptr, 10) : 65'530;
  return {Health::good, "mappings",
          "about " + base::format_count(count / kMapsPerInstance) + " sandboxes per process with copy-on-write", ""};
}

Finding descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool enough = limit.rlim_cur >= 1024;
  return {enough ? Health::good : Health::weak, "descriptors",
          "a process may hold " + base::format_count(limit.rlim_cur),
          enough ? "" : "raise it with `ulimit -n 4096` for many concurrent requests"};
}

Finding native_stack() {
  rlimit limit{};
  getrlimit(RLIMIT_STACK, &limit);
  const bool enough = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= (1u << 20);
  return {enough ? Health::good : Health::weak, "stack",
          limit.rlim_cur == RLIM_INFINITY ? "unlimited" : base::format_size(limit.rlim_cur) + " for the main thread",
          enough ? "" : "guests with the default stack need 1 MiB: `ulimit -s 8192`"};
}

Finding cache_folder(const std::string& given) {
  const fs::path folder = given.empty() ? base::user_cache_dir() : fs::path(given);
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && access(folder.c_str(), W_OK) == 0) return {Health::good, "cache", folder.string() + " is writable", ""};
  return {Health::weak, "cache", folder.string() + " is not writable",
          "modules are compiled each time; set XDG_CACHE_HOME or give --cache-dir"};
}

Finding http_library() {
  const auto version = http::library_version();
  if (version) return {Health::good, "http", *version, ""};
  return {Health::weak, "http", version.error().message, "guests' requests fail with NETWORK; install libcurl4"};
}

// The whole path once: text, compile, instantiate, call, stop.
Finding trial_run() {
  const auto wasm = assemble_text("(module (func (export \"run\") (loop (br 0))))", "trial");
  if (!wasm) return {Health::bad, "engine", wasm.error().message, "please report this"};
  policy::Policy policy;
  policy.limits.cpu_ns = 1'000'000;
  auto sandbox = capability::Sandbox::create(policy);
  if (!sandbox) return {Health::bad, "engine", sandbox.error().message, "please report this"};
  const auto output = sandbox->execute(*wasm, "run", "");
  const bool stopped = !output && output.error().name == "CPU_LIMIT";
  if (stopped)
    return {Health::good, "engine", "an endless loop was compiled, run and stopped after 1 ms of CPU time", ""};
  return {Health::bad, "engine", "an endless loop ended with: " + (output ? output->result : output.error().message),
          "limits do not hold here; do not run untrusted modules and please report this"};
}

}  // namespace

std::vector<Finding> examine_machine(const std::string& cache_dir) {
  return {trial_run(),   clock_cost(),         processors(),   native_stack(),         mappings(),
          descriptors(), resolution_beneath(), http_library(), cache_folder(cache_dir)};
}

}  // namespace fusebox::cli
