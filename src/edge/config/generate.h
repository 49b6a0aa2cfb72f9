// The build inputs of a deployment, made from its app_config.json: fuse_app_config.h, fuse_hal_flags.cmake and one
// <module>_policy.bin each.
//
// Threads  render() is pure; write_outputs() writes files.
// Contract edge.md 14.1, to the byte
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "edge/config/app_config.h"

namespace fusebox::edge::config {

struct OutputFile {
  std::string name;
  std::string bytes;
};

// `source` is the absolute path of the configuration, for the header's comment.
std::vector<OutputFile> render(const AppConfig& config, std::string_view source);

// Makes the folder where it is missing. Every file is complete beside its final place before the first one gets its name; when
// something fails before that, nothing of the folder has changed.
// Errors   `io`, with the file and the reason.
base::Result<void> write_outputs(const std::vector<OutputFile>& files, const std::filesystem::path& folder);

// The text between the quotes of a C string literal.
std::string c_escaped(std::string_view text);

}  // namespace fusebox::edge::config
