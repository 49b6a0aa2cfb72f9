#include "container/daemon/volumes.h"

#include <algorithm>

namespace fusebox::container {
namespace {

namespace fs = std::filesystem;
using base::Errc;

constexpr std::size_t kFilesCountedMax = 1'000'000;  // of one volume; a listing must end

bool is_component(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

// "site" -> shared/site, "meter/site" -> priv/meter/site. Empty for names that are neither.
fs::path folder_of(const fs::path& data_dir, const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return is_component(name) ? data_dir / "shared" / name : fs::path();
  const std::string instance = name.substr(0, slash);
  const std::string volume = name.substr(slash + 1);
  return is_component(instance) && is_component(volume) ? data_dir / "priv" / instance / volume : fs::path();
}

std::unexpected<base::Error> bad_name(const std::string& name) {
  return base::fail(Errc::invalid,
                    "'" + name + "' is no volume; shared ones are called NAME, private ones CONTAINER/NAME");
}

void measure(Volume& volume, const fs::path& folder) {
  std::error_code failed;
  for (auto at = fs::recursive_directory_iterator(folder, failed); !failed && at != fs::recursive_directory_iterator();
       at.increment(failed)) {
    if (++volume.files > kFilesCountedMax) return;
    std::error_code unreadable;
    if (at->is_regular_file(unreadable) && !at->is_symlink(unreadable)) volume.bytes += at->file_size(unreadable);
  }
}

bool has_token(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::string_view token = options.substr(0, options.find(','));
    if (token == wanted) return true;
    options.remove_prefix(std::min(token.size() + 1, options.size()));
  }
  return false;
}

bool mounts(const MountConfig& mount, const Volume& volume, const std::string& instance) {
  if (mount.name != "volume" || has_token(mount.options, "shared") != volume.shared) return false;
  const std::size_t slash = volume.name.find('/');
  if (!volume.shared && volume.name.substr(0, slash) != instance) return false;
  const std::string own = volume.shared ? volume.name : volume.name.substr(slash + 1);
  if (mount.options.find("name=") == std::string::npos) return own == "default";
  return has_token(mount.options, "name=" + own);
}

void find_users(const Containers& containers, std::vector<Volume>& volumes) {
  for (const Status& status : containers.list()) {
    if (!is_live(status.state)) continue;
    const auto config = parse_launch_config(containers.config_json(status.name), containers.options().profile);
    if (!config) continue;
    for (Volume& volume : volumes) {
      if (std::ranges::any_of(config->mounts, [&](const auto& mount) { return mounts(mount, volume, status.name); }))
        volume.used_by.push_back(status.name);
    }
  }
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed))
    if (entry.is_directory(failed) && !entry.is_symlink(failed)) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

}  // namespace

std::vector<Volume> list_volumes(const Containers& containers) {
  const fs::path& data_dir = containers.options().data_dir;
  std::vector<Volume> volumes;
  const auto add = [&volumes](const fs::path& folder, std::string name, bool shared) {
    Volume& volume = volumes.emplace_back();
    volume.name = std::move(name);
    volume.shared = shared;
    measure(volume, folder);
  };
  for (const fs::path& folder : folders_in(data_dir / "shared")) add(folder, folder.filename(), true);
  for (const fs::path& instance : folders_in(data_dir / "priv"))
    for (const fs::path& folder : folders_in(instance))
      add(folder, instance.filename().string() + "/" + folder.filename().string(), false);
  find_users(containers, volumes);
  return volumes;
}

base::Result<void> create_volume(const Containers& containers, const std::string& name) {
  if (!is_component(name)) return bad_name(name);
  const fs::path folder = folder_of(containers.options().data_dir, name);
  std::error_code failed;
  if (fs::exists(folder, failed)) return base::fail(Errc::exists, "volume '" + name + "' exists");
  fs::create_directories(folder, failed);
  if (!failed) fs::permissions(folder, fs::perms::owner_all, failed);
  if (failed) return base::fail(Errc::io, folder.string() + ": " + failed.message());
  return {};
}

base::Result<void> remove_volume(const Containers& containers, const std::string& name) {
  const fs::path folder = folder_of(containers.options().data_dir, name);
  if (folder.empty()) return bad_name(name);
  std::vector<Volume> wanted(1);
  wanted[0].name = name;
  wanted[0].shared = name.find('/') == std::string::npos;
  find_users(containers, wanted);
  if (!wanted[0].used_by.empty())
    return base::fail(Errc::unavailable,
                      "volume '" + name + "' is in use by '" + wanted[0].used_by.front() + "'; stop it first", "BUSY");
  std::error_code failed;
  if (fs::remove_all(folder, failed) == 0 && !failed)
    return base::fail(Errc::not_found, "no volume '" + name + "'; see: fusebox volume ls");
  if (failed) return base::fail(Errc::io, folder.string() + ": " + failed.message());
  return {};
}

}  // namespace fusebox::container
