#include "container/supervisor/supervisor.h"

#include <chrono>

#include "base/bytes.h"
#include "image/archive.h"
#include "vfs/blocking_wait.h"

namespace fusebox::container {
namespace {

constexpr int kFailuresMax = 3;                                        // contract 17.1
constexpr base::Nanos kHealthyAfter = std::chrono::seconds(1);         // the same
constexpr base::Nanos kLookAtLeast = std::chrono::seconds(1);          // the same: the loop checks this often
constexpr base::Nanos kRespawnPause = std::chrono::milliseconds(200);  // of one that ended at once: no hot loop

std::chrono::steady_clock::time_point after(base::Nanos time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

Supervisor::Supervisor(Containers& containers, SupervisorOptions options)
    : containers_(containers), options_(std::move(options)) {}

void Supervisor::say(std::string_view text) const {
  if (options_.message) options_.message(text);
}

void Supervisor::request(Ended how) noexcept {
  int nothing = kNothing;
  requested_.compare_exchange_strong(nothing, static_cast<int>(how));
  requests_->changed();
}

bool Supervisor::load_built_in() {
  source_ = Source::built_in;
  for (const std::filesystem::path& path : options_.built_in) {
    // The configured image is tried before the list; the default configuration names one of it.
    if (path.empty() || path.lexically_normal() == options_.image_path.lexically_normal()) continue;
    if (auto image = options_.open(path)) {
      image_ = std::move(*image);
      return true;
    }
  }
  if (options_.embedded.empty()) return false;
  auto image = image::open_image({nullptr, options_.embedded}, {});  // in the binary: nobody need keep it
  if (!image) return false;
  image_ = std::move(*image);
  return true;
}

bool Supervisor::load_at_boot() {
  if (options_.image_path.empty()) return load_built_in();
  auto image = options_.open(options_.image_path);
  if (!image) {
    say("supervisor image " + options_.image_path.string() + ": " + image.error().message +
        "; using the built-in image");
    return load_built_in();
  }
  image_ = std::move(*image);
  source_ = Source::configured;
  return true;
}

std::optional<std::string> Supervisor::launch() {
  if (reload_.exchange(false) && !pinned_ && !options_.image_path.empty()) {
    source_ = Source::configured;
    auto image = options_.open(options_.image_path);
    if (!image) {
      reload_.store(true);  // the next attempt reads it again
      return image.error().message;
    }
    image_ = std::move(*image);
  }
  const auto launched = containers_.launch_supervisor(options_.config, image_);
  if (!launched) return launched.error().message;
  return std::nullopt;
}

Status Supervisor::wait_for_end() {
  for (;;) {
    vfs::WaitSet waits;
    waits.changed(containers_.changes(), containers_.changes()->version());
    waits.changed(requests_, requests_->version());
    const std::optional<Status> status = containers_.status(kSupervisorName);
    if (!status || is_terminal(status->state)) return status.value_or(Status{});
    if (requested()) return *status;
    vfs::wait_any(waits, after(kLookAtLeast));
  }
}

std::optional<std::string> Supervisor::live_once() {
  lasted_ = base::Nanos{0};
  if (auto why = launch()) return why;
  const Status status = wait_for_end();
  lasted_ = status.uptime;
  if (status.state == State::failure) return status.reason;
  return std::nullopt;
}

void Supervisor::pause(base::Nanos time) {
  const auto until = after(time);
  while (!requested() && std::chrono::steady_clock::now() < until) {
    vfs::WaitSet waits;
    waits.changed(requests_, requests_->version());
    if (requested()) return;
    vfs::wait_any(waits, until);
  }
}

// Whether there is something to go on with.
bool Supervisor::roll_back(const std::string& why) {
  const std::string failed = "supervisor failed to launch 3 times in a row (" + why + "); ";
  if (source_ != Source::built_in) {
    say("staged " + failed + "falling back to the built-in image");
    pinned_ = true;
    if (load_built_in()) return true;
  }
  say(failed + "aborting \xe2\x80\x94 check the supervisor config");
  return false;
}

Supervisor::Ended Supervisor::run() {
  if (!load_at_boot()) {
    say("supervisor failed to launch 3 times in a row (no image); aborting \xe2\x80\x94 check the supervisor config");
    return Ended::gave_up;
  }
  int failures = 0;
  while (!requested()) {
    const std::optional<std::string> why = live_once();
    if (requested()) break;
    const bool healthy = lasted_ >= kHealthyAfter;
    if (healthy || !why) failures = 0;
    if (why && ++failures == kFailuresMax) {
      if (!roll_back(*why)) return Ended::gave_up;
      failures = 0;
    }
    if (!healthy) pause(kRespawnPause);
  }
  return static_cast<Ended>(requested_.load());
}

}  // namespace fusebox::container
