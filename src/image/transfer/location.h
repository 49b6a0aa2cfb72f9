// Where an image comes from or goes to, as people write it: "oci:<dir>[:<ref>]", "wapp:<file>", ...
//
// Threads  pure functions.
// Errors   `invalid` for a form that is not known or has no path.
// Contract containers.md 18.1
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::image {

struct Location {
  enum class Form : std::uint8_t {
    by_content,  // a bare path: what lies there decides
    oci,
    oci_archive,
    docker_archive,
    tar,
    wapp,
    wasm,
  };
  Form form = Form::by_content;
  std::filesystem::path path;
  std::string reference;  // "" = none
};

base::Result<Location> parse_location(std::string_view text);

}  // namespace fusebox::image
