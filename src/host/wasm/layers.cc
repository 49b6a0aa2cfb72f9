#include "host/wasm/layers.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <limits>

#include "base/files.h"
#include "host/wasm/folder_walk.h"
#include "image/oci/tar_writer.h"
#include "vfs/folder/host_folder.h"
#include "vfs/overlay/layer_names.h"

namespace fusebox::host {

namespace fs = std::filesystem;
using base::Errc;
using base::Result;
using vfs::FileType;

namespace {

constexpr std::string_view kTrash = "trash-";

vfs::HostFolderOptions layer_options(bool read_only) {
  vfs::HostFolderOptions options;
  options.read_only = read_only;
  options.create = !read_only;
  options.links = vfs::HostFolderOptions::Links::keep;
  return options;
}

std::optional<std::uint64_t> number_of(const std::string& name) noexcept {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number == 0) return std::nullopt;
  return number;
}

Result<base::Fd> open_root(const fs::path& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::fail(base::errno_error("opening a layer", errno));
  return fd;
}

Result<std::uint64_t> walked_bytes(vfs::Mount& mount, const base::Clock& clock, std::uint64_t most) {
  std::uint64_t bytes = 0;
  FolderWalk walk(mount, clock);
  while (bytes <= most) {
    FB_TRY(const auto entry, walk.next());
    if (!entry) break;
    if (entry->stat.type == FileType::regular) bytes += entry->stat.size;
  }
  return bytes;
}

// Writes one layer's entries into a folder.
class Filler {
 public:
  static Result<Filler> create(const fs::path& to) {
    Filler filler;
    FB_TRY(filler.mount_, vfs::open_host_folder(to, layer_options(false)));
    FB_TRY(filler.root_, open_root(to));
    return filler;
  }

  // `shares`: the layer is frozen, so that its files may have a second name here.
  Result<void> add(const fs::path& from, bool shares, const base::Clock& clock) {
    FB_TRY(const auto source, vfs::open_host_folder(from, layer_options(true)));
    FB_TRY(const base::Fd source_root, open_root(from));
    FolderWalk walk(*source, clock);
    FB_CHECK(hide(from, *source, clock));
    for (;;) {
      FB_TRY(const auto entry, walk.next());
      if (!entry) return {};
      FB_CHECK(put(walk, *entry, source_root.get(), shares));
    }
  }

 private:
  // What the layer's whiteouts hide goes first, then what it has may take the place.
  Result<void> hide(const fs::path&, vfs::Mount& source, const base::Clock& clock) {
    FolderWalk walk(source, clock);
    for (;;) {
      FB_TRY(const auto entry, walk.next());
      if (!entry) return {};
      const std::string_view name = vfs::name_of(entry->path);
      if (!vfs::is_own_name(name)) continue;
      const std::string hidden = vfs::join(vfs::parent_of(entry->path), name.substr(vfs::kOwnPrefix.size()));
      FB_CHECK(remove(hidden, clock));
    }
  }

  Result<void> remove(const std::string& path, const base::Clock& clock) {
    vfs::WaitSet waits;
    vfs::Call call{.clock = clock, .waits = waits, .nonblocking = true, .redirect = {}};
    std::vector<std::pair<std::string, bool>> ahead{{path, false}};
    while (!ahead.empty()) {
      auto& [here, is_empty] = ahead.back();
      const auto stat = mount_->stat(call, here, false);
      if (!stat || stat->type != FileType::directory || is_empty) {
        if (stat) (void)(is_empty ? mount_->remove_directory(call, here) : mount_->unlink(call, here));
        ahead.pop_back();
        continue;
      }
      is_empty = true;
      const std::string folder = here;
      struct Names final : vfs::DirSink {
        bool add(const Entry& entry) override {
          all.emplace_back(entry.name);
          return true;
        }
        std::vector<std::string> all;
      } names;
      auto opened = mount_->open(call, folder, {.directory = true, .follow = false});
      if (opened) (void)(*opened)->list(call, 0, names);
      for (const std::string& name : names.all) ahead.emplace_back(vfs::join(folder, name), false);
    }
    return {};
  }

