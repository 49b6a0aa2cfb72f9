// Routes that move snapshots between hosts: one serves by grant, one fetches from a peer.
#include <charconv>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/common/names.h"
#include "host/wire/agent_impl.h"
#include "host/wire/records.h"
#include "host/wire/requests.h"
#include "host/wire/status.h"

namespace fusebox::host {

using base::Errc;
using base::Result;
using base::Task;
using base::json::Writer;

namespace {

// The first byte of "bytes=N-"; other forms of Range are not ours and mean the whole.
std::uint64_t range_start(const http::ServerRequest& request) {
  const std::string* range = request.find("range");
  if (range == nullptr || !range->starts_with("bytes=") || !range->ends_with("-")) return 0;
  std::uint64_t first = 0;
  const char* const end = range->data() + range->size() - 1;
  const auto [at, error] = std::from_chars(range->data() + 6, end, first);
  return error == std::errc() && at == end ? first : 0;
}

Task<Result<void>> skip(FileReader& reader, std::uint64_t bytes) {
  std::string block(std::min<std::uint64_t>(bytes, kTransferBlockBytes), '\0');
  while (bytes > 0) {
    auto got = co_await reader.read_some(std::span(block.data(), std::min<std::uint64_t>(bytes, block.size())));
    if (!got) co_return std::unexpected(std::move(got).error());
    if (*got == 0) co_return base::fail(Errc::io, "the artifact is shorter than its record says");
    bytes -= *got;
  }
  co_return Result<void>();
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::artifact(AgentCall& call) {
  const std::string digest = call.values.front();
  const std::string* given = call.exchange.request().find(kGrantHeader);
  const std::string grant = given != nullptr ? *given : std::string();
  if (!grants.opens(options.token, options.token_previous, digest, grant, clock.wall()))
    co_return AgentAnswer(text_answer(403, "forbidden"));
  call.context.limit = options.transfer_limit;
  auto opened = co_await provider.artifact(call.context, digest);
  if (!opened && opened.error().code == Errc::not_found) co_return AgentAnswer(text_answer(404, "artifact not found"));
  FB_CO_TRY(const std::unique_ptr<FileReader> reader, std::move(opened));
  if (!reader->size()) co_return base::fail(Errc::io, "the artifact's size is not known");
  const std::uint64_t size = *reader->size();
  const std::uint64_t first = range_start(call.exchange.request());
  if (first > size || (first == size && size != 0)) {
    http::ServerResponse refused = text_answer(416, "the artifact has " + std::to_string(size) + " bytes");
    refused.headers.push_back({"Content-Range", "bytes */" + std::to_string(size)});
    co_return AgentAnswer(std::move(refused));
  }
  auto skipped = co_await skip(*reader, first);
  FB_CO_CHECK(std::move(skipped));
  http::ServerResponse head;
  head.status = first == 0 ? 200 : 206;
  head.headers = {{"Content-Type", "application/octet-stream"},
                  {"Content-Length", std::to_string(size - first)},
                  {"Accept-Ranges", "bytes"},
                  {"X-Fuse-Artifact-Digest", digest}};
  if (first != 0)
    head.headers.push_back({"Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(size - 1) + "/" +
                                                 std::to_string(size)});
  auto begun = co_await call.exchange.respond_streaming(std::move(head));
  FB_CO_TRY(const std::unique_ptr<http::ResponseStream> stream, std::move(begun));
  const base::Nanos deadline = clock.monotonic() + options.transfer_limit;
  std::string block(kTransferBlockBytes, '\0');
  for (std::uint64_t left = size - first; left > 0;) {
    auto got = co_await reader->read_some(std::span(block.data(), std::min<std::uint64_t>(left, block.size())));
    // Without finish() the peer sees a broken stream, and may come back with Range while the grant lives.
    if (!got || *got == 0 || clock.monotonic() > deadline) co_return AgentAnswer(std::nullopt);
    auto written = co_await stream->write(std::string_view(block.data(), *got));
    if (!written) co_return AgentAnswer(std::nullopt);
    metrics.transfer(true, *got);
    left -= *got;
  }
  auto finished = co_await stream->finish();
  if (finished) grants.spend(grant, clock.wall());
  co_return AgentAnswer(std::nullopt);
}

Task<Result<std::string>> AgentServer::Impl::pull_now(CallContext context, PullSpec spec) {
  const std::string peer = spec.peer_url;
  const base::Nanos began = clock.monotonic();
  auto record = co_await provider.pull(std::move(context), std::move(spec));
  if (!record) {
    // A pull that came to nothing is 422 whatever the reason; what was asked wrongly, or cannot be done here, keeps its own.
    base::Error error = std::move(record).error();
    if (error.code == Errc::invalid || error.code == Errc::unsupported || error.code == Errc::stale)
      co_return std::unexpected(std::move(error));
    co_return fail_as(422, error.message);
  }
  metrics.transfer(false, record->size_bytes);
  metrics.snapshot(record->kind, "pull", clock.monotonic() - began, record->size_bytes);
  Writer out;
  out.begin_object().key("snapshot_id").string(base::to_utf8(record->snapshot_id));
  out.key("comment").string(base::to_utf8(record->comment));
  out.key("created_at").string(base::to_utf8(record->created_at)).key("origin_vm_id").string("");
  out.key("digest").string(record->digest).key("kind").string(record->kind == "live" ? "live" : "disk");
  out.key("bytes").unsigned_integer(record->size_bytes).key("source_peer").string(base::to_utf8(peer)).end_object();
  co_return out.take();
}

Task<void> AgentServer::Impl::pull_in_background(CallContext context, PullSpec spec, std::string op, std::string key) {
  auto result = co_await pull_now(std::move(context), std::move(spec));
  if (result) operations.succeed(op, key, std::move(*result));
  if (!result) operations.fail(op, key, std::move(result).error());
}

Task<AgentAnswer> AgentServer::Impl::pull(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(PullRequest request, read_pull(*body->root, call.values.front()));
  call.context.limit = options.transfer_limit;
  call.context.stop = stopping.get_token();
  if (!request.async) {
    auto result = co_await pull_now(call.context, std::move(request.spec));
    FB_CO_TRY(std::string text, std::move(result));
    co_return AgentAnswer(json_answer(std::move(text)));
  }
  std::string op = call.context.op_id;
  if (op.empty()) op = "op-" + random_hex(random, 32);
  const std::string key = call.route + " " + request.spec.digest + " " + request.spec.snapshot_id;
  const auto* outcome = operations.find(op, key);
  if (outcome == nullptr || outcome->error) {
    FB_CO_CHECK(operations.begin(op, key));
    background.spawn(pull_in_background(call.context, std::move(request.spec), op, key));
  }
  Writer out;
  out.begin_object().key("op").string(op).end_object();
  co_return AgentAnswer(json_answer(out.take(), 202));
}

}  // namespace fusebox::host
