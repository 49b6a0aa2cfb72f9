#include "container/daemon/definitions.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace fusebox::container {
namespace {

namespace json = base::json;
namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = 1u << 20;  // a launch configuration is at most 64 KiB
constexpr std::string_view kSuffix = ".json";

base::Result<Definition> read(const fs::path& path) {
  FB_TRY(const std::string text, base::read_file(path, kFileBytesMax));
  FB_TRY(const json::Document document, json::parse(text, {.file = path.string()}));
  json::Problems problems;
  json::ObjectReader object(document, *document.root, problems, "a container's definition");
  Definition definition;
  definition.name = object.string("name", "");
  definition.image = object.string("image", "");
  definition.file = object.string("file", "");
  definition.config = object.string("config", "", kFileBytesMax);
  object.finish();
  if (definition.name + std::string(kSuffix) != path.filename())
    object.problem_here("the file is called after another container");
  if (!problems.empty()) return base::fail(base::Errc::corrupt, problems.to_error().message);
  return definition;
}

}  // namespace

base::Result<fs::path> Definitions::path_of(const std::string& name) const {
  if (name.empty() || name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
    return base::fail(base::Errc::invalid, base::in_quotes(name) + " is no name of a container");
  return folder_ / (name + std::string(kSuffix));
}

base::Result<void> Definitions::keep(const Definition& definition) {
  FB_TRY(const fs::path path, path_of(definition.name));
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) return base::fail(base::Errc::io, folder_.string() + ": " + failed.message());
  json::Writer out;
  out.begin_object().key("name").string(definition.name).key("image").string(definition.image);
  out.key("file").string(definition.file).key("config").string(definition.config).end_object();
  return base::write_file_atomic(path, base::as_bytes(out.text()));
}

base::Result<void> Definitions::forget(const std::string& name) {
  FB_TRY(const fs::path path, path_of(name));
  std::error_code failed;
  fs::remove(path, failed);
  if (failed) return base::fail(base::Errc::io, path.string() + ": " + failed.message());
  return {};
}

base::Result<Definitions::File> Definitions::file(const std::string& name) const {
  FB_TRY(const fs::path path, path_of(name));
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(path, failed))) return File();
  FB_TRY(std::string text, base::read_file(path, kFileBytesMax));
  return File(std::move(text));
}

base::Result<void> Definitions::put_back(const std::string& name, const File& file) {
  if (!file) return forget(name);
  FB_TRY(const fs::path path, path_of(name));
  return base::write_file_atomic(path, base::as_bytes(*file));
}

std::vector<Definition> Definitions::load(std::vector<std::string>& problems) const {
  std::vector<Definition> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, failed)) {
    if (entry.path().extension() != kSuffix) continue;
    auto definition = read(entry.path());
    if (definition) {
      found.push_back(std::move(*definition));
    } else {
      problems.push_back(definition.error().message);
    }
  }
  std::ranges::sort(found, {}, &Definition::name);
  return found;
}

}  // namespace fusebox::container
