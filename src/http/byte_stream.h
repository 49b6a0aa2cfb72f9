// Bytes in both directions, without messages: an upgraded connection, a process's terminal, a tunnel.
//
// Owner    destroying a stream closes it; tasks that wait in it end with an error soon after, from the loop.
// Threads  the executor it was made on. One task may read while another writes; never two of the same.
// Errors   `unavailable`: the peer went away or the connection broke. `stopped`: closed from our side.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/task.h"

namespace fusebox::http {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // At least one byte; 0 = the peer sends nothing more.
  virtual base::Task<base::Result<std::size_t>> read_some(std::span<char> into) = 0;
  virtual base::Task<base::Result<void>> write(std::string_view bytes) = 0;  // all of them; they outlive the call
  virtual void close() noexcept = 0;                                         // reads and writes under way end
};

}  // namespace fusebox::http
