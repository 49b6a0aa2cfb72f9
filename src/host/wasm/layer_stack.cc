#include "host/wasm/layer_stack.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "vfs/device/device_tree.h"
#include "vfs/overlay/layer_names.h"
#include "vfs/redirect.h"

namespace fusebox::host {

using vfs::Call;
using vfs::Errno;
using vfs::fail;
using vfs::FileType;
using vfs::Io;
using vfs::Mount;

namespace {

Io<std::optional<vfs::Stat>> look(Mount& mount, Call& call, std::string_view path) {
  const auto stat = mount.stat(call, path, false);
  if (stat) return *stat;
  if (stat.error() == Errno::noent || stat.error() == Errno::notdir || stat.error() == Errno::nametoolong)
    return std::optional<vfs::Stat>();
  return fail(stat.error());
}

class LayerStack final : public Mount, public std::enable_shared_from_this<LayerStack> {
 public:
  explicit LayerStack(std::vector<std::shared_ptr<Mount>> newest_first) noexcept : all_(std::move(newest_first)) {}

  Io<std::unique_ptr<vfs::File>> open(Call& call, std::string_view path, const vfs::OpenRequest& request) override;
  Io<vfs::Stat> stat(Call& call, std::string_view path, bool follow) override {
    const auto found = find_existing(call, path, follow);
    if (!found) return fail(found.error());
    return found->stat;
  }
  Io<std::string> read_link(Call& call, std::string_view path) override {
    const auto found = find_existing(call, path, false);
    if (!found) return fail(found.error());
    if (found->stat.type != FileType::symlink) return fail(Errno::inval);
    return found->taking_part.front()->read_link(call, path);
  }

 private:
  struct Found {
    vfs::Stat stat;
    std::vector<Mount*> taking_part;  // the first has it; of a directory all that have a part of it
  };
  Io<std::optional<Found>> step(Call& call, const std::vector<Mount*>& layers, std::string_view whole) const;
  Io<std::optional<Found>> find(Call& call, std::string_view path) const;
  Io<Found> find_existing(Call& call, std::string_view path, bool follow) const;
  Io<void> list(Call& call, const std::string& path, std::uint64_t cookie, vfs::DirSink& sink) const;

  std::vector<std::shared_ptr<Mount>> all_;
};

// What `whole` is, looking only at layers that have its parent.
Io<std::optional<LayerStack::Found>> LayerStack::step(Call& call, const std::vector<Mount*>& layers,
                                                      std::string_view whole) const {
  std::optional<Found> found;
  const std::string whiteout = vfs::whiteout_of(whole);
  for (Mount* const layer : layers) {
    const auto here = look(*layer, call, whole);
    if (!here) return fail(here.error());
    if (*here) {
      const bool is_directory = (*here)->type == FileType::directory;
      if (found && !is_directory) break;  // a newer folder hides it
      if (!found) found = Found{**here, {}};
      found->taking_part.push_back(layer);
      if (!is_directory) break;
    }
    if (layer == all_.back().get()) break;  // the image has no whiteouts
    const auto hides = look(*layer, call, whiteout);
    if (!hides) return fail(hides.error());
    if (*hides) break;
  }
  return found;
}

Io<std::optional<LayerStack::Found>> LayerStack::find(Call& call, std::string_view path) const {
  Found here;
  for (const auto& layer : all_) here.taking_part.push_back(layer.get());
  const auto root = all_.back()->stat(call, "", false);
  if (!root) return fail(root.error());
  here.stat = *root;
  for (std::size_t end = 0; end < path.size();) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    if (begin > 0 && here.stat.type == FileType::symlink) {
      const auto target = here.taking_part.front()->read_link(call, path.substr(0, end));
      if (!target) return fail(target.error());
      return fail(vfs::redirect_through(call, path.substr(0, end), *target, path.substr(begin)));
    }
    if (here.stat.type != FileType::directory) return fail(Errno::notdir);
    end = std::min(path.find('/', begin), path.size());
    if (vfs::is_own_name(path.substr(begin, end - begin))) return std::optional<Found>();
    auto next = step(call, here.taking_part, path.substr(0, end));
    if (!next) return fail(next.error());
    if (!*next) return end < path.size() ? Io<std::optional<Found>>(fail(Errno::noent)) : std::optional<Found>();
    here = std::move(**next);
  }
  return here;
}

Io<LayerStack::Found> LayerStack::find_existing(Call& call, std::string_view path, bool follow) const {
  auto found = find(call, path);
  if (!found) return fail(found.error());
  if (!*found) return fail(Errno::noent);
  if (!follow || (*found)->stat.type != FileType::symlink) return std::move(**found);
  const auto target = (*found)->taking_part.front()->read_link(call, path);
  if (!target) return fail(target.error());
  return fail(vfs::redirect_through(call, path, *target, {}));
}

Io<std::unique_ptr<vfs::File>> LayerStack::open(Call& call, std::string_view path, const vfs::OpenRequest& request) {
  const auto found = find_existing(call, path, request.follow);
  if (!found) return fail(found.error() == Errno::noent && request.create ? Errno::rofs : found.error());
  if (request.wants_change()) return fail(Errno::rofs);
  switch (found->stat.type) {
    case FileType::symlink:
      return fail(Errno::loop);
    case FileType::directory:
      return vfs::make_directory_file(found->stat, [self = shared_from_this(), path = std::string(path)](
                                                       Call& of, std::uint64_t cookie, vfs::DirSink& sink) {
        return self->list(of, path, cookie, sink);
      });
    default:
      break;
  }
  if (request.directory) return fail(Errno::notdir);
  return found->taking_part.front()->open(call, path, {.follow = false});
}

struct Collector final : vfs::DirSink {
  bool add(const Entry& entry) override {
    names.emplace_back(entry.name, entry);
    return true;
  }
  std::vector<std::pair<std::string, Entry>> names;
};

Io<void> LayerStack::list(Call& call, const std::string& path, std::uint64_t cookie, vfs::DirSink& sink) const {
  const auto found = find_existing(call, path, false);
  if (!found) return fail(found.error());
  std::map<std::string, vfs::DirSink::Entry> entries;
  std::set<std::string, std::less<>> hidden;
  for (Mount* const layer : found->taking_part) {
    auto directory = layer->open(call, path, {.directory = true, .follow = false});
    if (!directory) return fail(directory.error());
    Collector collector;
    if (auto listed = (*directory)->list(call, 0, collector); !listed) return listed;
    std::vector<std::string> hides;
    for (auto& [name, entry] : collector.names) {
      if (vfs::is_own_name(name)) {
        if (layer != all_.back().get()) hides.push_back(name.substr(vfs::kOwnPrefix.size()));
      } else if (!hidden.contains(name)) {
        entries.try_emplace(std::move(name), entry);
      }
    }
    hidden.insert(hides.begin(), hides.end());  // of older layers only
  }
  std::uint64_t at = 0;
  for (const auto& [name, entry] : entries) {
    if (at++ < cookie) continue;
    if (!sink.add({.name = name, .type = entry.type, .inode = entry.inode, .next = at})) break;
  }
  return {};
}

}  // namespace

std::shared_ptr<Mount> make_layer_stack(std::shared_ptr<Mount> image, std::vector<std::shared_ptr<Mount>> layers) {
  if (layers.empty()) return image;
  std::vector<std::shared_ptr<Mount>> newest_first(layers.rbegin(), layers.rend());
  newest_first.push_back(std::move(image));
  return std::make_shared<LayerStack>(std::move(newest_first));
}

}  // namespace fusebox::host
