// RemoteProvider: files of a guest, logs.
#include "host/wire/remote_files.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/api/too_large.h"
#include "host/common/paths.h"
#include "host/wire/fields.h"
#include "host/wire/guest_shell.h"
#include "host/wire/records.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

// base64 of it and the rest of the request fit into an upload's 64 MiB.
constexpr std::size_t kUploadedFileBytesMax = 47u << 20;

std::string files_path(const std::string& vm, const std::string& path, std::string_view more = {}) {
  return vm_path(vm, "/files?path=" + http::percent_encode(path)).append(more);
}

std::optional<std::uint64_t> length_of(const http::AsyncReply& head) {
  const std::string* text = head.find("content-length");
  std::uint64_t value = 0;
  if (text == nullptr) return {};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return {};
  return value;
}

class ReplyReader final : public FileReader {
 public:
  explicit ReplyReader(std::unique_ptr<http::ReplyStream> stream) : stream_(std::move(stream)) {
    const std::string* mode = stream_->head().find("x-fuse-file-mode");
    mode_ = mode != nullptr ? read_mode(*mode).value_or(0644) : 0644;
    size_ = length_of(stream_->head());
  }
  std::uint32_t mode() const noexcept override { return mode_; }
  std::optional<std::uint64_t> size() const noexcept override { return size_; }
  Task<Result<std::size_t>> read_some(std::span<char> into) override { return stream_->read_some(into); }

 private:
  std::unique_ptr<http::ReplyStream> stream_;
  std::uint32_t mode_ = 0644;
  std::optional<std::uint64_t> size_;
};

class BytesReader final : public FileReader {
 public:
  explicit BytesReader(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint32_t mode() const noexcept override { return 0644; }
  std::optional<std::uint64_t> size() const noexcept override { return bytes_.size(); }
  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    const std::size_t size = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.data() + at_, size, into.data());
    at_ += size;
    co_return size;
  }

 private:
  const std::string bytes_;
  std::size_t at_ = 0;
};

class ExecReader final : public FileReader {
 public:
  ExecReader(RemoteProvider& provider, CallContext context, std::string vm, std::string path, const FileEntry& entry)
      : provider_(provider),
        context_(std::move(context)),
        vm_(std::move(vm)),
        path_(std::move(path)),
        mode_(entry.mode),
        size_(entry.size) {}
  std::uint32_t mode() const noexcept override { return mode_; }
  std::optional<std::uint64_t> size() const noexcept override { return size_; }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    if (at_ == piece_.size() && offset_ < size_) {
      ProcessSpec spec;
      spec.argv = read_command(path_, offset_, std::min(kShellReadBytes, size_ - offset_));
      auto result = co_await provider_.exec(context_, vm_, std::move(spec));
      if (!result) co_return std::unexpected(std::move(result).error());
      if (result->exit.exit_code != 0) co_return fail(exec_error(*result));
      FB_CO_TRY(piece_, read_base64_lines(result->out));
      if (piece_.empty()) co_return fail(Errc::io, "the file became shorter while it was read");
      offset_ += piece_.size();
      at_ = 0;
    }
    const std::size_t size = std::min(into.size(), piece_.size() - at_);
    std::copy_n(piece_.data() + at_, size, into.data());
    at_ += size;
    co_return size;
  }

 private:
  RemoteProvider& provider_;
  const CallContext context_;
  const std::string vm_, path_;
  const std::uint32_t mode_;
  const std::uint64_t size_;
  std::uint64_t offset_ = 0;
  std::string piece_;
  std::size_t at_ = 0;
};

class WireWriter final : public FileWriter {
 public:
  WireWriter(RemoteProvider& provider, RemoteWire& wire, CallContext context, std::string vm, std::string path,
             std::uint32_t mode, bool has_route)
      : provider_(provider),
        wire_(wire),
        context_(std::move(context)),
        vm_(std::move(vm)),
        path_(std::move(path)),
        mode_(mode),
        has_route_(has_route) {}

