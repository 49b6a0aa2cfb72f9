// The default runtime behind fuse_*(), and the functions that need none.
#include "fuse.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "edge/capi/hosted_runtime.h"
#include "edge/capi/policy_json.h"

namespace {

// The C interface has one runtime by definition: these are the only variables of the program's lifetime in this folder.
constinit std::atomic<fuse_runtime_t*> g_runtime{nullptr};
constinit std::atomic<uint32_t> g_interrupts{0};  // threads and handlers inside one of the lock-free functions
std::mutex& life_mutex() {
  static std::mutex mutex;
  return mutex;
}

fuse_runtime_t* current() {
  return g_runtime.load(std::memory_order_acquire);
}

// Keeps fuse_deinit from taking the runtime away below a post or an expiry.
class Interrupt {
 public:
  Interrupt() { g_interrupts.fetch_add(1); }
  ~Interrupt() { g_interrupts.fetch_sub(1); }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
};

}  // namespace

extern "C" {

fuse_stat_t(fuse_init)(void* module_memory, size_t module_memory_size, void* log_memory, size_t log_memory_size,
                       const fuse_hal_t* hal) {
  return fuse_init_ex(module_memory, module_memory_size, log_memory, log_memory_size, hal, sizeof(fuse_hal_t),
                      FUSE_HAL_MASK, nullptr);
}

fuse_stat_t fuse_init_ex(void* module_memory, size_t module_memory_size, void* log_memory, size_t log_memory_size,
                         const fuse_hal_t* hal, size_t hal_size, uint32_t hal_mask, const fuse_options_t* options) {
  if (module_memory == nullptr || module_memory_size == 0 || log_memory == nullptr || log_memory_size == 0 ||
      hal == nullptr) {
    fusebox::edge::note_last_error("fuse_init: a pointer is NULL or a size is 0");
    return FUSE_ERR_INVALID_ARG;
  }
  // From a HAL callback of the runtime that is there already.
  if (fuse_runtime_t* rt = current(); rt != nullptr && rt->port.inside()) return rt->runtime->refuse("fuse_init");
  const std::lock_guard lock(life_mutex());
  if (current() != nullptr) {
    fusebox::edge::note_last_error("fuse_init: the runtime is initialised already");
    return FUSE_ERR_ALREADY_INITIALIZED;
  }
  fuse_runtime_t* made = nullptr;
  const fuse_stat_t status = fuse_rt_create(&made, module_memory, module_memory_size, log_memory, log_memory_size, hal,
                                            hal_size, hal_mask, options);
  if (status == FUSE_SUCCESS) g_runtime.store(made, std::memory_order_release);
  return status;
}

fuse_stat_t fuse_deinit(void) {
  fuse_runtime_t* rt = current();
  if (rt == nullptr) return fuse_rt_destroy(nullptr);
  if (rt->port.inside()) return rt->runtime->refuse("fuse_deinit");
  const std::lock_guard lock(life_mutex());
  rt = current();
  if (rt == nullptr) return fuse_rt_destroy(nullptr);  // another thread was quicker
  // The modules go while this is still the runtime: callbacks that their module_deinit makes find it, and are refused.
  fusebox::edge::capi::close(*rt);
  g_runtime.store(nullptr);
  while (g_interrupts.load() != 0) std::this_thread::yield();
  return fuse_rt_destroy(rt);
}

fuse_stat_t fuse_stop(void) {
  return fuse_rt_stop(current());
}
fuse_stat_t fuse_restart(void) {
  return fuse_rt_restart(current());
}
fuse_stat_t fuse_resume_stopped(void) {
  return fuse_rt_resume_stopped(current());
}
fuse_stat_t fuse_module_load(const uint8_t* module_buf, uint32_t module_size, const fuse_policy_t* policy,
                             fuse_module_id_t* out_id) {
  return fuse_rt_module_load(current(), module_buf, module_size, policy, out_id);
}
fuse_stat_t fuse_module_load_ext(const uint8_t* module_buf, uint32_t module_size, const fuse_policy_t* policy,
                                 const fuse_policy_ext_t* ext, const uint8_t* sig, uint32_t sig_len,
                                 fuse_module_id_t* out_id) {
  return fuse_rt_module_load_ext(current(), module_buf, module_size, policy, ext, sig, sig_len, out_id);
}
fuse_stat_t fuse_module_start(fuse_module_id_t id) {
  return fuse_rt_module_start(current(), id);
}
fuse_stat_t fuse_module_pause(fuse_module_id_t id) {
  return fuse_rt_module_pause(current(), id);
}
fuse_stat_t fuse_module_stat(fuse_module_id_t id, fuse_module_state_t* out_state) {
  return fuse_rt_module_stat(current(), id, out_state);
}
fuse_stat_t fuse_module_run_step(fuse_module_id_t id) {
  return fuse_rt_module_run_step(current(), id);
}
fuse_stat_t fuse_module_reset(fuse_module_id_t id) {
  return fuse_rt_module_reset(current(), id);
}
fuse_stat_t fuse_module_unload(fuse_module_id_t id) {
  return fuse_rt_module_unload(current(), id);
}
uint32_t fuse_tick(void) {
  return fuse_rt_tick(current());
}
fuse_stat_t fuse_tick_ex(fuse_module_id_t* ids, uint32_t cap, uint32_t* n) {
  return fuse_rt_tick_ex(current(), ids, cap, n);
}
fuse_stat_t fuse_next_due(uint64_t* out_us) {
  return fuse_rt_next_due(current(), out_us);
}
fuse_stat_t fuse_post_event(uint32_t event_id) {
  const Interrupt inside;
  return fuse_rt_post_event(current(), event_id);
}
fuse_stat_t fuse_clear_event(uint32_t event_id) {
  const Interrupt inside;
  return fuse_rt_clear_event(current(), event_id);
}
void fuse_quota_expired(fuse_module_id_t module_id) {
  const Interrupt inside;
  fuse_rt_quota_expired(current(), module_id);
}
fuse_stat_t fuse_module_info(fuse_module_id_t id, fuse_module_info_t* out) {
  return fuse_rt_module_info(current(), id, out);
}
fuse_stat_t fuse_module_handle(fuse_module_id_t id, uint64_t* out) {
  return fuse_rt_module_handle(current(), id, out);
}
fuse_stat_t fuse_module_by_handle(uint64_t handle, fuse_module_id_t* out_id) {
  return fuse_rt_module_by_handle(current(), handle, out_id);
}
fuse_stat_t fuse_event_latch(fuse_module_id_t id, uint32_t* out) {
  return fuse_rt_event_latch(current(), id, out);
}
fuse_stat_t fuse_module_next(fuse_module_id_t after, fuse_module_id_t* out) {
  return fuse_rt_module_next(current(), after, out);
}
fuse_stat_t fuse_log_read(uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n) {
  return fuse_rt_log_read(current(), cursor, out, max, n);
}
fuse_stat_t fuse_evidence_read(uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n) {
  return fuse_rt_evidence_read(current(), cursor, out, max, n);
}
fuse_stat_t fuse_log_stats(fuse_log_stats_t* out) {
  return fuse_rt_log_stats(current(), out);
}
fuse_stat_t fuse_trust_key(const char* key_id, const uint8_t* public_key) {
  return fuse_rt_trust_key(current(), key_id, public_key);
}

fuse_stat_t fuse_policy_from_bin(const uint8_t* buf, uint32_t len, fuse_policy_t* out_policy) {
  return fusebox::edge::policy_from_bin(buf, len, out_policy);
}

fuse_stat_t fuse_policy_validate(const fuse_policy_t* policy, uint32_t flags, char* err, size_t err_cap) {
  if (policy == nullptr || flags != 0) {
    fusebox::edge::copy_text("fuse_policy_validate: policy is NULL or flags is not 0", err, err_cap);
    return FUSE_ERR_INVALID_ARG;
  }
  return fusebox::edge::policy_validate(*policy, err, err_cap);
}

fuse_stat_t fuse_policy_from_json(const char* text, size_t len, const char* events, fuse_policy_t* out_policy,
                                  fuse_policy_ext_t* out_ext, char* err, size_t err_cap) {
  fusebox::edge::copy_text("", err, err_cap);
  if (text == nullptr || out_policy == nullptr) {
    fusebox::edge::copy_text("fuse_policy_from_json: text or out_policy is NULL", err, err_cap);
    return FUSE_ERR_INVALID_ARG;
  }
  fuse_policy_ext_t extension;
  const std::string problem =
      fusebox::edge::capi::policy_from_json({text, len}, events == nullptr ? "" : events, *out_policy, extension);
  if (!problem.empty()) {
    fusebox::edge::copy_text(problem.c_str(), err, err_cap);
    fusebox::edge::note_last_error(problem.c_str());
    return FUSE_ERR_INVALID_ARG;
  }
  if (out_ext != nullptr) *out_ext = extension;
  return FUSE_SUCCESS;
}

const char* fuse_version(void) {
  return FUSEBOX_VERSION;
}

fuse_stat_t fuse_last_error(char* buf, size_t cap) {
  if (buf == nullptr || cap == 0) return FUSE_ERR_INVALID_ARG;
  const char* text = fusebox::edge::last_error_text();
  fusebox::edge::copy_text(text, buf, cap);
  return std::strlen(text) < cap ? FUSE_SUCCESS : FUSE_ERR_BUFFER_TOO_SMALL;
}

}  // extern "C"
