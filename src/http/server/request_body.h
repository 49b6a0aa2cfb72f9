// The body of one request as it arrives: by length or by chunks, within its bounds.
//
// Threads  the loop's.
// Errors   as Exchange::read_body.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/chunked.h"
#include "http/message_head.h"
#include "http/wire.h"

namespace fusebox::http {

class RequestBody {
 public:
  RequestBody(Wire& wire, base::Nanos limit) noexcept : wire_(wire), limit_(limit) {}
  void begin(const RequestHead& head) noexcept;

  bool done() const noexcept { return done_; }
  // Nothing sensible can follow on this connection.
  bool spoils_connection() const noexcept {
    return failed_ || (!done_ && (expects_continue_ || left_ > kUnreadBodyBytesMax));
  }

  base::Task<base::Result<std::string>> read_all(std::uint64_t bytes_max);
  base::Task<base::Result<std::size_t>> read_some(std::span<char> into, std::uint64_t bytes_max);
  base::Task<bool> drain();  // throws the rest away; false: there is too much of it

 private:
  std::unexpected<base::Error> give_up(base::Errc code, const char* message, const char* name = "");
  base::Result<std::size_t> take_buffered(std::span<char> into, std::uint64_t bytes_max);
  base::Task<base::Result<void>> ask_for_it();

  Wire& wire_;
  const base::Nanos limit_;
  ChunkDecoder chunks_;
  std::uint64_t left_ = 0;  // by length
  std::uint64_t read_ = 0;
  bool chunked_ = false;
  bool done_ = true;
  bool failed_ = false;
  bool waited_ = false;  // the bound of time is set
  bool expects_continue_ = false;
};

}  // namespace fusebox::http
