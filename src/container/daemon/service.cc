#include "container/daemon/service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "container/daemon/connection.h"
#include "image/image.h"

namespace fusebox::container {
namespace {

constexpr base::Nanos kStopPatience{10'000'000'000};  // a stop takes at most half a second (contract 16.5)

}  // namespace

base::Result<StartOptions> Service::start_options(const Definition& definition) {
  StartOptions options;
  if (definition.file.empty()) {
    options.image = definition.image;
    return options;
  }
  const std::filesystem::path path = definition.file;
  image::OpenOptions how;
  how.limits.image_bytes_max = containers_.options().profile.image_bytes_max;
  how.limits.layers_max = containers_.options().profile.layers_max;
  std::error_code unreadable;
  const bool layout = std::filesystem::is_directory(path, unreadable);
  FB_TRY(options.opened,
         base::within(definition.file, layout ? image::open_layout_dir(path, how) : image::open_image_file(path, how)));
  options.shown.name = path.stem().string();
  return options;
}

base::Result<void> Service::launch(const Definition& definition, LaunchConfig config) {
  const std::lock_guard lock(definitions_mutex_);
  auto launched = keep_and_launch(definition, std::move(config));
  // A name whose start was refused is gone from the engine; what is kept of it must be there to be listed and removed.
  if (!launched && !containers_.status(definition.name)) {
    std::vector<std::string> problems;
    const auto kept = definitions_.load(problems);
    if (const auto found = std::ranges::find(kept, definition.name, &Definition::name); found != kept.end())
      static_cast<void>(wait_for_start(*found));  // the launch's own error is what its caller must know
  }
  return launched;
}

base::Result<void> Service::keep_and_launch(const Definition& definition, LaunchConfig config) {
  FB_TRY(const StartOptions options, start_options(definition));
  if (const auto status = containers_.status(definition.name); status && is_live(status->state))
    return base::fail(base::Errc::exists,
                      "'" + definition.name + "' is running; stop it first, or choose another --name", "BUSY");
  FB_TRY(const Definitions::File before, definitions_.file(definition.name));
  FB_CHECK(definitions_.keep(definition));
  const auto launched = containers_.launch(definition.name, std::move(config), options);
  if (launched) return {};
  FB_CHECK(definitions_.put_back(definition.name, before));
  return base::fail(to_error(launched.error()));
}

base::Result<void> Service::wait_for_start(const Definition& definition) {
  auto config = parse_launch_config(definition.config, containers_.options().profile);
  if (!config) return base::fail(base::Errc::invalid, config.error().path + ": " + config.error().message);
  if (config->image.empty()) config->image = definition.image;
  if (const auto made = containers_.create_name(definition.name); !made) return base::fail(to_error(made.error()));
  if (const auto set = containers_.configure(definition.name, std::move(*config)); !set)
    return base::fail(to_error(set.error()));
  return {};
}

base::Result<void> Service::remove(const std::string& name, bool force) {
  const auto status = containers_.status(name);
  if (!status) {  // perhaps one that could not be brought back
    const std::lock_guard lock(definitions_mutex_);
    if (const auto kept = definitions_.file(name); kept && *kept) return definitions_.forget(name);
    return base::fail(base::Errc::not_found, "no container '" + name + "'; see: fusebox ps --all", "NOENT");
  }
  if (is_live(status->state)) {
    if (!force)
      return base::fail(base::Errc::unavailable, "'" + name + "' is running; stop it first, or use --force", "BUSY");
    if (const auto stopped = containers_.stop(name); !stopped && stopped.error().code != vfs::Errno::noent)
      return base::fail(to_error(stopped.error()));
    containers_.wait(name, kStopPatience);
  }
  const std::lock_guard lock(definitions_mutex_);
  if (const auto removed = containers_.remove(name); !removed) return base::fail(to_error(removed.error()));
  return definitions_.forget(name);
}

base::Result<void> Service::bring_back(const Definition& definition) {
  auto config = parse_launch_config(definition.config, containers_.options().profile);
  if (config && config->restart.policy == RestartPolicy::always) return launch(definition, std::move(*config));
  const std::lock_guard lock(definitions_mutex_);
  return wait_for_start(definition);
}

void Service::restore() {
  std::vector<std::string> problems;
  for (const Definition& definition : definitions_.load(problems)) {
    const auto done = base::within(definition.name, bring_back(definition));
    if (!done) problems.push_back(done.error().message);
  }
  if (!containers_.options().message) return;
  for (const std::string& problem : problems) containers_.options().message("not brought back: " + problem);
}

void Service::serve(Channel& channel) {
  Connection(*this, channel).run();
}

}  // namespace fusebox::container
