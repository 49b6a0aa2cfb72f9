#include "vfs/point_file.h"

namespace fusebox::vfs {

namespace {

// Cookies of the points' part of a listing. Mounts count or pass on offsets of directories, which are positive numbers
// of 64 bits with a sign.
constexpr std::uint64_t kPointCookie = std::uint64_t{1} << 63;

void list_points(const Point& point, std::uint64_t cookie, DirSink& sink) {
  for (std::uint64_t i = cookie & ~kPointCookie; i < point.children.size(); ++i) {
    const Point& child = *point.children[i];
    if (!sink.add({.name = child.name, .type = child.type, .inode = child.inode, .next = kPointCookie | (i + 1)}))
      return;
  }
}

// What a mount has where something is mounted is hidden.
class HidingSink final : public DirSink {
 public:
  HidingSink(const Point& point, DirSink& to) noexcept : point_(point), to_(to) {}
  bool add(const Entry& entry) override {
    if (point_.child(entry.name) != nullptr) return true;
    full_ = !to_.add(entry);
    return !full_;
  }
  bool full() const noexcept { return full_; }

 private:
  const Point& point_;
  DirSink& to_;
  bool full_ = false;
};

class SyntheticDirectory final : public File {
 public:
  SyntheticDirectory(std::shared_ptr<const void> keeps, const Point& point, FdFlags flags) noexcept
      : File(flags), keeps_(std::move(keeps)), point_(point) {}
  FileType type() const noexcept override { return FileType::directory; }
  Io<Stat> stat() override { return synthetic_stat(point_); }
  Io<void> set_times(SetTime, SetTime) override { return fail(Errno::rofs); }
  Io<void> list(Call&, std::uint64_t cookie, DirSink& sink) override {
    list_points(point_, cookie, sink);
    return {};
  }

 private:
  std::shared_ptr<const void> keeps_;
  const Point& point_;
};

class PointFile final : public File {
 public:
  PointFile(std::shared_ptr<const void> keeps, const Point& point, std::unique_ptr<File> inner) noexcept
      : File(inner->flags()), keeps_(std::move(keeps)), point_(point), inner_(std::move(inner)) {}

  FileType type() const noexcept override { return inner_->type(); }
  Io<Stat> stat() override { return as_listed(inner_->stat()); }
  Io<Stat> stat_waiting(Call& call) override { return as_listed(inner_->stat_waiting(call)); }
  Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink) override {
    if (cookie < kPointCookie) {
      HidingSink hiding(point_, sink);
      if (auto listed = inner_->list(call, cookie, hiding); !listed || hiding.full()) return listed;
      cookie = kPointCookie;
    }
    list_points(point_, cookie, sink);
    return {};
  }
  Io<void> set_flags(FdFlags flags) override {
    auto set = inner_->set_flags(flags);
    flags_ = inner_->flags();
    return set;
  }

  Io<std::size_t> read(Call& call, ReadBuffers to) override { return inner_->read(call, to); }
  Io<std::size_t> write(Call& call, WriteBuffers from) override { return inner_->write(call, from); }
  Io<std::size_t> read_at(Call& call, ReadBuffers to, std::uint64_t offset) override {
    return inner_->read_at(call, to, offset);
  }
  Io<std::size_t> write_at(Call& call, WriteBuffers from, std::uint64_t offset) override {
    return inner_->write_at(call, from, offset);
  }
  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override { return inner_->seek(offset, whence); }
  Io<void> advise(std::uint64_t offset, std::uint64_t length) override { return inner_->advise(offset, length); }
  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override { return inner_->allocate(offset, length); }
  Io<void> set_size(std::uint64_t size) override { return inner_->set_size(size); }
  Io<void> set_times(SetTime accessed, SetTime modified) override { return inner_->set_times(accessed, modified); }
  Io<std::uint64_t> seek_waiting(Call& call, std::int64_t offset, Whence whence) override {
    return inner_->seek_waiting(call, offset, whence);
  }
  Io<void> set_size_waiting(Call& call, std::uint64_t size) override { return inner_->set_size_waiting(call, size); }
  Io<void> set_times_waiting(Call& call, SetTime accessed, SetTime modified) override {
    return inner_->set_times_waiting(call, accessed, modified);
  }
  Io<void> sync(bool data_only) override { return inner_->sync(data_only); }
  Readiness poll(Call& call, bool for_writing) override { return inner_->poll(call, for_writing); }
  Io<std::unique_ptr<File>> accept(Call& call, FdFlags flags) override { return inner_->accept(call, flags); }
  Io<Received> receive(Call& call, ReadBuffers to, RecvFlags flags) override {
    return inner_->receive(call, to, flags);
  }
  Io<std::size_t> send(Call& call, WriteBuffers from) override { return inner_->send(call, from); }
  Io<void> shutdown(Call& call, bool reading, bool writing) override {
    return inner_->shutdown(call, reading, writing);
  }
  Io<void> close(Call& call) override { return inner_->close(call); }

 private:
  Io<Stat> as_listed(Io<Stat> stat) const {
    if (stat && point_.inode != 0) stat->inode = point_.inode;
    return stat;
  }

  std::shared_ptr<const void> keeps_;
  const Point& point_;
  std::unique_ptr<File> inner_;
};

}  // namespace

Stat synthetic_stat(const Point& point) noexcept {
  Stat stat;
  stat.device = device_code("MntD");
  stat.inode = point.inode;
  stat.type = FileType::directory;
  return stat;
}

std::unique_ptr<File> make_synthetic_directory(std::shared_ptr<const void> keeps, const Point& point, FdFlags flags) {
  return std::make_unique<SyntheticDirectory>(std::move(keeps), point, flags);
}

std::unique_ptr<File> wrap_point(std::shared_ptr<const void> keeps, const Point& point, std::unique_ptr<File> inner) {
  return std::make_unique<PointFile>(std::move(keeps), point, std::move(inner));
}

}  // namespace fusebox::vfs
