/* The edge runtime's C interface: load WebAssembly modules under a policy, wire hardware to them, call a tick.
 *
 *   fuse_init(pool, sizeof pool, log, sizeof log, &hal);
 *   fuse_module_load(wasm, size, &policy, &id);
 *   fuse_module_start(id);
 *   for (;;) fuse_tick();
 *
 * Sources written for the FUSE runtime compile and behave unchanged. One default runtime stands behind these names; every
 * function has a twin fuse_rt_*() for further runtimes in one process, which takes the runtime first.
 *
 * Errors   checks run in the order written at each function; the first match decides. Numbers below are fuse_stat_t.
 * Threads  fuse_post_event, fuse_clear_event, fuse_quota_expired: any thread, signal handler or interrupt, lock-free.
 *          Read-only functions (marked R): any thread, and from a HAL callback. All others: any thread, one at a time by the
 *          runtime's own lock; from a HAL callback they are refused (1, or 0 of fuse_tick) and logged.
 * Owner    module bytes are copied; the pool and the log memory stay the caller's and must outlive the runtime.
 * Memory   no heap is used by the runtime's core; the engine behind it allocates while a module loads, never in a step.
 * Contract docs/edge.md
 */
#ifndef FUSE_H
#define FUSE_H

#include "fuse_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Runtime ---- */

/* 1 when a pointer is NULL or a size 0; 3 when initialised; 4 when the engine cannot be had. Copies `hal`. The log keeps
 * log_memory_size / 144 entries, which may be 0. The symbol assumes the library's own fuse_hal_t; the macro below passes the
 * caller's, so a host compiled with fewer HAL groups is read correctly. */
fuse_stat_t fuse_init(void* module_memory, size_t module_memory_size, void* log_memory, size_t log_memory_size,
                      const fuse_hal_t* hal);
/* 2. Every RUNNING module becomes PAUSED, marked "paused by stop"; nothing runs until fuse_restart(). */
fuse_stat_t fuse_stop(void);
/* 2. Modules stay PAUSED: fuse_module_start() or fuse_resume_stopped() resumes them. */
fuse_stat_t fuse_restart(void);

/* ---- Modules ---- */

/* 1 when a pointer is NULL or the size 0; 2; 6 without a free slot; 1 under strict_policy; 4 when the module is refused: the
 * log and fuse_last_error() say why. `out_id` is written on success only. */
fuse_stat_t fuse_module_load(const uint8_t* module_buf, uint32_t module_size, const fuse_policy_t* policy,
                             fuse_module_id_t* out_id);
/* 2; 5; 1 unless LOADED or PAUSED; 10 when module_init traps, 9 when it overruns. */
fuse_stat_t fuse_module_start(fuse_module_id_t id);
/* 2; 5; 1 unless RUNNING. */
fuse_stat_t fuse_module_pause(fuse_module_id_t id);
/* R. 1 when out_state is NULL; 2; 5. */
fuse_stat_t fuse_module_stat(fuse_module_id_t id, fuse_module_state_t* out_state);
/* 2; 1 when stopped; 5; 1 unless RUNNING; 11 before the interval elapsed; 9; 10. Neither reads nor consumes events. */
fuse_stat_t fuse_module_run_step(fuse_module_id_t id);
/* 2; 5. In every state, also while stopped. */
fuse_stat_t fuse_module_unload(fuse_module_id_t id);
/* Steps what is due, each module at most once, in slot order. Bit N = module N completed a step. */
uint32_t fuse_tick(void);
/* R. 1 when a pointer is NULL or len is not 32. Works before fuse_init(). */
fuse_stat_t fuse_policy_from_bin(const uint8_t* buf, uint32_t len, fuse_policy_t* out_policy);
/* 2; 1 when event_id >= 32. */
fuse_stat_t fuse_post_event(uint32_t event_id);
fuse_stat_t fuse_clear_event(uint32_t event_id);
/* The host's timer says that a step's time is over. Ignored unless a call of that module is in flight. */
void fuse_quota_expired(fuse_module_id_t module_id);

/* ---- Fusebox additions ---- */