  Task<Result<void>> write(std::string_view piece) override {
    const std::size_t most = has_route_ ? kAgentUploadBytesMax : kUploadedFileBytesMax;
    if (bytes_.size() + piece.size() > most)
      co_return too_large("a file of more than " + std::to_string(most) + " bytes cannot be sent");
    bytes_.append(piece);
    co_return Result<void>();
  }

  Task<Result<std::uint64_t>> commit() override {
    const std::uint64_t size = bytes_.size();
    if (has_route_) {
      WireCall call{.method = "PUT",
                    .path = files_path(vm_, path_, "&mode=" + write_mode(mode_)),
                    .body = std::move(bytes_),
                    .limit = kUploadLimit,
                    .retries = 1,
                    .body_type = "application/octet-stream"};
      auto reply = co_await wire_.call(context_, std::move(call));
      if (!reply) co_return std::unexpected(std::move(reply).error());
      co_return size;
    }
    auto sent = co_await provider_.upload(context_, vm_, path_, std::move(bytes_), mode_);
    FB_CO_CHECK(std::move(sent));
    // Old agents write 0644 whatever they are told.
    if (mode_ == 0644) co_return size;
    ProcessSpec spec;
    spec.argv = mode_command(path_, mode_);
    auto changed = co_await provider_.exec(context_, vm_, std::move(spec));
    if (!changed) co_return std::unexpected(std::move(changed).error());
    if (changed->exit.exit_code != 0) co_return fail(exec_error(*changed));
    co_return size;
  }

 private:
  RemoteProvider& provider_;
  RemoteWire& wire_;
  const CallContext context_;
  const std::string vm_, path_;
  const std::uint32_t mode_;
  const bool has_route_;
  std::string bytes_;
};

}  // namespace

std::unique_ptr<FileReader> read_reply(std::unique_ptr<http::ReplyStream> stream) {
  return std::make_unique<ReplyReader>(std::move(stream));
}
std::unique_ptr<FileReader> read_bytes(std::string bytes) {
  return std::make_unique<BytesReader>(std::move(bytes));
}
std::unique_ptr<FileReader> read_by_exec(RemoteProvider& provider, CallContext context, std::string vm,
                                         std::string path, const FileEntry& entry) {
  return std::make_unique<ExecReader>(provider, std::move(context), std::move(vm), std::move(path), entry);
}
std::unique_ptr<FileWriter> write_by_wire(RemoteProvider& provider, RemoteWire& wire, CallContext context,
                                          std::string vm, std::string path, std::uint32_t mode, bool has_route) {
  return std::make_unique<WireWriter>(provider, wire, std::move(context), std::move(vm), std::move(path), mode,
                                      has_route);
}

Task<Result<std::unique_ptr<FileReader>>> RemoteProvider::read_file(CallContext context, std::string vm,
                                                                    std::string path) {
  FB_CO_CHECK(check_path(path));
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (wire_->agent().has("files")) {
    WireCall call{.path = files_path(vm, path), .body = {}, .limit = kUploadLimit};
    auto stream = co_await wire_->open(std::move(context), std::move(call));
    if (!stream) co_return std::unexpected(std::move(stream).error());
    co_return read_reply(std::move(*stream));
  }
  ProcessSpec spec;
  spec.argv = look_command(path);
  auto looked = co_await exec(context, vm, std::move(spec));
  if (!looked) co_return std::unexpected(std::move(looked).error());
  if (looked->exit.exit_code != 0) co_return fail(exec_error(*looked));
  FB_CO_TRY(const FileEntry entry, read_look(looked->out));
  if (entry.type != "file") co_return fail(Errc::invalid, path + " is not a file");
  co_return read_by_exec(*this, std::move(context), std::move(vm), std::move(path), entry);
}

