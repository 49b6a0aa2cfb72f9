#include "container/space.h"

#include "container/config/launch_rules.h"
#include "container/core/core.h"
#include "container/core/launch.h"
#include "container/core/space_task.h"

namespace fusebox::container {

namespace {

base::Result<std::shared_ptr<vfs::Mount>> open_net(Containers::Core& core, const SpaceOptions& options) {
  vfs::NetOptions net;
  net.lookups = core.lookups();
  net.clock = core.options().clock;
  net.bytes_per_s = options.config.limits.socket_bytes_per_s.value_or(0);
  net.may_connect = options.may_connect;
  net.report = [&core, name = options.name](std::string_view text) {
    core.message("wapp '" + name + "': " + std::string(text));
  };
  std::vector<vfs::SocketNode> nodes;
  const TlsDefaults& tls = core.options().tls;
  for (const SocketConfig& socket : options.config.sockets) {
    FB_TRY(vfs::SocketAddress address, vfs::parse_socket_address(socket.address));
    nodes.push_back({socket.name, std::move(address), {tls.verify, tls.ca, tls.cert, tls.key, {}, {}}});
  }
  return vfs::make_socket_mount(vfs::make_net(std::move(net)), std::move(nodes));
}

class OpenSpace final : public Space {
 public:
  OpenSpace(std::shared_ptr<Containers::Core> core, std::shared_ptr<SpaceShared> shared) noexcept
      : core_(std::move(core)), shared_(std::move(shared)) {}
  ~OpenSpace() override { stop_all(); }

  Controlled<std::shared_ptr<SpaceProcess>> start(SpaceExec exec) override {
    auto task = std::make_shared<SpaceTask>(*core_, shared_, std::move(exec));
    {
      const std::lock_guard lock(shared_->mutex);
      if (core_->closing()) return refuse(vfs::Errno::canceled, "the engine is ending");
      if (shared_->running.size() >= kSpaceProcessesMax) {
        return refuse(vfs::Errno::nospc, shared_->options.name + " runs " + std::to_string(kSpaceProcessesMax) +
                                             " processes; that is the most allowed");
      }
      shared_->running.push_back(task);
    }
    core_->scheduler().start(task);
    return task;
  }

  void stop_all() noexcept override {
    std::vector<std::shared_ptr<SpaceTask>> running;
    {
      const std::lock_guard lock(shared_->mutex);
      running = shared_->running;
    }
    for (const auto& one : running) one->request_stop();
  }

  std::size_t running() const noexcept override {
    const std::lock_guard lock(shared_->mutex);
    return shared_->running.size();
  }

 private:
  std::shared_ptr<Containers::Core> core_;
  std::shared_ptr<SpaceShared> shared_;
};

}  // namespace

vfs::Offload offload_of(Containers& containers) {
  return containers.core().offload();
}

base::Result<std::shared_ptr<Space>> open_space(Containers& containers, SpaceOptions options) {
  Containers::Core& core = containers.core();
  if (!options.image) return base::fail(base::Errc::bug, "a space needs an image");
  if (const ConfigErrors errors = launch_errors(options.config); !errors.empty())
    return base::fail(base::Errc::invalid, std::string(errors[0].path) + ": " + std::string(errors[0].message));
  options.config.limits = effective_limits(core.options(), options.config.limits, *options.image);
  auto shared = std::make_shared<SpaceShared>();
  if (!options.config.sockets.empty()) {
    FB_TRY(shared->net, open_net(core, options));
  }
  shared->options = std::move(options);
  return std::make_shared<OpenSpace>(core.shared_from_this(), std::move(shared));
}

}  // namespace fusebox::container
