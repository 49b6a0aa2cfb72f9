#include "container/core/run.h"

#include <algorithm>
#include <functional>

#include "base/json.h"
#include "container/config/launch_reader.h"
#include "container/core/core.h"
#include "container/core/exec.h"
#include "container/core/policy_rules.h"

namespace fusebox::container {

struct Run::Loading {
  std::expected<std::shared_ptr<const image::Image>, End> image;
  std::shared_ptr<const engine::Program> program;
};

namespace {

using Opened = std::expected<std::shared_ptr<const image::Image>, End>;

Opened open_image(Containers::Core& core, const image::Entry& entry, const std::string& name) {
  image::OpenOptions options;
  options.limits = core.image_limits();
  std::vector<std::string> warnings;
  options.warnings = &warnings;
  auto image = core.options().library->open(entry, options);
  for (const std::string& warning : warnings) core.message("wapp '" + name + "': " + warning);
  if (!image) return std::unexpected(end_of_image(image.error()));
  return std::move(*image);
}

// Limits an image asks for (18.4): an upper bound; what cannot be read asks for nothing.
LimitsConfig image_limits(const image::Image& image) {
  if (image.config().limits_json.empty()) return no_ceilings();
  ConfigErrors errors;
  const auto document = parse_lax(image.config().limits_json, image.config().limits_json.size(), errors);
  if (!document || !document->root->is_object()) return no_ceilings();
  LimitsConfig limits = read_limits(LaxObject(document->root.get(), "", errors));
  if (document->root->find("fds") == nullptr) limits.fds = no_ceilings().fds;
  return limits;
}

}  // namespace

LimitsConfig effective_limits(const ContainersOptions& engine, const LimitsConfig& asked, const image::Image& image) {
  LimitsConfig limits = lower_of(asked, engine.ceilings);
  if (engine.policy) limits = lower_of(limits, policy_ceilings(*engine.policy));
  limits = lower_of(limits, image_limits(image));
  LimitsConfig profile = no_ceilings();
  if (engine.profile.max_pages > 0) profile.memory_pages = engine.profile.max_pages;
  profile.stack_bytes = engine.profile.wasm_stack_bytes;
  return lower_of(limits, profile);
}

Run::Run(Containers::Core& core, RunOptions options)
    : core_(core), options_(std::move(options)), window_(std::make_shared<vfs::Window>(options_.window)) {}
Run::~Run() = default;

void Run::request_stop() noexcept {
  stop_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    if (guest_) guest_->stop();
  }
  core_.scheduler().wake(*this);
}

Task::Turn Run::turn() {
  // A guest that waits goes no further; one that computes has been told by its stop handle.
  if (stop_requested() && step_ < Step::drain) return end(ended_by_stop());
  switch (step_) {
    case Step::begin:
      return begin();
    case Step::load:
      return load();
    case Step::run:
      return run();
    case Step::drain:
      return drain();
    case Step::over:
      break;
  }
  return Turn::done;
}

const vfs::WaitSet& Run::waits() const {
  return step_ == Step::run ? guest_->waits() : own_waits_;
}

CodeRange Run::code() const noexcept {
  return code_;
}

Task::Turn Run::begin() {
  step_ = Step::load;
  const auto make = [&core = core_, opened = options_.opened, entry = options_.entry, name = options_.name,
                     asked = options_.config.limits]() -> Loading {
    Opened image = opened ? Opened(opened) : open_image(core, *entry, name);
    std::shared_ptr<const engine::Program> program;
    if (image) {
      const LimitsConfig limits = effective_limits(core.options(), asked, **image);
      const std::uint32_t stack = limits.stack_bytes.value_or(core.options().profile.wasm_stack_bytes);
      auto made = core.programs().get((*image)->module(), (*image)->digest_of((*image)->module()), stack_class(stack),
                                      limits.ticks.has_value());
      if (made)
        program = std::move(*made);
      else
        image = std::unexpected(end_of_module(made.error()));
    }
    return {std::move(image), std::move(program)};
  };
  loading_ = Offloaded<Loading>::begin(core_.offload(), make);
  return load();
}

Task::Turn Run::load() {
  own_waits_.clear();
  std::optional<Loading> loaded = loading_->take(own_waits_);
  if (!loaded) return Turn::wait;
  loading_.reset();
  if (!loaded->image) return end(std::move(loaded->image.error()));
  return start_guest(std::move(*loaded->image), std::move(loaded->program));
}

