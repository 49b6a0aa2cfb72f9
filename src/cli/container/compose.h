// A file of several containers for `fusebox up`: compose-like YAML.
//
//   services:
//     web:
//       image: http:1.0          # a stored image, or
//       file: ./web.wapp         # an image file, relative to this one
//       command: [/srv]
//       environment: {LANG: C}   # or [LANG=C]
//       volumes: ["site:/srv:ro", "./conf:/etc/site:ro"]
//       sockets: {listen: "listen+tcp://127.0.0.1:8080"}
//       devices: [sha256]
//       memory: 4MiB
//       cpus: 0.5
//       restart: always
//       writable: memory
//       depends_on: [db]
//
// Threads  pure function but for reading the file.
// Errors   `invalid`: every problem with file, line and column; unknown keys with the nearest known one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/config/launch_config.h"

namespace fusebox::cli {

struct Service {
  std::string name;
  std::string image;
  std::string file;  // absolute
  container::LaunchConfig config;
};

// In an order in which each comes after what it depends on.
base::Result<std::vector<Service>> read_compose(const std::filesystem::path& path);

}  // namespace fusebox::cli
