// What a module says about itself: the custom section `femto.manifest` or a side file (contract capability.md
// section 3.2).
//
// Threads  pure functions, plain values.
// Errors   `invalid`, name MANIFEST_INVALID, with every problem located; name ABI_MISMATCH for an ABI other than 1.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "capability/module_version.h"

namespace fusebox::capability {

inline constexpr std::string_view kManifestSection = "femto.manifest";

struct Manifest {
  std::string id;
  ModuleVersion version;
  std::string abi;  // "FC-ABI-1.x.y"
  std::string description;
  std::vector<std::string> permissions;  // primary host capability ids, no aliases
  std::string arguments_schema;          // canonical JSON, "" = anything
  std::string entry = "run";
};

base::Result<Manifest> parse_manifest(std::string_view json, const std::string& file = "manifest");

// The manifest of a module: of its section, or of `side_file` ("" when there is none), or nothing. Having both is an
// error.
base::Result<std::optional<Manifest>> module_manifest(base::ByteView wasm, std::string_view side_file);

}  // namespace fusebox::capability
