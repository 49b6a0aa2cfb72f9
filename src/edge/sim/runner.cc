#include "edge/sim/runner.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "base/units.h"
#include "edge/sim/limits.h"

namespace fusebox::edge::sim {
namespace {

constexpr std::uint32_t kHostTrack = 0;  // of events from outside, and of the runtime's own entries
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kRecordsAtOnce = 16;

std::uint64_t calls_of(const fuse_module_info_t& info) {
  return info.steps_ok + info.traps + info.quota_stops;
}

// Viewers want small numbers.
std::uint32_t track_of(fuse_module_id_t id) {
  return id == FUSE_INVALID_MODULE_ID ? kHostTrack : id + 1;
}

std::string_view end_of(fuse_module_state_t state) {
  if (state == FUSE_MODULE_STATE_TRAPPED) return "trapped";
  return state == FUSE_MODULE_STATE_QUOTA_EXCEEDED ? "quota exceeded" : "ok";
}

std::optional<std::uint32_t> event_number(std::string_view text, std::span<const config::EventName> events) {
  const auto named = std::ranges::find(events, text, &config::EventName::name);
  if (named != events.end()) return named->bit;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number >= FUSE_MAX_EVENT_ID) return std::nullopt;
  return number;
}

}  // namespace

base::Result<Post> parse_post(std::string_view text, std::span<const config::EventName> events) {
  const std::size_t equals = text.find('=');
  const auto event = event_number(text.substr(0, equals), events);
  if (equals == std::string_view::npos || !event) {
    std::string names;
    for (const config::EventName& known : events) names += (names.empty() ? "" : ", ") + known.name;
    return base::fail(base::Errc::invalid, "--post " + base::in_quotes(text) +
                                               ": write EVENT=PERIOD, as in 0=100ms; events: 0..31" +
                                               (names.empty() ? "" : ", " + names));
  }
  FB_TRY(const auto period, base::within("--post", base::parse_duration(text.substr(equals + 1))));
  const auto period_us = static_cast<std::uint64_t>(period.count()) / 1000;
  if (period_us == 0) return base::fail(base::Errc::invalid, "--post: the period must be 1us or longer");
  return Post{.event = *event, .period_us = period_us};
}

Runner::Runner(Deployment& deployment, Pace& pace, RunOptions options)
    : deployment_(deployment), pace_(pace), options_(std::move(options)), seen_(deployment.modules().size()) {
  const std::uint64_t now_us = deployment_.inputs().now_us();
  for (const Post& post : options_.posts) next_posts_.push_back(now_us + post.period_us);
  if (options_.trace != nullptr) {
    options_.trace->name_track(kHostTrack, "runtime");
    for (const DeployedModule& module : deployment_.modules())
      options_.trace->name_track(track_of(module.id), module.name);
  }
  deployment_.inputs().observe(this);
}

Runner::~Runner() {
  deployment_.inputs().observe(nullptr);
}

RunReport Runner::run() {
  const SimulatedInputs& inputs = deployment_.inputs();
  const std::uint64_t begin_us = inputs.now_us();
  const std::uint64_t end_us = options_.for_us ? begin_us + std::min(*options_.for_us, kNever - begin_us) : kNever;
  look_at_logs();
  while (!pace_.stopping() && inputs.now_us() < end_us) {
    post_due(inputs.now_us());
    deployment_.runtime().tick();
    ++passes_;
    look_at_modules();
    look_at_logs();
    const std::uint64_t now_us = inputs.now_us();
    if (options_.view != nullptr && now_us >= next_view_us_) {
      next_view_us_ = now_us + kViewPeriodUs;
      options_.view->show(report(false));
    }
    const std::uint64_t wait = std::clamp(wait_us(now_us), kTickFloorUs, kSleepUsMax);
    if (now_us < end_us) pace_.sleep_us(std::min(wait, end_us - now_us));
  }
  return report(pace_.stopping());
}

// Microseconds until there is work, for the runtime or for us.
std::uint64_t Runner::wait_us(std::uint64_t now_us) {
  std::uint64_t wait = kNever;
  deployment_.runtime().next_due(&wait);
  for (const std::uint64_t at_us : next_posts_) wait = std::min(wait, at_us - std::min(now_us, at_us));
  if (options_.view != nullptr) wait = std::min(wait, next_view_us_ - std::min(now_us, next_view_us_));
  return wait;
}

