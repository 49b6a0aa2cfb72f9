#include "container/core/space_task.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "container/core/core.h"
#include "container/core/launch.h"
#include "vfs/bytes_file.h"
#include "vfs/device/devices.h"
#include "vfs/tar/tree_mount.h"

namespace fusebox::container {

using vfs::Errno;

// A module's bytes and what they are named by.
struct SpaceTask::Module {
  std::shared_ptr<const void> owner;
  base::ByteView bytes;
  base::Sha256 hash;
};

namespace {

constexpr std::uint64_t kModuleBytesMax = 256u
                                          << 20;  // of one that was written into a space; larger ones come in images

End cannot_run(std::string_view program, std::string_view why) {
  return {State::failure, -1, "no-entry", ": " + std::string(program) + ": " + std::string(why)};
}

std::expected<base::Bytes, Errno> read_whole(vfs::File& file, vfs::Call& call, std::uint64_t size) {
  base::Bytes bytes(static_cast<std::size_t>(size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::span<std::byte> rest = std::span(bytes).subspan(done);
    const auto got = file.read(call, {&rest, 1});
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    done += *got;
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

SpaceTask::SpaceTask(Containers::Core& core, std::shared_ptr<SpaceShared> space, SpaceExec exec)
    : core_(core), space_(std::move(space)), exec_(std::move(exec)) {
  for (auto& console : exec_.consoles) {
    if (!console) console = vfs::make_null_console();
  }
}
SpaceTask::~SpaceTask() = default;

void SpaceTask::request_stop() noexcept {
  stop_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    if (guest_) guest_->stop();
  }
  core_.scheduler().wake(*this);
}

std::uint64_t SpaceTask::memory_bytes() const noexcept {
  const std::lock_guard lock(mutex_);
  return guest_ ? guest_->memory_bytes() : 0;
}

base::Nanos SpaceTask::cpu_time() const noexcept {
  return core_.scheduler().cpu_time(*this);
}

Task::Turn SpaceTask::turn() {
  if (stop_.load(std::memory_order_acquire) && step_ != Step::over) return end(ended_by_stop());
  switch (step_) {
    case Step::begin:
      return begin();
    case Step::load:
      return load();
    case Step::run: {
      std::optional<End> how = guest_->poll();
      return how ? end(std::move(*how)) : Turn::wait;
    }
    case Step::over:
      break;
  }
  return Turn::done;
}

const vfs::WaitSet& SpaceTask::waits() const {
  return step_ == Step::run ? guest_->waits() : own_waits_;
}

std::expected<std::shared_ptr<const vfs::Namespace>, End> SpaceTask::build_names() const {
  const SpaceOptions& space = space_->options;
  std::vector<vfs::TreeEntry> devices;
  devices.push_back({vfs::null_device(), nullptr});
  for (int i = 0; i < 3; ++i)
    devices.push_back({vfs::console_alias(exec_.consoles[static_cast<std::size_t>(i)], i), nullptr});
  vfs::Namespace::Options names;
  names.path_bytes_max = core_.options().profile.max_path_bytes;
  names.root = space.root ? space.root : vfs::make_tree_mount(space.image->tree());
  names.mounts.push_back({"/dev", vfs::make_device_tree("/dev", vfs::device_code("DevF"), std::move(devices))});
  if (space_->net) names.mounts.push_back({"/net", space_->net});
  names.mounts.insert(names.mounts.end(), space.mounts.begin(), space.mounts.end());
  auto built = vfs::Namespace::build(std::move(names));
  if (!built) return std::unexpected(cannot_run(exec_.program, built.error().message));
  return std::move(*built);
}

std::expected<SpaceTask::Module, End> SpaceTask::find_module() const {
  vfs::WaitSet waits;
  vfs::Call call{.clock = *core_.options().clock, .waits = waits, .nonblocking = true, .redirect = {}};
  auto opened = names_->open(call, {}, exec_.program, {});
  if (!opened) return std::unexpected(cannot_run(exec_.program, "no such file in this environment"));
  vfs::File& file = *opened->file;
  const auto stat = file.stat();
  if (!stat || stat->type != vfs::FileType::regular)
    return std::unexpected(cannot_run(exec_.program, "is not a file that can be run"));
  const image::Image& image = *space_->options.image;
  // Of the image: its hash is known after the first start.
  if (const auto* bytes = dynamic_cast<const vfs::BytesFile*>(&file); bytes && bytes->owner() == image.tree().get())
    return Module{space_->options.image, bytes->bytes(), image.digest_of(bytes->bytes())};
  if (stat->size > kModuleBytesMax) return std::unexpected(cannot_run(exec_.program, "is too large to be run"));
  auto read = read_whole(file, call, stat->size);
  if (!read) return std::unexpected(cannot_run(exec_.program, vfs::to_string(read.error())));
  const auto owner = std::make_shared<const base::Bytes>(std::move(*read));
  return Module{owner, *owner, base::sha256(*owner)};
}

Task::Turn SpaceTask::begin() {
  step_ = Step::load;
  auto names = build_names();
  if (!names) return end(std::move(names.error()));
  names_ = std::move(*names);
  auto module = find_module();
  if (!module) return end(std::move(module.error()));
  const LimitsConfig& limits = space_->options.config.limits;
  const std::uint64_t stack = stack_class(limits.stack_bytes.value_or(core_.options().profile.wasm_stack_bytes));
  const bool ticks = limits.ticks.has_value();
  if (auto known = core_.programs().find(module->hash, stack, ticks)) return start_guest(std::move(known));
  loading_ = Offloaded<Loaded>::begin(core_.offload(), [&core = core_, module = *module, stack, ticks] {
    return loaded(core.programs().get(module.bytes, module.hash, stack, ticks));
  });
  return load();
}

Task::Turn SpaceTask::load() {
  own_waits_.clear();
  std::optional<Loaded> program = loading_->take(own_waits_);
  if (!program) return Turn::wait;
  loading_.reset();
  if (!*program) return end(std::move(program->error()));
  return start_guest(std::move(**program));
}

Task::Turn SpaceTask::start_guest(std::shared_ptr<const engine::Program> program) {
  const SpaceOptions& space = space_->options;
  const LimitsConfig& limits = space.config.limits;
  wasi::ProcessOptions process;
  process.args = std::move(exec_.args);
  process.envs = launch_envs(space.config, *space.image);
  override_envs(process.envs, exec_.envs);
  process.names = std::move(names_);
  for (std::size_t i = 0; i < 3; ++i) process.console[i] = vfs::open_console(exec_.consoles[i], static_cast<int>(i));
  process.fds_max = limits.fds;
  process.prestat_nul = core_.options().prestat_nul;
  process.clock = core_.options().clock;
  process.random = core_.options().random;
  process.cpu_time = [](void* of) { return static_cast<SpaceTask*>(of)->cpu_time(); };
  process.cpu_time_of = this;
  GuestLimits guest_limits;
  guest_limits.memory_pages_max =
      exec_.memory_pages_max != 0 ? exec_.memory_pages_max : limits.memory_pages.value_or(0);
  guest_limits.cpu = std::chrono::milliseconds(limits.cpu_ms.value_or(0));
  guest_limits.wall = exec_.wall_max;
  guest_limits.ticks = limits.ticks.value_or(0);
  auto guest = Guest::start(std::move(program), std::move(process), guest_limits, 0, *core_.options().clock);
  if (!guest) return end(std::move(guest.error()));
  if (limits.cpu_percent && *limits.cpu_percent < 100) core_.scheduler().set_share(*this, *limits.cpu_percent);
  code_ = (*guest)->code();
  {
    const std::lock_guard lock(mutex_);
    guest_ = std::move(*guest);
  }
  step_ = Step::run;
  if (stop_.load(std::memory_order_acquire)) return end(ended_by_stop());
  return Turn::again;  // with code() known
}

Task::Turn SpaceTask::end(End how) {
  if (stop_.load(std::memory_order_acquire) && how.state == State::failure) how = ended_by_stop();
  step_ = Step::over;
  code_ = {};
  std::unique_ptr<Guest> guest;
  {
    const std::lock_guard lock(mutex_);
    guest = std::move(guest_);
  }
  loading_.reset();
  names_.reset();
  if (guest) guest->process().close_all();
  guest.reset();
  for (const auto& console : exec_.consoles) console->detach();
  end_ = std::move(how);
  return Turn::done;
}

void SpaceTask::ended() noexcept {
  SpaceEnd end{end_.state, end_.exit_code, std::move(end_.reason), std::move(end_.message), cpu_time()};
  {
    const std::lock_guard lock(space_->mutex);
    std::erase_if(space_->running, [this](const auto& one) { return one.get() == this; });
  }
  space_.reset();
  if (const auto tell = std::exchange(exec_.ended, nullptr)) tell(end);
  exec_ = {};
}

}  // namespace fusebox::container
