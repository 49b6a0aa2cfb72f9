// The public functions: the lock, the refusal of calls from HAL callbacks, and which module is meant.
#include "edge/core/core.h"

namespace fusebox::edge {
namespace {

// Holds the lock for one public function.
class Entry {
 public:
  // For functions that change something: refused inside a HAL callback.
  Entry(Core& core, const char* function) : core_(core), entered_(core.port_->enter()) {
    if (!entered_) core.report_reentry(function);
  }
  // For queries, which a HAL callback may make.
  explicit Entry(Core& core) : core_(core), entered_(core.port_->enter()) {}
  ~Entry() {
    if (entered_) core_.port_->leave();
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  bool refused() const { return !entered_; }

 private:
  Core& core_;
  bool entered_;
};

fuse_stat_t not_found(Core& core) {
  core.port_->note_error("no module has this id");
  return FUSE_ERR_MODULE_NOT_FOUND;
}

template <typename Do>
fuse_stat_t change(Core& core, fuse_module_id_t id, const char* function, Do&& what) {
  const Entry entry(core, function);
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  Slot* slot = core.find(id);
  return slot == nullptr ? not_found(core) : what(*slot);
}

template <typename Do>
fuse_stat_t query(const Runtime& runtime, fuse_module_id_t id, Do&& what) {
  Core& core = core_of(runtime);
  const Entry entry(core);
  const Slot* slot = core.find(id);
  if (slot == nullptr) return not_found(core);
  what(core, *slot);
  return FUSE_SUCCESS;
}

void fill(Core& core, const Slot& slot, fuse_module_info_t& out) {
  out = {};
  out.state = slot.state;
  out.generation = slot.generation;
  out.policy = slot.policy;
  out.pages = core.backend_->pages(*slot.body.instance);
  out.pages_peak = core.backend_->pages_peak(*slot.body.instance);
  out.steps_ok = slot.steps_ok;
  out.traps = slot.traps;
  out.quota_stops = slot.quota_stops;
  out.step_last_us = slot.step_last_us;
  out.step_max_us = slot.step_max_us;
  out.events_delivered = slot.delivered;
  out.events_coalesced = slot.coalesced.load(std::memory_order_relaxed);
  out.event_last_source = slot.last_source.load(std::memory_order_relaxed);
  out.restarts = slot.restarts;
  out.missed_periods = slot.missed_periods;
  out.missed_deadlines = slot.missed_deadlines;
  out.ticks_last = slot.ticks_last;
  out.ticks_total = slot.ticks_total;
  out.log_written = slot.log_written;
  out.log_dropped = slot.log_dropped;
  copy_text(slot.trap, out.trap_text, sizeof out.trap_text);
}

}  // namespace

bool Runtime::is_called_back() const {
  return core_of(*this).port_->inside();
}

fuse_stat_t Runtime::refuse(const char* function) {
  core_of(*this).report_reentry(function);
  return FUSE_ERR_INVALID_ARG;
}

fuse_stat_t Runtime::stop() {
  Core& core = core_of(*this);
  const Entry entry(core, "fuse_stop");
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  core.stop_all();
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::restart() {
  Core& core = core_of(*this);
  const Entry entry(core, "fuse_restart");
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  core.run_again();
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::resume_stopped() {
  Core& core = core_of(*this);
  const Entry entry(core, "fuse_resume_stopped");
  return entry.refused() ? FUSE_ERR_INVALID_ARG : core.resume_all();
}

fuse_stat_t Runtime::load(const std::uint8_t* bytes, std::uint32_t size, const fuse_policy_t& policy,
                          const LoadExtras& extras, fuse_module_id_t* out_id) {
  Core& core = core_of(*this);
  if (bytes == nullptr || size == 0 || out_id == nullptr) return FUSE_ERR_INVALID_ARG;
  const Entry entry(core, "fuse_module_load");
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  return core.closed_ ? FUSE_ERR_NOT_INITIALIZED : core.load_module(bytes, size, policy, extras, out_id);
}

fuse_stat_t Runtime::start(fuse_module_id_t id) {
  Core& core = core_of(*this);
  return change(core, id, "fuse_module_start", [&](Slot& slot) { return core.start(slot); });
}

fuse_stat_t Runtime::pause(fuse_module_id_t id) {
  Core& core = core_of(*this);
  return change(core, id, "fuse_module_pause", [&](Slot& slot) { return core.pause(slot); });
}

fuse_stat_t Runtime::reset(fuse_module_id_t id) {
  Core& core = core_of(*this);
  return change(core, id, "fuse_module_reset", [&](Slot& slot) { return core.reset(slot); });
}

fuse_stat_t Runtime::unload(fuse_module_id_t id) {
  Core& core = core_of(*this);
  return change(core, id, "fuse_module_unload", [&](Slot& slot) { return core.unload(slot); });
}

fuse_stat_t Runtime::run_step(fuse_module_id_t id) {
  Core& core = core_of(*this);
  const Entry entry(core, "fuse_module_run_step");
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  if (!core.running_) {
    core.port_->note_error("fuse_module_run_step: the runtime is stopped");
    return FUSE_ERR_INVALID_ARG;
  }
  Slot* slot = core.find(id);
  if (slot == nullptr) return not_found(core);
  if (slot->state != FUSE_MODULE_STATE_RUNNING) {
    core.port_->note_error("fuse_module_run_step: the module is not RUNNING");
    return FUSE_ERR_INVALID_ARG;
  }
  core.account_ns_ = 0;  // what the host did since the last step is not this one's
  return core.step(*slot, 0);
}

std::uint32_t Runtime::tick(fuse_module_id_t* ids, std::uint32_t cap, std::uint32_t* n) {
  Core& core = core_of(*this);
  if (n != nullptr) *n = 0;
  const Entry entry(core, "fuse_tick");
  return entry.refused() || !core.running_ ? 0 : core.run_tick(ids, cap, n);
}

fuse_stat_t Runtime::next_due(std::uint64_t* out_us) {
  Core& core = core_of(*this);
  if (out_us == nullptr) return FUSE_ERR_INVALID_ARG;
  const Entry entry(core, "fuse_next_due");
  if (entry.refused()) return FUSE_ERR_INVALID_ARG;
  *out_us = core.next_due();
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::state(fuse_module_id_t id, fuse_module_state_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  return query(*this, id, [&](Core&, const Slot& slot) { *out = slot.state; });
}

fuse_stat_t Runtime::info(fuse_module_id_t id, fuse_module_info_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  return query(*this, id, [&](Core& core, const Slot& slot) { fill(core, slot, *out); });
}

fuse_stat_t Runtime::handle(fuse_module_id_t id, std::uint64_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  return query(*this, id, [&](Core&, const Slot& slot) { *out = std::uint64_t{slot.generation} << 32 | id; });
}

fuse_stat_t Runtime::by_handle(std::uint64_t handle, fuse_module_id_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  const auto id = static_cast<fuse_module_id_t>(handle);
  bool stale = false;
  const fuse_stat_t status =
      query(*this, id, [&](Core&, const Slot& slot) { stale = slot.generation != handle >> 32; });
  if (status != FUSE_SUCCESS || stale) return FUSE_ERR_MODULE_NOT_FOUND;
  *out = id;
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::event_latch(fuse_module_id_t id, std::uint32_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  return query(*this, id, [&](Core&, const Slot& slot) { *out = slot.latch.load(); });
}

fuse_stat_t Runtime::next(fuse_module_id_t after, fuse_module_id_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  Core& core = core_of(*this);
  const Entry entry(core);
  // FUSE_INVALID_MODULE_ID + 1 is 0: enumeration starts there.
  for (std::uint32_t id = after + 1; id < core.slot_count_; ++id) {
    if (!core.slots_[id].in_use) continue;
    *out = id;
    return FUSE_SUCCESS;
  }
  return FUSE_ERR_MODULE_NOT_FOUND;
}

fuse_stat_t Runtime::log_read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max,
                              std::uint32_t* n) const {
  if (cursor == nullptr || n == nullptr || (out == nullptr && max != 0)) return FUSE_ERR_INVALID_ARG;
  Core& core = core_of(*this);
  const Entry entry(core);
  *n = core.ring_.read(cursor, out, max);
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::evidence_read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max,
                                   std::uint32_t* n) const {
  if (cursor == nullptr || n == nullptr || (out == nullptr && max != 0)) return FUSE_ERR_INVALID_ARG;
  Core& core = core_of(*this);
  const Entry entry(core);
  *n = core.ring_.read_evidence(cursor, out, max);
  return FUSE_SUCCESS;
}

fuse_stat_t Runtime::log_stats(fuse_log_stats_t* out) const {
  if (out == nullptr) return FUSE_ERR_INVALID_ARG;
  Core& core = core_of(*this);
  const Entry entry(core);
  *out = core.ring_.stats();
  return FUSE_SUCCESS;
}

}  // namespace fusebox::edge
