// Commands in an environment: whole answers, and output as it comes.
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/streams/guest_call.h"
#include "fleet/api/streams/ndjson.h"
#include "fleet/api/streams/process_pump.h"
#include "fleet/api/streams/stream_end.h"
#include "fleet/api_error.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::chrono::seconds kExecSlack{15};  // contract 14.2: what an agent gets beyond the command's own time

std::unexpected<base::Error> too_many_execs() {
  return refuse(503, "too many commands run at this time; try again", Details{{"limit", std::to_string(kExecsMax)}});
}

void write_output(base::json::Writer& writer, std::string_view name, const std::string& bytes, bool base64) {
  if (base64) {
    writer.key(std::string(name) + "_b64").string(base::to_base64(base::as_bytes(bytes)));
  } else {
    writer.key(name).string(base::is_utf8(bytes) ? bytes : base::to_utf8(bytes));
  }
}

std::string result_json(const host::ExecResult& result, bool base64) {
  base::json::Writer writer;
  writer.begin_object().key("exit_code").integer(result.exit.exit_code);
  write_output(writer, "stdout", result.out, base64);
  write_output(writer, "stderr", result.err, base64);
  if (result.exit.timed_out) writer.key("timed_out").boolean(true);
  if (result.out_truncated || result.err_truncated) {
    writer.key("truncated").begin_object();
    if (result.out_truncated) writer.key("stdout").boolean(true);
    if (result.err_truncated) writer.key("stderr").boolean(true);
    writer.end_object();
  }
  if (!result.exit.signal.empty()) writer.key("signal").string(result.exit.signal);
  writer.end_object();
  return writer.take();
}

std::string event_json(const host::ProcessEvent& event) {
  base::json::Writer writer;
  writer.begin_object();
  if (event.kind == host::ProcessEvent::Kind::exit) {
    writer.key("exit_code").integer(event.exit.exit_code);
    if (event.exit.timed_out) writer.key("timed_out").boolean(true);
    if (!event.exit.signal.empty()) writer.key("signal").string(event.exit.signal);
  } else {
    writer.key("stream").string(event.kind == host::ProcessEvent::Kind::out ? "stdout" : "stderr");
    writer.key("data_b64").string(base::to_base64(base::as_bytes(event.data)));
  }
  writer.end_object();
  return writer.take();
}

base::Task<Answer> stream_lines(Call& call, host::ProcessSpec process) {
  auto place = call.services.execs.take();
  if (!place) co_return too_many_execs();
  process.kill_with_stream = true;
  const base::Nanos began = call.services.clock.monotonic();
  auto opened = co_await open_process({call.services.engine, call.home(), call.info(), call.id()}, std::move(process));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const ProcessPtr running = std::move(*opened);
  auto stream = co_await call.http.respond_streaming(call.stream_head("application/x-ndjson"), http::kReaderMayPause);
  if (!stream) co_return sent_reply();
  const auto lines = std::make_shared<LineStream>(call.home(), std::move(*stream));
  lines->keep_alive();
  {
    base::Executor& there = call.services.engine.executor();
    const StreamEnd end(
        call,
        [&there, running, lines] {
          kill_soon(there, running);
          lines->hurry();
        },
        StreamEnd::Until::limit, running->lease->ended(), lines->gone());
    while (true) {
      auto event = co_await next_event(there, call.home(), running);
      if (!event) break;  // the host is gone: no last line, so nobody takes it for an exit
      const bool last = event->kind == host::ProcessEvent::Kind::exit;
      if (last)
        call.services.metrics.exec_ended(running->lease->row().backend, call.services.clock.monotonic() - began);
      const auto written = co_await lines->line(event_json(*event));
      if (last || !written) break;
    }
    const auto finished = co_await lines->finish();
    (void)finished;
  }
  co_return sent_reply();
}

}  // namespace

base::Task<Answer> exec(Call& call) {
  FB_CO_TRY(ExecRequest request, read_exec(call.body));
  request.process.output_bytes_max = call.services.options.exec_output_bytes_max;
  if (call.flag("stream")) co_return co_await stream_lines(call, std::move(request.process));
  const auto place = call.services.execs.take();
  if (!place) co_return too_many_execs();
  const RequestInfo info = call.info();
  const std::chrono::nanoseconds limit = request.process.timeout + kExecSlack;
  const base::Nanos began = call.services.clock.monotonic();
  std::string backend;
  auto result = co_await with_guest<host::ExecResult>(
      {call.services.engine, call.home(), info, call.id()},
      [&info, limit, &process = request.process,
       &backend](GuestLease& guest) -> base::Task<base::Result<host::ExecResult>> {
        backend = guest.row().backend;
        co_return co_await guest.provider().exec(context_for(guest, info, limit), guest.row().host_vm_name, process);
      });
  if (!result) co_return std::unexpected(std::move(result.error()));
  call.services.metrics.exec_ended(backend, call.services.clock.monotonic() - began);
  co_return json_reply(result_json(*result, request.base64));
}

}  // namespace fusebox::fleet::handle
