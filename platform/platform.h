/* What a host program asks of its system: time, sleep, and a timer for each module's quota.
 *
 *   fuse_platform_init();
 *   hal.timer.get_timestamp = fuse_platform_get_timestamp_us;
 *   hal.quota_arm = fuse_platform_quota_arm;
 *   hal.quota_cancel = fuse_platform_quota_cancel;
 *   fuse_init(...);
 *
 * Using it is the host's choice: the runtime keeps every quota by itself, in CPU time. This timer is the host's own, in wall
 * time. A new platform is these five functions in a folder of its own.
 *
 * Threads  any thread, any number at once. fuse_platform_init: before the others.
 * Errors   none of these can fail in a way a caller could mend; a system that cannot start the timer ends the program.
 * Contract docs/porting.md
 */
#ifndef FUSE_PLATFORM_H
#define FUSE_PLATFORM_H

#include "fuse_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Once, before fuse_init(); again is harmless. Starts the timer. */
void fuse_platform_init(void);

/* Monotonic, never decreasing. */
uint64_t fuse_platform_get_timestamp_us(void);

/* One shot: when it expires, fuse_quota_expired(mid) is called, from a thread of the platform. Arming again replaces what was
 * armed for that module; 0 disarms. */
void fuse_platform_quota_arm(fuse_module_id_t mid, uint32_t quota_us);

/* Once it returned, nothing armed before it expires any more. Safe when nothing is armed. */
void fuse_platform_quota_cancel(fuse_module_id_t mid);

/* At least so long, signals or not. */
void fuse_platform_sleep_us(uint32_t us);

#ifdef __cplusplus
}
#endif

#endif /* FUSE_PLATFORM_H */
