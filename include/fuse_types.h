/* Types of the edge runtime's C interface: a module's policy, its states, the hardware a host offers, the logs.
 *
 * C99 and C++17; nothing but this file is needed. Sources written for the FUSE runtime compile unchanged.
 * Layouts  fixed, and checked at the end of this file: hosts, policy files and logs of other builds read the same bytes.
 * Units    microseconds (_us), bytes, pages of 64 KiB, as the names say.
 * Contract docs/edge.md
 */
#ifndef FUSE_TYPES_H
#define FUSE_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Which optional HAL groups this host was compiled for. A build system defines one macro per group of its
 * app_config.json, or FUSE_HAL_NONE when that lists none; without any of them the three groups of FUSE are on. */
#if !defined(FUSE_HAL_ENABLE_TEMP_SENSOR) && !defined(FUSE_HAL_ENABLE_TIMER) && !defined(FUSE_HAL_ENABLE_CAMERA) && \
    !defined(FUSE_HAL_ENABLE_GPIO) && !defined(FUSE_HAL_ENABLE_UART) && !defined(FUSE_HAL_NONE)
#define FUSE_HAL_ENABLE_TEMP_SENSOR 1
#define FUSE_HAL_ENABLE_TIMER 1
#define FUSE_HAL_ENABLE_CAMERA 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_MAX_MODULES 8 /* of the default runtime; fuse_options_t.max_modules allows up to 4096 */
#define FUSE_INVALID_MODULE_ID 0xFFFFFFFFu
#define FUSE_LOG_MSG_MAX 128 /* 127 characters and NUL */
#define FUSE_MAX_EVENT_ID 32 /* ids 0..31 */

typedef uint32_t fuse_module_id_t; /* the slot's index; lowest free slot first, reused after unload */

typedef enum {
  FUSE_SUCCESS = 0,
  FUSE_ERR_INVALID_ARG = 1,
  FUSE_ERR_NOT_INITIALIZED = 2,
  FUSE_ERR_ALREADY_INITIALIZED = 3,
  FUSE_ERR_MODULE_LOAD_FAILED = 4,
  FUSE_ERR_MODULE_NOT_FOUND = 5,
  FUSE_ERR_MODULE_LIMIT = 6,
  FUSE_ERR_POLICY_VIOLATION = 7, /* extension calls only */
  FUSE_ERR_BUFFER_TOO_SMALL = 8, /* extension calls only */
  FUSE_ERR_QUOTA_EXCEEDED = 9,
  FUSE_ERR_MODULE_TRAP = 10,
  FUSE_ERR_INTERVAL_NOT_ELAPSED = 11
} fuse_stat_t;

typedef enum {
  FUSE_MODULE_STATE_LOADED = 0,
  FUSE_MODULE_STATE_RUNNING = 1,
  FUSE_MODULE_STATE_PAUSED = 2,
  FUSE_MODULE_STATE_TRAPPED = 3,
  FUSE_MODULE_STATE_QUOTA_EXCEEDED = 4,
  FUSE_MODULE_STATE_UNLOADED = 5 /* never reported: an unloaded id gives FUSE_ERR_MODULE_NOT_FOUND */
} fuse_module_state_t;

typedef enum { FUSE_LOG_DEBUG = 0, FUSE_LOG_INFO = 1, FUSE_LOG_FATAL = 2 } fuse_log_level_t;

/* Capabilities. Bits from 0x20 upward belong to HAL groups that Fusebox adds. */
#define FUSE_CAP_TEMP_SENSOR 0x01u
#define FUSE_CAP_TIMER 0x02u
#define FUSE_CAP_CAMERA 0x04u
#define FUSE_CAP_LOG 0x08u
#define FUSE_CAP_EVENT_POST 0x10u
#define FUSE_CAP_GPIO 0x20u
#define FUSE_CAP_UART 0x40u

/* When a module is stepped. Mask 0 is read as INTERVAL. */
#define FUSE_ACTIVATION_INTERVAL 0x01u
#define FUSE_ACTIVATION_EVENT 0x02u
#define FUSE_ACTIVATION_MANUAL 0x04u

/* What one module may do. The 32-byte policy file is this struct, little-endian. */
typedef struct {
  uint32_t capabilities;     /* FUSE_CAP_* */
  uint32_t memory_pages_max; /* pages; 0 = the module's own maximum */
  uint32_t stack_size;       /* bytes of call depth; the runtime's floor applies */
  uint32_t heap_size;        /* bytes; recorded, adds no address range */
  uint32_t cpu_quota_us;     /* per step; 0 = unlimited */
  uint32_t step_interval_us; /* start to start; 0 = no minimum */
  uint32_t activation_mask;  /* FUSE_ACTIVATION_* */
  uint32_t event_subscribe;  /* bit N = event N */
} fuse_policy_t;

