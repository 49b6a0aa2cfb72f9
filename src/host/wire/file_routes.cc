// Routes of a VM's files: whole files, folders as lists or tar streams.
#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/common/paths.h"
#include "host/wire/agent_impl.h"
#include "host/wire/records.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;
using base::json::Writer;

namespace {

// The path of a request. Which paths of a guest may be asked for is the provider's to say, and the control plane's.
Result<std::string> path_of(const AgentCall& call) {
  std::string path(call.query.get("path").value_or(""));
  if (path.empty()) return fail(Errc::invalid, "missing query parameter: 'path'");
  if (path.size() > kFilePathBytesMax || path.find('\0') != std::string::npos)
    return fail(Errc::invalid, "the path is no path of a file");
  return path;
}

bool is_set(const AgentCall& call, std::string_view name) {
  const auto value = call.query.get(name);
  return value && (*value == "1" || *value == "true");
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::list_files(AgentCall& call, std::string path) {
  auto entries = co_await provider.list_files(call.context, call.vm, std::move(path));
  if (!entries) co_return std::unexpected(std::move(entries).error());
  Writer out;
  out.begin_object().key("entries").begin_array();
  for (const FileEntry& entry : *entries) write_file_entry(out, entry);
  out.end_array().end_object();
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::send_file(AgentCall& call, std::unique_ptr<FileReader> reader,
                                               std::string content_type) {
  http::ServerResponse head;
  head.headers = {{"Content-Type", std::move(content_type)}, {"X-Fuse-File-Mode", write_mode(reader->mode())}};
  const auto size = reader->size();
  if (size) head.headers.push_back({"Content-Length", std::to_string(*size)});
  // The control plane takes the next piece when its own reader has taken the last.
  auto begun = co_await call.exchange.respond_streaming(std::move(head), http::kReaderMayPause);
  FB_CO_TRY(const std::unique_ptr<http::ResponseStream> stream, std::move(begun));
  std::string block(kStreamBlockBytes, '\0');
  std::uint64_t sent = 0;
  for (;;) {
    auto got = co_await reader->read_some(std::span(block.data(), block.size()));
    if (!got || call.context.stop.stop_requested()) co_return AgentAnswer(std::nullopt);
    if (*got == 0) break;
    // A file that grows while it is read must not grow out of the length that was announced.
    const std::size_t take = size ? std::min<std::uint64_t>(*got, *size - sent) : *got;
    auto written = co_await stream->write(std::string_view(block.data(), take));
    if (!written) co_return AgentAnswer(std::nullopt);
    sent += take;
    metrics.transfer(true, take);
    if (size && sent == *size) break;
  }
  if (!size || sent == *size) (void)co_await stream->finish();
  co_return AgentAnswer(std::nullopt);
}

Task<AgentAnswer> AgentServer::Impl::read_file(AgentCall& call) {
  FB_CO_TRY(std::string path, path_of(call));
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kUploadLimit;
  call.context.stop = pass.stop();
  if (is_set(call, "list")) {
    auto answer = co_await list_files(call, std::move(path));
    co_return answer;
  }
  const auto archive = call.query.get("archive");
  if (archive && *archive != "tar") co_return fail(Errc::invalid, "archive must be tar");
  if (archive) {
    auto reader = co_await provider.read_archive(call.context, call.vm, std::move(path));
    if (!reader) co_return std::unexpected(std::move(reader).error());
    auto answer = co_await send_file(call, std::move(*reader), "application/x-tar");
    co_return answer;
  }
  auto reader = co_await provider.read_file(call.context, call.vm, std::move(path));
  if (!reader) co_return std::unexpected(std::move(reader).error());
  auto answer = co_await send_file(call, std::move(*reader), "application/octet-stream");
  co_return answer;
}

Task<AgentAnswer> AgentServer::Impl::write_file(AgentCall& call) {
  FB_CO_TRY(std::string path, path_of(call));
  const auto mode_text = call.query.get("mode");
  const auto mode = mode_text ? read_mode(*mode_text) : std::optional<std::uint32_t>(0644);
  if (!mode) co_return fail(Errc::invalid, "mode must be octal, such as 0644");
  const auto length = call.exchange.request().content_length;
  if (length && *length > options.upload_bytes_max)
    co_return fail_as(413, "the body is larger than " + std::to_string(options.upload_bytes_max) + " bytes");
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kUploadLimit;
  call.context.stop = pass.stop();
  auto opened = co_await provider.write_file(call.context, call.vm, path, *mode);
  if (!opened) co_return std::unexpected(guest_error(std::move(opened).error(), pass, call.vm));
  const std::unique_ptr<FileWriter> writer = std::move(*opened);
  std::string block(kStreamBlockBytes, '\0');
  while (call.exchange.request().has_body) {
    auto got = co_await call.exchange.read_body_some(std::span(block.data(), block.size()), options.upload_bytes_max);
    if (!got && got.error().code == Errc::exhausted) co_return fail_as(413, got.error().message);
    if (!got) co_return fail_as(400, "the body is not what was declared: " + got.error().message);
    if (*got == 0) break;
    metrics.transfer(false, *got);
    auto written = co_await writer->write(std::string_view(block.data(), *got));
    if (!written) co_return std::unexpected(guest_error(std::move(written).error(), pass, call.vm));
  }
  auto size = co_await writer->commit();
  if (!size) co_return std::unexpected(guest_error(std::move(size).error(), pass, call.vm));
  Writer out;
  out.begin_object().key("path").string(base::to_utf8(path)).key("size").unsigned_integer(*size).end_object();
  co_return AgentAnswer(json_answer(out.take(), 201));
}

Task<AgentAnswer> AgentServer::Impl::remove_file(AgentCall& call) {
  FB_CO_TRY(std::string path, path_of(call));
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kUploadLimit;
  call.context.stop = pass.stop();
  auto done = co_await provider.remove_file(call.context, call.vm, std::move(path), is_set(call, "recursive"));
  if (!done) co_return std::unexpected(guest_error(std::move(done).error(), pass, call.vm));
  co_return AgentAnswer(empty_answer());
}

}  // namespace fusebox::host
