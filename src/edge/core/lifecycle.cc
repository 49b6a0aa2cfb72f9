#include "edge/core/core.h"
#include "edge/core/policy.h"

namespace fusebox::edge {
namespace {

constexpr std::size_t kEngineTextMax = 80;  // contract 13.3
constexpr std::size_t kTrapTextMax = 70;

// The words of contract 3.2 and 13.3 for a load that failed.
Text load_failure(LoadEnd end, const ErrorText& error) {
  switch (end) {
    case LoadEnd::no_step:
      return Text("module_step export not found");
    case LoadEnd::export_type:
      return Text().add(error.text, kEngineTextMax).add(" export type mismatch");
    case LoadEnd::not_linked:
      return Text("instantiate failed: ").add(error.text, kEngineTextMax);
    case LoadEnd::trapped:
      return Text("instantiate failed: ").add(Text("Exception: ").add(error.text).c_str(), kEngineTextMax);
    case LoadEnd::ok:
    case LoadEnd::refused:
      break;
  }
  return Text("wasm_runtime_load failed: ").add(error.text, kEngineTextMax);
}

void set_policy(Slot& slot, const fuse_policy_t& policy, const fuse_policy_ext_t* ext) {
  slot.policy = policy;
  if (ext == nullptr) return;
  slot.tick_budget = ext->tick_budget;
  slot.priority = ext->priority;
  slot.phase_us = ext->phase_us;
  slot.deadline_us = ext->deadline_us;
  slot.init_budget_us = ext->init_budget_us;
  slot.log_entries_per_step = ext->log_entries_per_step;
  slot.restart = static_cast<std::uint8_t>(ext->restart) & 3;
  slot.restart_max = ext->restart_max;
  slot.restart_backoff_us = ext->restart_backoff_us;
  slot.drift_free = (ext->flags & FUSE_EXT_DRIFT_FREE) != 0;
}

// Everything but the generation, which tells this module from the slot's next.
void clear_slot(Slot& slot) {
  const std::uint32_t generation = slot.generation;
  slot.clear();
  slot.generation = generation;
}

}  // namespace

fuse_stat_t Core::load_module(const std::uint8_t* bytes, std::uint32_t size, const fuse_policy_t& asked,
                              const LoadExtras& extras, fuse_module_id_t* out_id) {
  const fuse_policy_ext_t* ext = extras.ext;
  std::uint32_t id = 0;
  while (id < slot_count_ && slots_[id].in_use) ++id;
  if (id == slot_count_) {
    if (slot_count_ == options_.max_modules) {
      port_->note_error("no free slot: max_modules modules are loaded");
      return FUSE_ERR_MODULE_LIMIT;
    }
    report(kNobody, Text("wasm_runtime_load failed: module memory holds no more slots"));
    return FUSE_ERR_MODULE_LOAD_FAILED;
  }
  fuse_policy_t policy = asked;
  const PolicyBits ignored = drop_unknown(policy);
  if (ignored.any && options_.strict_policy != 0) {
    port_->note_error("strict_policy: the policy has unknown bits or more than 65536 pages");
    return FUSE_ERR_INVALID_ARG;
  }
  if (extras.refusal != nullptr) {
    report(kNobody, Text("wasm_runtime_load failed: ").add(extras.refusal, kEngineTextMax));
    return FUSE_ERR_POLICY_VIOLATION;
  }
  if (ext != nullptr && (ext->flags & FUSE_EXT_SHA256) != 0) {
    std::uint8_t hash[32];
    if (!port_->sha256(bytes, size, hash) || std::memcmp(hash, ext->sha256, sizeof hash) != 0) {
      report(kNobody, Text("wasm_runtime_load failed: SHA-256 is not the policy's"));
      return FUSE_ERR_POLICY_VIOLATION;
    }
  }

  Slot& slot = slots_[id];
  Body body;
  body.bytes = static_cast<std::uint8_t*>(pool_.take(size));
  if (body.bytes == nullptr) {
    report(kNobody, Text("wasm_runtime_load failed: module memory is full: ").add(size).add(" bytes needed"));
    return FUSE_ERR_MODULE_LOAD_FAILED;
  }
  body.size = size;
  std::memcpy(body.bytes, bytes, size);
  const std::uint32_t init_budget = ext != nullptr && ext->init_budget_us != 0 ? ext->init_budget_us : 0;
  if (const fuse_stat_t status = make_body(body, slot, policy, init_budget); status != FUSE_SUCCESS) return status;

  clear_slot(slot);
  slot.body = body;
  set_policy(slot, policy, ext);
  ++slot.generation;
  if (slot.priority != 0) ++prioritised_;
  slot.in_use = true;
  subscribe(slot, true);
  *out_id = id;
  write_log(id, FUSE_LOG_INFO, Text("module ").add(id).add(" loaded"));
  if (ignored.any) {
    write_log(id, FUSE_LOG_INFO,
              Text("module ")
                  .add(id)
                  .add(" policy: unknown bits ignored cap=0x")
                  .add_hex(ignored.capabilities)
                  .add(" act=0x")
                  .add_hex(ignored.activation));
  }
  return FUSE_SUCCESS;
}

// Fills unit (when there is none yet) and instance. On failure everything of the body is given back.
fuse_stat_t Core::make_body(Body& body, Slot& owner, const fuse_policy_t& policy, std::uint32_t init_budget_us) {
  ErrorText error;
  LoadEnd end = LoadEnd::ok;
  if (body.unit == nullptr) {
    UnitLimits limits;
    limits.pages_max = options_.memory_pages_cap;
    if (policy.memory_pages_max != 0 && policy.memory_pages_max < limits.pages_max) {
      limits.pages_max = policy.memory_pages_max;
    }
    limits.stack_bytes =
        policy.stack_size > options_.stack_floor_bytes ? policy.stack_size : options_.stack_floor_bytes;
    limits.heap_bytes = policy.heap_size;
    limits.heap_compat = options_.wamr_heap_compat != 0;
    limits.groups = hal_mask_ | FUSE_CAP_LOG | FUSE_CAP_EVENT_POST;
    limits.strict_imports = options_.strict_imports != 0;
    limits.granted = policy.capabilities;
    end = backend_->load(body.bytes, body.size, limits, &body.unit, error);
  }
  if (end == LoadEnd::ok) {
    CallLimits start_limits;
    start_limits.cpu_us = init_budget_us != 0 ? init_budget_us : options_.lifecycle_budget_us;
    // current_ is null meanwhile: an import call of the start function is a rogue one (contract 2.2).
    end = backend_->instantiate(*body.unit, *this, &owner, start_limits, &body.instance, error);
  }
  if (end == LoadEnd::ok) return FUSE_SUCCESS;
  release_body(body);
  report_load(end, error);
  return FUSE_ERR_MODULE_LOAD_FAILED;
}

void Core::report_load(LoadEnd end, const ErrorText& error) {
  report(kNobody, load_failure(end, error));
  if (std::strlen(error.text) > kEngineTextMax) port_->note_error(error.text);  // whole, where the log's line is cut
}

void Core::release_body(Body& body) {
  if (body.instance != nullptr) backend_->release(body.instance);
  if (body.unit != nullptr) backend_->release(body.unit);
  pool_.give_back(body.bytes);
  body = Body{};
}

void Core::settle(Slot& slot) {
  slot.window.settle();
  while (expiring_.load() != 0) port_->pause();
}

void Core::subscribe(const Slot& slot, bool on) {
  const std::uint32_t id = id_of(slot);
  for (std::uint32_t event = 0; event < kEvents; ++event) {
    if ((slot.policy.event_subscribe >> event & 1) == 0) continue;
    AtomicSlotSet set;
    set.open(subscribers_ + event * words_);
    on ? set.add(id) : set.drop(id);
  }
}

fuse_stat_t Core::start(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  if (slot.state != FUSE_MODULE_STATE_LOADED && slot.state != FUSE_MODULE_STATE_PAUSED) {
    port_->note_error("fuse_module_start: the module is neither LOADED nor PAUSED");
    return FUSE_ERR_INVALID_ARG;
  }
  if (!slot.body.started) {
    const CallResult result = call_lifecycle(slot, Export::init);
    if (result.end != CallEnd::completed) return fault(slot, result, "module_init trap mod=", "module_init quota mod=");
    slot.body.started = true;
  }
  slot.paused_by_stop = false;
  slot.state = FUSE_MODULE_STATE_RUNNING;
  write_log(id, FUSE_LOG_DEBUG, Text("module ").add(id).add(" running"));
  if (hal_.timer.get_timestamp != nullptr && ring_.capacity() != 0) plan_phase(slot, last_clock_us_);
  schedule(slot);
  return FUSE_SUCCESS;
}

fuse_stat_t Core::pause(Slot& slot) {
  if (slot.state != FUSE_MODULE_STATE_RUNNING) {
    port_->note_error("fuse_module_pause: the module is not RUNNING");
    return FUSE_ERR_INVALID_ARG;
  }
  unschedule(slot);
  slot.paused_by_stop = false;
  slot.state = FUSE_MODULE_STATE_PAUSED;
  const std::uint32_t id = id_of(slot);
  write_log(id, FUSE_LOG_DEBUG, Text("module ").add(id).add(" paused"));
  return FUSE_SUCCESS;
}

fuse_stat_t Core::reset(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  // The new instance first: when it cannot be had, the module is as it was. Its unit is the old one's.
  Body fresh;
  fresh.unit = slot.body.unit;
  ErrorText error;
  CallLimits start_limits;
  start_limits.cpu_us = lifecycle_budget_us(slot);
  const LoadEnd end = backend_->instantiate(*fresh.unit, *this, &slot, start_limits, &fresh.instance, error);
  if (end != LoadEnd::ok) {
    report_load(end, error);
    return FUSE_ERR_MODULE_LOAD_FAILED;
  }
  settle(slot);
  unschedule(slot);
  cancel_restart(slot);
  backend_->release(slot.body.instance);
  slot.body.instance = fresh.instance;
  slot.body.started = false;
  slot.latch.store(0);
  slot.state = FUSE_MODULE_STATE_LOADED;
  slot.paused_by_stop = slot.step_ever_ok = slot.phase_known = false;
  slot.last_us = slot.next_due_us = 0;
  ++slot.generation;
  write_log(id, FUSE_LOG_INFO, Text("module ").add(id).add(" reset"));
  return FUSE_SUCCESS;
}

fuse_stat_t Core::unload(Slot& slot) {
  const std::uint32_t id = id_of(slot);
  unschedule(slot);
  cancel_restart(slot);
  if (slot.body.started && !slot.is_terminal()) {
    const CallResult result = call_lifecycle(slot, Export::deinit);
    if (result.end == CallEnd::trapped) {
      report(id, Text("module_deinit trap mod=")
                     .add(id)
                     .add(": ")
                     .add(Text("Exception: ").add(result.trap).c_str(), kTrapTextMax));
    } else if (result.end == CallEnd::stopped) {
      report(id, Text("module_deinit quota mod=").add(id));
    }
  }
  subscribe(slot, false);
  settle(slot);
  release_body(slot.body);
  if (slot.priority != 0) --prioritised_;
  clear_slot(slot);
  write_log(id, FUSE_LOG_INFO, Text("module ").add(id).add(" unloaded"));
  return FUSE_SUCCESS;
}

void Core::stop_all() {
  running_ = false;
  for (std::uint32_t id = 0; id < slot_count_; ++id) {
    Slot& slot = slots_[id];
    if (!slot.in_use || slot.state != FUSE_MODULE_STATE_RUNNING) continue;
    unschedule(slot);
    slot.state = FUSE_MODULE_STATE_PAUSED;
    slot.paused_by_stop = true;
  }
  write_log(kNobody, FUSE_LOG_INFO, Text("FUSE runtime stopped"));
}

void Core::run_again() {
  running_ = true;
  write_log(kNobody, FUSE_LOG_INFO, Text("FUSE runtime restarted"));
}

fuse_stat_t Core::resume_all() {
  if (!running_) {
    port_->note_error("fuse_resume_stopped: the runtime is stopped; call fuse_restart first");
    return FUSE_ERR_INVALID_ARG;
  }
  for (std::uint32_t id = 0; id < slot_count_; ++id) {
    if (slots_[id].in_use && slots_[id].paused_by_stop) start(slots_[id]);
  }
  return FUSE_SUCCESS;
}

}  // namespace fusebox::edge
