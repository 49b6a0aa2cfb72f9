// A configuration brought to life on this machine: its runtime, its devices, its modules loaded and started.
//
// Owner    the deployment owns runtime, memory and devices, and unloads the modules when it goes. Clock and backend outlive it.
// Threads  one thread.
// Errors   load: what is wrong with a device, a missing binary, or a module the runtime refuses, each with what to do. A module
//          whose module_init fails is no error: it is loaded, and its state says so.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "edge/backend.h"
#include "edge/config/app_config.h"
#include "edge/host/host_port.h"
#include "edge/sim/inputs.h"
#include "fusebox/edge.h"

namespace fusebox::edge::sim {

struct DeploymentOptions {
  std::filesystem::path config_folder{};                // where relative binaries are looked for first
  std::vector<std::filesystem::path> module_folders{};  // and then
  std::vector<std::string> devices{};                   // devices.h, make_devices()
  // Reads a module's file; the command line also reads text format.
  std::function<base::Result<base::Bytes>(const std::filesystem::path&)> read_module{};
};

struct DeployedModule {
  std::string name;
  fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
  fuse_restart_t restart = FUSE_RESTART_NEVER;
  std::uint32_t restart_max = 0;
};

class Deployment {
 public:
  static base::Result<std::unique_ptr<Deployment>> load(const config::AppConfig& config,
                                                        const DeploymentOptions& options, Backend& backend,
                                                        const base::Clock& clock);
  Deployment(const Deployment&) = delete;
  Deployment& operator=(const Deployment&) = delete;
  ~Deployment();

  Runtime& runtime() noexcept { return *runtime_; }
  SimulatedInputs& inputs() noexcept { return inputs_; }
  const std::string& application() const noexcept { return application_; }
  const std::vector<DeployedModule>& modules() const noexcept { return modules_; }
  const std::vector<config::EventName>& events() const noexcept { return events_; }
  // What a person must know to use the devices.
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  // "attitude", or "runtime" for FUSE_INVALID_MODULE_ID.
  std::string_view name_of(fuse_module_id_t id) const noexcept;
  std::string event_name(std::uint32_t event) const;

 private:
  Deployment(const config::AppConfig& config, Devices devices, const base::Clock& clock);
  base::Result<void> open(const config::AppConfig& config, Backend& backend);
  base::Result<void> add(const config::ModuleConfig& module, const DeploymentOptions& options);

  std::string application_;
  std::vector<config::EventName> events_;
  std::vector<std::string> notes_;
  std::vector<std::byte> module_memory_;
  std::vector<std::byte> log_memory_;
  HostPort port_;
  SimulatedInputs inputs_;
  Runtime* runtime_ = nullptr;  // lies in module_memory_
  std::vector<DeployedModule> modules_;
};

}  // namespace fusebox::edge::sim
