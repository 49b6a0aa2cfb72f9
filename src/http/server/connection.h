// One connection of a server: reads requests, runs the handler for each, writes its answers in order.
//
// Internal to src/http/server.
// Owner    its Shard. A stream given to a handler refers to the connection and is cut off when the handler ends.
// Threads  the shard's loop.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "http/message_head.h"
#include "http/server/exchange.h"
#include "http/server/request_body.h"
#include "http/server/response_head.h"
#include "http/server/shard.h"
#include "http/wire.h"

namespace fusebox::http {

class AnswerStream;

class ServerConnection final : public Exchange {
 public:
  ServerConnection(Shard& shard, std::shared_ptr<Socket> socket, Peer peer, std::shared_ptr<Ticket> ticket);
  ~ServerConnection() override;
  void start();
  void close() noexcept;
  void close_if_idle() noexcept;

  const ServerRequest& request() const noexcept override { return request_; }
  base::Executor& executor() noexcept override { return shard_.loop(); }
  base::Task<base::Result<std::string>> read_body(std::uint64_t bytes_max) override;
  base::Task<base::Result<std::size_t>> read_body_some(std::span<char> into, std::uint64_t bytes_max) override;
  base::Task<base::Result<void>> respond(ServerResponse response) override;
  base::Task<base::Result<std::unique_ptr<ResponseStream>>> respond_streaming(ServerResponse head,
                                                                              base::Nanos stall_limit) override;
  base::Task<base::Result<std::unique_ptr<ByteStream>>> upgrade(std::string head) override;
  bool answered() const noexcept override { return answered_; }
  std::stop_token gone() override;

 private:
  friend class AnswerStream;
  enum class Heard : std::uint8_t { nothing_yet, request, refused };
  class Handling;

  base::Task<void> serve();
  base::Task<bool> handshake();
  Heard hear();
  base::Task<bool> hear_more();
  base::Task<bool> answer();  // runs the handler; whether another request may follow
  base::Task<bool> finish();
  base::Task<void> refuse(HeadProblem problem);
  base::Task<void> linger();
  void begin_request() noexcept;
  ServerResponse own_answer(int status, std::string_view what) const;
  ResponseFrame frame(const ServerResponse& response, bool streaming);

  void watch();
  void stop_watching() noexcept;
  void peer_is_gone();
  static void watched(void* self, bool ok);

  Shard& shard_;
  const std::shared_ptr<Ticket> ticket_;
  const ServerOptions& options_;
  Wire wire_;
  RequestBody body_;
  HeadScanner scanner_;
  HeadProblem problem_;
  ServerRequest request_;
  Framing framing_;
  AnswerStream* stream_ = nullptr;  // the handler's, while it exists
  std::optional<std::stop_source> gone_;
  std::weak_ptr<Socket> given_away_;  // by an upgrade
  unsigned requests_ = 0;
  base::Nanos head_began_{0};
  bool heading_ = false;  // the first bytes of a head have come
  bool idle_ = false;     // waiting for a request's first byte
  bool answered_ = false;
  bool keep_alive_ = true;  // as told in the answer
  bool stream_open_ = false;
  bool upgraded_ = false;
  bool watching_ = false;
  base::Task<void> serving_;
};

}  // namespace fusebox::http
