// fuse_rt_*(): argument checks in the contract's order, then the runtime.
#include <cstring>
#include <string>

#include "edge/capi/hosted_runtime.h"
#include "edge/capi/signature_check.h"

using fusebox::edge::LoadExtras;
using fusebox::edge::note_last_error;
using fusebox::edge::Runtime;

namespace {

fuse_stat_t no_runtime() {
  note_last_error("the runtime is not initialised");
  return FUSE_ERR_NOT_INITIALIZED;
}

fuse_stat_t null_argument() {
  note_last_error("a pointer is NULL or a size is 0");
  return FUSE_ERR_INVALID_ARG;
}

// What every function without further arguments does.
template <typename What>
fuse_stat_t on(fuse_runtime_t* rt, What&& what) {
  return rt == nullptr ? no_runtime() : what(*rt->runtime);
}

// The same for functions with an out parameter, which is looked at first.
template <typename Out, typename What>
fuse_stat_t on(fuse_runtime_t* rt, const Out* out, What&& what) {
  return out == nullptr ? null_argument() : on(rt, what);
}

// The caller's extension in this library's layout.
bool read_extension(const fuse_policy_ext_t* from, fuse_policy_ext_t& out) {
  out = {};
  if (from == nullptr) return true;
  if (from->size < sizeof from->size || from->size > sizeof out) return false;
  std::memcpy(&out, from, from->size);
  return out.restart <= FUSE_RESTART_ALWAYS && (out.flags & ~(FUSE_EXT_DRIFT_FREE | FUSE_EXT_SHA256)) == 0;
}

}  // namespace

