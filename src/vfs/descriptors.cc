#include "vfs/descriptors.h"

#include <algorithm>
#include <utility>

namespace fusebox::vfs {

namespace {
constexpr std::uint32_t kFirstFree = 3;  // below are the console slots
}

bool Descriptors::full() const noexcept {
  return open_count() >= fds_max_;
}

Io<std::uint32_t> Descriptors::add(Descriptor descriptor) {
  if (full()) return fail(Errno::mfile);
  std::uint32_t fd = std::max(lowest_free_, kFirstFree);
  while (fd < table_.size() && table_[fd].file) ++fd;
  if (fd >= fds_max_) return fail(Errno::mfile);
  put(fd, std::move(descriptor));
  lowest_free_ = fd + 1;
  return fd;
}

void Descriptors::put(std::uint32_t fd, Descriptor descriptor) {
  if (fd >= table_.size()) table_.resize(fd + 1);
  if (!table_[fd].file) ++open_count_;
  table_[fd] = std::move(descriptor);
}

Io<void> Descriptors::close(Call& call, std::uint32_t fd) {
  Descriptor* const open = get(fd);
  if (open == nullptr) return fail(Errno::badf);
  if (open->console || open->preopen) return {};
  const auto answer = open->file->close(call);
  // A close that has to wait is asked again; any other answer ends the use of the number.
  if (!answer && answer.error() == Errno::would_block) return answer;
  *open = Descriptor{};
  --open_count_;
  if (fd >= kFirstFree) lowest_free_ = std::min(lowest_free_, fd);
  return answer;
}

Io<void> Descriptors::renumber(std::uint32_t from, std::uint32_t to) {
  if (get(from) == nullptr || get(to) == nullptr) return fail(Errno::badf);
  if (from == to) return {};
  // What cannot be closed is the number of a console, whatever lies there now.
  const bool console = table_[to].console;
  table_[to] = std::exchange(table_[from], Descriptor{});
  table_[to].console = console;
  --open_count_;
  if (from >= kFirstFree) lowest_free_ = std::min(lowest_free_, from);
  return {};
}

void Descriptors::clear() noexcept {
  for (Descriptor& descriptor : table_) descriptor = Descriptor{};
  table_.clear();
  open_count_ = 0;
  lowest_free_ = kFirstFree;
}

}  // namespace fusebox::vfs
