/* A host's hardware, compiled in C with one choice of HAL groups: the struct as that choice lays it out. */
#include "fuse_types.h"
#include "layout.h"

#ifdef FUSE_HAL_ENABLE_TEMP_SENSOR
static float reading(void) {
  return 21.5f;
}
#endif
#ifdef FUSE_HAL_ENABLE_TIMER
static uint64_t timestamp(void) {
  return 77;
}
#endif
#ifdef FUSE_HAL_ENABLE_CAMERA
static uint64_t frame(void* buf, uint32_t max_len) {
  (void)buf;
  return max_len;
}
#endif
#ifdef FUSE_HAL_ENABLE_GPIO
static uint32_t pin(uint32_t number) {
  return number;
}
static void set_pin(uint32_t number, uint32_t level) {
  (void)number;
  (void)level;
}
#endif
#ifdef FUSE_HAL_ENABLE_UART
static uint32_t receive(uint32_t port, void* buf, uint32_t max_len) {
  (void)buf;
  return port + max_len;
}
static uint32_t transmit(uint32_t port, const void* buf, uint32_t len) {
  (void)buf;
  return port + len;
}
#endif
static void arm(fuse_module_id_t id, uint32_t quota_us) {
  (void)id;
  (void)quota_us;
}
static void cancel(fuse_module_id_t id) {
  (void)id;
}

static const fuse_hal_t hal = {
#ifdef FUSE_HAL_ENABLE_TEMP_SENSOR
    .temp = {.get_reading = reading},
#endif
#ifdef FUSE_HAL_ENABLE_TIMER
    .timer = {.get_timestamp = timestamp},
#endif
#ifdef FUSE_HAL_ENABLE_CAMERA
    .camera = {.last_frame = frame},
#endif
    .quota_arm = arm,
    .quota_cancel = cancel,
#ifdef FUSE_HAL_ENABLE_GPIO
    .gpio = {.read = pin, .write = set_pin},
#endif
#ifdef FUSE_HAL_ENABLE_UART
    .uart = {.read = receive, .write = transmit},
#endif
};

const void* host_hal(void) {
  return &hal;
}
size_t host_hal_size(void) {
  return sizeof(fuse_hal_t);
}
uint32_t host_hal_mask(void) {
  return FUSE_HAL_MASK;
}
fuse_hal_quota_cancel_fn host_cancel(void) {
  return cancel;
}
