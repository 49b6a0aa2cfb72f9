// What a verb was given to work on: a binary module, its text, or code compiled ahead of time.
//
// Threads  pure functions but for reading files.
// Errors   `not_found`, `io`, `exhausted` (larger than any policy may allow), `invalid` for text that does not
// assemble.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "fusebox/sandbox.h"

namespace fusebox::cli {

inline constexpr std::uint64_t kArtifactBytesMax = std::uint64_t{256}
                                                   << 20;  // the largest `module_bytes` (contract 8.2)

struct Artifact {
  std::string path;             // as given; "-" reads standard input
  base::Bytes wasm;             // always the binary form
  bool compiled = false;        // `file` is a bundle and `wasm` is empty
  base::Bytes file;             // the bundle's own bytes
  capability::SideFiles sides;  // beside the module, where they exist
};

base::Result<Artifact> read_artifact_file(const std::string& path);

}  // namespace fusebox::cli