extern "C" {

fuse_stat_t fuse_rt_create(fuse_runtime_t** out, void* module_memory, size_t module_memory_size, void* log_memory,
                           size_t log_memory_size, const fuse_hal_t* hal, size_t hal_size, uint32_t hal_mask,
                           const fuse_options_t* options) {
  if (out == nullptr) return null_argument();
  std::unique_ptr<fuse_runtime> made;
  const fuse_stat_t status = fusebox::edge::capi::create(
      {module_memory, module_memory_size, log_memory, log_memory_size}, hal, hal_size, hal_mask, options, made);
  if (status == FUSE_SUCCESS) *out = made.release();
  return status;
}

fuse_stat_t fuse_rt_destroy(fuse_runtime_t* rt) {
  if (rt == nullptr) return no_runtime();
  if (rt->port.inside()) return rt->runtime->refuse("fuse_deinit");
  fusebox::edge::capi::close(*rt);
  delete rt;
  return FUSE_SUCCESS;
}

fuse_stat_t fuse_rt_stop(fuse_runtime_t* rt) {
  return on(rt, [](Runtime& r) { return r.stop(); });
}

fuse_stat_t fuse_rt_restart(fuse_runtime_t* rt) {
  return on(rt, [](Runtime& r) { return r.restart(); });
}

fuse_stat_t fuse_rt_resume_stopped(fuse_runtime_t* rt) {
  return on(rt, [](Runtime& r) { return r.resume_stopped(); });
}

fuse_stat_t fuse_rt_module_load(fuse_runtime_t* rt, const uint8_t* module_buf, uint32_t module_size,
                                const fuse_policy_t* policy, fuse_module_id_t* out_id) {
  return fuse_rt_module_load_ext(rt, module_buf, module_size, policy, nullptr, nullptr, 0, out_id);
}

fuse_stat_t fuse_rt_module_load_ext(fuse_runtime_t* rt, const uint8_t* module_buf, uint32_t module_size,
                                    const fuse_policy_t* policy, const fuse_policy_ext_t* ext, const uint8_t* sig,
                                    uint32_t sig_len, fuse_module_id_t* out_id) {
  if (module_buf == nullptr || module_size == 0 || policy == nullptr || out_id == nullptr ||
      (sig == nullptr && sig_len != 0)) {
    return null_argument();
  }
  if (rt == nullptr) return no_runtime();
  fuse_policy_ext_t extension;
  if (!read_extension(ext, extension)) {
    note_last_error("fuse_policy_ext_t: size, flags or restart is out of range");
    return FUSE_ERR_INVALID_ARG;
  }
  LoadExtras extras{.ext = ext == nullptr ? nullptr : &extension};
  std::string problem;
  if (sig != nullptr && !rt->runtime->is_called_back()) {
    problem = fusebox::edge::capi::signature_problem(*rt, {module_buf, module_size}, {sig, sig_len});
    if (!problem.empty()) extras.refusal = problem.c_str();
  }
  const fuse_stat_t status = rt->runtime->load(module_buf, module_size, *policy, extras, out_id);
  if (status == FUSE_ERR_POLICY_VIOLATION && !problem.empty())
    note_last_error(problem.c_str());  // the log's line is cut
  return status;
}

fuse_stat_t fuse_rt_module_start(fuse_runtime_t* rt, fuse_module_id_t id) {
  return on(rt, [=](Runtime& r) { return r.start(id); });
}

fuse_stat_t fuse_rt_module_pause(fuse_runtime_t* rt, fuse_module_id_t id) {
  return on(rt, [=](Runtime& r) { return r.pause(id); });
}

fuse_stat_t fuse_rt_module_stat(fuse_runtime_t* rt, fuse_module_id_t id, fuse_module_state_t* out_state) {
  return on(rt, out_state, [=](Runtime& r) { return r.state(id, out_state); });
}

fuse_stat_t fuse_rt_module_run_step(fuse_runtime_t* rt, fuse_module_id_t id) {
  return on(rt, [=](Runtime& r) { return r.run_step(id); });
}

fuse_stat_t fuse_rt_module_reset(fuse_runtime_t* rt, fuse_module_id_t id) {
  return on(rt, [=](Runtime& r) { return r.reset(id); });
}

fuse_stat_t fuse_rt_module_unload(fuse_runtime_t* rt, fuse_module_id_t id) {
  return on(rt, [=](Runtime& r) { return r.unload(id); });
}

uint32_t fuse_rt_tick(fuse_runtime_t* rt) {
  return rt == nullptr ? 0 : rt->runtime->tick();
}

fuse_stat_t fuse_rt_tick_ex(fuse_runtime_t* rt, fuse_module_id_t* ids, uint32_t cap, uint32_t* n) {
  if (n == nullptr || (ids == nullptr && cap != 0)) return null_argument();
  return on(rt, [=](Runtime& r) {
    if (r.is_called_back()) return r.refuse("fuse_tick_ex");
    r.tick(ids, cap, n);
    return *n > cap ? FUSE_ERR_BUFFER_TOO_SMALL : FUSE_SUCCESS;
  });
}

fuse_stat_t fuse_rt_next_due(fuse_runtime_t* rt, uint64_t* out_us) {
  return on(rt, out_us, [=](Runtime& r) { return r.next_due(out_us); });
}

// The three that interrupts may call touch atomics only.
fuse_stat_t fuse_rt_post_event(fuse_runtime_t* rt, uint32_t event_id) {
  return rt == nullptr ? FUSE_ERR_NOT_INITIALIZED : rt->runtime->post_event(event_id);
}

fuse_stat_t fuse_rt_clear_event(fuse_runtime_t* rt, uint32_t event_id) {
  return rt == nullptr ? FUSE_ERR_NOT_INITIALIZED : rt->runtime->clear_event(event_id);
}

void fuse_rt_quota_expired(fuse_runtime_t* rt, fuse_module_id_t module_id) {
  if (rt != nullptr) rt->runtime->quota_expired(module_id);
}

fuse_stat_t fuse_rt_module_info(fuse_runtime_t* rt, fuse_module_id_t id, fuse_module_info_t* out) {
  return on(rt, out, [=](Runtime& r) { return r.info(id, out); });
}

fuse_stat_t fuse_rt_module_handle(fuse_runtime_t* rt, fuse_module_id_t id, uint64_t* out) {
  return on(rt, out, [=](Runtime& r) { return r.handle(id, out); });
}

fuse_stat_t fuse_rt_module_by_handle(fuse_runtime_t* rt, uint64_t handle, fuse_module_id_t* out_id) {
  return on(rt, out_id, [=](Runtime& r) { return r.by_handle(handle, out_id); });
}

fuse_stat_t fuse_rt_event_latch(fuse_runtime_t* rt, fuse_module_id_t id, uint32_t* out) {
  return on(rt, out, [=](Runtime& r) { return r.event_latch(id, out); });
}

fuse_stat_t fuse_rt_module_next(fuse_runtime_t* rt, fuse_module_id_t after, fuse_module_id_t* out) {
  return on(rt, out, [=](Runtime& r) { return r.next(after, out); });
}

fuse_stat_t fuse_rt_log_read(fuse_runtime_t* rt, uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n) {
  if (cursor == nullptr || n == nullptr || (out == nullptr && max != 0)) return null_argument();
  return on(rt, [=](Runtime& r) { return r.log_read(cursor, out, max, n); });
}

fuse_stat_t fuse_rt_evidence_read(fuse_runtime_t* rt, uint64_t* cursor, fuse_log_record_t* out, uint32_t max,
                                  uint32_t* n) {
  if (cursor == nullptr || n == nullptr || (out == nullptr && max != 0)) return null_argument();
  return on(rt, [=](Runtime& r) { return r.evidence_read(cursor, out, max, n); });
}

fuse_stat_t fuse_rt_log_stats(fuse_runtime_t* rt, fuse_log_stats_t* out) {
  return on(rt, out, [=](Runtime& r) { return r.log_stats(out); });
}

fuse_stat_t fuse_rt_trust_key(fuse_runtime_t* rt, const char* key_id, const uint8_t* public_key) {
  if (key_id == nullptr || public_key == nullptr) return null_argument();
  return rt == nullptr ? no_runtime() : fusebox::edge::capi::trust_key(*rt, key_id, public_key);
}

}  // extern "C"
