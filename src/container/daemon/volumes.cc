#include "container/daemon/volumes.h"

#include <algorithm>

#include "container/core/core.h"
#include "vfs/volume/volume_store.h"

namespace fusebox::container {
namespace {

using base::Errc;
using vfs::VolumeKey;

// "site" -> a shared one, "meter/site" -> a private one; each part is checked by the store.
VolumeKey key_of(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}
std::string name_of(const VolumeKey& key) {
  return key.instance.empty() ? key.name : key.instance + "/" + key.name;
}

std::unexpected<base::Error> bad_name(const std::string& name) {
  return base::fail(Errc::invalid,
                    "'" + name + "' is no volume; shared ones are called NAME, private ones CONTAINER/NAME");
}

bool has_token(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::string_view token = options.substr(0, options.find(','));
    if (token == wanted) return true;
    options.remove_prefix(std::min(token.size() + 1, options.size()));
  }
  return false;
}

bool mounts(const MountConfig& mount, const VolumeKey& key, const std::string& instance) {
  if (mount.name != "volume" || has_token(mount.options, "shared") != key.instance.empty()) return false;
  if (!key.instance.empty() && key.instance != instance) return false;
  if (mount.options.find("name=") == std::string::npos) return key.name == VolumeKey().name;
  return has_token(mount.options, "name=" + key.name);
}

bool uses(const LaunchConfig& config, const VolumeKey& key, const std::string& instance) {
  if (key.instance == instance && config.writable == "volume:" + key.name) return true;
  return std::ranges::any_of(config.mounts, [&](const auto& mount) { return mounts(mount, key, instance); });
}

void find_users(const Containers& containers, std::vector<Volume>& volumes) {
  for (const Status& status : containers.list()) {
    if (!is_live(status.state)) continue;
    const auto config = parse_launch_config(containers.config_json(status.name), containers.options().profile);
    if (!config) continue;
    for (Volume& volume : volumes)
      if (uses(*config, key_of(volume.name), status.name)) volume.used_by.push_back(status.name);
  }
}

}  // namespace

base::Result<std::vector<Volume>> list_volumes(Containers& containers) {
  FB_TRY(const auto store, containers.core().volumes());
  FB_TRY(const auto stored, store->list());
  std::vector<Volume> volumes;
  for (const vfs::VolumeStore::Volume& one : stored) {
    FB_TRY(const vfs::VolumeStore::Usage usage, store->usage(one.key));
    volumes.push_back({name_of(one.key), one.key.instance.empty(), usage.bytes, usage.files, {}});
  }
  find_users(containers, volumes);
  return volumes;
}

base::Result<void> create_volume(Containers& containers, const std::string& name) {
  if (name.find('/') != std::string::npos) return bad_name(name);
  FB_TRY(const auto store, containers.core().volumes());
  const auto made = store->create(key_of(name));
  if (made) return {};
  if (made.error().code == Errc::invalid) return bad_name(name);
  if (made.error().code == Errc::exists) return base::fail(Errc::exists, "volume '" + name + "' exists");
  return made;
}

base::Result<void> remove_volume(Containers& containers, const std::string& name) {
  std::vector<Volume> wanted(1);
  wanted[0].name = name;
  find_users(containers, wanted);
  if (!wanted[0].used_by.empty())
    return base::fail(Errc::unavailable,
                      "volume '" + name + "' is in use by '" + wanted[0].used_by.front() + "'; stop it first", "BUSY");
  const VolumeKey key = key_of(name);
  if (name.starts_with('/')) return bad_name(name);
  FB_TRY(const auto store, containers.core().volumes());
  const auto removed = store->remove(key);
  if (removed) return {};
  if (removed.error().code == Errc::invalid) return bad_name(name);
  if (removed.error().code == Errc::not_found)
    return base::fail(Errc::not_found, "no volume '" + name + "'; see: fusebox volume ls");
  return removed;
}

}  // namespace fusebox::container
