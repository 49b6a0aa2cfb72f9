#include "edge/capi/hosted_runtime.h"

#include <algorithm>
#include <cstring>

#include "engine/code_file.h"

namespace fusebox::edge::capi {
namespace {

constexpr std::uint32_t kModulesDefault = FUSE_MAX_MODULES;

// The caller's options in this library's layout: fields behind its `size` keep their defaults.
bool read_options(const fuse_options_t* from, fuse_options_t& out) {
  out = {};
  if (from == nullptr) return true;
  if (from->size < sizeof from->size) return false;
  std::memcpy(&out, from, std::min<std::size_t>(from->size, sizeof out));
  out.size = sizeof out;
  return true;
}

}  // namespace

fuse_stat_t create(const Memory& memory, const void* hal, std::size_t hal_size, std::uint32_t hal_mask,
                   const fuse_options_t* options, std::unique_ptr<fuse_runtime>& out) {
  Setup setup;
  setup.module_memory = memory.module_memory;
  setup.module_memory_size = memory.module_memory_size;
  setup.log_memory = memory.log_memory;
  setup.log_memory_size = memory.log_memory_size;
  setup.hal_mask = hal_mask;
  if (memory.module_memory == nullptr || memory.module_memory_size == 0 || memory.log_memory == nullptr ||
      memory.log_memory_size == 0 || hal == nullptr) {
    note_last_error("fuse_init: a pointer is NULL or a size is 0");
    return FUSE_ERR_INVALID_ARG;
  }
  if (!hal_from_c(hal, hal_size, hal_mask, setup.hal)) {
    note_last_error(
        "fuse_init: the size of fuse_hal_t does not fit its group mask; compile the host and its HAL with the same "
        "FUSE_HAL_ENABLE_* flags");
    return FUSE_ERR_INVALID_ARG;
  }
  if (!read_options(options, setup.options)) {
    note_last_error("fuse_init: options.size must be sizeof(fuse_options_t)");
    return FUSE_ERR_INVALID_ARG;
  }
  auto made = std::make_unique<fuse_runtime>();
  EngineBackendOptions settings;
  const std::uint32_t modules = setup.options.max_modules != 0 ? setup.options.max_modules : kModulesDefault;
  settings.secret_path = engine::installation_secret_path();  // for artifacts of `fusebox compile`
  settings.pool_instances = std::min(modules, kPooledModulesMax);
  if (setup.options.stack_floor_bytes != 0) settings.stack_bytes = setup.options.stack_floor_bytes;
  base::Result<std::unique_ptr<EngineBackend>> backend = EngineBackend::create(settings);
  if (!backend) {
    note_last_error(backend.error().message.c_str());
    return FUSE_ERR_MODULE_LOAD_FAILED;
  }
  made->backend = std::move(*backend);
  setup.backend = made->backend.get();
  setup.port = &made->port;
  if (const fuse_stat_t status = Runtime::create(setup, &made->runtime); status != FUSE_SUCCESS) return status;
  out = std::move(made);
  return FUSE_SUCCESS;
}

void close(fuse_runtime& rt) {
  Runtime::destroy(rt.runtime);
}

}  // namespace fusebox::edge::capi