/* ---- Hardware: callbacks run on the stepping thread; any pointer may be NULL and then gives 0.
 * In C++ hosts, an exception that leaves one is a trap of the module it was called for, "host callback exception"; where the
 * runtime itself asks get_timestamp, the clock stands still for that moment. ---- */

typedef struct {
  float (*get_reading)(void); /* degrees Celsius */
} fuse_hal_temp_group_t;

typedef struct {
  uint64_t (*get_timestamp)(void); /* microseconds, monotonic */
} fuse_hal_timer_group_t;

typedef struct {
  /* Writes the newest frame to `buf`, valid only during the call; returns bytes written, 0 = no frame. */
  uint64_t (*last_frame)(void* buf, uint32_t max_len);
} fuse_hal_camera_group_t;

typedef struct {
  uint32_t (*read)(uint32_t pin);              /* level, 0 or 1 */
  void (*write)(uint32_t pin, uint32_t level); /* level 0 or 1 */
} fuse_hal_gpio_group_t;

typedef struct {
  uint32_t (*read)(uint32_t port, void* buf, uint32_t max_len);    /* bytes received, 0 = none waiting */
  uint32_t (*write)(uint32_t port, const void* buf, uint32_t len); /* bytes taken */
} fuse_hal_uart_group_t;

typedef void (*fuse_hal_quota_arm_fn)(fuse_module_id_t id, uint32_t quota_us);
typedef void (*fuse_hal_quota_cancel_fn)(fuse_module_id_t id);

typedef struct {
#ifdef FUSE_HAL_ENABLE_TEMP_SENSOR
  fuse_hal_temp_group_t temp;
#endif
#ifdef FUSE_HAL_ENABLE_TIMER
  fuse_hal_timer_group_t timer;
#endif
#ifdef FUSE_HAL_ENABLE_CAMERA
  fuse_hal_camera_group_t camera;
#endif
  fuse_hal_quota_arm_fn quota_arm;       /* around module_step, when cpu_quota_us > 0 */
  fuse_hal_quota_cancel_fn quota_cancel; /* once after every quota_arm */
#ifdef FUSE_HAL_ENABLE_GPIO
  fuse_hal_gpio_group_t gpio;
#endif
#ifdef FUSE_HAL_ENABLE_UART
  fuse_hal_uart_group_t uart;
#endif
} fuse_hal_t;

/* Which members fuse_hal_t has here, by capability bit. fuse_init() passes it on, with the size. */
#ifdef FUSE_HAL_ENABLE_TEMP_SENSOR
#define FUSE_HAL_MASK_TEMP_SENSOR FUSE_CAP_TEMP_SENSOR
#else
#define FUSE_HAL_MASK_TEMP_SENSOR 0u
#endif
#ifdef FUSE_HAL_ENABLE_TIMER
#define FUSE_HAL_MASK_TIMER FUSE_CAP_TIMER
#else
#define FUSE_HAL_MASK_TIMER 0u
#endif
#ifdef FUSE_HAL_ENABLE_CAMERA
#define FUSE_HAL_MASK_CAMERA FUSE_CAP_CAMERA
#else
#define FUSE_HAL_MASK_CAMERA 0u
#endif
#ifdef FUSE_HAL_ENABLE_GPIO
#define FUSE_HAL_MASK_GPIO FUSE_CAP_GPIO
#else
#define FUSE_HAL_MASK_GPIO 0u
#endif
#ifdef FUSE_HAL_ENABLE_UART
#define FUSE_HAL_MASK_UART FUSE_CAP_UART
#else
#define FUSE_HAL_MASK_UART 0u
#endif
#define FUSE_HAL_MASK \
  (FUSE_HAL_MASK_TEMP_SENSOR | FUSE_HAL_MASK_TIMER | FUSE_HAL_MASK_CAMERA | FUSE_HAL_MASK_GPIO | FUSE_HAL_MASK_UART)

/* ---- Logs ---- */

typedef struct {
  uint64_t timestamp_us; /* of the timer HAL; 0 without one */
  uint32_t module_id;    /* FUSE_INVALID_MODULE_ID = the runtime */
  uint32_t level;        /* fuse_log_level_t; a guest's value is stored as it came */
  char message[FUSE_LOG_MSG_MAX];
} fuse_log_entry_t;

typedef enum { FUSE_LOG_ORIGIN_RUNTIME = 0, FUSE_LOG_ORIGIN_GUEST = 1 } fuse_log_origin_t;

/* ---- Fusebox additions ---- */

