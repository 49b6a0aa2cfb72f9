#include "vfs/pipe/pipe_pool.h"

#include <algorithm>

#include "vfs/pipe/pipe.h"
#include "vfs/text/glob.h"

namespace fusebox::vfs {

struct PipePool::Entry {
  std::string name;
  std::uint64_t sequence = 0;
  bool console = false;            // counts against the reserve
  std::uint32_t console_ends = 0;  // attached now
  std::string owner;               // who made it; nobody for consoles
  std::shared_ptr<Pipe> pipe;
};

PipeEnd::~PipeEnd() {
  if (pipe_) pool_->detach(*this);
}

PipePool::PipePool(const PipePoolOptions& options) : options_(options) {
  options_.pipe_bytes = std::max(options_.pipe_bytes, 1u);
}
PipePool::~PipePool() = default;

std::shared_ptr<PipePool> PipePool::create(const PipePoolOptions& options) {
  return std::shared_ptr<PipePool>(new PipePool(options));
}

Io<PipeEnd> PipePool::attach(std::string_view name, PipeEnd::Side side, const std::shared_ptr<PipeShare>& share) {
  if (name.size() > kPipeNameBytesMax) return fail(Errno::nametoolong);
  if (!glob_match_any(side == PipeEnd::Side::read ? share->read : share->write, name)) return fail(Errno::acces);
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  if (found != entries_.end()) return attach_to(**found, side, false);
  if (count(false) >= options_.pipes || made_by(share->owner) >= share->pipes_max) return fail(Errno::nospc);
  return attach_to(add(name, false, share->owner), side, false);
}

Io<PipeEnd> PipePool::attach_console(std::string_view name, PipeEnd::Side side) {
  if (name.empty()) return fail(Errno::inval);
  if (name.size() > kPipeNameBytesMax) return fail(Errno::nametoolong);
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  if (found != entries_.end()) return attach_to(**found, side, true);
  if (count(true) >= options_.console_pipes) forget_oldest_without_console();
  if (count(true) >= options_.console_pipes) return fail(Errno::nospc);
  return attach_to(add(name, true, {}), side, true);
}

PipePool::Entry& PipePool::add(std::string_view name, bool console, std::string owner) {
  entries_.push_back(std::make_unique<Entry>(Entry{.name = std::string(name),
                                                   .sequence = ++sequence_,
                                                   .console = console,
                                                   .owner = std::move(owner),
                                                   .pipe = std::make_shared<Pipe>(options_.pipe_bytes)}));
  return *entries_.back();
}

Io<PipeEnd> PipePool::attach_to(Entry& entry, PipeEnd::Side side, bool console) {
  entry.pipe->attach(side);
  if (console) ++entry.console_ends;
  return PipeEnd(shared_from_this(), entry.pipe, side, console);
}

void PipePool::detach(const PipeEnd& end) noexcept {
  const std::lock_guard lock(mutex_);
  if (end.console_) {
    const auto found = std::ranges::find(entries_, end.pipe_, &Entry::pipe);
    if (found != entries_.end()) --(*found)->console_ends;
  }
  if (end.pipe_->detach(end.side_)) remove(*end.pipe_);
}

// Without effect on a pipe that has lost its name already.
void PipePool::remove(const Pipe& pipe) noexcept {
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) { return entry->pipe.get() == &pipe; });
  if (found == entries_.end()) return;
  entries_.erase(found);
}

std::uint32_t PipePool::count(bool console) const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count(entries_, console, &Entry::console));
}

std::uint32_t PipePool::made_by(std::string_view owner) const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(entries_, [&](const auto& entry) { return !entry->console && entry->owner == owner; }));
}

void PipePool::forget_oldest_without_console() {
  const auto found =
      std::ranges::find_if(entries_, [](const auto& entry) { return entry->console && entry->console_ends == 0; });
  if (found != entries_.end()) entries_.erase(found);
}

bool PipePool::exists(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(entries_, name, &Entry::name) != entries_.end();
}

std::vector<PipePool::Listed> PipePool::list(std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  std::vector<Listed> listed;
  for (const auto& entry : entries_) {
    if (entry->sequence > after) listed.push_back({entry->name, entry->sequence});
  }
  return listed;
}

}  // namespace fusebox::vfs