void Runner::post_due(std::uint64_t now_us) {
  for (std::size_t i = 0; i < options_.posts.size(); ++i) {
    if (now_us < next_posts_[i]) continue;
    const Post& post = options_.posts[i];
    next_posts_[i] += ((now_us - next_posts_[i]) / post.period_us + 1) * post.period_us;
    deployment_.runtime().post_event(post.event);
    if (options_.trace != nullptr) {
      options_.trace->instant(kHostTrack, "post " + deployment_.event_name(post.event), now_us);
    }
  }
}

Runner::Seen* Runner::seen_of(fuse_module_id_t id) {
  const auto& modules = deployment_.modules();
  const auto found = std::ranges::find(modules, id, &DeployedModule::id);
  return found == modules.end() ? nullptr : &seen_[static_cast<std::size_t>(found - modules.begin())];
}

void Runner::call_begins(fuse_module_id_t id, std::uint32_t, std::uint64_t now_us) {
  if (Seen* seen = seen_of(id); seen != nullptr) seen->began_us = now_us;
}

void Runner::event_posted(fuse_module_id_t id, std::uint32_t event, std::uint64_t now_us) {
  if (options_.trace != nullptr) options_.trace->instant(track_of(id), "post " + deployment_.event_name(event), now_us);
}

void Runner::look_at_modules() {
  for (std::size_t i = 0; i < seen_.size(); ++i) look_at_module(deployment_.modules()[i], seen_[i]);
}

// A module makes at most one step in a pass; a call that was no step is the module_init of a restart.
void Runner::look_at_module(const DeployedModule& module, Seen& seen) {
  const auto began_us = std::exchange(seen.began_us, std::nullopt);
  if (options_.trace == nullptr || !began_us) return;
  fuse_module_info_t info{};
  if (deployment_.runtime().info(module.id, &info) != FUSE_SUCCESS) return;
  if (info.restarts != seen.restarts) options_.trace->instant(track_of(module.id), "restarted", *began_us);
  if (calls_of(info) != seen.calls) {
    options_.trace->slice(track_of(module.id), "step", *began_us, info.step_last_us, end_of(info.state),
                          info.ticks_last);
  }
  seen.restarts = info.restarts;
  seen.calls = calls_of(info);
}

void Runner::look_at_logs() {
  std::array<fuse_log_record_t, kRecordsAtOnce> records;
  const Runtime& runtime = deployment_.runtime();
  std::uint32_t n = 0;
  while (runtime.evidence_read(&evidence_cursor_, records.data(), records.size(), &n) == FUSE_SUCCESS && n > 0) {
    for (const fuse_log_record_t& record : std::span(records).first(n)) {
      const fuse_log_entry_t& entry = record.entry;
      Seen* seen = seen_of(entry.module_id);
      if (seen != nullptr && std::string_view(entry.message).starts_with("SECURITY: ")) ++seen->violations;
      if (options_.trace != nullptr)
        options_.trace->instant(track_of(entry.module_id), entry.message, entry.timestamp_us);
    }
  }
  if (options_.view == nullptr) return;
  while (runtime.log_read(&log_cursor_, records.data(), records.size(), &n) == FUSE_SUCCESS && n > 0) {
    for (const fuse_log_record_t& record : std::span(records).first(n)) {
      options_.view->log(record, deployment_.name_of(record.entry.module_id));
    }
  }
}

RunReport Runner::report(bool interrupted) {
  RunReport out;
  out.application = deployment_.application();
  out.elapsed_us = deployment_.inputs().now_us();
  out.passes = passes_;
  out.interrupted = interrupted;
  deployment_.runtime().log_stats(&out.log);
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const DeployedModule& deployed = deployment_.modules()[i];
    ModuleReport module{.name = deployed.name, .id = deployed.id};
    deployment_.runtime().info(deployed.id, &module.info);
    module.violations = seen_[i].violations;
    const bool failed =
        module.info.state == FUSE_MODULE_STATE_TRAPPED || module.info.state == FUSE_MODULE_STATE_QUOTA_EXCEEDED;
    module.restarts_again =
        failed && (deployed.restart == FUSE_RESTART_ALWAYS ||
                   (deployed.restart == FUSE_RESTART_LIMITED && module.info.restarts < deployed.restart_max));
    out.modules.push_back(std::move(module));
  }
  return out;
}

}  // namespace fusebox::edge::sim
