// The verbs that start servers: `serve`, `host`, `dev`.
//
// Threads  one call per process.
// Contract control-plane.md 20; host-agent.md 15
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace fusebox::cli {

// `fusebox serve ARGS`, and the name `orchestrator`: arguments as control-plane.md 20 has them.
int serve(std::span<const std::string> args);
// `fusebox host`: settings from the environment, these over them.
struct HostArguments {
  std::string backend, data_dir, images, listen, token, server, server_token, id, url, region;
  std::int64_t vm_count = 0, cpus = 0, ram_mb = 0, storage_gb = 0;
};
int host(const HostArguments& arguments);
// A server with a temporary store on a free port, until Ctrl-C; prints what to try.
int dev();

}  // namespace fusebox::cli
