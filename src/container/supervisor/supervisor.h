// Keeps the supervisor running: boots it, respawns it, reads its image anew when asked to, and goes back to the built-in
// image when a new one does not start.
//
// Owner    borrows Containers; keeps the image across respawns.
// Threads  run(): one thread of the engine process, which it blocks. request() and arm_reload(): any.
// Contract containers.md 17.1-17.3, 2.3
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "container/containers.h"
#include "image/image.h"
#include "vfs/wait.h"

namespace fusebox::container {

struct SupervisorOptions {
  LaunchConfig config;
  std::filesystem::path image_path;             // "" = the built-in list
  std::vector<std::filesystem::path> built_in;  // files, in order (17.2)
  base::ByteView embedded;                      // after those; empty = none
  // Opens and, where keys are set, checks a file. Not found or bad: the error says why.
  std::function<base::Result<std::shared_ptr<const image::Image>>(const std::filesystem::path&)> open;
  std::function<void(std::string_view)> message;
};

class Supervisor {
 public:
  enum class Ended : std::uint8_t { poweroff, reboot, gave_up };

  Supervisor(Containers& containers, SupervisorOptions options);

  // Until somebody requests the end, or no image starts. Containers go on running: stopping them is the caller's.
  Ended run();
  void request(Ended how) noexcept;
  void arm_reload() noexcept { reload_.store(true); }

 private:
  using ImagePtr = std::shared_ptr<const image::Image>;
  enum class Source : std::uint8_t { none, configured, built_in };

  bool load_at_boot();
  bool load_built_in();
  // One launch and the run it leads to. Nothing when it exited or lasted; else why it failed.
  std::optional<std::string> live_once();
  std::optional<std::string> launch();
  Status wait_for_end();
  bool roll_back(const std::string& why);
  void pause(base::Nanos time);
  void say(std::string_view text) const;
  bool requested() const noexcept { return requested_.load() != kNothing; }

  static constexpr int kNothing = -1;
  Containers& containers_;
  SupervisorOptions options_;
  ImagePtr image_;
  Source source_ = Source::none;
  bool pinned_ = false;  // rolled back: reloads have no effect any more
  std::atomic<bool> reload_{false};
  std::atomic<int> requested_{kNothing};
  std::shared_ptr<vfs::WakeList> requests_ = std::make_shared<vfs::WakeList>();
  base::Nanos lasted_{0};  // of the last run
};

}  // namespace fusebox::container