Task<Result<std::unique_ptr<FileReader>>> RemoteProvider::read_archive(CallContext context, std::string vm,
                                                                       std::string path) {
  FB_CO_CHECK(check_path(path));
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (wire_->agent().has("files")) {
    WireCall call{.path = files_path(vm, path, "&archive=tar"), .body = {}, .limit = kUploadLimit};
    auto stream = co_await wire_->open(std::move(context), std::move(call));
    if (!stream) co_return std::unexpected(std::move(stream).error());
    co_return read_reply(std::move(*stream));
  }
  ProcessSpec spec;
  spec.argv = archive_command(path);
  spec.output_bytes_max = kReplyBytesMax;
  auto result = co_await exec(std::move(context), std::move(vm), std::move(spec));
  if (!result) co_return std::unexpected(std::move(result).error());
  if (result->exit.exit_code != 0 || result->out.empty()) co_return fail(exec_error(*result));
  FB_CO_TRY(std::string bytes, read_base64_lines(result->out));
  co_return read_bytes(std::move(bytes));
}

Task<Result<std::unique_ptr<FileWriter>>> RemoteProvider::write_file(CallContext context, std::string vm,
                                                                     std::string path, std::uint32_t mode) {
  FB_CO_CHECK(check_path(path));
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  const bool has_route = wire_->agent().has("files");
  co_return write_by_wire(*this, *wire_, std::move(context), std::move(vm), std::move(path), mode, has_route);
}

Task<Result<std::vector<FileEntry>>> RemoteProvider::list_files(CallContext context, std::string vm, std::string path) {
  FB_CO_CHECK(check_path(path));
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (!wire_->agent().has("files")) {
    ProcessSpec spec;
    spec.argv = list_command(path);
    spec.output_bytes_max = kShellListBytesMax;
    auto result = co_await exec(std::move(context), std::move(vm), std::move(spec));
    if (!result) co_return std::unexpected(std::move(result).error());
    if (result->exit.exit_code != 0) co_return fail(exec_error(*result));
    if (result->out_truncated) co_return fail(Errc::exhausted, "the folder has too many entries");
    co_return read_listing(result->out);
  }
  WireCall call{.path = files_path(vm, path, "&list=1"), .body = {}, .limit = kUploadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  const base::json::Node* list = document->root->find("entries");
  if (list == nullptr || !list->is_array())
    co_return wire_fail(Errc::io, "the agent's reply has no list of files", 200);
  std::vector<FileEntry> entries;
  for (const base::json::Node& one : list->elements()) {
    FB_CO_TRY(FileEntry entry, read_file_entry(one));
    entries.push_back(std::move(entry));
  }
  co_return entries;
}

Task<Result<void>> RemoteProvider::remove_file(CallContext context, std::string vm, std::string path, bool recursive) {
  FB_CO_CHECK(check_path(path));
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (!wire_->agent().has("files")) {
    ProcessSpec spec;
    spec.argv = remove_command(path, recursive);
    auto result = co_await exec(std::move(context), std::move(vm), std::move(spec));
    if (!result) co_return std::unexpected(std::move(result).error());
    if (result->exit.exit_code != 0) co_return fail(exec_error(*result));
    co_return Result<void>();
  }
  WireCall call{.method = "DELETE",
                .path = files_path(vm, path, recursive ? "&recursive=1" : ""),
                .body = {},
                .limit = kUploadLimit};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

Task<Result<Provider::LogPage>> RemoteProvider::logs(CallContext context, std::string vm,
                                                     std::vector<std::string> sources, std::uint64_t from) {
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  LogPage page;
  page.next = from;
  if (!wire_->agent().has("logs")) co_return page;  // it keeps none: nothing is what there is
  std::string path = vm_path(vm, "/logs?from=" + std::to_string(from));
  for (std::size_t i = 0; i < sources.size(); ++i)
    path.append(i == 0 ? "&source=" : ",").append(http::percent_encode(sources[i]));
  WireCall call{.path = std::move(path), .body = {}, .limit = kReadLimit, .retries = 2};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  std::string_view rest = reply->body;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) continue;
    FB_CO_TRY(const base::json::Document document, base::json::parse(line, {.file = "the agent's log"}));
    if (auto record = read_log_record(*document.root)) page.records.push_back(std::move(*record));
  }
  page.next = from + page.records.size();
  if (const std::string* next = reply->find("x-fusebox-log-next"))
    (void)std::from_chars(next->data(), next->data() + next->size(), page.next);
  co_return page;
}

}  // namespace fusebox::host
