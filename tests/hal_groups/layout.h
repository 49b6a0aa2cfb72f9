/* Where each member of fuse_hal_t lies for the flags of this compilation (contract edge.md 8.4), in C99 and C++17. */
#ifndef HAL_GROUPS_LAYOUT_H
#define HAL_GROUPS_LAYOUT_H

#include "fuse_types.h"

#define HAS(group) ((FUSE_HAL_MASK_##group) != 0 ? 1u : 0u)
#define POINTERS(count) ((count) * sizeof(void (*)(void)))
#define TIMER_AT POINTERS(HAS(TEMP_SENSOR))
#define CAMERA_AT (TIMER_AT + POINTERS(HAS(TIMER)))
#define ARM_AT (CAMERA_AT + POINTERS(HAS(CAMERA)))
#define GPIO_AT (ARM_AT + POINTERS(2u))
#define UART_AT (GPIO_AT + POINTERS(2u * HAS(GPIO)))

#ifdef FUSE_HAL_ENABLE_TEMP_SENSOR
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, temp.get_reading) == 0, "temp comes first");
#endif
#ifdef FUSE_HAL_ENABLE_TIMER
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, timer.get_timestamp) == TIMER_AT, "timer follows temp");
#endif
#ifdef FUSE_HAL_ENABLE_CAMERA
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, camera.last_frame) == CAMERA_AT, "camera follows timer");
#endif
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, quota_arm) == ARM_AT, "quota_arm follows the groups of FUSE");
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, quota_cancel) == ARM_AT + POINTERS(1u), "quota_cancel follows quota_arm");
#ifdef FUSE_HAL_ENABLE_GPIO
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, gpio.read) == GPIO_AT, "added groups follow the quota");
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, gpio.write) == GPIO_AT + POINTERS(1u), "write follows read");
#endif
#ifdef FUSE_HAL_ENABLE_UART
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, uart.read) == UART_AT, "uart follows gpio");
FUSE_STATIC_ASSERT(offsetof(fuse_hal_t, uart.write) == UART_AT + POINTERS(1u), "write follows read");
#endif
FUSE_STATIC_ASSERT(sizeof(fuse_hal_t) == UART_AT + POINTERS(2u * HAS(UART)), "nothing but these");

/* The contract's own columns, in bytes, where pointers have eight. */
FUSE_STATIC_ASSERT(sizeof(void*) != 8 || FUSE_HAL_MASK != 7u ||
                       (TIMER_AT == 8 && CAMERA_AT == 16 && ARM_AT == 24 && sizeof(fuse_hal_t) == 40),
                   "all groups of FUSE");
FUSE_STATIC_ASSERT(sizeof(void*) != 8 || FUSE_HAL_MASK != 6u ||
                       (TIMER_AT == 0 && CAMERA_AT == 8 && ARM_AT == 16 && sizeof(fuse_hal_t) == 32),
                   "timer and camera");

/* The same for every choice of groups. */
FUSE_STATIC_ASSERT(sizeof(fuse_policy_t) == 32 && offsetof(fuse_policy_t, capabilities) == 0 &&
                       offsetof(fuse_policy_t, memory_pages_max) == 4 && offsetof(fuse_policy_t, stack_size) == 8 &&
                       offsetof(fuse_policy_t, heap_size) == 12 && offsetof(fuse_policy_t, cpu_quota_us) == 16 &&
                       offsetof(fuse_policy_t, step_interval_us) == 20 &&
                       offsetof(fuse_policy_t, activation_mask) == 24 && offsetof(fuse_policy_t, event_subscribe) == 28,
                   "the policy's 32 bytes");
FUSE_STATIC_ASSERT(offsetof(fuse_log_entry_t, timestamp_us) == 0 && offsetof(fuse_log_entry_t, module_id) == 8 &&
                       offsetof(fuse_log_entry_t, level) == 12 && offsetof(fuse_log_entry_t, message) == 16 &&
                       sizeof(fuse_log_entry_t) == 144,
                   "the log entry's 144 bytes");
FUSE_STATIC_ASSERT(offsetof(fuse_options_t, size) == 0 && offsetof(fuse_policy_ext_t, size) == 0, "sizes lead");
FUSE_STATIC_ASSERT(FUSE_MAX_MODULES == 8 && FUSE_INVALID_MODULE_ID == 0xFFFFFFFFu && FUSE_LOG_MSG_MAX == 128 &&
                       FUSE_MAX_EVENT_ID == 32,
                   "constants of the contract");

#endif /* HAL_GROUPS_LAYOUT_H */
