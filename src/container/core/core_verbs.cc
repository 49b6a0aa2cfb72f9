// The verbs of contract 9.2-9.4: each is one step under the lock.
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>

#include "base/text.h"
#include "container/core/core.h"
#include "container/core/memory_room.h"
#include "container/core/shown.h"

namespace fusebox::container {

using vfs::Errno;

namespace {

std::unexpected<ControlError> no_such_name(std::string_view name) {
  return refuse(Errno::noent, "there is no container " + base::in_quotes(name));
}

// What keeps the duplicates of a caller's descriptors open.
struct KeptFds {
  std::array<base::Fd, 3> fds;
};

base::Result<std::shared_ptr<KeptFds>> duplicate(const std::array<int, 3>& fds) {
  auto kept = std::make_shared<KeptFds>();
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (fds[i] < 0) continue;
    kept->fds[i] = base::Fd::adopt(::fcntl(fds[i], F_DUPFD_CLOEXEC, 3));
    if (!kept->fds[i]) return base::fail(base::errno_error("duplicating a descriptor", errno));
  }
  return kept;
}

}  // namespace

Controlled<void> Containers::Core::create_name(std::string_view name) {
  if (!valid_name(name)) {
    return refuse(Errno::inval, base::in_quotes(name) + " is no name; names have 1 to " +
                                    std::to_string(options_.profile.name_bytes) +
                                    " bytes of A-Z a-z 0-9 . _ - and start with a letter, a digit or _");
  }
  if (name == kSupervisorName && options_.supervised) return {};
  const std::lock_guard lock(mutex_);
  const Shown shown(*this, name);
  const auto at = records_.find(name);
  if (at != records_.end() && at->second.reservation) return {};
  if (reserved_ >= options_.profile.max_wapps)
    return refuse(Errno::nospc, "all " + std::to_string(options_.profile.max_wapps) + " reservations are taken");
  reserve(records_[std::string(name)], Reservation{});
  return {};
}

Controlled<void> Containers::Core::configure(std::string_view name, LaunchConfig config) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return no_such_name(name);
  const Shown shown(*this, name);
  reserve(at->second, Reservation{true, std::move(config)});
  return {};
}

void Containers::Core::reserve(Record& record, std::optional<Reservation> reservation) {
  reserved_ -= record.reservation ? 1 : 0;
  reserved_ += reservation ? 1 : 0;
  record.reservation = std::move(reservation);
}

void Containers::Core::consume(Records::iterator at) {
  reserve(at->second, std::nullopt);
  if (!at->second.run) records_.erase(at);
}

Controlled<std::optional<image::Entry>> Containers::Core::resolve(std::string_view name, const StartOptions& options,
                                                                  const LaunchConfig& config) {
  if (options.opened) return std::nullopt;
  const std::string text = !options.image.empty()  ? options.image
                           : !config.image.empty() ? config.image
                                                   : std::string(name);
  const auto reference = image::parse_reference(text, options_.profile.name_bytes);
  if (!reference) {
    return refuse(options.image.empty() ? Errno::noent : Errno::inval,
                  base::in_quotes(text) + " is no reference of an image: " + reference.error().message);
  }
  auto found = options_.library->find(*reference);
  if (!found) return refuse(Errno::noent, "image " + base::in_quotes(text) + ": " + found.error().message);
  return std::move(*found);
}

void Containers::Core::drop_run(Records::iterator at) {
  const std::uint32_t slot = at->second.run->options().slot;
  slots_[slot].clear();
  free_slots_.insert(slot);
  at->second.run.reset();
  cancel_restart(at->second);
  if (!at->second.reservation) records_.erase(at);
}

// The name's own terminal run, else a free slot, else the oldest terminal run, whose name may go.
std::optional<Containers::Core::SlotChoice> Containers::Core::find_slot(Records::iterator at) {
  if (at->second.run) return SlotChoice{at->second.run->options().slot, records_.end()};
  const std::uint32_t first = options_.supervised ? 1 : 0;
  if (const auto free = free_slots_.lower_bound(first); free != free_slots_.end())
    return SlotChoice{*free, records_.end()};
  Records::iterator oldest = records_.end();
  const auto rank = [](const Record& record) {  // those that will be restarted go last
    return std::pair(record.restart.word == RestartWord::pending, record.run->end_order);
  };
  for (auto one = records_.begin(); one != records_.end(); ++one) {
    const Record& record = one->second;
    if (!record.run || record.live() || record.run->options().slot < first) continue;
    if (oldest == records_.end() || rank(record) < rank(oldest->second)) oldest = one;
  }
  if (oldest == records_.end()) return std::nullopt;
  return SlotChoice{oldest->second.run->options().slot, oldest};
}

std::uint32_t Containers::Core::take_slot(const SlotChoice& choice) {
  if (choice.dropped == records_.end()) return choice.slot;
  const Shown shown(*this, choice.dropped->first);
  drop_run(choice.dropped);
  return choice.slot;
}

// What every run takes at once, before its module says what more: the stack its guest runs on.
bool Containers::Core::has_memory_for_a_run(const LimitsConfig& limits) const {
  const std::uint64_t bytes = stack_class(limits.stack_bytes.value_or(options_.profile.wasm_stack_bytes));
  return options_.has_memory ? options_.has_memory(bytes) : kernel_has_memory(bytes);
}

void Containers::Core::begin_run(Records::iterator at, std::uint32_t slot, RunOptions options) {
  options.name = at->first;
  options.slot = slot;
  options.number = next_run_++;
  slots_[slot] = at->first;
  free_slots_.erase(slot);
  auto run = std::make_shared<Run>(*this, std::move(options));
  run->started = options_.clock->monotonic();
  run->started_wall = options_.clock->wall();
  at->second.run = run;
  scheduler_->start(std::move(run));
}

