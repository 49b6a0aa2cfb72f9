/* What a module of the edge runtime imports and exports, for guests in C: freestanding, nothing but this file is needed.
 *
 *   clang --target=wasm32-unknown-unknown -nostdlib -O2 -Wl,--no-entry -Wl,--allow-undefined -o guest.wasm guest.c
 *
 * FUSE_STEP is required; FUSE_INIT runs once before the first step, FUSE_DEINIT when a started module is unloaded. A call whose
 * capability the policy does not grant, and a buffer outside the module's memory, end the module: no call returns an error.
 *
 * Generated from the table of HAL groups by `fusebox edge imports --header`. Contract: docs/edge.md
 */
#ifndef FUSE_GUEST_H
#define FUSE_GUEST_H

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define FUSE_EXPORT(name) __attribute__((export_name(name)))

#define FUSE_STEP FUSE_EXPORT("module_step") void module_step(void)
#define FUSE_INIT FUSE_EXPORT("module_init") void module_init(void)
#define FUSE_DEINIT FUSE_EXPORT("module_deinit") void module_deinit(void)

/* Levels of module_log_event(). */
enum { FUSE_GUEST_DEBUG = 0, FUSE_GUEST_INFO = 1, FUSE_GUEST_FATAL = 2 };

/* ---- TEMP_SENSOR: a temperature sensor ---- */

/* The temperature in degrees Celsius. */
FUSE_IMPORT("temp_get_reading") float temp_get_reading(void);

/* ---- TIMER: the clock of intervals and log entries ---- */

/* Microseconds of a monotonic clock. */
FUSE_IMPORT("timer_get_timestamp") unsigned long long timer_get_timestamp(void);

/* ---- CAMERA: the newest frame of a camera ---- */

/* Writes the newest frame to `buf`; bytes written, 0 = no frame. */
FUSE_IMPORT("camera_last_frame") unsigned long long camera_last_frame(void* buf, unsigned int max_len);

/* ---- LOG: entries of the security log ---- */

/* Appends an entry of at most 127 characters to the security log. */
FUSE_IMPORT("module_log_event") void module_log_event(const char* ptr, unsigned int len, unsigned int level);

/* ---- EVENT_POST: events to other modules ---- */

/* Posts event 0..31 to every module that subscribes to it. */
FUSE_IMPORT("fuse_event_post") void fuse_event_post(unsigned int event_id);

/* ---- GPIO: digital pins ---- */

/* The level of a pin, 0 or 1. */
FUSE_IMPORT("gpio_read") unsigned int gpio_read(unsigned int pin);
/* Sets a pin low (0) or high (anything else). */
FUSE_IMPORT("gpio_write") void gpio_write(unsigned int pin, unsigned int level);

/* ---- UART: serial ports ---- */

/* Takes received bytes of a serial port; bytes written to `buf`, 0 = none waiting. */
FUSE_IMPORT("uart_read") unsigned int uart_read(unsigned int port, void* buf, unsigned int max_len);
/* Sends bytes to a serial port; bytes taken. */
FUSE_IMPORT("uart_write") unsigned int uart_write(unsigned int port, const void* buf, unsigned int len);

#ifdef __cplusplus
}
#endif

#endif /* FUSE_GUEST_H */
