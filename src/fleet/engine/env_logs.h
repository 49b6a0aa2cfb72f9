// What the store keeps and tells of an environment's logs: of each source the newest bytes, in records read one by one.
//
// Internal to src/fleet/engine.
// Threads  inside a transaction.
// Contract control-plane.md 5.6, 7 (kind log)
#pragma once

#include <cstddef>
#include <string_view>

#include "base/clock.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::size_t kLogBytesKept = 1u << 20;        // of each source
inline constexpr std::size_t kLogRecordBytesMax = 64 * 1024;  // a reader has that much of it in memory
inline constexpr std::size_t kLogToldBytesMax = 16 * 1024;    // of one event: the rest is in the log
inline constexpr std::string_view kScriptLog = "script";      // the source this control plane writes itself

// Appends the end of `text`, which is without secrets.
void keep_log(Tx& tx, std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view text);
// Tells who follows the environment's events of the end of it.
void tell_log(Tx& tx, std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view text);
// After the last keep_log() of a source, where there may be older records of it.
void forget_old_log(Tx& tx, std::string_view vm_id, std::string_view source);

}  // namespace fusebox::fleet
