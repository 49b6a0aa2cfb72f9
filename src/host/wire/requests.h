// What an agent is asked, as JSON: written by our client, read by our server.
//
// Threads  pure functions.
// Errors   read_*: `invalid`, the text of the 400.
// Contract host-agent.md 4.1, 5.1 to 5.4, 6, 9.3; control-plane.md 14.3
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "host/api/provider.h"

namespace fusebox::host {

// `fc`: the defaults of a firecracker agent's request; qemu's differ in memory_mb.
base::Result<CreateSpec> read_create(const base::json::Node& node, bool qemu);
std::string write_create(const CreateSpec& spec, const CallContext& context);

struct UploadRequest {
  std::string path, bytes;
  std::optional<std::uint32_t> mode;
};
base::Result<UploadRequest> read_upload(const base::json::Node& node);
std::string write_upload(const std::string& path, const std::string& bytes, std::optional<std::uint32_t> mode);

base::Result<ProcessSpec> read_exec_request(const base::json::Node& node);
std::string write_exec_request(const ProcessSpec& spec);

base::Result<StartAgentSpec> read_start_agent(const base::json::Node& node);
// `surfd`: the frozen older form, without what it does not know.
std::string write_start_agent(const StartAgentSpec& spec, bool surfd);

base::Result<SnapshotSpec> read_snapshot_request(const base::json::Node& node);
std::string write_snapshot_request(const SnapshotSpec& spec);

base::Result<std::string> read_restore(const base::json::Node& node);  // its snapshot_id
std::string write_restore(const std::string& snapshot_id);

base::Result<ForkSpec> read_fork(const base::json::Node& node);
std::string write_fork(const ForkSpec& spec);

struct PullRequest {
  PullSpec spec;
  bool async = false;
};
base::Result<PullRequest> read_pull(const base::json::Node& node, const std::string& digest);
std::string write_pull(const PullSpec& spec, bool async);

// At least 1, at most ten minutes; nothing, 0 or less: ten minutes.
std::chrono::milliseconds exec_timeout(std::optional<std::int64_t> asked_ms) noexcept;

}  // namespace fusebox::host
