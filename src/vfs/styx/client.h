// One connection to a 9p server and the operation under way on it.
//
// An operation is a function written straight down over Exchange: each request it makes answers the reply, or would_block
// until that has come. It is then run again from its start, and the replies it had are given to it once more. One
// operation at a time; others wait for it. An operation nobody asks for any more is given up after kStyxReplyTime, and the
// connection with it.
//
// Owner    mount and Files share it.
// Threads  any: locks itself.
// Errors   io: the server refused, or broke the protocol (the connection is then given up); timedout: no reply;
//          nfile: kStyxFids are in use; noent: a walk found nothing; otherwise the errors of connecting.
#pragma once

#include <bitset>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vfs/net/dialer.h"
#include "vfs/styx/message.h"

namespace fusebox::vfs {

class StyxClient;

class Exchange {
 public:
  Exchange(StyxClient& client, Call& call) noexcept : client_(client), call_(call) {}
  // The body of the reply; good until the operation ends.
  Io<std::string_view> ask(const MessageWriter& message);
  // Fids of an operation are given back when it ends, but for those it keeps.
  Io<std::uint32_t> new_fid();
  void keep(std::uint32_t fid) noexcept;
  void gone(std::uint32_t fid) noexcept;  // the server has let go of it already
  // Counts connections: fids of an earlier one mean nothing.
  Io<std::uint64_t> generation();
  std::uint32_t message_bytes_max() const noexcept;
  std::uint32_t data_bytes_max() const noexcept { return message_bytes_max() - kStyxDataHeaderBytes; }
  std::unexpected<Errno> lied();  // gives up the connection; io
  Call& call() noexcept { return call_; }

 private:
  Io<std::string_view> take_reply();

  StyxClient& client_;
  Call& call_;
  std::size_t replies_ = 0;  // used of those the operation has had
  std::size_t fids_ = 0;
};

class StyxClient {
 public:
  explicit StyxClient(std::unique_ptr<Dialer> dialer);

  // `key` tells operations of one Call apart.
  template <class Operation>
  auto run(Call& call, std::uint64_t key, Operation operation) -> decltype(operation(std::declval<Exchange&>())) {
    const std::lock_guard lock(mutex_);
    if (const auto mine = take_turn(call, key); !mine) return fail(mine.error());
    Exchange exchange(*this, call);
    auto result = operation(exchange);
    if (result || result.error() != Errno::would_block) end_turn();
    return result;
  }
  // Of a File that goes: the server is told with the next operation.
  void drop_fid(std::uint32_t fid, std::uint64_t generation) noexcept;

 private:
  friend class Exchange;
  enum class State : std::uint8_t { down, dialling, asked_version, asked_attach, up };
  struct Turn {
    const Call* call = nullptr;
    std::uint64_t key = 0;
    base::Nanos began{0};
    base::Nanos last_asked{0};
    std::deque<Io<std::string>> replies;  // refusals of the server among them: an operation may go on after one
    std::vector<std::uint32_t> fids;
    std::bitset<kStyxFids> owned;  // of `fids`, those to give back
    bool asked = false;            // a request is under way
    bool broken = false;           // the connection it began with is gone
  };

  Io<void> take_turn(Call& call, std::uint64_t key);
  void end_turn() noexcept;
  Io<void> connect(Call& call);
  Io<void> dial(Call& call);
  Io<void> greeted(Call& call);
  std::uint16_t new_tag() noexcept { return next_tag_ = static_cast<std::uint16_t>((next_tag_ + 1) % kStyxNoTag); }
  void send(const MessageWriter& message, base::Nanos now, std::uint16_t tag);
  void queue_clunk(std::uint32_t fid);
  Io<StyxFrame> next_frame(Call& call, base::Nanos until);
  Io<void> await_clunk(Call& call);
  // The reply to the request under way.
  Io<std::string> reply(Call& call);
  Io<void> move_bytes(Call& call);
  Io<std::string> answer_of(StyxFrame frame);
  bool take_clunk_reply(const StyxFrame& frame);
  void give_up() noexcept;
  std::unexpected<Errno> lied() noexcept;

  std::mutex mutex_;
  std::shared_ptr<WakeList> idle_ = std::make_shared<WakeList>();
  // All below is guarded by mutex_.
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<Link> link_;
  State state_ = State::down;
  int attempts_ = 0;
  base::Nanos next_attempt_{0};
  std::uint64_t generation_ = 0;
  std::uint32_t message_bytes_ = kStyxMessageBytes;
  std::bitset<kStyxFids> fids_;  // 0 is the root
  std::string out_, in_;
  std::uint16_t next_tag_ = 0;
  std::uint16_t tag_ = 0;  // of the request under way
  StyxType asked_ = StyxType::version;
  base::Nanos reply_until_{0};
  struct Clunk {
    std::uint16_t tag;
    std::uint32_t fid;
  };
  std::vector<Clunk> clunks_;  // asked without waiting; at most one per fid
  Turn turn_;
};

}  // namespace fusebox::vfs
