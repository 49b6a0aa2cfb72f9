// What a fuse_runtime_t is: a runtime with its engine, its lock and the keys it trusts.
//
// Owner    made by fuse_rt_create and fuse_init_ex, released by fuse_rt_destroy and fuse_deinit. The one allocation of the C
//          interface.
// Threads  as fuse.h says; create and destroy exclude everything else.
#pragma once

#include <memory>
#include <mutex>

#include "edge/core/core.h"
#include "edge/host/host_port.h"
#include "edge/wasm/engine_backend.h"
#include "fuse.h"
#include "policy/policy.h"

struct fuse_runtime {
  fusebox::edge::HostPort port;
  std::unique_ptr<fusebox::edge::EngineBackend> backend;
  fusebox::edge::Runtime* runtime = nullptr;
  std::mutex keys_mutex;
  fusebox::policy::Integrity integrity;
};

namespace fusebox::edge::capi {

// Instances of a runtime made from the pool of its engine; further ones cost a little more to make.
inline constexpr std::uint32_t kPooledModulesMax = 1024;

struct Memory {
  void* module_memory;
  std::size_t module_memory_size;
  void* log_memory;
  std::size_t log_memory_size;
};

// fuse_rt_create's work: `out` is written on success only.
fuse_stat_t create(const Memory& memory, const void* hal, std::size_t hal_size, std::uint32_t hal_mask,
                   const fuse_options_t* options, std::unique_ptr<fuse_runtime>& out);
// Unloads every module. The runtime's memory is the caller's again.
void close(fuse_runtime& rt);

}  // namespace fusebox::edge::capi
