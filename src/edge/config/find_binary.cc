#include "edge/config/find_binary.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace fusebox::edge::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWamrMagic("\0aot", 4);

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_wamr_image(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string magic(kWamrMagic.size(), '\0');
  return in.read(magic.data(), static_cast<std::streamsize>(magic.size())) && magic == kWamrMagic;
}

// Every place the file may lie at, in the order they count.
std::vector<fs::path> places(const fs::path& binary, const fs::path& config_folder,
                             std::span<const fs::path> module_folders) {
  if (binary.is_absolute()) return {binary};
  std::vector<fs::path> out = {config_folder / binary};
  for (const fs::path& folder : module_folders)
    for (const fs::path& name : {binary, binary.filename()})
      if (std::ranges::find(out, folder / name) == out.end()) out.push_back(folder / name);
  return out;
}

std::optional<fs::path> file_at(const fs::path& place) {
  const bool native = place.extension() == ".aot";
  if (is_file(place) && !(native && is_wamr_image(place))) return place;
  if (!native) return std::nullopt;
  fs::path portable = place;
  portable.replace_extension(".wasm");
  if (is_file(portable)) return portable;
  return std::nullopt;
}

}  // namespace

base::Result<fs::path> find_binary(std::string_view binary, const fs::path& config_folder,
                                   std::span<const fs::path> module_folders) {
  const std::vector<fs::path> all = places(binary, config_folder, module_folders);
  std::string looked;
  for (const fs::path& place : all) {
    if (auto found = file_at(place)) return *std::move(found);
    looked.append(looked.empty() ? "" : ", ").append(base::in_quotes(place.string()));
  }
  const bool native = binary.ends_with(".aot");
  return base::fail(base::Errc::not_found, "there is no module " + base::in_quotes(binary) +
                                               (native ? ", and no .wasm it was built from" : "") + "; looked at " +
                                               looked);
}

}  // namespace fusebox::edge::config
