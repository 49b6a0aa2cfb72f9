// Runs a deployment: ticks when something is due, sleeps until then, watches what happens.
//
// Threads  one thread; the pace may be told to stop from any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "edge/sim/deployment.h"
#include "edge/sim/pace.h"
#include "edge/sim/report.h"
#include "edge/sim/trace.h"

namespace fusebox::edge::sim {

// Who looks on.
class View {
 public:
  virtual ~View() = default;
  virtual void log(const fuse_log_record_t& record, std::string_view module) = 0;
  virtual void show(const RunReport& report) = 0;  // every kViewPeriodUs
};

// An event the world outside posts: an interrupt of a sensor.
struct Post {
  std::uint32_t event = 0;
  std::uint64_t period_us = 0;  // the first after one period
};
// "FRAME_READY=100ms" or "0=100ms". `invalid` says which events there are.
base::Result<Post> parse_post(std::string_view text, std::span<const config::EventName> events);

struct RunOptions {
  std::optional<std::uint64_t> for_us{};  // nothing = until the pace is told to stop
  std::vector<Post> posts{};
  Trace* trace = nullptr;
  View* view = nullptr;
};

class Runner final : private StepObserver {
 public:
  Runner(Deployment& deployment, Pace& pace, RunOptions options);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  RunReport run();

 private:
  // What was seen of one module up to the last pass.
  struct Seen {
    std::uint64_t calls = 0;  // steps that ended, however they did
    std::uint32_t restarts = 0;
    std::uint64_t violations = 0;
    std::optional<std::uint64_t> began_us;  // of the call in this pass
  };

  void call_begins(fuse_module_id_t id, std::uint32_t events, std::uint64_t now_us) override;
  void event_posted(fuse_module_id_t id, std::uint32_t event, std::uint64_t now_us) override;

  void post_due(std::uint64_t now_us);
  void look_at_modules();
  void look_at_module(const DeployedModule& module, Seen& seen);
  void look_at_logs();
  std::uint64_t wait_us(std::uint64_t now_us);
  RunReport report(bool interrupted);
  Seen* seen_of(fuse_module_id_t id);

  Deployment& deployment_;
  Pace& pace_;
  RunOptions options_;
  std::vector<Seen> seen_;                 // one per module, in their order
  std::vector<std::uint64_t> next_posts_;  // one per post
  std::uint64_t next_view_us_ = 0;
  std::uint64_t passes_ = 0;
  std::uint64_t log_cursor_ = 0;
  std::uint64_t evidence_cursor_ = 0;
};

}  // namespace fusebox::edge::sim