Task::Turn Run::start_guest(std::shared_ptr<const image::Image> image, std::shared_ptr<const engine::Program> program) {
  options_.config.limits = effective_limits(core_.options(), options_.config.limits, *image);
  const LaunchConfig& config = options_.config;
  const LimitsConfig& limits = config.limits;
  // Before the configuration's errors (contract 5.2).
  if (auto over = over_memory_cap(program->code().info(), limits.memory_pages.value_or(0)))
    return end(std::move(*over));
  auto launched = launch({core_, options_.name, options_.slot, config, *image, options_.platform_fds,
                          options_.keep_platform_fds, window_, [this] { return stop_requested(); }});
  if (!launched) return end(stop_requested() ? ended_by_stop() : std::move(launched.error()));
  launched_ = std::move(*launched);

  wasi::ProcessOptions process;
  process.args = launch_args(options_.name, config, *image);
  process.envs = launch_envs(config, *image);
  process.names = launched_.names;
  for (int i = 0; i < 3; ++i)
    process.console[i] = vfs::open_console(launched_.consoles[static_cast<std::size_t>(i)], i);
  process.fds_max = limits.fds;
  process.prestat_nul = core_.options().prestat_nul;
  process.clock = core_.options().clock;
  process.random = core_.options().random;
  process.cpu_time = [](void* of) {
    auto* run = static_cast<Run*>(of);
    return run->core_.scheduler().cpu_time(*run);
  };
  process.cpu_time_of = this;

  GuestLimits guest_limits;
  guest_limits.memory_pages_max = limits.memory_pages.value_or(0);
  guest_limits.cpu = std::chrono::milliseconds(limits.cpu_ms.value_or(0));
  guest_limits.wall = std::chrono::milliseconds(limits.wall_ms.value_or(0));
  guest_limits.ticks = limits.ticks.value_or(0);
  auto guest =
      Guest::start(std::move(program), std::move(process), guest_limits, options_.slot, *core_.options().clock);
  if (!guest) return end(std::move(guest.error()));
  if (limits.cpu_percent && *limits.cpu_percent < 100) core_.scheduler().set_share(*this, *limits.cpu_percent);
  code_ = (*guest)->code();
  {
    const std::lock_guard lock(mutex_);
    guest_ = std::move(*guest);
    image_ = image;
  }
  core_.run_started(*this, image->digest());
  step_ = Step::run;
  // A stop that came before guest_ was there has only its flag.
  if (stop_requested()) return end(ended_by_stop());
  return Turn::again;  // with code() known
}

Task::Turn Run::run() {
  std::optional<End> how = guest_->poll();
  if (!how) return Turn::wait;
  // Whatever the guest still did between the stop and its effect: it was stopped.
  if (stop_requested() && how->state == State::failure) how = ended_by_stop();
  return end(std::move(*how));
}

Task::Turn Run::end(End how) {
  end_ = std::move(how);
  step_ = Step::drain;
  code_ = {};
  std::vector<std::shared_ptr<ExecTask>> execs;
  {
    const std::lock_guard lock(mutex_);
    closed_to_execs_ = true;
    execs = execs_;
  }
  for (const auto& exec : execs) exec->request_stop();
  return drain();
}

Task::Turn Run::drain() {
  own_waits_.clear();
  {
    const std::lock_guard lock(mutex_);
    if (!execs_.empty()) {
      own_waits_.changed(execs_changed_, execs_changed_->version());
      return Turn::wait;
    }
  }
  teardown();
  step_ = Step::over;
  core_.run_ended(*this, std::move(*end_));
  return Turn::done;
}

void Run::teardown() noexcept {
  std::unique_ptr<Guest> guest;
  {
    const std::lock_guard lock(mutex_);
    guest = std::move(guest_);
    image_.reset();
  }
  loading_.reset();
  if (guest) guest->process().close_all();
  guest.reset();
  for (const auto& console : launched_.consoles) {
    if (console) console->detach();
  }
  launched_ = {};
  options_.opened.reset();
  options_.keep_platform_fds.reset();
}

Run::Sample Run::sample() const {
  const std::lock_guard lock(mutex_);
  Sample sample;
  sample.execs = static_cast<std::uint32_t>(execs_.size());
  if (!guest_) return sample;
  sample.memory_bytes = guest_->memory_bytes();
  sample.memory_bytes_max = guest_->memory_bytes_max();
  sample.open_fds = guest_->process().open_fds();
  return sample;
}

std::optional<Run::Inside> Run::inside() const {
  const std::lock_guard lock(mutex_);
  if (!guest_ || closed_to_execs_) return std::nullopt;
  return Inside{launched_.names, image_, options_.config};
}

bool Run::add_exec(std::shared_ptr<ExecTask> exec) {
  const std::lock_guard lock(mutex_);
  if (closed_to_execs_ || !guest_) return false;
  execs_.push_back(std::move(exec));
  return true;
}

void Run::exec_ended(const ExecTask& exec) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(execs_, [&](const auto& one) { return one.get() == &exec; });
  }
  execs_changed_->changed();
}

}  // namespace fusebox::container
