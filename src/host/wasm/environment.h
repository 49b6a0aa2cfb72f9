// One environment of the wasm provider: what is kept of it on disk, and what stands while somebody uses it.
//
// Owner    the provider. The parts of Live are shared with processes and file streams, which may outlast a destroy by the
//          time a stop takes; the writable layer's folder goes with the last of them.
// Threads  the provider's executor.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "container/space.h"
#include "host/api/provider.h"
#include "host/wasm/env_files.h"
#include "host/wasm/image_shelf.h"
#include "host/wasm/journal.h"
#include "host/wasm/layers.h"
#include "host/wasm/lazy_upper.h"
#include "host/wasm/process.h"
#include "host/wasm/switch_mount.h"

namespace fusebox::host {

// Made at the first use: an environment nobody uses costs its records alone.
struct LiveEnvironment {
  std::shared_ptr<LazyUpper> upper;
  std::shared_ptr<SwitchMount> root;
  std::shared_ptr<vfs::Mount> secrets;  // /fuse, in memory; empty at every start
  EnvFiles files;
  std::shared_ptr<container::Space> space;
  std::uint32_t writers = 0;  // calls that write files elsewhere just now
};

struct WasmEnvironment {
  KeptEnvironment kept;
  std::uint64_t boots = 1;  // restores end what was there: a new boot_id
  ShelvedImage image;       // empty after a restart until first used
  LayerChain chain;
  std::shared_ptr<LiveEnvironment> live;  // null until first used
  std::map<std::uint64_t, std::shared_ptr<WasmProcess>> processes;
  std::uint64_t next_pid = 1;
  std::uint64_t cpu_us_ended = 0;
  std::deque<LogRecord> logs;
  std::uint64_t first_log = 0;
};

struct WasmSnapshot {
  KeptSnapshot kept;
  LayerChain chain;
};

// Writes to an unnamed file in `folder` and gives it to be read. Blocks.
base::Result<std::unique_ptr<FileReader>> spool(const std::filesystem::path& folder,
                                                const std::function<base::Result<void>(const TarSink&)>& write);

}  // namespace fusebox::host
