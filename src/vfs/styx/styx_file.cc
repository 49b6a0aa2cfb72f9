#include "vfs/styx/styx_file.h"

#include <algorithm>
#include <optional>

#include "vfs/styx/operations.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

// Of one write call; the guest's libc goes on with the rest.
constexpr std::size_t kWriteBytesMax = 1u << 20;
constexpr std::uint8_t kAccess = 3;  // of a mode: read, write, both
constexpr FdFlags kTakenFlags = static_cast<FdFlags>(FdFlag::append) | static_cast<FdFlags>(FdFlag::nonblock);

class StyxFile final : public File {
 public:
  StyxFile(std::shared_ptr<StyxClient> client, StyxFileState state)
      : File(state.append ? static_cast<FdFlags>(FdFlag::append) : FdFlags{0}),
        client_(std::move(client)),
        state_(std::move(state)) {}
  ~StyxFile() override {
    if (!closed_) client_->drop_fid(state_.fid, state_.generation);
  }

  FileType type() const noexcept override { return state_.node.type; }
  Io<Stat> stat() override { return state_.node; }  // as the server said last
  Io<Stat> stat_waiting(Call& call) override {
    if (state_.path.empty()) return state_.node;
    return run(call, 's', [&](Exchange& exchange, std::uint32_t fid) -> Io<Stat> {
      auto node = stat_of(exchange, fid);
      if (node) state_.node.size = node->size;
      return node;
    });
  }
  // A file that is never slow for want of a reader or writer: NONBLOCK is accepted and means nothing.
  Io<void> set_flags(FdFlags flags) override {
    if ((flags & ~kTakenFlags) != 0) return fail(Errno::notsup);
    flags_ = flags & static_cast<FdFlags>(FdFlag::append);
    return {};
  }

  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    const auto n = read_at(call, to, cursor_);
    if (n) cursor_ += *n;
    return n;
  }
  Io<std::size_t> write(Call& call, WriteBuffers from) override {
    std::uint64_t end = 0;
    const auto n = write_from(call, 'w', from, [&](Exchange& exchange, std::uint32_t fid) -> Io<std::uint64_t> {
      if (!has(flags_, FdFlag::append)) return end = cursor_;
      const auto node = stat_of(exchange, fid);
      if (!node) return fail(node.error());
      return end = node->size;
    });
    if (n) cursor_ = end + *n;
    return n;
  }
  Io<std::size_t> read_at(Call& call, ReadBuffers to, std::uint64_t offset) override {
    if (type() == FileType::directory) return fail(Errno::isdir);
    return run(call, 'r', [&](Exchange& exchange, std::uint32_t fid) -> Io<std::size_t> {
      const auto asked = static_cast<std::uint32_t>(std::min<std::size_t>(size_of(to), unit(exchange)));
      const auto body = exchange.ask(MessageWriter(StyxType::read).u32(fid).u64(offset).u32(asked));
      if (!body) return fail(body.error());
      const auto data = read_data(*body, asked);
      if (!data) return exchange.lied();
      return scatter(base::as_bytes(*data), to);
    });
  }
  Io<std::size_t> write_at(Call& call, WriteBuffers from, std::uint64_t offset) override {
    return write_from(call, 'W', from, [&](Exchange&, std::uint32_t) -> Io<std::uint64_t> { return offset; });
  }

  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override { return seek_to(offset, whence); }
  Io<std::uint64_t> seek_waiting(Call& call, std::int64_t offset, Whence whence) override {
    if (whence == Whence::end && type() != FileType::directory) {
      const auto now = stat_waiting(call);
      if (!now) return fail(now.error());
    }
    return seek_to(offset, whence);
  }
  Io<void> set_size_waiting(Call& call, std::uint64_t size) override {
    const bool writes = (state_.mode & kAccess) != 0;
    if (type() == FileType::directory || !writes || size > INT64_MAX) return fail(Errno::inval);
    return run(call, 't', [&](Exchange& exchange, std::uint32_t fid) -> Io<void> {
      const auto done = change(exchange, fid, {.length = size});
      if (done) state_.node.size = size;
      return done;
    });
  }
  Io<void> set_times_waiting(Call& call, SetTime accessed, SetTime modified) override {
    const auto seconds = modified_seconds(call, accessed, modified);
    if (!seconds) return fail(seconds.error());
    if (!*seconds) return {};
    return run(call, 'm', [&](Exchange& exchange, std::uint32_t fid) -> Io<void> {
      return change(exchange, fid, {.modified_s = *seconds});
    });
  }

  Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink) override {
    if (type() != FileType::directory) return fail(Errno::notdir);
    if (cookie == 0 || !entries_) {
      if (const auto all = read_entries_of(call); !all) return all;
    }
    for (std::size_t i = cookie; i < entries_->size(); ++i) {
      const StyxStat& entry = (*entries_)[i];
      if (!sink.add({.name = entry.name, .type = type_of(entry.qid), .inode = inode_of(entry.qid), .next = i + 1})) {
        break;
      }
    }
    return {};
  }

  Io<void> close(Call& call) override {
    const auto done = client_->run(call, key('c'), [&](Exchange& exchange) -> Io<void> {
      const auto generation = exchange.generation();
      if (!generation) return fail(generation.error());
      if (*generation != state_.generation) return {};
      const auto reply = exchange.ask(MessageWriter(StyxType::clunk).u32(state_.fid));
      if (!reply && reply.error() == Errno::would_block) return fail(reply.error());
      exchange.gone(state_.fid);
      if (!reply) return fail(reply.error());
      return {};
    });
    if (done || done.error() != Errno::would_block) closed_ = true;
    return done;
  }

 private:
  std::uint64_t key(char operation) const noexcept {
    return reinterpret_cast<std::uintptr_t>(this) ^ static_cast<std::uint64_t>(operation) << 56;
  }
  std::uint32_t unit(const Exchange& exchange) const noexcept {
    const std::uint32_t most = exchange.data_bytes_max();
    return state_.unit == 0 ? most : std::min(most, state_.unit);
  }

  // Runs `operation` on the open fid. A new one is taken over when the operation has ended well, because until then the
  // operation may be run again from its start.
  template <class Operation>
  auto run(Call& call, char name, Operation operation)
      -> decltype(operation(std::declval<Exchange&>(), std::uint32_t{})) {
    return client_->run(call, key(name),
                        [&](Exchange& exchange) -> decltype(operation(std::declval<Exchange&>(), std::uint32_t{})) {
                          const auto generation = exchange.generation();
                          if (!generation) return fail(generation.error());
                          if (*generation == state_.generation) return operation(exchange, state_.fid);
                          const auto fid = open_again(exchange);
                          if (!fid) return fail(fid.error());
                          auto result = operation(exchange, *fid);
                          if (result) {
                            exchange.keep(*fid);
                            state_.fid = *fid;
                            state_.generation = *generation;
                          }
                          return result;
                        });
  }
  Io<std::uint32_t> open_again(Exchange& exchange) {
    const auto fid = exchange.new_fid();
    if (!fid) return fid;
    const auto at = walk(exchange, *fid, state_.path);
    if (!at) return fail(at.error());
    if (type_of(*at) != type()) return fail(Errno::stale);
    const auto opened = open_fid(exchange, *fid, state_.mode);
    if (!opened) return fail(opened.error());
    return *fid;
  }

  template <class Offset>
  Io<std::size_t> write_from(Call& call, char name, WriteBuffers from, Offset offset) {
    if (type() == FileType::directory) return fail(Errno::isdir);
    const std::string all = gather(from, kWriteBytesMax);
    const auto written = run(call, name, [&](Exchange& exchange, std::uint32_t fid) -> Io<std::size_t> {
      const auto start = offset(exchange, fid);
      if (!start) return fail(start.error());
      std::size_t done = 0;
      while (done < all.size()) {
        const std::string_view piece = std::string_view(all).substr(done, unit(exchange));
        const auto asked = static_cast<std::uint32_t>(piece.size());
        const auto body =
            exchange.ask(MessageWriter(StyxType::write).u32(fid).u64(*start + done).u32(asked).raw(piece));
        if (!body) {
          if (done == 0 || body.error() == Errno::would_block) return fail(body.error());
          break;
        }
        const auto count = read_written(*body, asked);
        if (!count) return exchange.lied();
        done += *count;
        if (*count < asked) break;
      }
      if (done == 0) return fail(Errno::io);  // a server that takes nothing would be asked for ever
      state_.node.size = std::max(state_.node.size, *start + done);
      return done;
    });
    return written;
  }

  Io<std::uint64_t> seek_to(std::int64_t offset, Whence whence) {
    if (type() == FileType::directory) return fail(Errno::isdir);
    const std::uint64_t from = whence == Whence::set ? 0 : whence == Whence::current ? cursor_ : state_.node.size;
    std::int64_t place = 0;
    if (from > INT64_MAX || __builtin_add_overflow(static_cast<std::int64_t>(from), offset, &place) || place < 0) {
      return fail(Errno::inval);
    }
    return cursor_ = static_cast<std::uint64_t>(place);
  }

  Io<void> read_entries_of(Call& call) {
    return run(call, 'l', [&](Exchange& exchange, std::uint32_t fid) -> Io<void> {
      std::string all;
      while (true) {
        const std::uint32_t asked = unit(exchange);
        const auto body = exchange.ask(MessageWriter(StyxType::read).u32(fid).u64(all.size()).u32(asked));
        if (!body) return fail(body.error());
        const auto data = read_data(*body, asked);
        if (!data || all.size() + data->size() > kStyxListingBytesMax) return exchange.lied();
        if (data->empty()) break;
        all += *data;
      }
      auto entries = read_entries(all);
      if (!entries) return exchange.lied();
      entries_ = std::move(*entries);
      return {};
    });
  }

  std::shared_ptr<StyxClient> client_;
  StyxFileState state_;
  std::uint64_t cursor_ = 0;
  std::optional<std::vector<StyxStat>> entries_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<File> make_styx_file(std::shared_ptr<StyxClient> client, StyxFileState state) {
  return std::make_unique<StyxFile>(std::move(client), std::move(state));
}

}  // namespace fusebox::vfs