  Result<void> put(FolderWalk& walk, const FolderWalk::Entry& entry, int source, bool shares) {
    const auto check = [&](const vfs::Io<void>& done) -> Result<void> {
      if (done || done.error() == vfs::Errno::exist) return {};
      return base::fail(done.error() == vfs::Errno::nospc ? Errc::exhausted : Errc::io,
                        "copying a layer: " + std::string(vfs::to_string(done.error())));
    };
    switch (entry.stat.type) {
      case FileType::directory:
        return check(mount_->create_directory(walk.call(), entry.path));
      case FileType::symlink: {
        FB_TRY(const std::string target, walk.link_target(entry));
        (void)mount_->unlink(walk.call(), entry.path);
        return check(mount_->symlink(walk.call(), target, entry.path));
      }
      case FileType::regular:
        (void)mount_->unlink(walk.call(), entry.path);
        if (shares && ::linkat(source, entry.path.c_str(), root_.get(), entry.path.c_str(), 0) == 0) return {};
        return copy(walk, entry);
      default:
        return {};  // layers hold nothing else
    }
  }

  Result<void> copy(FolderWalk& walk, const FolderWalk::Entry& entry) {
    FB_TRY(const auto from, walk.open(entry));
    auto to = mount_->open(walk.call(), entry.path, {.read = false, .write = true, .create = true, .follow = false});
    if (!to) return base::fail(Errc::io, "copying a layer: " + std::string(vfs::to_string(to.error())));
    base::Bytes piece(64 * 1024);
    for (;;) {
      const std::span<std::byte> room(piece);
      const auto got = from->read(walk.call(), {&room, 1});
      if (!got) return base::fail(Errc::io, "copying a layer: " + std::string(vfs::to_string(got.error())));
      if (*got == 0) break;
      for (base::ByteView rest = base::ByteView(piece).first(*got); !rest.empty();) {
        const auto done = (*to)->write(walk.call(), {&rest, 1});
        if (!done) {
          return base::fail(done.error() == vfs::Errno::nospc ? Errc::exhausted : Errc::io,
                            "copying a layer: " + std::string(vfs::to_string(done.error())));
        }
        rest = rest.subspan(*done);
      }
    }
    const auto at = [](std::uint64_t ns) { return vfs::SetTime{vfs::SetTime::How::at, ns}; };
    (void)(*to)->set_times(at(entry.stat.accessed_ns), at(entry.stat.modified_ns));
    return {};
  }

  std::shared_ptr<vfs::Mount> mount_;
  base::Fd root_;
};

}  // namespace

Layer::~Layer() {
  mount_.reset();
  store_->remove(number_);
}

fs::path Layer::path() const {
  return store_->path_of(number_);
}

Result<std::shared_ptr<vfs::Mount>> Layer::mount() const {
  const std::lock_guard lock(mutex_);
  if (!mount_) {
    FB_TRY(mount_, vfs::open_host_folder(path(), layer_options(true)));
  }
  return mount_;
}

Result<std::shared_ptr<LayerStore>> LayerStore::open(fs::path root, vfs::Offload offload) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) return base::fail(Errc::io, "making " + root.string() + ": " + error.message());
  std::shared_ptr<LayerStore> store(new LayerStore(std::move(root), std::move(offload)));
  for (const auto& entry : fs::directory_iterator(store->root_, error)) {
    if (const auto number = number_of(entry.path().filename().string()); number && *number > store->last_)
      store->last_ = *number;
  }
  if (error) return base::fail(Errc::io, "reading " + store->root_.string() + ": " + error.message());
  return store;
}

bool LayerStore::exists(std::uint64_t number) const {
  std::error_code error;
  return fs::is_directory(path_of(number), error);
}

