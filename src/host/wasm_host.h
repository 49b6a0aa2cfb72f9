// The wasm provider with everything it stands on: an image store, an engine of containers, a way to fetch artifacts.
//
// Owner    the provider owns all of it; loop, clock and random outlive it.
// Threads  the loop's; guests have threads of their own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "engine/code_cache.h"
#include "host/api/provider.h"
#include "http/loop.h"

namespace fusebox::host {

struct WasmHostOptions {
  std::filesystem::path image_dir;  // a content store (image/store)
  std::filesystem::path state_dir;  // environments, layers, snapshots
  std::shared_ptr<engine::CodeCache> code_cache;
  std::string version = "0.0.0";
  // What may be promised to environments; 0 = the machine's. They share processors and take memory as they use it, so more
  // than there is can be right.
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0;
  // Of pulls (host-agent.md 9.3, 15): the largest, where it is kept while it comes (empty: state_dir), how long its peer may
  // say nothing.
  std::uint64_t artifact_bytes_max = 64ull << 30;
  std::filesystem::path artifact_dir;
  base::Nanos artifact_io_limit = std::chrono::seconds(60);
};

base::Result<std::unique_ptr<Provider>> make_wasm_host(http::Loop& loop, const base::Clock& clock, base::Random& random,
                                                       WasmHostOptions options);

}  // namespace fusebox::host
