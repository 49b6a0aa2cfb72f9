// Files of an environment, piece by piece in both directions.
#include <array>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fleet/api/frame/body.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/streams/guest_call.h"
#include "fleet/api/streams/guest_path.h"
#include "fleet/api/streams/stream_end.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::chrono::seconds kFileLimit{90};  // contract 14.2, uploads
constexpr std::size_t kPieceBytes = 64 * 1024;  // one read of the guest, one write to the client

using Reading = OpenedPtr<host::FileReader>;
using Writing = OpenedPtr<host::FileWriter>;

std::string octal(std::uint32_t mode) {
  constexpr int kDigits = 4;
  std::string text(kDigits, '0');
  for (int at = kDigits - 1; at >= 0; --at, mode >>= 3) text[static_cast<std::size_t>(at)] = "01234567"[mode & 7];
  return text;
}

struct FileFacts {
  std::uint32_t mode = 0;
};
base::Task<FileFacts> facts_there(Reading file) {
  co_return FileFacts{file->thing->mode()};
}

base::Task<base::Result<std::string>> read_there(Reading file) {
  std::string piece(kPieceBytes, '\0');
  FB_CO_TRY(const std::size_t got, co_await file->thing->read_some(piece));
  piece.resize(got);
  co_return piece;
}

base::Task<base::Result<void>> write_there(Writing file, std::string piece) {
  co_return co_await file->thing->write(piece);
}

base::Task<base::Result<std::uint64_t>> commit_there(Writing file) {
  co_return co_await file->thing->commit();
}

base::Task<base::Result<Reading>> open_reader(Call& call, std::string path, bool archive) {
  const RequestInfo info = call.info();
  Opener<host::FileReader> open =
      [&info, &path, archive](GuestLease& guest) -> base::Task<base::Result<std::unique_ptr<host::FileReader>>> {
    const host::CallContext context = context_for(guest, info, kFileLimit);
    const std::string vm = guest.row().host_vm_name;
    if (archive) co_return co_await guest.provider().read_archive(context, vm, path);
    co_return co_await guest.provider().read_file(context, vm, path);
  };
  co_return co_await open_in_guest<host::FileReader>({call.services.engine, call.home(), info, call.id()},
                                                     std::move(open));
}

base::Task<Answer> list_folder(Call& call, std::string path) {
  const RequestInfo info = call.info();
  auto entries = co_await with_guest<std::vector<host::FileEntry>>(
      {call.services.engine, call.home(), info, call.id()},
      [&info, &path](GuestLease& guest) -> base::Task<base::Result<std::vector<host::FileEntry>>> {
        co_return co_await guest.provider().list_files(context_for(guest, info, kFileLimit), guest.row().host_vm_name,
                                                       path);
      });
  if (!entries) co_return std::unexpected(std::move(entries.error()));
  base::json::Writer writer;
  writer.begin_object().key("entries").begin_array();
  for (const host::FileEntry& entry : *entries) {
    writer.begin_object().key("name").string(base::to_utf8(entry.name)).key("type").string(entry.type);
    writer.key("size").unsigned_integer(entry.size).key("mode").string(octal(entry.mode));
    writer.key("mtime").string(api_time(entry.mtime)).end_object();
  }
  writer.end_array().end_object();
  co_return json_reply(writer.take());
}

