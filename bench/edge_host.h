// A host program of the edge runtime for the benchmarks: a runtime of its own with memory, HAL and modules from text.
//
// Owner    the runtime; its modules end with it.
// Threads  one thread.
// Errors   what the runtime refuses is an Error with fuse_last_error's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fuse.h"

namespace fusebox::cli::bench {

class EdgeHost {
 public:
  struct Options {
    std::uint32_t modules_max = 8;
    bool clock = false;  // with a timer HAL
  };
  static base::Result<std::unique_ptr<EdgeHost>> create(const Options& options);
  ~EdgeHost();
  EdgeHost(const EdgeHost&) = delete;
  EdgeHost& operator=(const EdgeHost&) = delete;

  fuse_runtime_t* runtime() const noexcept { return runtime_; }
  // Loads and starts; every capability granted.
  base::Result<fuse_module_id_t> add(base::ByteView wasm, fuse_policy_t policy = {},
                                     const fuse_policy_ext_t* extension = nullptr);

 private:
  EdgeHost() = default;
  fuse_runtime_t* runtime_ = nullptr;
  std::vector<std::byte> module_memory_;
  std::vector<std::byte> log_memory_;
};

base::Error edge_error(std::string_view step, fuse_stat_t status);

// Exports module_step; `body` is what it does, with $temp and $log imported and one page of memory.
base::Result<base::Bytes> edge_module(std::string_view body);

}  // namespace fusebox::cli::bench
