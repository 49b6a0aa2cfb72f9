// The runtime itself: what stands behind every function of fusebox/edge.h.
//
// Everything lies in the pool; nothing here allocates after create(), throws, or knows the operating system.
// Threads  as fusebox/edge.h says. Members without an atomic are touched under the port's lock alone.
// Contract edge.md sections 8-13; the files: create.cc, lifecycle.cc, step.cc, tick.cc, restart.cc, events.cc, imports.cc,
//          runtime.cc, log.cc
#pragma once

#include <atomic>
#include <cstdint>

#include "edge/backend.h"
#include "edge/core/due_queue.h"
#include "edge/core/log_ring.h"
#include "edge/core/pool.h"
#include "edge/core/slot.h"
#include "edge/core/slot_set.h"
#include "edge/core/text.h"
#include "edge/inputs.h"
#include "edge/port.h"
#include "fusebox/edge.h"

namespace fusebox::edge {

inline constexpr std::uint32_t kModulesMax = 4096;  // contract 8.5
inline constexpr std::uint32_t kEvents = FUSE_MAX_EVENT_ID;
inline constexpr std::uint32_t kPagesMax = 65536;  // 4 GiB, all a 32-bit guest can address
inline constexpr std::uint32_t kNobody = FUSE_INVALID_MODULE_ID;

class Core final : public Runtime, public ImportSink, public ImportHost {
 public:
  Core() = default;

  // ---- create.cc
  fuse_stat_t open(const Setup& setup, const fuse_options_t& options, Pool pool);
  void close();

  // ---- lifecycle.cc: each under the lock, after the checks every function shares
  fuse_stat_t load_module(const std::uint8_t* bytes, std::uint32_t size, const fuse_policy_t& policy,
                          const LoadExtras& extras, fuse_module_id_t* out_id);
  fuse_stat_t start(Slot& slot);
  fuse_stat_t pause(Slot& slot);
  fuse_stat_t reset(Slot& slot);
  fuse_stat_t unload(Slot& slot);
  void stop_all();
  void run_again();
  fuse_stat_t resume_all();

  // ---- step.cc
  // A step after its state checks. `events` were claimed for it; then the interval does not count.
  fuse_stat_t step(Slot& slot, std::uint32_t events);
  // module_init or module_deinit under the lifecycle budget; the window is closed when it returns.
  CallResult call_lifecycle(Slot& slot, Export which);

  // ---- tick.cc
  std::uint32_t run_tick(fuse_module_id_t* ids, std::uint32_t cap, std::uint32_t* n);
  std::uint64_t next_due();
  void schedule(Slot& slot);    // on becoming RUNNING
  void unschedule(Slot& slot);  // on leaving it

  // ---- restart.cc
  void plan_restart(Slot& slot);  // after a fault
  void cancel_restart(Slot& slot);
  void run_restarts();

  // ---- events.cc: any thread
  void post(std::uint32_t event, std::uint32_t source);
  void clear(std::uint32_t event);
  void expire(std::uint32_t id);

  // ---- imports.cc
  const char* import_called(const ImportRow& row, void* owner, std::uint64_t* values) override;
  void log(const char* text, std::uint32_t length, std::uint32_t level) override;
  bool post_event(std::uint32_t event_id) override;
  std::uint64_t timestamp() override;

  const char* violation(Slot& slot, const char* name);
  const char* refuse_buffer(const ImportRow& row, const Slot& slot, const char* what, const char* trap);
  const char* refuse_rogue();
  const char* check_arguments(ImportCall& call, Slot& slot);
  const char* check_buffer(ImportCall& call, Slot& slot, Arg kind, std::uint32_t address, std::uint32_t size);

  // ---- log.cc
  void write_log(std::uint32_t id, std::uint32_t level, const Text& text);
  // The runtime's own read of the timer HAL; 0 without one, the last one again when it throws.
  std::uint64_t read_clock() { return hal_.timer.get_timestamp == nullptr ? 0 : read_timer(); }
  std::uint64_t read_timer();
  // A FATAL entry and the thread's last error.
  void report(std::uint32_t id, const Text& text);
  // A call from a HAL callback that changes something.
  void report_reentry(const char* function);