/* 1 also when hal_size does not fit hal_mask, or an option is out of range. `options` may be NULL. */
fuse_stat_t fuse_init_ex(void* module_memory, size_t module_memory_size, void* log_memory, size_t log_memory_size,
                         const fuse_hal_t* hal, size_t hal_size, uint32_t hal_mask, const fuse_options_t* options);
/* 2. Unloads every module, gives everything back; fuse_init() works again. Nobody may post or expire meanwhile. */
fuse_stat_t fuse_deinit(void);
/* 2; 1 when stopped. Modules marked "paused by stop" become RUNNING; deliberately paused ones stay. */
fuse_stat_t fuse_resume_stopped(void);
/* 2; 5; 4. A fresh instance of the stored bytes: same id, no pending events, LOADED. */
fuse_stat_t fuse_module_reset(fuse_module_id_t id);
/* As fuse_module_load(); 7 when hash or signature do not match. `ext` and `sig` may be NULL. `sig` is a signature file as
 * docs/formats describe it, checked against the keys of fuse_trust_key(). */
fuse_stat_t fuse_module_load_ext(const uint8_t* module_buf, uint32_t module_size, const fuse_policy_t* policy,
                                 const fuse_policy_ext_t* ext, const uint8_t* sig, uint32_t sig_len,
                                 fuse_module_id_t* out_id);
/* R. 1 when out is NULL; 2; 5. */
fuse_stat_t fuse_module_info(fuse_module_id_t id, fuse_module_info_t* out);
/* R. A handle is generation << 32 | id; 5 when it is stale. */
fuse_stat_t fuse_module_handle(fuse_module_id_t id, uint64_t* out);
fuse_stat_t fuse_module_by_handle(uint64_t handle, fuse_module_id_t* out_id);
/* R. Pending events of one module. */
fuse_stat_t fuse_event_latch(fuse_module_id_t id, uint32_t* out);
/* As fuse_tick(), with the ids of the modules that completed a step; 8 when more than `cap` did (`n` says how many). */
fuse_stat_t fuse_tick_ex(fuse_module_id_t* ids, uint32_t cap, uint32_t* n);
/* R. Slot order; FUSE_INVALID_MODULE_ID starts; 5 at the end. */
fuse_stat_t fuse_module_next(fuse_module_id_t after, fuse_module_id_t* out);
/* R. Semantic version. */
const char* fuse_version(void);
/* Microseconds until fuse_tick() has work: 0 = now, UINT64_MAX = nothing scheduled. Reads the timer HAL once. */
fuse_stat_t fuse_next_due(uint64_t* out_us);
/* R. Entries from `cursor` on, oldest first; moves the cursor, which starts at 0. */
fuse_stat_t fuse_log_read(uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n);
/* R. The same over what the runtime itself logged at FATAL; no guest can write or evict these. */
fuse_stat_t fuse_evidence_read(uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n);
/* R. */
fuse_stat_t fuse_log_stats(fuse_log_stats_t* out);
/* R. 1 with a sentence in `err` when a bit or a size is out of range. `flags` is 0. Works before fuse_init(). */
fuse_stat_t fuse_policy_validate(const fuse_policy_t* policy, uint32_t flags, char* err, size_t err_cap);
/* R. Reads a policy object of app_config.json. `events` is its application.events object as JSON text, or NULL. `out_ext` may
 * be NULL. Works before fuse_init(). */
fuse_stat_t fuse_policy_from_json(const char* text, size_t len, const char* events, fuse_policy_t* out_policy,
                                  fuse_policy_ext_t* out_ext, char* err, size_t err_cap);
/* R. The full text of the last failure on this thread; "" without one. 8 when cut. */
fuse_stat_t fuse_last_error(char* buf, size_t cap);

/* ---- Further runtimes in one process: the same functions, the runtime first ---- */

fuse_stat_t fuse_rt_create(fuse_runtime_t** out, void* module_memory, size_t module_memory_size, void* log_memory,
                           size_t log_memory_size, const fuse_hal_t* hal, size_t hal_size, uint32_t hal_mask,
                           const fuse_options_t* options);