/* What fuse_log_read() and fuse_evidence_read() return. */
typedef struct {
  uint64_t sequence; /* counts every entry ever written: a gap is what was overwritten */
  fuse_log_entry_t entry;
  uint32_t origin; /* fuse_log_origin_t; a guest cannot choose it */
  uint32_t reserved;
} fuse_log_record_t;

typedef struct {
  uint64_t written;
  uint64_t overwritten;
  uint64_t guest_dropped; /* over log_entries_per_step */
  uint32_t capacity;      /* entries */
  uint32_t evidence_capacity;
  uint64_t evidence_written;
} fuse_log_stats_t;

/* A field left 0 has the default in parentheses. Set `size` to sizeof(fuse_options_t). */
typedef struct {
  uint32_t size;
  uint32_t lifecycle_budget_us;    /* start function, module_init, module_deinit, each (1000000) */
  uint32_t step_ceiling_us;        /* bounds steps whose quota is 0 (0 = off) */
  uint32_t stack_floor_bytes;      /* least call depth of a module (1048576) */
  uint32_t memory_pages_cap;       /* most pages of any module (65536) */
  uint32_t max_modules;            /* 1..4096 (8); fuse_tick reports ids 0..31 */
  uint32_t wamr_heap_compat;       /* 1 = heap_size widens the address range as in FUSE (0) */
  uint32_t strict_policy;          /* 1 = unknown bits and pages over 65536 refuse the load (0) */
  uint32_t strict_imports;         /* 1 = an import whose capability is not granted refuses the load (0) */
  uint32_t update_probation_steps; /* (3) */
  uint32_t evidence_entries;       /* (64) */
} fuse_options_t;

typedef enum { FUSE_RESTART_NEVER = 0, FUSE_RESTART_LIMITED = 1, FUSE_RESTART_ALWAYS = 2 } fuse_restart_t;

#define FUSE_EXT_DRIFT_FREE 0x01u /* due times are start + phase + n x interval */
#define FUSE_EXT_SHA256 0x02u     /* `sha256` must be the module's */

/* Policy beyond the 32 bytes. Set `size` to sizeof(fuse_policy_ext_t); zeros grant nothing and bound nothing. */
typedef struct {
  uint32_t size;
  uint32_t flags;                /* FUSE_EXT_* */
  uint64_t tick_budget;          /* wasm operations per step, the same on every machine; 0 = off */
  int32_t priority;              /* higher runs earlier in a tick; equal values in slot order */
  uint32_t phase_us;             /* first due time after start */
  uint32_t deadline_us;          /* after the due time; missed ones are counted; 0 = off */
  uint32_t init_budget_us;       /* 0 = fuse_options_t.lifecycle_budget_us */
  uint32_t log_entries_per_step; /* more are dropped and counted; 0 = unlimited */
  uint32_t restart;              /* fuse_restart_t: after TRAPPED or QUOTA_EXCEEDED */
  uint32_t restart_max;          /* for LIMITED */
  uint32_t restart_backoff_us;
  uint8_t sha256[32];
} fuse_policy_ext_t;

typedef struct {
  fuse_module_state_t state;
  uint32_t generation; /* of the slot: one more at every load and reset */
  fuse_policy_t policy;
  uint32_t pages;
  uint32_t pages_peak;
  uint64_t steps_ok;
  uint64_t traps;
  uint64_t quota_stops;
  uint64_t step_last_us; /* every step of a module with a quota, ceiling or deadline; one in 16 of others */
  uint64_t step_max_us;
  uint64_t events_delivered;
  uint64_t events_coalesced;
  uint32_t event_last_source; /* module id, or FUSE_INVALID_MODULE_ID = the host */
  uint32_t restarts;
  uint64_t missed_periods;
  uint64_t missed_deadlines;
  uint64_t ticks_last; /* wasm operations of the last step */
  uint64_t ticks_total;
  uint64_t log_written;
  uint64_t log_dropped;
  char trap_text[64]; /* of the last trap; "" without one */
} fuse_module_info_t;

typedef struct fuse_runtime fuse_runtime_t;

#ifdef __cplusplus
}
#define FUSE_STATIC_ASSERT(condition, text) static_assert(condition, text)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define FUSE_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#else
#define FUSE_STATIC_ASSERT(condition, text) extern char fuse_layout_is_checked[(condition) ? 1 : -1]
#endif

FUSE_STATIC_ASSERT(sizeof(fuse_policy_t) == 32, "the policy is its 32-byte file");
FUSE_STATIC_ASSERT(sizeof(fuse_log_entry_t) == 144, "log entries are 144 bytes");
FUSE_STATIC_ASSERT(offsetof(fuse_log_entry_t, message) == 16, "log entries keep their layout");

#endif /* FUSE_TYPES_H */
