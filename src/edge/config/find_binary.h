// Which file the `binary` of a module is.
//
// Threads  looks at files; no state.
// Errors   `not_found`, with every place looked at.
// Contract edge.md 1.1
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "base/result.h"

namespace fusebox::edge::config {

// `binary` as written in the configuration that lies in `config_folder`. A relative one is looked for there, then below each
// of `module_folders`, with its folders and by its file name alone. Where ".aot" is missing or an image of WAMR, whose code
// cannot be bounded, the ".wasm" beside it is taken.
base::Result<std::filesystem::path> find_binary(std::string_view binary, const std::filesystem::path& config_folder,
                                                std::span<const std::filesystem::path> module_folders);

}  // namespace fusebox::edge::config