fuse_stat_t fuse_rt_destroy(fuse_runtime_t* rt);
fuse_stat_t fuse_rt_stop(fuse_runtime_t* rt);
fuse_stat_t fuse_rt_restart(fuse_runtime_t* rt);
fuse_stat_t fuse_rt_module_load(fuse_runtime_t* rt, const uint8_t* module_buf, uint32_t module_size,
                                const fuse_policy_t* policy, fuse_module_id_t* out_id);
fuse_stat_t fuse_rt_module_start(fuse_runtime_t* rt, fuse_module_id_t id);
fuse_stat_t fuse_rt_module_pause(fuse_runtime_t* rt, fuse_module_id_t id);
fuse_stat_t fuse_rt_module_stat(fuse_runtime_t* rt, fuse_module_id_t id, fuse_module_state_t* out_state);
fuse_stat_t fuse_rt_module_run_step(fuse_runtime_t* rt, fuse_module_id_t id);
fuse_stat_t fuse_rt_module_unload(fuse_runtime_t* rt, fuse_module_id_t id);
uint32_t fuse_rt_tick(fuse_runtime_t* rt);
fuse_stat_t fuse_rt_post_event(fuse_runtime_t* rt, uint32_t event_id);
fuse_stat_t fuse_rt_clear_event(fuse_runtime_t* rt, uint32_t event_id);
void fuse_rt_quota_expired(fuse_runtime_t* rt, fuse_module_id_t module_id);
fuse_stat_t fuse_rt_resume_stopped(fuse_runtime_t* rt);
fuse_stat_t fuse_rt_module_reset(fuse_runtime_t* rt, fuse_module_id_t id);
fuse_stat_t fuse_rt_module_load_ext(fuse_runtime_t* rt, const uint8_t* module_buf, uint32_t module_size,
                                    const fuse_policy_t* policy, const fuse_policy_ext_t* ext, const uint8_t* sig,
                                    uint32_t sig_len, fuse_module_id_t* out_id);
fuse_stat_t fuse_rt_module_info(fuse_runtime_t* rt, fuse_module_id_t id, fuse_module_info_t* out);
fuse_stat_t fuse_rt_module_handle(fuse_runtime_t* rt, fuse_module_id_t id, uint64_t* out);
fuse_stat_t fuse_rt_module_by_handle(fuse_runtime_t* rt, uint64_t handle, fuse_module_id_t* out_id);
fuse_stat_t fuse_rt_event_latch(fuse_runtime_t* rt, fuse_module_id_t id, uint32_t* out);
fuse_stat_t fuse_rt_tick_ex(fuse_runtime_t* rt, fuse_module_id_t* ids, uint32_t cap, uint32_t* n);
fuse_stat_t fuse_rt_module_next(fuse_runtime_t* rt, fuse_module_id_t after, fuse_module_id_t* out);
fuse_stat_t fuse_rt_next_due(fuse_runtime_t* rt, uint64_t* out_us);
fuse_stat_t fuse_rt_log_read(fuse_runtime_t* rt, uint64_t* cursor, fuse_log_record_t* out, uint32_t max, uint32_t* n);
fuse_stat_t fuse_rt_evidence_read(fuse_runtime_t* rt, uint64_t* cursor, fuse_log_record_t* out, uint32_t max,
                                  uint32_t* n);
fuse_stat_t fuse_rt_log_stats(fuse_runtime_t* rt, fuse_log_stats_t* out);
/* Ed25519 keys that may sign modules for fuse_rt_module_load_ext(); 32 bytes, copied. At most 8. */
fuse_stat_t fuse_trust_key(const char* key_id, const uint8_t* public_key);
fuse_stat_t fuse_rt_trust_key(fuse_runtime_t* rt, const char* key_id, const uint8_t* public_key);

#ifdef __cplusplus
}
#endif

#define fuse_init(module_memory, module_memory_size, log_memory, log_memory_size, hal)                            \
  fuse_init_ex((module_memory), (module_memory_size), (log_memory), (log_memory_size), (hal), sizeof(fuse_hal_t), \
               FUSE_HAL_MASK, NULL)

#endif /* FUSE_H */
