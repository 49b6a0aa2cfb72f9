// The other sides of a guest under test: a module that exports every call, and streams the test reads and writes.
//
// Threads  one at a time.
#pragma once

#include <initializer_list>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wasi/model_mount.h"

namespace fusebox::wasi::testing {

// Name and parameters (i = i32, l = i64) of every call.
struct Signature {
  const char* name;
  const char* params;
};
inline constexpr Signature kCalls[] = {
    {"args_get", "ii"},
    {"args_sizes_get", "ii"},
    {"environ_get", "ii"},
    {"environ_sizes_get", "ii"},
    {"clock_res_get", "ii"},
    {"clock_time_get", "ili"},
    {"fd_advise", "illi"},
    {"fd_allocate", "ill"},
    {"fd_close", "i"},
    {"fd_datasync", "i"},
    {"fd_fdstat_get", "ii"},
    {"fd_fdstat_set_flags", "ii"},
    {"fd_fdstat_set_rights", "ill"},
    {"fd_filestat_get", "ii"},
    {"fd_filestat_set_size", "il"},
    {"fd_filestat_set_times", "illi"},
    {"fd_pread", "iiili"},
    {"fd_prestat_get", "ii"},
    {"fd_prestat_dir_name", "iii"},
    {"fd_pwrite", "iiili"},
    {"fd_read", "iiii"},
    {"fd_readdir", "iiili"},
    {"fd_renumber", "ii"},
    {"fd_seek", "ilii"},
    {"fd_sync", "i"},
    {"fd_tell", "ii"},
    {"fd_write", "iiii"},
    {"path_create_directory", "iii"},
    {"path_filestat_get", "iiiii"},
    {"path_filestat_set_times", "iiiilli"},
    {"path_link", "iiiiiii"},
    {"path_open", "iiiiillii"},
    {"path_readlink", "iiiiii"},
    {"path_remove_directory", "iii"},
    {"path_rename", "iiiiii"},
    {"path_symlink", "iiiii"},
    {"path_unlink_file", "iii"},
    {"poll_oneoff", "iiii"},
    {"proc_exit", "i"},
    {"proc_raise", "i"},
    {"sched_yield", ""},
    {"random_get", "ii"},
    {"sock_accept", "iii"},
    {"sock_recv", "iiiiii"},
    {"sock_send", "iiiii"},
    {"sock_shutdown", "ii"},
};
static_assert(std::size(kCalls) == 46);

// A module of two pages that exports everything it imports; those of wasi_unstable with a "u." before their name.
inline std::string everything() {
  std::string text = "(module\n";
  const auto import = [&](std::string_view module, std::string_view field, std::string_view exported,
                          std::string_view params, bool result) {
    text += "(import \"" + std::string(module) + "\" \"" + std::string(field) + "\" (func $" + std::string(exported) +
            " (param";
    for (const char each : params) text += each == 'l' ? " i64" : " i32";
    text += result ? ") (result i32)))" : ")))";
    text += " (export \"" + std::string(exported) + "\" (func $" + std::string(exported) + "))\n";
  };
  std::string exports;
  for (const auto& [name, params] : kCalls) {
    const bool result = std::string_view(name) != "proc_exit";
    import("wasi_snapshot_preview1", name, name, params, result);
    if (std::string_view(name) != "sock_accept")
      import("wasi_unstable", name, "u." + std::string(name), params, result);
  }
  for (const auto& [name, params] : std::initializer_list<Signature>{{"printf", "ii"},
                                                                     {"puts", "i"},
                                                                     {"putchar", "i"},
                                                                     {"memcpy", "iii"},
                                                                     {"memmove", "iii"},
                                                                     {"memset", "iii"},
                                                                     {"memcmp", "iii"},
                                                                     {"strlen", "i"},
                                                                     {"strcmp", "ii"},
                                                                     {"strncmp", "iii"},
                                                                     {"strcpy", "ii"},
                                                                     {"strncpy", "iii"},
                                                                     {"strchr", "ii"}})
    import("env", name, "env." + std::string(name), params, true);
  import("wanted", "func", "wanted", "iii", true);
  import("nowhere", "nothing", "nothing", "i", true);
  import("wasi_snapshot_preview1", "fd_imagine", "imagine", "i", true);
  return text + "(memory (export \"memory\") 2))";
}

// Imports come before their exports in the text format.
inline std::string sorted_everything() {
  const std::string text = everything();
  std::string imports, exports;
  std::size_t at = text.find('\n') + 1;
  while (text.compare(at, 7, "(import") == 0) {
    const std::size_t split = text.find(" (export", at);
    const std::size_t end = text.find('\n', split);
    imports += text.substr(at, split - at) + "\n";
    exports += text.substr(split + 1, end - split - 1) + "\n";
    at = end + 1;
  }
  return "(module\n" + imports + "(memory (export \"memory\") 2)\n" + exports + ")";
}

// A stream whose other side the test is: a console, a pipe or a socket.
struct Stream {
  std::shared_ptr<vfs::WakeList> list = std::make_shared<vfs::WakeList>();
  FileType type = FileType::character;
  std::string in;    // to be read
  bool end = false;  // after it
  std::string out;   // what was written
  std::size_t room = SIZE_MAX;
  int asked = 0;
  int closed = 0;
  vfs::RecvFlags received_with;
  bool truncates = false;
  int accepts = 0;  // connections that wait
  std::pair<bool, bool> shut{false, false};
  vfs::Errno closes_with = vfs::Errno::success;
  std::vector<std::size_t> buffer_counts;
};

class StreamFile final : public vfs::File {
 public:
  explicit StreamFile(std::shared_ptr<Stream> stream, vfs::FdFlags flags = 0)
      : File(flags), stream_(std::move(stream)) {}
  FileType type() const noexcept override { return stream_->type; }
  Io<vfs::Stat> stat() override { return vfs::Stat{.device = 7, .inode = 8, .type = stream_->type}; }
  Io<std::size_t> read(vfs::Call& call, vfs::ReadBuffers to) override {
    ++stream_->asked;
    stream_->buffer_counts.push_back(to.size());
    if (stream_->in.empty() && !stream_->end) return wait(call);
    const std::size_t n = vfs::scatter(base::as_bytes(stream_->in), to);
    stream_->in.erase(0, n);
    return n;
  }
  Io<std::size_t> write(vfs::Call& call, vfs::WriteBuffers from) override {
    ++stream_->asked;
    stream_->buffer_counts.push_back(from.size());
    if (stream_->room == 0) return wait(call);
    const std::string all = vfs::gather(from, stream_->room);
    stream_->out += all;
    stream_->room -= stream_->room == SIZE_MAX ? 0 : all.size();
    return all.size();
  }
  vfs::Readiness poll(vfs::Call& call, bool for_writing) override {
    ++stream_->asked;
    const bool ready = for_writing ? stream_->room != 0 : !stream_->in.empty() || stream_->end;
    if (!ready) call.waits.changed(stream_->list, stream_->list->version());
    return {.ready = ready, .hangup = stream_->end, .bytes = for_writing ? 0 : stream_->in.size()};
  }
  Io<std::unique_ptr<vfs::File>> accept(vfs::Call& call, vfs::FdFlags flags) override {
    if (!is_socket()) return vfs::fail(Errno::notsock);
    if (stream_->accepts == 0) return vfs::fail(wait(call).error());
    --stream_->accepts;
    return std::make_unique<StreamFile>(stream_, flags);
  }
  Io<vfs::Received> receive(vfs::Call& call, vfs::ReadBuffers to, vfs::RecvFlags flags) override {
    if (!is_socket()) return vfs::fail(Errno::notsock);
    stream_->received_with = flags;
    const auto n = read(call, to);
    if (!n) return vfs::fail(n.error());
    return vfs::Received{*n, stream_->truncates};
  }
  Io<std::size_t> send(vfs::Call& call, vfs::WriteBuffers from) override {
    if (!is_socket()) return vfs::fail(Errno::notsock);
    if (stream_->end) return vfs::fail(Errno::pipe);
    return write(call, from);
  }
  Io<void> shutdown(vfs::Call&, bool reading, bool writing) override {
    if (!is_socket()) return vfs::fail(Errno::notsock);
    stream_->shut = {reading, writing};
    return {};
  }
  Io<void> close(vfs::Call&) override {
    ++stream_->closed;
    if (stream_->closes_with != vfs::Errno::success) return vfs::fail(stream_->closes_with);
    return {};
  }

 private:
  bool is_socket() const noexcept { return type() == FileType::socket_stream || type() == FileType::socket_datagram; }
  std::unexpected<Errno> wait(vfs::Call& call) const {
    if (call.nonblocking) return vfs::fail(Errno::again);
    call.waits.changed(stream_->list, stream_->list->version());
    return vfs::fail(Errno::would_block);
  }
  std::shared_ptr<Stream> stream_;
};

// A mount with streams for files, opened by name.
class StreamMount final : public vfs::Mount {
 public:
  std::map<std::string, std::shared_ptr<Stream>, std::less<>> streams;
  Io<std::unique_ptr<vfs::File>> open(vfs::Call&, std::string_view path, const vfs::OpenRequest& request) override {
    const auto found = streams.find(path);
    if (found == streams.end()) return vfs::fail(Errno::noent);
    return std::make_unique<StreamFile>(found->second, request.flags);
  }
  Io<vfs::Stat> stat(vfs::Call&, std::string_view path, bool) override {
    const auto found = streams.find(path);
    if (found == streams.end()) return vfs::fail(Errno::noent);
    return vfs::Stat{.type = found->second->type};
  }
};

}  // namespace fusebox::wasi::testing
