// What the background engine was told to run, kept on disk so that a new engine goes on where a killed one was.
//
// One file per container: containers/<name>.json, written whole or not at all, before the launch it stands for.
// Threads  any; one engine per folder (the socket's lock sees to that).
// Errors   `corrupt` names the file; such a file is left alone and reported, and the others are read. `invalid` for what
//          cannot be a container's name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace fusebox::container {

struct Definition {
  std::string name;
  std::string image;   // "<name>[:<version>]", or
  std::string file;    // the absolute path of an image file
  std::string config;  // launch configuration, JSON
  bool operator==(const Definition&) const = default;
};

class Definitions {
 public:
  explicit Definitions(std::filesystem::path folder) : folder_(std::move(folder)) {}
  base::Result<void> keep(const Definition& definition);
  base::Result<void> forget(const std::string& name);
  // The file as it is, readable or not: put_back() makes it so again. Nothing = there is none.
  using File = std::optional<std::string>;
  base::Result<File> file(const std::string& name) const;
  base::Result<void> put_back(const std::string& name, const File& file);
  // Every readable one, by name; `problems` gets a sentence for each that is not.
  std::vector<Definition> load(std::vector<std::string>& problems) const;

 private:
  base::Result<std::filesystem::path> path_of(const std::string& name) const;
  std::filesystem::path folder_;
};

}  // namespace fusebox::container
