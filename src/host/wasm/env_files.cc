#include "host/wasm/env_files.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "image/oci/tar_writer.h"
#include "vfs/wait.h"

namespace fusebox::host {

using base::Errc;
using base::Result;
using vfs::Errno;
using vfs::FileType;

struct EnvFiles::Asking {
  explicit Asking(const base::Clock& clock) noexcept
      : call{.clock = clock, .waits = waits, .nonblocking = true, .redirect = {}} {}
  vfs::WaitSet waits;
  vfs::Call call;
};

namespace {

std::unexpected<base::Error> refused(std::string_view path, Errno why) {
  const auto say = [&](Errc code, std::string_view text) {
    return base::fail(code, base::in_quotes(path) + " " + std::string(text));
  };
  switch (why) {
    case Errno::noent:
    case Errno::notdir:
      return say(Errc::not_found, "does not exist");
    case Errno::isdir:
      return say(Errc::invalid, "is a folder");
    case Errno::notempty:
      return say(Errc::invalid, "is a folder that is not empty");
    case Errno::loop:
      return say(Errc::invalid, "leads through too many links");
    case Errno::nametoolong:
      return say(Errc::invalid, "has a name that is too long");
    case Errno::busy:
    case Errno::inval:
    case Errno::acces:
    case Errno::perm:
      return say(Errc::invalid, "cannot be changed");
    case Errno::rofs:
      return say(Errc::invalid, "is read-only");
    case Errno::dquot:
    case Errno::nospc:
    case Errno::fbig:
      return say(Errc::exhausted, "does not fit: the environment's storage is full");
    default:
      return say(Errc::io, "cannot be used: " + std::string(vfs::to_string(why)));
  }
}

class Reader final : public FileReader {
 public:
  Reader(std::shared_ptr<const vfs::Namespace> names, const base::Clock& clock, std::unique_ptr<vfs::File> file,
         std::uint64_t size) noexcept
      : names_(std::move(names)), clock_(clock), file_(std::move(file)), size_(size) {}
  std::uint32_t mode() const noexcept override { return kFileMode; }
  std::optional<std::uint64_t> size() const noexcept override { return size_; }
  base::Task<Result<std::size_t>> read_some(std::span<char> into) override {
    // No more than was announced, though the file may grow meanwhile.
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - given_));
    if (most == 0) co_return std::size_t{0};
    vfs::WaitSet waits;
    vfs::Call call{.clock = clock_, .waits = waits, .nonblocking = true, .redirect = {}};
    const std::span<std::byte> bytes = std::as_writable_bytes(into.first(most));
    const auto got = file_->read(call, {&bytes, 1});
    if (!got) co_return base::fail(Errc::io, "reading failed: " + std::string(vfs::to_string(got.error())));
    given_ += *got;
    co_return *got;
  }

 private:
  std::shared_ptr<const vfs::Namespace> names_;
  const base::Clock& clock_;
  std::unique_ptr<vfs::File> file_;
  std::uint64_t size_;
  std::uint64_t given_ = 0;
};

struct Names final : vfs::DirSink {
  bool add(const Entry& entry) override {
    all.emplace_back(entry.name);
    return true;
  }
  std::vector<std::string> all;
};

std::string below(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.ends_with('/')) path += '/';
  return path.append(name);
}

Result<std::vector<std::string>> names_in(const vfs::Namespace& names, vfs::Call& call, std::string_view path) {
  auto opened = names.open(call, {}, path, {.directory = true});
  if (!opened) {
    if (opened.error() == Errno::notdir && names.stat(call, {}, path, true))
      return base::fail(Errc::invalid, base::in_quotes(path) + " is no folder");
    return refused(path, opened.error());
  }
  Names sink;
  if (const auto listed = opened->file->list(call, 0, sink); !listed) return refused(path, listed.error());
  std::ranges::sort(sink.all);
  return std::move(sink.all);
}

std::string_view type_word(FileType type) noexcept {
  switch (type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "dir";
    case FileType::symlink:
      return "symlink";
    default:
      return "other";
  }
}

}  // namespace

bool EnvFiles::is_file(std::string_view path) const {
  Asking asking(*clock_);
  const auto stat = names_->stat(asking.call, {}, path, true);
  return stat && stat->type == FileType::regular;
}

Result<std::unique_ptr<FileReader>> EnvFiles::read(std::string_view path) const {
  Asking asking(*clock_);
  auto opened = names_->open(asking.call, {}, path, {});
  if (!opened) return refused(path, opened.error());
  const auto stat = opened->file->stat();
  if (!stat) return refused(path, stat.error());
  if (stat->type != FileType::regular)
    return base::fail(Errc::invalid, base::in_quotes(path) + " is a folder or a device, not a file");
  return std::make_unique<Reader>(names_, *clock_, std::move(opened->file), stat->size);
}

Result<void> EnvFiles::make_folders(std::string_view path) const {
  Asking asking(*clock_);
  const std::string_view parent = path.substr(0, path.rfind('/'));
  if (parent.empty()) return {};
  if (const auto there = names_->stat(asking.call, {}, parent, true); there) {
    if (there->type == FileType::directory) return {};
    return base::fail(Errc::invalid, base::in_quotes(parent) + " is no folder");
  }
  for (std::size_t end = 0; end < parent.size();) {
    end = std::min(parent.find('/', end + 1), parent.size());
    const std::string_view folder = parent.substr(0, end);
    const auto made = names_->create_directory(asking.call, {}, folder);
    if (made || made.error() == Errno::exist) continue;
    if (made.error() == Errno::notdir)
      return base::fail(Errc::invalid, base::in_quotes(path) + " has a file in its way that is no folder");
    return refused(folder, made.error());
  }
  return {};
}