void LayerStore::remove(std::uint64_t number) noexcept {
  if (keep_) return;
  fs::path trash = root_ / (std::string(kTrash) + std::to_string(number));
  if (::rename(path_of(number).c_str(), trash.c_str()) != 0) return;  // it was never made
  remove_later(std::move(trash));
}

void LayerStore::remove_later(fs::path trash) const {
  offload_(std::make_unique<std::function<void()>>([trash = std::move(trash)] {
    std::error_code error;
    fs::remove_all(trash, error);  // what is left is swept at the next start
  }));
}

void LayerStore::sweep(const std::set<std::uint64_t>& named) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root_, error)) {
    const std::string name = entry.path().filename().string();
    if (const auto number = number_of(name)) {
      if (!named.contains(*number)) remove(*number);
    } else if (name.starts_with(kTrash)) {
      remove_later(entry.path());
    }
  }
}

Result<LayerPtr> LayerStore::copy(const fs::path& from, const base::Clock& clock) {
  LayerPtr made = freeze(new_number());  // removes it again when the copy fails
  FB_TRY(Filler filler, Filler::create(made->path()));
  FB_CHECK(filler.add(from, false, clock));
  return made;
}

Result<std::uint64_t> LayerStore::written_bytes(std::uint64_t number, const base::Clock& clock) const {
  if (!exists(number)) return 0;
  auto mount = vfs::open_host_folder(path_of(number), layer_options(true));
  if (!mount) return exists(number) ? Result<std::uint64_t>(std::unexpected(std::move(mount.error()))) : 0;
  return walked_bytes(**mount, clock, std::numeric_limits<std::uint64_t>::max());
}

Result<LayerPtr> LayerStore::merge(const LayerChain& chain, const base::Clock& clock) {
  LayerPtr made = freeze(new_number());
  FB_TRY(Filler filler, Filler::create(made->path()));
  for (const LayerPtr& layer : chain) FB_CHECK(filler.add(layer->path(), true, clock));
  return made;
}

Result<void> write_layer_tar(const LayerTar& tar, const base::Clock& clock, const TarSink& sink) {
  image::oci::TarWriter writer(sink);
  FB_CHECK(writer.file("fusebox-layers.json", base::as_bytes(tar.base_json)));
  for (std::size_t i = 0; i < tar.chain.size(); ++i) {
    FB_TRY(const auto mount, tar.chain[i]->mount());
    const std::string prefix = std::to_string(i) + "/";
    FB_CHECK(writer.directory(std::to_string(i)));
    FolderWalk walk(*mount, clock);
    for (;;) {
      FB_TRY(const auto entry, walk.next());
      if (!entry) break;
      const std::string path = prefix + entry->path;
      if (entry->stat.type == FileType::directory) {
        FB_CHECK(writer.directory(path));
      } else if (entry->stat.type == FileType::symlink) {
        FB_TRY(const std::string target, walk.link_target(*entry));
        FB_CHECK(writer.symlink(path, target));
      } else if (entry->stat.type == FileType::regular) {
        FB_TRY(const auto file, walk.open(*entry));
        const auto next = [&](std::span<std::byte> into) -> Result<std::size_t> {
          const auto got = file->read(walk.call(), {&into, 1});
          if (!got) return base::fail(Errc::io, "reading a layer: " + std::string(vfs::to_string(got.error())));
          return *got;
        };
        FB_CHECK(writer.file(path, entry->stat.size, next, entry->stat.modified_ns));
      }
    }
  }
  return writer.finish();
}

Result<std::uint64_t> content_bytes(const LayerChain& chain, const base::Clock& clock, std::uint64_t most) {
  std::uint64_t bytes = 0;
  for (const LayerPtr& layer : chain) {
    if (bytes > most) break;
    FB_TRY(const auto mount, layer->mount());
    FB_TRY(const std::uint64_t more, walked_bytes(*mount, clock, most - bytes));
    bytes += more;
  }
  return bytes;
}

}  // namespace fusebox::host
