#include "edge_host.h"

#include <chrono>
#include <string>

#include "cli/wat.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kModuleMemoryBytes = 4u << 20;  // 1,000 modules of a few hundred bytes, with room
constexpr std::size_t kLogMemoryBytes = 32u << 10;

float temperature() {
  return 21.5f;
}

std::uint64_t clock_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

base::Error edge_error(std::string_view step, fuse_stat_t status) {
  char text[512] = {};
  fuse_last_error(text, sizeof text);
  return {base::Errc::bug, std::string(step) + " gave " + std::to_string(status) + ": " + text, {}, nullptr};
}

base::Result<base::Bytes> edge_module(std::string_view body) {
  const std::string text =
      R"((module (import "env" "temp_get_reading" (func $temp (result f32)))
                 (import "env" "module_log_event" (func $log (param i32 i32 i32)))
                 (memory (export "memory") 1) (data (i32.const 0) "temp=21.5")
                 (func (export "module_step") (local $i i32) )" +
      std::string(body) + "))";
  return assemble_text(text, "bench");
}

base::Result<std::unique_ptr<EdgeHost>> EdgeHost::create(const Options& options) {
  std::unique_ptr<EdgeHost> host(new EdgeHost());
  host->module_memory_.resize(kModuleMemoryBytes);
  host->log_memory_.resize(kLogMemoryBytes);
  fuse_hal_t hal{};
  hal.temp.get_reading = &temperature;
  if (options.clock) hal.timer.get_timestamp = &clock_us;
  fuse_options_t settings{};
  settings.size = sizeof settings;
  settings.max_modules = options.modules_max;
  const fuse_stat_t status =
      fuse_rt_create(&host->runtime_, host->module_memory_.data(), host->module_memory_.size(),
                     host->log_memory_.data(), host->log_memory_.size(), &hal, sizeof hal, FUSE_HAL_MASK, &settings);
  if (status != FUSE_SUCCESS) return base::fail(edge_error("fuse_rt_create", status));
  return host;
}

EdgeHost::~EdgeHost() {
  if (runtime_ != nullptr) fuse_rt_destroy(runtime_);
}

base::Result<fuse_module_id_t> EdgeHost::add(base::ByteView wasm, fuse_policy_t policy,
                                             const fuse_policy_ext_t* extension) {
  policy.capabilities = FUSE_CAP_TEMP_SENSOR | FUSE_CAP_TIMER | FUSE_CAP_LOG | FUSE_CAP_EVENT_POST;
  fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
  fuse_stat_t status =
      fuse_rt_module_load_ext(runtime_, reinterpret_cast<const std::uint8_t*>(wasm.data()),
                              static_cast<std::uint32_t>(wasm.size()), &policy, extension, nullptr, 0, &id);
  if (status != FUSE_SUCCESS) return base::fail(edge_error("fuse_module_load", status));
  status = fuse_rt_module_start(runtime_, id);
  if (status != FUSE_SUCCESS) return base::fail(edge_error("fuse_module_start", status));
  return id;
}

}  // namespace fusebox::cli::bench