  // Calls the host; false when an exception left it.
  template <typename What>
  bool guarded(What what) {
    return port_->guard([](void* context) { (*static_cast<What*>(context))(); }, &what);
  }

  std::uint32_t id_of(const Slot& slot) const { return static_cast<std::uint32_t>(&slot - slots_); }
  // Null when the id is out of range or its slot is free.
  Slot* find(std::uint32_t id) const { return id < slot_count_ && slots_[id].in_use ? &slots_[id] : nullptr; }

  // What the files above share.
  Port* port_ = nullptr;
  Backend* backend_ = nullptr;
  Inputs* inputs_ = nullptr;
  Hal hal_{};
  std::uint32_t hal_mask_ = 0;
  fuse_options_t options_{};

  Pool pool_;
  LogRing ring_;
  Slot* slots_ = nullptr;
  std::uint32_t slot_count_ = 0;  // as many as fit, up to options_.max_modules
  std::uint32_t words_ = 0;       // of a set over all slots

  DueQueue queue_;                              // timed, not known to be due
  SlotSet ready_;                               // timed, due by the clock of some tick
  SlotSet always_;                              // timed, due at every tick
  SlotSet restarting_;                          // waiting for an automatic restart
  AtomicSlotSet pending_;                       // an event was posted since the last look
  AtomicSlotSet::Word* subscribers_ = nullptr;  // kEvents sets, one behind the other

  std::uint32_t tick_number_ = 0;
  std::uint32_t requeued_ = 0;  // entries of the queue that had their turn in this tick
  std::uint32_t restarts_waiting_ = 0;
  std::uint32_t prioritised_ = 0;    // modules with a priority other than 0
  std::uint64_t last_clock_us_ = 0;  // the newest read; a lower one says that the clock went back
  std::uint64_t account_ns_ = 0;  // the account's clock when this tick's last step ended; 0 = more has happened since
  std::uint64_t taken_us_ = 0;    // a timestamp read for the queue that the next attempt uses
  bool taken_ = false;

  Slot* current_ = nullptr;  // whose call is in flight
  bool reading_clock_ = false;
  bool asker_fences_ = false;  // who asks for a stop can have every thread fenced (stop_window.h)
  bool running_ = false;
  bool closed_ = false;
  std::atomic<std::uint32_t> expiring_{0};  // threads inside expire()

  // ---- small steps of lifecycle.cc and step.cc
  fuse_stat_t make_body(Body& body, Slot& owner, const fuse_policy_t& policy, std::uint32_t init_budget_us);
  void release_body(Body& body);
  void report_load(LoadEnd end, const ErrorText& error);
  void settle(Slot& slot);  // waits until nobody is about to interrupt the slot's instance
  void subscribe(const Slot& slot, bool on);
  std::uint32_t lifecycle_budget_us(const Slot& slot) const {
    return slot.init_budget_us != 0 ? slot.init_budget_us : options_.lifecycle_budget_us;
  }
  CallResult call(Slot& slot, Export which, const CallLimits& limits);
  CallResult not_called(Slot& slot);
  bool too_early(const Slot& slot, std::uint64_t now_us) const;
  void plan_phase(Slot& slot, std::uint64_t now_us) const;
  void advance_due(Slot& slot, std::uint64_t now_us) const;
  void account_time(Slot& slot, std::uint64_t begin_ns);
  void account_success(Slot& slot, std::uint64_t now_us, std::uint32_t events);
  fuse_stat_t fault(Slot& slot, const CallResult& result, const char* trapped, const char* stopped);

  // ---- small steps of tick.cc
  struct Pass;
  bool attempt(Slot& slot, Pass& pass);
  bool has_event(std::uint32_t id);
  bool next_candidate(const Pass& pass, std::uint32_t& found);
  bool highest_below(std::int64_t bound, std::int32_t& out) const;
  void run_level(Pass& pass);
  void take_due(std::uint64_t now_us);
  void requeue(Slot& slot, std::uint64_t key_us);
  bool has_work();
};

// A non-const view for const queries: they take the lock.
inline Core& core_of(Runtime& runtime) {
  return static_cast<Core&>(runtime);
}
inline Core& core_of(const Runtime& runtime) {
  return static_cast<Core&>(const_cast<Runtime&>(runtime));
}

}  // namespace fusebox::edge