Controlled<void> Containers::Core::start_locked(Records::iterator at, const StartOptions& options, bool restarting,
                                                const Exceeds& exceeds) {
  Record& record = at->second;
  const std::string name = at->first;
  const bool has_reservation = record.reservation.has_value() && !restarting;
  if (has_reservation && !record.reservation->configured && options.image.empty() && !options.opened)
    return refuse(Errno::inval, name + " has no configuration; write one, or start it with an image");
  if (record.live()) return refuse(Errno::busy, name + " is " + std::string(to_string(record.state())));
  if (closing()) return refuse(Errno::canceled, "the engine is stopping");
  auto kept = duplicate(options.platform_fds);
  if (!kept) return refuse(Errno::mfile, kept.error().message);

  LaunchConfig config = restarting ? record.config : has_reservation ? record.reservation->config : LaunchConfig{};
  const bool written = restarting || (has_reservation && record.reservation->configured);
  if (const std::string why = exceeds ? exceeds(config, written) : std::string(); !why.empty())
    return refuse(Errno::perm, name + " would hold more than who starts it: " + why);
  auto entry = resolve(name, options, config);
  if (!entry) {
    if (entry.error().code != Errno::inval && !restarting) consume(at);
    return std::unexpected(std::move(entry.error()));
  }
  const std::optional<SlotChoice> choice = find_slot(at);
  if (!choice) {
    if (!restarting) consume(at);
    return refuse(Errno::nospc, "all " + std::to_string(slots_.size()) + " slots are in use; stop a container first");
  }
  if (!has_memory_for_a_run(config.limits)) {
    if (!restarting) consume(at);
    return refuse(Errno::nomem, "there is no memory for one more container; stop one first");
  }
  const std::uint32_t slot = take_slot(*choice);
  if (!restarting) {
    record.restart = {};
    reserve(record, std::nullopt);
  } else {
    record.restart.word = RestartWord::none;
    record.restart.due = vfs::WaitSet::kNever;
  }
  record.config = config;
  record.start = options;
  record.start.platform_fds = {-1, -1, -1};
  RunOptions run;
  run.config = std::move(config);
  run.opened = options.opened;
  run.shown = options.shown;
  run.window = options.window;
  run.entry = std::move(*entry);
  if (run.entry) run.shown = {run.entry->name, run.entry->version};
  run.platform_fds = options_.platform_fds;
  for (std::size_t i = 0; i < 3; ++i) {
    if ((*kept)->fds[i]) run.platform_fds[i] = (*kept)->fds[i].get();
  }
  run.keep_platform_fds = std::move(*kept);
  begin_run(at, slot, std::move(run));
  return {};
}

Controlled<void> Containers::Core::start(std::string_view name, const StartOptions& options, const Exceeds& exceeds) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (name == kSupervisorName && options_.supervised) return refuse(Errno::busy, "the engine starts the supervisor");
  if (at == records_.end()) return no_such_name(name);
  const Shown shown(*this, name);
  return start_locked(at, options, false, exceeds);
}

Controlled<void> Containers::Core::launch_now(std::string_view name, LaunchConfig config, const StartOptions& options) {
  if (auto made = create_name(name); !made) return made;
  const std::lock_guard lock(mutex_);
  if (name == kSupervisorName && options_.supervised) return refuse(Errno::busy, "the engine starts the supervisor");
  const Shown shown(*this, name);
  const auto at = records_.emplace(std::string(name), Record{}).first;
  if (at->second.live())
    return refuse(Errno::busy, std::string(name) + " is " + std::string(to_string(at->second.state())));
  reserve(at->second, Reservation{true, std::move(config)});
  return start_locked(at, options, false, {});
}

Controlled<void> Containers::Core::launch_supervisor(LaunchConfig config, std::shared_ptr<const image::Image> image) {
  const std::lock_guard lock(mutex_);
  if (closing()) return refuse(Errno::canceled, "the engine is stopping");
  const Shown shown(*this, kSupervisorName);
  const auto at = records_.emplace(std::string(kSupervisorName), Record{}).first;
  if (at->second.live()) return refuse(Errno::busy, "the supervisor runs");
  at->second.config = config;
  at->second.config.restart = {};  // its restarts are the supervisor loop's
  RunOptions run;
  run.config = std::move(config);
  run.opened = std::move(image);
  run.platform_fds = options_.platform_fds;
  begin_run(at, 0, std::move(run));
  return {};
}

Controlled<void> Containers::Core::stop(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return no_such_name(name);
  const bool pending = at->second.restart.word == RestartWord::pending;
  cancel_restart(at->second);
  if (at->second.live()) {
    at->second.run->request_stop();
    return {};
  }
  if (pending) return {};
  return refuse(Errno::noent, std::string(name) + " does not run");
}

Controlled<void> Containers::Core::resize(std::string_view name, vfs::WindowSize size) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end() || !at->second.live()) return refuse(Errno::noent, std::string(name) + " does not run");
  at->second.start.window = size;  // its restarts have the same terminal
  at->second.run->window().set(size);
  return {};
}

Controlled<void> Containers::Core::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return no_such_name(name);
  if (at->second.live() || (name == kSupervisorName && options_.supervised))
    return refuse(Errno::busy, std::string(name) + " is " + std::string(to_string(at->second.state())));
  const Shown shown(*this, name);
  reserve(at->second, std::nullopt);
  if (at->second.run)
    drop_run(at);
  else
    records_.erase(at);
  return {};
}

}  // namespace fusebox::container
