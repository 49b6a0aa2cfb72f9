// What tests of Files and Mounts share: one call's surroundings, and reads and writes of texts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "vfs/mount.h"

namespace fusebox::vfs::testing {

// A guest's view of a Mount: every method is one new call.
class Guest {
 public:
  base::ManualClock clock;
  WaitSet waits;
  Call call{clock, waits, false, {}, {}};
  bool nonblocking = false;

  Call& fresh() {
    waits.clear();
    call.nonblocking = nonblocking;
    call.first_asked = {};
    call.redirect.clear();
    return call;
  }
  // The same call asked again, as after a wait.
  Call& again() {
    waits.clear();
    return call;
  }

  static constexpr OpenRequest kReads{};
  static constexpr OpenRequest kWrites{.read = false, .write = true};
  static constexpr OpenRequest kBoth{.read = true, .write = true};

  Io<std::unique_ptr<File>> open(Mount& mount, std::string_view path, const OpenRequest& request = kBoth) {
    return mount.open(fresh(), path, request);
  }
  Io<std::size_t> write(File& file, std::string_view text) {
    const std::span<const std::byte> one[] = {base::as_bytes(text)};
    return file.write(fresh(), one);
  }
  Io<std::string> read(File& file, std::size_t size = 65536) { return read_with(fresh(), file, size); }
  Io<std::string> read_again(File& file, std::size_t size = 65536) { return read_with(again(), file, size); }
  bool waits_for_something() const {
    return !waits.changes().empty() || !waits.ready().empty() || waits.deadline() != WaitSet::kNever;
  }

  struct Listed {
    std::string name;
    FileType type;
    std::uint64_t inode;
  };
  // Lists with room for `at_once` entries at a time.
  Io<std::vector<Listed>> list(File& directory, std::size_t at_once = 1000) {
    std::vector<Listed> all;
    std::uint64_t cookie = 0;
    while (true) {
      Sink sink(at_once);
      const auto done = directory.list(fresh(), cookie, sink);
      if (!done) return fail(done.error());
      for (auto& entry : sink.taken) all.push_back(std::move(entry));
      if (!sink.full) return all;
      cookie = sink.next;
    }
  }
  std::vector<std::string> names(Mount& mount, std::string_view path = "", std::size_t at_once = 1000) {
    std::vector<std::string> all;
    auto directory = open(mount, path, kReads);
    if (!directory) return {"cannot open: " + std::string(to_string(directory.error()))};
    const auto listed = list(**directory, at_once);
    if (!listed) return {"cannot list: " + std::string(to_string(listed.error()))};
    for (const auto& entry : *listed) all.push_back(entry.name);
    return all;
  }

 private:
  struct Sink final : DirSink {
    explicit Sink(std::size_t room) : left(room) {}
    bool add(const Entry& entry) override {
      if (left == 0) {
        full = true;
        return false;
      }
      --left;
      taken.push_back({std::string(entry.name), entry.type, entry.inode});
      next = entry.next;
      return true;
    }
    std::size_t left;
    bool full = false;
    std::uint64_t next = 0;
    std::vector<Listed> taken;
  };
  Io<std::string> read_with(Call& with, File& file, std::size_t size) {
    std::string text(size, '\0');
    const std::span<std::byte> one[] = {std::as_writable_bytes(std::span(text))};
    const auto n = file.read(with, one);
    if (!n) return fail(n.error());
    text.resize(*n);
    return text;
  }
};

template <class T>
Errno error_of(const Io<T>& result) {
  return result ? Errno::success : result.error();
}

}  // namespace fusebox::vfs::testing
