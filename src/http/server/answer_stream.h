// The body of a streamed answer. Internal to src/http/server.
//
// Owner    the handler. Its connection is cut off from it when the handler ends; from then on nothing can be written.
#pragma once

#include "http/server/connection.h"

namespace fusebox::http {

class AnswerStream final : public ResponseStream {
 public:
  enum class Kind : std::uint8_t { none, plain, chunks };
  // `length`: what the head promised, if it did.
  AnswerStream(ServerConnection& connection, Kind kind, std::optional<std::uint64_t> length, base::Nanos stall_limit,
               std::stop_token gone) noexcept
      : connection_(&connection), kind_(kind), left_(length), stall_limit_(stall_limit), gone_(std::move(gone)) {}
  ~AnswerStream() override;

  base::Task<base::Result<void>> write(std::string_view bytes) override;
  base::Task<base::Result<void>> finish() override;
  std::stop_token gone() const noexcept override { return gone_; }
  void limit_stalls(base::Nanos longest) override;
  void cut_off() noexcept { connection_ = nullptr; }

 private:
  ServerConnection* connection_;
  Kind kind_;
  std::optional<std::uint64_t> left_;  // of the promised length
  base::Nanos stall_limit_;
  std::stop_token gone_;
};

}  // namespace fusebox::http
