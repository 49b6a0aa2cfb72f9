// What an agent answers, as JSON: written by our server, read by our client.
//
// Reading is lenient, because old agents leave things out and broken ones lie: what has the wrong type counts as absent,
// a negative number as 0. Writing leaves empty optional members out.
//
// Threads  pure functions.
// Errors   read_*: `invalid` where what is needed is not there.
// Contract host-agent.md 3.1, 3.2, 5.3, 6.1, 9.3; control-plane.md 5.6
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "host/api/provider.h"

namespace fusebox::host {

std::string write_capacity(const Capacity& capacity);
Capacity read_capacity(const base::json::Node& node);

void write_vm(base::json::Writer& out, const VmRecord& record);
// `backend` names the form of an url the agent left empty.
base::Result<VmRecord> read_vm(const base::json::Node& node, std::string_view backend);

void write_snapshot(base::json::Writer& out, const SnapshotRecord& record);
base::Result<SnapshotRecord> read_snapshot(const base::json::Node& node);

void write_endpoints(base::json::Writer& out, const std::vector<Endpoint>& endpoints);
std::vector<Endpoint> read_endpoints(const base::json::Node& node);

std::string write_exec(const ExecResult& result);
// Streams are cut at `output_bytes_max` each.
base::Result<ExecResult> read_exec(const base::json::Node& node, std::uint64_t output_bytes_max);

void write_file_entry(base::json::Writer& out, const FileEntry& entry);
base::Result<FileEntry> read_file_entry(const base::json::Node& node);

void write_process(base::json::Writer& out, const ProcessInfo& process);
base::Result<ProcessInfo> read_process(const base::json::Node& node);

std::string write_stats(const VmStats& stats);
VmStats read_stats(const base::json::Node& node);

std::string write_log_record(const LogRecord& record);  // one line, without its end
base::Result<LogRecord> read_log_record(const base::json::Node& node);

// "0644" or "644" -> 0644; nothing for what is no mode.
std::optional<std::uint32_t> read_mode(std::string_view octal) noexcept;
std::string write_mode(std::uint32_t mode);

// A text of a guest or a person inside JSON we write: what is not UTF-8 is replaced.
std::string_view json_text(const std::string& text, std::string& room);

}  // namespace fusebox::host
