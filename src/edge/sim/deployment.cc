#include "edge/sim/deployment.h"

#include <algorithm>

#include "base/text.h"
#include "edge/config/find_binary.h"

namespace fusebox::edge::sim {
namespace {

// Why the runtime said no, in its own words where it has some.
std::string refusal(fuse_stat_t status) {
  switch (status) {
    case FUSE_ERR_MODULE_LIMIT:
      return "no free slot; raise application.max_modules";
    case FUSE_ERR_POLICY_VIOLATION:
      return "its bytes are not those the policy's sha256 names; build the module again or write the new hash";
    default:
      break;
  }
  const std::string said = last_error_text();
  return said.empty() ? "status " + std::to_string(status) : said;
}

}  // namespace

Deployment::Deployment(const config::AppConfig& config, Devices devices, const base::Clock& clock)
    : application_(config.name),
      events_(config.events),
      notes_(devices.notes),
      module_memory_(config.wamr_pool_bytes),
      log_memory_(config.log_pool_bytes),
      inputs_(std::move(devices), clock) {}

Deployment::~Deployment() {
  Runtime::destroy(runtime_);
}

base::Result<std::unique_ptr<Deployment>> Deployment::load(const config::AppConfig& config,
                                                           const DeploymentOptions& options, Backend& backend,
                                                           const base::Clock& clock) {
  FB_TRY(Devices devices, make_devices(config.hal_mask, options.devices));
  std::unique_ptr<Deployment> made(new Deployment(config, std::move(devices), clock));
  FB_CHECK(made->open(config, backend));
  for (const config::ModuleConfig& module : config.modules) {
    FB_CHECK(base::within("module " + base::in_quotes(module.name), made->add(module, options)));
  }
  return made;
}

base::Result<void> Deployment::open(const config::AppConfig& config, Backend& backend) {
  Setup setup;
  setup.module_memory = module_memory_.data();
  setup.module_memory_size = module_memory_.size();
  setup.log_memory = log_memory_.data();
  setup.log_memory_size = log_memory_.size();
  setup.hal = inputs_.hal();
  setup.hal_mask = config.hal_mask;
  setup.options = config.options;
  setup.options.max_modules = std::max(config.options.max_modules, config.max_modules);
  setup.backend = &backend;
  setup.port = &port_;
  setup.inputs = &inputs_;
  const fuse_stat_t status = Runtime::create(setup, &runtime_);
  if (status == FUSE_SUCCESS) return {};
  return base::fail(base::Errc::exhausted, "application: " + refusal(status));
}

base::Result<void> Deployment::add(const config::ModuleConfig& module, const DeploymentOptions& options) {
  FB_TRY(const std::filesystem::path file,
         config::find_binary(module.binary, options.config_folder, options.module_folders));
  FB_TRY(const base::Bytes bytes, options.read_module(file));
  const config::EdgePolicy& policy = module.policy;
  DeployedModule deployed{.name = module.name,
                          .restart = static_cast<fuse_restart_t>(policy.ext.restart),
                          .restart_max = policy.ext.restart_max};
  fuse_stat_t status =
      runtime_->load(reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::uint32_t>(bytes.size()),
                     policy.policy, LoadExtras{.ext = &policy.ext}, &deployed.id);
  if (status != FUSE_SUCCESS) {
    return base::fail(base::Errc::denied, base::in_quotes(file.string()) + " is refused: " + refusal(status));
  }
  modules_.push_back(std::move(deployed));
  runtime_->start(modules_.back().id);  // a failure shows as the module's state
  return {};
}

std::string_view Deployment::name_of(fuse_module_id_t id) const noexcept {
  const auto found = std::ranges::find(modules_, id, &DeployedModule::id);
  return found == modules_.end() ? "runtime" : std::string_view(found->name);
}

std::string Deployment::event_name(std::uint32_t event) const {
  const auto found = std::ranges::find(events_, event, &config::EventName::bit);
  return found == events_.end() ? "event " + std::to_string(event) : found->name;
}

}  // namespace fusebox::edge::sim
