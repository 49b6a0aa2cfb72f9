#include "container/containers.h"

#include "base/text.h"
#include "container/core/attachment.h"
#include "container/core/core.h"

namespace fusebox::container {

base::Result<std::unique_ptr<Containers>> Containers::create(ContainersOptions options) {
  if (options.clock == nullptr || options.random == nullptr || !options.library || !options.code_cache)
    return base::fail(base::Errc::bug, "containers: clock, random, library and code_cache must be given");
  FB_TRY(std::shared_ptr<Core> core, Core::create(std::move(options)));
  return std::unique_ptr<Containers>(new Containers(std::move(core)));
}

Containers::Containers(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
Containers::~Containers() {
  core_->stop_all(base::Nanos::max());  // an attachment may keep the core, but nothing runs on
  // Work may hold what keeps the core: its last owner would otherwise be the thread that the core waits for.
  core_->scheduler().finish_offloaded();
}

Controlled<void> Containers::create_name(std::string_view name) {
  return core_->create_name(name);
}
Controlled<void> Containers::configure(std::string_view name, std::string_view json) {
  auto config = parse_launch_config(json, core_->options().profile);
  if (!config) {
    const ConfigError& error = config.error();
    return refuse(error.code, error.path.empty() ? error.message : error.path + ": " + error.message);
  }
  return core_->configure(name, std::move(*config));
}
Controlled<void> Containers::configure(std::string_view name, LaunchConfig config) {
  return core_->configure(name, std::move(config));
}
Controlled<void> Containers::start(std::string_view name, const StartOptions& options) {
  return core_->start(name, options);
}
Controlled<void> Containers::stop(std::string_view name) {
  return core_->stop(name);
}
Controlled<void> Containers::resize(std::string_view name, vfs::WindowSize size) {
  return core_->resize(name, size);
}
Controlled<void> Containers::remove(std::string_view name) {
  return core_->remove(name);
}
Controlled<void> Containers::launch(std::string_view name, LaunchConfig config, const StartOptions& options) {
  return core_->launch_now(name, std::move(config), options);
}
Controlled<void> Containers::launch_supervisor(LaunchConfig config, std::shared_ptr<const image::Image> image) {
  return core_->launch_supervisor(std::move(config), std::move(image));
}

std::optional<Status> Containers::status(std::string_view name) const {
  return core_->status(name);
}
std::vector<Status> Containers::list() const {
  return core_->list();
}
std::string Containers::config_json(std::string_view name) const {
  return core_->config_json(name);
}
std::optional<Status> Containers::wait(std::string_view name, base::Nanos timeout) const {
  return core_->wait(name, timeout);
}
EventReader Containers::events() const {
  return EventReader(core_->events());
}
std::shared_ptr<vfs::WakeList> Containers::changes() const noexcept {
  return {core_->events(), &core_->events()->changed()};
}

Controlled<std::uint64_t> Containers::exec(std::string_view name, const ExecOptions& options) {
  return core_->exec(name, options);
}
std::optional<ExecStatus> Containers::exec_status(std::uint64_t id) const {
  return core_->exec_status(id);
}
std::optional<ExecStatus> Containers::wait_exec(std::uint64_t id, base::Nanos timeout) const {
  return core_->wait_exec(id, timeout);
}
Controlled<void> Containers::stop_exec(std::uint64_t id) {
  return core_->stop_exec(id);
}
void Containers::forget_exec(std::uint64_t id) {
  core_->forget_exec(id);
}
Controlled<std::unique_ptr<Attachment>> Containers::attach(std::string_view name) {
  return make_attachment(*core_, name);
}

vfs::LogStore& Containers::logs() noexcept {
  return *core_->logs();
}
vfs::PipePool& Containers::pipes() noexcept {
  return *core_->pipes();
}
image::Library& Containers::library() noexcept {
  return *core_->options().library;
}
const ContainersOptions& Containers::options() const noexcept {
  return core_->options();
}
bool Containers::stop_all(base::Nanos timeout) {
  return core_->stop_all(timeout);
}
void Containers::clock_moved() noexcept {
  core_->scheduler().clock_moved();
}

}  // namespace fusebox::container
