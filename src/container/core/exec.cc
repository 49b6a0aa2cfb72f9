#include "container/core/exec.h"

#include <functional>
#include <utility>

#include "container/core/core.h"
#include "vfs/namespace.h"

namespace fusebox::container {

namespace {

constexpr int kLinksMax = 40;  // as in namespaces (contract 14.1)

// The file of an image a path leads to, through the image's own links.
std::optional<base::ByteView> find_file(const image::Tree& tree, std::string path) {
  for (int links = 0; links <= kLinksMax; ++links) {
    const auto normal = vfs::normalise("/", path, vfs::kPathRawBytesMax);
    if (!normal) return std::nullopt;
    const image::Tree::Found found = tree.find(std::string_view(normal->path).substr(1));
    using How = image::Tree::Found::How;
    if (found.how != How::node && found.how != How::link) return std::nullopt;
    const image::Tree::Node& node = tree.node(found.node);
    if (node.type == image::Tree::Type::regular) return node.content;
    if (node.type != image::Tree::Type::symlink) return std::nullopt;
    const std::size_t used = found.how == How::link ? found.used : normal->path.size() - 1;
    const std::string_view whole(normal->path);
    const std::string_view link = whole.substr(0, 1 + used);
    const std::string_view rest = whole.substr(1 + used);
    const std::string folder(link.substr(0, link.rfind('/') + 1));
    path = (node.link_target.starts_with('/') ? std::string() : folder) + std::string(node.link_target) +
           std::string(rest);
  }
  return std::nullopt;
}

}  // namespace

ExecTask::ExecTask(Containers::Core& core, std::uint64_t id, std::shared_ptr<Run> run, Run::Inside inside,
                   ExecOptions options, std::array<base::Fd, 3> fds)
    : core_(core),
      id_(id),
      run_(std::move(run)),
      run_name_(run_->name()),
      inside_(std::move(inside)),
      options_(std::move(options)),
      fds_(std::move(fds)) {
  status_.id = id;
}
ExecTask::~ExecTask() = default;

void ExecTask::request_stop() noexcept {
  stop_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    if (guest_) guest_->stop();
  }
  core_.scheduler().wake(*this);
}

ExecStatus ExecTask::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Task::Turn ExecTask::turn() {
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

const vfs::WaitSet& ExecTask::waits() const {
  return step_ == Step::run ? guest_->waits() : own_waits_;
}

std::expected<base::ByteView, End> ExecTask::module() const {
  if (options_.module_path.empty()) return inside_.image->module();
  const auto found = find_file(*inside_.image->tree(), options_.module_path);
  if (found) return *found;
  return std::unexpected(End{State::failure, -1, "no-entry", ": " + options_.module_path + " is no file of the image"});
}

Task::Turn ExecTask::begin() {
  step_ = Step::load;
  const auto bytes = module();
  if (!bytes) return end(bytes.error());
  const LimitsConfig& limits = inside_.config.limits;
  loading_ = Offloaded<Loaded>::begin(
      core_.offload(), [&core = core_, image = inside_.image, wasm = *bytes,
                        stack = stack_class(limits.stack_bytes.value_or(core_.options().profile.wasm_stack_bytes)),
                        ticks = limits.ticks.has_value()] {
        return loaded(core.programs().get(wasm, image->digest_of(wasm), stack, ticks));
      });
  return load();
}

Task::Turn ExecTask::load() {
  own_waits_.clear();
  std::optional<Loaded> program = loading_->take(own_waits_);
  if (!program) return Turn::wait;
  loading_.reset();
  if (!*program) return end(std::move(program->error()));
  return start_guest(std::move(**program));
}

Task::Turn ExecTask::start_guest(std::shared_ptr<const engine::Program> program) {
  const LimitsConfig& limits = inside_.config.limits;
  wasi::ProcessOptions process;
  process.args = {options_.module_path.empty() ? run_name_ : options_.module_path};
  process.args.insert(process.args.end(), options_.args.begin(), options_.args.end());
  process.envs = launch_envs(inside_.config, *inside_.image);
  override_envs(process.envs, options_.envs);
  process.names = inside_.names;
  for (std::size_t i = 0; i < 3; ++i) {
    auto keep = std::make_shared<base::Fd>(std::move(fds_[i]));
    auto console = *keep ? vfs::make_host_console(keep->get(), keep) : vfs::make_null_console();
    process.console[i] = vfs::open_console(std::move(console), static_cast<int>(i));
  }
  process.fds_max = limits.fds;
  process.prestat_nul = core_.options().prestat_nul;
  process.clock = core_.options().clock;
  process.random = core_.options().random;
  process.cpu_time = [](void* of) {
    auto* exec = static_cast<ExecTask*>(of);
    return exec->core_.scheduler().cpu_time(*exec);
  };
  process.cpu_time_of = this;
  GuestLimits guest_limits;
  guest_limits.memory_pages_max = limits.memory_pages.value_or(0);
  guest_limits.cpu = std::chrono::milliseconds(limits.cpu_ms.value_or(0));
  guest_limits.wall = options_.wall_max.value_or(base::Nanos{0});
  guest_limits.ticks = limits.ticks.value_or(0);
  auto guest = Guest::start(std::move(program), std::move(process), guest_limits, 0, *core_.options().clock);
  if (!guest) return end(std::move(guest.error()));
  if (limits.cpu_percent && *limits.cpu_percent < 100) core_.scheduler().set_share(*this, *limits.cpu_percent);
  code_ = (*guest)->code();
  {
    const std::lock_guard lock(mutex_);
    guest_ = std::move(*guest);
    status_.state = State::running;
  }
  step_ = Step::run;
  if (stop_.load(std::memory_order_acquire)) return end(ended_by_stop());
  return Turn::again;
}

Task::Turn ExecTask::end(End how) {
  if (stop_.load(std::memory_order_acquire) && how.state == State::failure) how = ended_by_stop();
  step_ = Step::over;
  code_ = {};
  std::unique_ptr<Guest> guest;
  {
    const std::lock_guard lock(mutex_);
    guest = std::move(guest_);
  }
  loading_.reset();
  if (guest) guest->process().close_all();
  guest.reset();
  inside_ = {};
  for (base::Fd& fd : fds_) fd = {};
  if (!how.message.empty()) core_.message("wapp '" + run_name_ + "' exec" + how.message);
  end_ = std::move(how);
  return Turn::done;
}

void ExecTask::ended() noexcept {
  // It is over for its run first: who has seen its end may count on that.
  std::exchange(run_, nullptr)->exec_ended(*this);
  {
    const std::lock_guard lock(mutex_);
    status_.state = end_.state;
    status_.exit_code = end_.exit_code;
    status_.reason = end_.reason;
  }
  core_.exec_ended();
}

}  // namespace fusebox::container
