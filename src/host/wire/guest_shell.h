// What an agent without newer routes is asked to run in a guest instead, and how the answers read.
//
// Nothing foreign is ever part of a script: paths and values are arguments of it.
//
// Threads  pure functions.
// Errors   `unsupported`: what an old agent cannot be made to do; `corrupt`: output that is not what `ls` prints.
// Contract control-plane.md 5.6, D21
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "host/api/provider.h"

namespace fusebox::host {

inline constexpr std::size_t kShellInputBytesMax =
    64u * 1024;                                             // as an argument: Linux allows 128 KiB, base64 adds a third
inline constexpr std::uint64_t kShellReadBytes = 2u << 20;  // one piece of a file by exec
inline constexpr std::size_t kShellListBytesMax = 8u << 20;  // of `ls`; some 100,000 names

// argv, environment, folder and input as one argv of an agent that knows only argv.
base::Result<std::vector<std::string>> shell_command(const ProcessSpec& spec);

// As a shell reads it back; left alone when every character is harmless.
std::string quoted_argument(std::string_view argument);

std::vector<std::string> list_command(const std::string& path);
base::Result<std::vector<FileEntry>> read_listing(std::string_view output);
std::vector<std::string> look_command(const std::string& path);  // one line about the file itself
base::Result<FileEntry> read_look(std::string_view output);
// base64 of up to `bytes` bytes from `offset`.
std::vector<std::string> read_command(const std::string& path, std::uint64_t offset, std::uint64_t bytes);
std::vector<std::string> archive_command(const std::string& path);  // base64 of a tar
std::vector<std::string> remove_command(const std::string& path, bool recursive);
std::vector<std::string> mode_command(const std::string& path, std::uint32_t mode);
// What base64(1) prints: lines.
base::Result<std::string> read_base64_lines(std::string_view output);
// An exec that failed, as an error: "No such file" is `not_found`, the rest `io`.
base::Error exec_error(const ExecResult& result);

}  // namespace fusebox::host