Result<void> EnvFiles::replace(std::string_view path, std::string_view bytes, std::string_view unique) const {
  if (path == "/") return refused(path, Errno::isdir);
  Asking asking(*clock_);
  // Through a link at the end to what it names, as an editor would write.
  if (const auto there = names_->stat(asking.call, {}, path, true); there && there->type == FileType::directory)
    return refused(path, Errno::isdir);
  FB_CHECK(make_folders(path));
  const std::string temporary = std::string(path.substr(0, path.rfind('/') + 1)) + "." + std::string(unique) + ".new";
  const auto write = [&]() -> vfs::Io<void> {
    auto opened =
        names_->open(asking.call, {}, temporary, {.read = false, .write = true, .create = true, .exclusive = true});
    if (!opened) return vfs::fail(opened.error());
    base::ByteView rest = base::as_bytes(bytes);
    while (!rest.empty()) {
      const auto done = opened->file->write(asking.call, {&rest, 1});
      if (!done) return vfs::fail(done.error());
      rest = rest.subspan(*done);
    }
    return {};
  };
  auto done = write();
  if (done) done = names_->rename(asking.call, {}, temporary, {}, path);
  if (done) return {};
  (void)names_->unlink(asking.call, {}, temporary);
  return refused(path, done.error());
}

Result<std::vector<FileEntry>> EnvFiles::list(std::string_view path) const {
  Asking asking(*clock_);
  FB_TRY(const std::vector<std::string> names, names_in(*names_, asking.call, path));
  std::vector<FileEntry> entries;
  for (const std::string& name : names) {
    const auto stat = names_->stat(asking.call, {}, below(path, name), false);
    if (!stat) continue;  // gone meanwhile
    const bool is_directory = stat->type == FileType::directory;
    entries.push_back({name, std::string(type_word(stat->type)), is_directory ? 0 : stat->size,
                       is_directory ? kFolderMode : kFileMode,
                       base::Nanos(static_cast<std::int64_t>(stat->modified_ns))});
  }
  return entries;
}

Result<void> EnvFiles::remove(std::string_view path, bool recursive) const {
  Asking asking(*clock_);
  if (path == "/") return refused(path, Errno::busy);
  const auto stat = names_->stat(asking.call, {}, path, false);
  if (!stat) return refused(path, stat.error());
  if (stat->type == FileType::directory && recursive) return remove_tree(std::string(path));
  const auto removed = stat->type == FileType::directory ? names_->remove_directory(asking.call, {}, path)
                                                         : names_->unlink(asking.call, {}, path);
  if (!removed) return refused(path, removed.error());
  return {};
}

// Depth first without recursion: how deep a guest nests folders is its own business.
Result<void> EnvFiles::remove_tree(const std::string& path) const {
  Asking asking(*clock_);
  std::vector<std::pair<std::string, bool>> ahead{{path, false}};  // and whether its content is gone
  while (!ahead.empty()) {
    auto& [folder, is_empty] = ahead.back();
    if (is_empty) {
      if (const auto removed = names_->remove_directory(asking.call, {}, folder); !removed)
        return refused(folder, removed.error());
      ahead.pop_back();
      continue;
    }
    is_empty = true;
    const std::string here = folder;
    FB_TRY(const std::vector<std::string> names, names_in(*names_, asking.call, here));
    for (const std::string& name : names) {
      std::string child = below(here, name);
      const auto stat = names_->stat(asking.call, {}, child, false);
      if (!stat) continue;
      if (stat->type == FileType::directory) {
        ahead.emplace_back(std::move(child), false);
      } else if (const auto gone = names_->unlink(asking.call, {}, child); !gone) {
        return refused(child, gone.error());
      }
    }
  }
  return {};
}

Result<void> EnvFiles::archive(std::string_view path, const Sink& sink) const {
  Asking asking(*clock_);
  image::oci::TarWriter tar(sink);
  const std::size_t prefix = path == "/" ? 1 : path.size() + 1;
  std::vector<std::string> ahead;  // in reverse order
  const auto enter = [&](std::string_view folder) -> Result<void> {
    FB_TRY(const std::vector<std::string> names, names_in(*names_, asking.call, folder));
    for (auto name = names.rbegin(); name != names.rend(); ++name) ahead.push_back(below(folder, *name));
    return {};
  };
  FB_CHECK(enter(path));
  while (!ahead.empty()) {
    const std::string here = std::move(ahead.back());
    ahead.pop_back();
    const auto stat = names_->stat(asking.call, {}, here, false);
    if (!stat) continue;  // gone meanwhile
    const std::string_view name = std::string_view(here).substr(prefix);
    if (stat->type == FileType::directory) {
      FB_CHECK(tar.directory(name, stat->modified_ns));
      FB_CHECK(enter(here));
    } else if (stat->type == FileType::symlink) {
      const auto target = names_->read_link(asking.call, {}, here);
      if (target) FB_CHECK(tar.symlink(name, *target, stat->modified_ns));
    } else if (stat->type == FileType::regular) {
      auto opened = names_->open(asking.call, {}, here, {.follow = false});
      if (!opened) continue;
      const auto next = [&](std::span<std::byte> into) -> Result<std::size_t> {
        const auto got = opened->file->read(asking.call, {&into, 1});
        if (!got) return refused(here, got.error());
        return *got;
      };
      FB_CHECK(tar.file(name, stat->size, next, stat->modified_ns));
    }
  }
  return tar.finish();
}

}  // namespace fusebox::host
