/* Host of runaway: two periodic modules, first alone, then beside one that spins for ever; see run.sh.
 *
 * Usage: runaway <attitude> <telemetry> <runaway> [--milliseconds N]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/host.h"
#include "fuse.h"
#include "fuse_app_config.h"
#include "platform/platform.h"
#include "statistics.h"

#define TELEMETRY_PHASE_US 5000u
#define BACKOFF_US 1000u
#define KEPT_MIN 50u /* of a hundred periods: 100 on a machine that has time for us, 1 or 0 were nothing stopped */

static uint8_t module_pool[FUSE_APP_WAMR_POOL_BYTES];
static uint8_t log_pool[FUSE_APP_LOG_POOL_BYTES];
static samples beats[3]; /* of pins 1 and 2: when each module ran, in microseconds */

static void pin_written(uint32_t pin, uint32_t level) {
  (void)level;
  if (pin == 1 || pin == 2) sample_add(&beats[pin], fuse_platform_get_timestamp_us());
}

static const fuse_policy_t attitude_policy = DEMO_POLICY_OF(ATTITUDE);
static const fuse_policy_t telemetry_policy = DEMO_POLICY_OF(TELEMETRY);
static const fuse_policy_t runaway_policy = DEMO_POLICY_OF(RUNAWAY);

static const fuse_policy_ext_t attitude_ext = {.size = sizeof(fuse_policy_ext_t), .flags = FUSE_EXT_DRIFT_FREE};
static const fuse_policy_ext_t telemetry_ext = {
    .size = sizeof(fuse_policy_ext_t), .flags = FUSE_EXT_DRIFT_FREE, .phase_us = TELEMETRY_PHASE_US};
static const fuse_policy_ext_t runaway_ext = {
    .size = sizeof(fuse_policy_ext_t), .restart = FUSE_RESTART_ALWAYS, .restart_backoff_us = BACKOFF_US};

static void start_runtime(void) {
  fuse_hal_t hal;
  memset(&hal, 0, sizeof hal);
  hal.gpio.write = pin_written;
  demo_init(&hal, module_pool, sizeof module_pool, log_pool, sizeof log_pool);
}

/* Ticks whenever something is due. `stopped` collects how long each stopped step of `watched` had run. */
static void run(uint64_t duration_us, fuse_module_id_t watched, samples* stopped) {
  uint64_t end = fuse_platform_get_timestamp_us() + duration_us;
  uint64_t seen = 0;
  for (uint64_t now = fuse_platform_get_timestamp_us(); now < end; now = fuse_platform_get_timestamp_us()) {
    fuse_tick();
    fuse_module_info_t info;
    if (fuse_module_info(watched, &info) == FUSE_SUCCESS && info.quota_stops > seen) {
      seen = info.quota_stops;
      sample_add(stopped, info.step_last_us);
    }
    uint64_t due = 0;
    fuse_next_due(&due);
    uint64_t left = end - now;
    if (due > 0) fuse_platform_sleep_us((uint32_t)(due < left ? due : left));
  }
}

/* How far apart two beats were, less the period. */
static samples deviations(const samples* of, uint64_t period_us) {
  samples off = {{0}, 0};
  for (unsigned i = 1; i < of->count; ++i) {
    uint64_t between = of->values[i] - of->values[i - 1];
    sample_add(&off, between > period_us ? between - period_us : period_us - between);
  }
  return off;
}

/* How many of a hundred periods had their step; 0 when the module does not run any more. */
static unsigned report(const char* name, fuse_module_id_t id, const samples* of, uint64_t period_us) {
  fuse_module_info_t info;
  fuse_module_info(id, &info);
  samples off = deviations(of, period_us);
  printf("  %-9s  every %2llu ms  %4llu steps, %llu periods missed; off by p50 %llu us, p99 %llu us, worst %llu us\n",
         name, (unsigned long long)period_us / 1000, (unsigned long long)info.steps_ok,
         (unsigned long long)info.missed_periods, (unsigned long long)sample_rank(&off, 50),
         (unsigned long long)sample_rank(&off, 99), (unsigned long long)sample_rank(&off, 100));
  if (info.state != FUSE_MODULE_STATE_RUNNING || info.steps_ok < 2) return 0;
  return (unsigned)(info.steps_ok * 100 / (info.steps_ok + info.missed_periods));
}

typedef struct {
  unsigned kept; /* periods of a hundred, of the module that kept fewer */
  uint64_t begun, stopped;
} result;

static result pass(char** modules, int with_runaway, uint64_t duration_us) {
  static samples stopped;
  memset(beats, 0, sizeof beats);
  memset(&stopped, 0, sizeof stopped);
  start_runtime();
  fuse_module_id_t attitude = demo_load(modules[0], &attitude_policy, &attitude_ext);
  fuse_module_id_t telemetry = demo_load(modules[1], &telemetry_policy, &telemetry_ext);
  fuse_module_id_t runaway = FUSE_INVALID_MODULE_ID;
  if (with_runaway) runaway = demo_load(modules[2], &runaway_policy, &runaway_ext);
  demo_start(attitude);
  demo_start(telemetry);
  if (with_runaway) demo_start(runaway);
  run(duration_us, runaway, &stopped);

  printf(with_runaway ? "beside a module that spins for ever:\n" : "alone:\n");
  result out = {100, 0, 0};
  unsigned of_attitude = report("attitude", attitude, &beats[1], attitude_policy.step_interval_us);
  unsigned of_telemetry = report("telemetry", telemetry, &beats[2], telemetry_policy.step_interval_us);
  out.kept = of_attitude < of_telemetry ? of_attitude : of_telemetry;
  fuse_module_info_t info;
  if (fuse_module_info(runaway, &info) == FUSE_SUCCESS) {
    out.stopped = info.quota_stops;
    out.begun = info.quota_stops + info.steps_ok + info.traps;
    printf(
        "  runaway    quota %u us  %4llu steps, %llu stopped, restarted %u times; ran p50 %llu us, p99 %llu us, worst "
        "%llu us\n",
        runaway_policy.cpu_quota_us, (unsigned long long)out.begun, (unsigned long long)out.stopped, info.restarts,
        (unsigned long long)sample_rank(&stopped, 50), (unsigned long long)sample_rank(&stopped, 99),
        (unsigned long long)sample_rank(&stopped, 100));
  }
  fuse_deinit();
  return out;
}

int main(int argc, char** argv) {
  uint64_t duration_us = 1000000;
  if (argc == 6 && strcmp(argv[4], "--milliseconds") == 0) {
    duration_us = strtoul(argv[5], NULL, 10) * 1000;
  } else if (argc != 4) {
    fprintf(stderr, "usage: %s <attitude> <telemetry> <runaway> [--milliseconds N]\n", argv[0]);
    return 1;
  }
  printf("=== FUSE runaway demo ===\n");
  result alone = pass(argv + 1, 0, duration_us);
  result beside = pass(argv + 1, 1, duration_us);
  int proved = beside.kept >= KEPT_MIN && beside.stopped > 0 && beside.stopped == beside.begun;
  if (proved) printf("A step that never ends was stopped at its quota each time; its neighbours ran on.\n");
  printf("=== Summary: periods kept alone=%u%% beside=%u%% runaway stopped=%llu/%llu ===\n", alone.kept, beside.kept,
         (unsigned long long)beside.stopped, (unsigned long long)beside.begun);
  return proved ? 0 : 1;
}
