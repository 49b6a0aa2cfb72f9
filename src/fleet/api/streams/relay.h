// Bytes between two connections until one of them ends; then both are closed.
//
// Threads  called at `home`, where `near` lives; `far` is used on `there` alone.
// Contract control-plane.md 6.1, 6.3
#pragma once

#include <memory>

#include "base/executor.h"
#include "base/task.h"
#include "http/byte_stream.h"

namespace fusebox::fleet {

inline constexpr std::size_t kRelayBytes = 16 * 1024;  // per direction: a screen of text, or a quarter of a TLS record

// Returns when both directions have ended. near.close() from outside ends it.
base::Task<void> relay(base::Executor& home, http::ByteStream& near, base::Executor& there,
                       std::shared_ptr<http::ByteStream> far);

}  // namespace fusebox::fleet
