#include "vfs/styx/client.h"

#include <algorithm>

namespace fusebox::vfs {
namespace {

constexpr std::uint32_t kRootFid = 0;

// The few texts by which servers say that a name is not there; all other errors are one to us.
Errno meaning_of(std::string_view error, StyxType asked) noexcept {
  if (asked != StyxType::walk) return Errno::io;
  for (const char* text : {"not found", "No such file", "no such file", "does not exist"}) {
    if (error.find(text) != std::string_view::npos) return Errno::noent;
  }
  return Errno::io;
}

}  // namespace

Io<std::string_view> Exchange::ask(const MessageWriter& message) {
  auto& turn = client_.turn_;
  if (replies_ < turn.replies.size()) return take_reply();
  if (turn.broken) return fail(Errno::io);
  if (const auto up = client_.connect(call_); !up) return fail(up.error());
  if (!turn.asked) {
    client_.send(message, call_.clock.monotonic(), client_.new_tag());
    turn.asked = true;
  }
  auto reply = client_.reply(call_);
  if (!reply && reply.error() == Errno::would_block) return fail(Errno::would_block);
  turn.asked = false;
  turn.replies.push_back(std::move(reply));
  return take_reply();
}

Io<std::string_view> Exchange::take_reply() {
  const Io<std::string>& reply = client_.turn_.replies[replies_++];
  if (!reply) return fail(reply.error());
  return std::string_view(*reply);
}

Io<std::uint32_t> Exchange::new_fid() {
  auto& turn = client_.turn_;
  if (fids_ < turn.fids.size()) return turn.fids[fids_++];
  if (turn.broken) return fail(Errno::io);
  if (const auto up = client_.connect(call_); !up) return fail(up.error());
  while (true) {
    for (std::uint32_t fid = kRootFid + 1; fid < kStyxFids; ++fid) {
      if (client_.fids_.test(fid)) continue;
      client_.fids_.set(fid);
      turn.owned.set(fid);
      turn.fids.push_back(fid);
      return turn.fids[fids_++];
    }
    if (client_.clunks_.empty()) return fail(Errno::nfile);
    if (const auto freed = client_.await_clunk(call_); !freed) return fail(freed.error());
  }
}

void Exchange::keep(std::uint32_t fid) noexcept {
  client_.turn_.owned.reset(fid);
}
void Exchange::gone(std::uint32_t fid) noexcept {
  client_.turn_.owned.reset(fid);
  client_.fids_.reset(fid);
}

Io<std::uint64_t> Exchange::generation() {
  if (client_.turn_.broken) return fail(Errno::io);
  if (const auto up = client_.connect(call_); !up) return fail(up.error());
  return client_.generation_;
}
std::uint32_t Exchange::message_bytes_max() const noexcept {
  return client_.message_bytes_;
}
std::unexpected<Errno> Exchange::lied() {
  return client_.lied();
}

StyxClient::StyxClient(std::unique_ptr<Dialer> dialer) : dialer_(std::move(dialer)) {
  fids_.set(kRootFid);
}

Io<void> StyxClient::take_turn(Call& call, std::uint64_t key) {
  const base::Nanos now = call.clock.monotonic();
  if (turn_.call != nullptr && (turn_.call != &call || turn_.key != key)) {
    const bool forgotten = turn_.call == &call || now >= turn_.last_asked + kStyxReplyTime;
    if (!forgotten) {
      call.waits.changed(idle_, idle_->version());
      call.waits.until(turn_.last_asked + kStyxReplyTime);
      return fail(Errno::would_block);
    }
    if (turn_.asked) give_up();
    end_turn();
  }
  if (turn_.call == nullptr) {
    turn_.call = &call;
    turn_.key = key;
    turn_.began = now;
  }
  turn_.last_asked = now;
  return {};
}

void StyxClient::end_turn() noexcept {
  for (const std::uint32_t fid : turn_.fids) {
    if (turn_.owned.test(fid) && !turn_.broken) queue_clunk(fid);
  }
  turn_ = {};
  idle_->changed();
}

void StyxClient::queue_clunk(std::uint32_t fid) {
  const std::uint16_t tag = new_tag();
  clunks_.push_back({tag, fid});
  out_ += MessageWriter(StyxType::clunk).u32(fid).finish(tag);
}

void StyxClient::drop_fid(std::uint32_t fid, std::uint64_t generation) noexcept {
  const std::lock_guard lock(mutex_);
  if (generation == generation_ && state_ == State::up) queue_clunk(fid);
}

void StyxClient::give_up() noexcept {
  link_.reset();
  dialer_->stop();
  state_ = State::down;
  attempts_ = 0;
  out_.clear();
  in_.clear();
  clunks_.clear();
  fids_.reset();
  fids_.set(kRootFid);
  turn_.asked = false;
  turn_.broken = true;
}

std::unexpected<Errno> StyxClient::lied() noexcept {
  give_up();
  return fail(Errno::io);
}

Io<void> StyxClient::connect(Call& call) {
  while (state_ != State::up) {
    const auto step = state_ == State::down || state_ == State::dialling ? dial(call) : greeted(call);
    if (!step) return step;
  }
  return {};
}

Io<void> StyxClient::dial(Call& call) {
  const base::Nanos now = call.clock.monotonic();
  if (state_ == State::down) {
    if (attempts_ != 0 && now < next_attempt_) {
      call.waits.until(next_attempt_);
      return fail(Errno::would_block);
    }
    next_attempt_ = now + kStyxAttemptTime;
    ++attempts_;
    state_ = State::dialling;
  }
  auto link = dialer_->go_on(call);
  if (!link) {
    if (link.error() == Errno::would_block) return fail(link.error());
    state_ = State::down;
    if (attempts_ < kStyxAttempts) return {};
    attempts_ = 0;
    return fail(link.error());
  }
  link_ = std::move(*link);
  ++generation_;
  message_bytes_ = kStyxMessageBytes;
  state_ = State::asked_version;
  send(MessageWriter(StyxType::version).u32(kStyxMessageBytes).text("9P2000"), now, kStyxNoTag);
  return {};
}

Io<void> StyxClient::greeted(Call& call) {
  const auto body = reply(call);
  if (!body) {
    if (body.error() != Errno::would_block) give_up();
    return fail(body.error());
  }
  if (state_ == State::asked_version) {
    const auto version = read_version(*body);
    if (!version || !version->spoken || version->message_bytes > kStyxMessageBytes ||
        version->message_bytes < kStyxMessageBytesMin) {
      return lied();
    }
    message_bytes_ = version->message_bytes;
    send(MessageWriter(StyxType::attach).u32(kRootFid).u32(kStyxNoFid).text("none").text(""), call.clock.monotonic(),
         new_tag());
    state_ = State::asked_attach;
    return {};
  }
  MessageReader reader(*body);
  const StyxQid root = read_qid(reader);
  if (!reader.at_end() || !root.directory()) return lied();
  state_ = State::up;
  attempts_ = 0;
  return {};
}

void StyxClient::send(const MessageWriter& message, base::Nanos now, std::uint16_t tag) {
  out_ += message.finish(tag);
  asked_ = message.type();
  tag_ = tag;
  reply_until_ = now + kStyxReplyTime;
}

Io<StyxFrame> StyxClient::next_frame(Call& call, base::Nanos until) {
  while (true) {
    StyxFrame frame;
    const FrameState state = take_frame(in_, message_bytes_, frame);
    if (state == FrameState::broken) return lied();
    if (state == FrameState::whole) return frame;
    const auto moved = move_bytes(call);
    if (moved) continue;
    if (moved.error() != Errno::would_block) return fail(moved.error());
    if (call.clock.monotonic() >= until) {
      give_up();
      return fail(Errno::timedout);
    }
    call.waits.until(until);
    return fail(Errno::would_block);
  }
}

Io<std::string> StyxClient::reply(Call& call) {
  while (true) {
    auto frame = next_frame(call, reply_until_);
    if (!frame) return fail(frame.error());
    if (take_clunk_reply(*frame)) continue;
    if (frame->tag != tag_) return lied();
    return answer_of(std::move(*frame));
  }
}

// Only between requests: nothing else may come.
Io<void> StyxClient::await_clunk(Call& call) {
  const auto frame = next_frame(call, turn_.began + kStyxReplyTime);
  if (!frame) return fail(frame.error());
  if (!take_clunk_reply(*frame)) return lied();
  return {};
}

// Sends what is to be sent, then takes what has come.
Io<void> StyxClient::move_bytes(Call& call) {
  while (!out_.empty()) {
    // A datagram carries one message; a stream whatever there is.
    MessageReader first(out_);
    const std::size_t size = dialer_->datagrams() ? first.u32() : out_.size();
    const std::span<const std::byte> one[] = {base::as_bytes(out_).first(std::min(size, out_.size()))};
    const auto sent = link_->write(call, one);
    if (!sent && sent.error() == Errno::would_block) break;
    if (!sent) return lied();
    out_.erase(0, *sent);
  }
  char piece[kStyxMessageBytes];
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(piece))};
  const auto received = link_->read(call, into, false);
  if (!received && received.error() == Errno::would_block) return fail(Errno::would_block);
  if (!received || received->bytes == 0) return lied();
  if (dialer_->datagrams()) in_.clear();
  in_.append(piece, received->bytes);
  return {};
}

bool StyxClient::take_clunk_reply(const StyxFrame& frame) {
  const auto found = std::ranges::find(clunks_, frame.tag, &Clunk::tag);
  if (found == clunks_.end() || (frame.type != reply_to(StyxType::clunk) && frame.type != kStyxError)) return false;
  fids_.reset(found->fid);
  clunks_.erase(found);
  return true;
}

Io<std::string> StyxClient::answer_of(StyxFrame frame) {
  if (frame.type == reply_to(asked_)) return std::move(frame.body);
  if (frame.type != kStyxError) return lied();
  MessageReader reader(frame.body);
  const std::string_view text = reader.text();
  if (!reader.at_end()) return lied();
  return fail(meaning_of(text, asked_));
}

}  // namespace fusebox::vfs