base::Task<Answer> send_file(Call& call, Reading file, bool archive) {
  base::Executor& there = call.services.engine.executor();
  // The first piece comes before the head: what cannot be read is an error, not a broken answer.
  auto piece = co_await on(there, call.home(), read_there(file));
  if (!piece) co_return std::unexpected(provider_error(std::move(piece.error()), call.id()));
  http::ServerResponse head = call.stream_head(archive ? "application/x-tar" : "application/octet-stream");
  if (!archive) {
    const FileFacts facts = co_await on(there, call.home(), facts_there(file));
    head.headers.push_back({"X-Fuse-File-Mode", octal(facts.mode)});
  }
  auto stream = co_await call.http.respond_streaming(std::move(head), http::kReaderMayPause);
  if (!stream) co_return sent_reply();
  bool stopped = false;
  const StreamEnd end(
      call,
      [&stopped, &stream] {
        stopped = true;
        (*stream)->limit_stalls(kLastStall);
      },
      StreamEnd::Until::limit, file->lease->ended());
  while (piece && !piece->empty()) {
    const auto written = co_await (*stream)->write(*piece);
    if (!written || stopped) co_return sent_reply();
    piece = co_await on(there, call.home(), read_there(file));
  }
  if (piece) {  // else the peer sees a stream that broke, not a shorter file
    const auto finished = co_await (*stream)->finish();
    (void)finished;
  }
  co_return sent_reply();
}

// The body's next piece; an empty one is its end.
base::Task<base::Result<std::string>> body_piece(Call& call) {
  std::string piece(kPieceBytes, '\0');
  auto got = co_await call.http.read_body_some(piece, call.route.body_bytes_max);
  if (!got) co_return std::unexpected(body_error(call.route, got.error()));
  piece.resize(*got);
  co_return piece;
}

}  // namespace

base::Task<Answer> read_file(Call& call) {
  FB_CO_TRY(std::string path, guest_path(call.text("path")));
  if (call.flag("list")) co_return co_await list_folder(call, std::move(path));
  const std::string archive = call.text("archive");
  if (!archive.empty() && archive != "tar") co_return refuse(400, "archive: only tar is known");
  auto file = co_await open_reader(call, std::move(path), !archive.empty());
  if (!file) co_return std::unexpected(std::move(file.error()));
  co_return co_await send_file(call, std::move(*file), !archive.empty());
}

base::Task<Answer> write_file(Call& call) {
  FB_CO_TRY(const std::string path, guest_path(call.text("path")));
  FB_CO_TRY(const std::uint32_t mode, file_mode(call.text("mode")));
  const auto length = call.http.request().content_length;
  if (length && *length > call.route.body_bytes_max) co_return std::unexpected(too_large(call.route));
  const RequestInfo info = call.info();
  Opener<host::FileWriter> open =
      [&info, &path, mode](GuestLease& guest) -> base::Task<base::Result<std::unique_ptr<host::FileWriter>>> {
    co_return co_await guest.provider().write_file(context_for(guest, info, kFileLimit), guest.row().host_vm_name, path,
                                                   mode);
  };
  auto opened =
      co_await open_in_guest<host::FileWriter>({call.services.engine, call.home(), info, call.id()}, std::move(open));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const Writing file = std::move(*opened);
  base::Executor& there = call.services.engine.executor();
  while (true) {
    auto piece = co_await body_piece(call);
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) break;
    auto written = co_await on(there, call.home(), write_there(file, std::move(*piece)));
    if (!written) co_return std::unexpected(provider_error(std::move(written.error()), call.id()));
  }
  auto size = co_await on(there, call.home(), commit_there(file));
  if (!size) co_return std::unexpected(provider_error(std::move(size.error()), call.id()));
  base::json::Writer writer;
  writer.begin_object().key("path").string(path).key("size").unsigned_integer(*size).end_object();
  co_return json_reply(writer.take(), 201);
}

base::Task<Answer> remove_file(Call& call) {
  FB_CO_TRY(const std::string path, guest_path(call.text("path")));
  if (path == "/") co_return refuse(400, "path: \"/\" cannot be removed");
  const bool recursive = call.flag("recursive");
  const RequestInfo info = call.info();
  auto removed =
      co_await with_guest<bool>({call.services.engine, call.home(), info, call.id()},
                                [&info, &path, recursive](GuestLease& guest) -> base::Task<base::Result<bool>> {
                                  FB_CO_CHECK(co_await guest.provider().remove_file(
                                      context_for(guest, info, kFileLimit), guest.row().host_vm_name, path, recursive));
                                  co_return true;
                                });
  if (!removed) co_return std::unexpected(std::move(removed.error()));
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
