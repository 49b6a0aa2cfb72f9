// The HAL as data: one row per import, one entry per group. A row drives linking, type checks, policy checks, argument
// checks, the generated documentation and the guest's header; nothing else knows an import by name.
//
// A new group is one folder beside this file: its rows and handlers, one line in table.cc, and its struct of callbacks in
// fuse_types.h and Hal.
// Owner    everything is static.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fusebox/edge.h"

// Which groups this build contains, by capability bit: TEMP_SENSOR 1, TIMER 2, CAMERA 4, GPIO 0x20, UART 0x40.
// LOG and EVENT_POST are always there.
#ifndef FUSEBOX_HAL_GROUPS
#define FUSEBOX_HAL_GROUPS 0x67
#endif

namespace fusebox::edge {

inline constexpr std::size_t kImportArgsMax = 4;  // the widest import has three

enum class Arg : std::uint8_t {
  none,
  value,       // passed on as it is
  out_buffer,  // a guest address; the next argument is its size. The host writes there. Size 0 is a violation
  in_buffer,  // a guest address; the next argument is its length. The host reads there. Length 0 is a call without effect
  size,       // of the buffer before it
  event_id,  // 0..31
};

struct ImportCall;
// Does the work after every check passed. Null, or the static text of a trap.
using ImportHandler = const char* (*)(ImportCall & call);

struct ImportArg {
  Arg kind = Arg::none;
  const char* name = "";   // in the guest's header
  const char* ctype = "";  // "unsigned int", "void*", "const void*", "const char*"
};

struct ImportRow {
  const char* module;
  const char* field;
  const char* params;   // one letter each: i = i32, I = i64, f = f32, F = f64
  const char* results;  // the same; "" or one letter
  std::uint32_t capability;
  const char* capability_name;    // "TEMP_SENSOR": in policies and in the log
  const char* label;              // "camera": in the log's texts about buffers
  const char* empty_buffer_trap;  // trap text of an out_buffer of size 0; null without such an argument
  ImportArg args[kImportArgsMax];
  const char* result_ctype;  // "float", "unsigned long long", "void"
  const char* summary;       // one sentence, for documentation
  ImportHandler handler;
};

struct HalGroup {
  const char* name;  // "temp_sensor": in app_config.json
  const char* flag;  // "FUSE_HAL_ENABLE_TEMP_SENSOR"
  std::uint32_t capability;
  const char* capability_name;
  bool always;  // LOG and EVENT_POST need no hal_groups entry
  const char* summary;
  const char* allows;  // after "can" or "cannot", of a policy that is explained: "take camera frames"
  const ImportRow* rows;
  std::size_t row_count;
  // The group's member of fuse_hal_t, which holds nothing but function pointers: its size, 0 without one, and what takes it.
  std::size_t hal_bytes = 0;
  void (*take)(const void* member, Hal& out) = nullptr;
};

// In order of capability bit; groups this build leaves out are absent.
struct HalTable {
  const HalGroup* const* groups;
  std::size_t count;
};
HalTable hal_table();
const HalGroup* find_group(const char* name);
const ImportRow* find_import(const char* module, const char* field);
// Every capability bit this build knows.
std::uint32_t known_capabilities();
// Reads a host's fuse_hal_t, whose members follow from `mask`. False when `size` is not that of `mask`, or `mask` has bits of
// no group of this build.
bool hal_from_c(const void* hal, std::size_t size, std::uint32_t mask, Hal& out);

// What handlers may ask of the runtime, beyond the HAL.
class ImportHost {
 public:
  virtual void log(const char* text, std::uint32_t length, std::uint32_t level) = 0;  // an entry of the calling module
  virtual bool post_event(std::uint32_t event_id) = 0;                                // from the calling module
  virtual std::uint64_t timestamp() = 0;                                              // one read of the timer HAL

 protected:
  ~ImportHost() = default;
};

struct ImportCall {
  const ImportRow& row;
  const Hal& hal;
  ImportHost& host;
  fuse_module_id_t module;
  const std::uint64_t* args;       // as the guest passed them
  std::uint8_t* buffer = nullptr;  // of the buffer argument, checked; valid until the handler returns
  std::uint32_t buffer_size = 0;
  std::uint64_t result = 0;  // bits of the result
};

}  // namespace fusebox::edge
