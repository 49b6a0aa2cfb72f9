// Server-sent events of one environment: where a listener begins, and what it gets until the end.
#include <utility>
#include <vector>

#include "fleet/api/events/hub.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/streams/ended_environment.h"
#include "fleet/api/streams/stream_end.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::string_view kKeepAlive = ": keepalive\n\n";

// Where a stream begins.
struct Start {
  enum class Way : std::uint8_t { unknown, from_now, resume, replay };
  Way way = Way::unknown;
  EventId after;
  std::string first;  // of from_now: the present state as a frame
};

std::optional<EventId> resume_id(const Call& call) {
  if (const std::string* header = call.http.request().find("last-event-id"); header != nullptr && !header->empty()) {
    return parse_event_id(*header);
  }
  return parse_event_id(call.text("last_event_id"));
}

base::Result<bool> is_stored(Reader& reader, std::string_view vm_id, const EventId& id) {
  if (id.seq == 0) return false;
  FB_TRY(const auto rows, reader.env_events(vm_id, id.incarnation, id.seq - 1, 1));
  return !rows.empty() && rows.front().seq == id.seq;
}

base::Result<Start> find_start(Reader& reader, const std::string& vm_id, const std::string& tenant,
                               const std::optional<EventId>& last, base::Nanos now) {
  FB_TRY(const auto row, reader.environment(vm_id));
  Start start;
  if (row) {
    if (!tenant.empty() && row->tenant_id != tenant) return start;
    if (last && last->incarnation == row->incarnation) {
      FB_TRY(const bool stored, is_stored(reader, vm_id, *last));
      if (stored) return Start{Start::Way::resume, *last, {}};
    }
    start.way = Start::Way::from_now;
    start.after = {row->event_seq, row->incarnation};
    start.first = frame_text(
        start.after, state_event(*row, to_string(row->state), row->updated_at.count() != 0 ? row->updated_at : now));
    return start;
  }
  if (!last) return start;
  FB_TRY(const auto ended, visible_ended(reader, vm_id, tenant));
  if (!ended || ended->incarnation != last->incarnation) return start;
  FB_TRY(const bool stored, is_stored(reader, vm_id, *last));
  if (stored) return Start{Start::Way::replay, *last, {}};
  return start;
}

http::ServerResponse event_head(const Call& call) {
  http::ServerResponse head = call.stream_head("text/event-stream");
  head.headers.push_back({"Cache-Control", "no-cache"});
  head.headers.push_back({"Connection", "keep-alive"});
  head.headers.push_back({"X-Accel-Buffering", "no"});
  return head;
}

// Writes what of `frames` is wanted; whether the stream goes on.
base::Task<bool> send(Call& call, http::ResponseStream& stream, const std::vector<FramePtr>& frames, EventKinds kinds) {
  const EventFrame* only = nullptr;
  std::string several;
  bool terminal = false;
  for (const FramePtr& frame : frames) {
    terminal = terminal || frame->terminal;
    if (!has_kind(kinds, frame->kind)) continue;
    call.services.metrics.event_sent(frame->kind);
    if (only != nullptr && several.empty()) several = only->text;
    if (only != nullptr) several += frame->text;
    only = frame.get();
  }
  if (only == nullptr) co_return !terminal;
  const std::string& text = several.empty() ? only->text : several;
  const auto written = co_await stream.write(text);
  co_return written && !terminal;
}

base::Task<void> serve(Call& call, Subscription& subscription, http::ResponseStream& stream, EventKinds kinds) {
  const StreamEnd end(call, [&subscription] { subscription.end(); }, StreamEnd::Until::close, {}, stream.gone());
  std::vector<FramePtr> frames;
  while (true) {
    const Subscription::Wake wake = co_await subscription.next(frames);
    if (wake == Subscription::Wake::frames) {
      const bool open = co_await send(call, stream, frames, kinds);
      if (!open) break;
    } else if (wake == Subscription::Wake::keep_alive) {
      const auto written = co_await stream.write(kKeepAlive);
      if (!written) break;
    } else {
      break;
    }
    std::vector<FramePtr>().swap(frames);  // an idle listener holds nothing
  }
}

}  // namespace

base::Task<Answer> events(Call& call) {
  const std::string vm_id = call.id();
  const EventKinds kinds = event_kinds(call.text("kinds"));
  // Listens first and looks second, so that no commit falls in between.
  Subscription subscription(call.loop.hub, vm_id, kinds);
  auto found =
      co_await call.services.store.get<Start>(call.home(), [&call, &vm_id, last = resume_id(call)](Reader& reader) {
        return find_start(reader, vm_id, call.principal->tenant, last, call.services.clock.wall());
      });
  if (!found) co_return std::unexpected(std::move(found.error()));
  Start start = std::move(*found);
  if (start.way == Start::Way::unknown) co_return refuse(404, "vm " + vm_id + " not found", Details{{"vm_id", vm_id}});
  subscription.start(start.after);
  if (start.way == Start::Way::replay) subscription.only_the_table();
  auto stream = co_await call.http.respond_streaming(event_head(call), call.services.options.event_stall);
  if (!stream) co_return sent_reply();
  if (start.way == Start::Way::resume) subscription.look_once();
  bool open = true;
  if (!start.first.empty()) {
    call.services.metrics.event_sent(EventKind::state);
    const auto written = co_await (*stream)->write(start.first);
    open = written.has_value();
    start.first = {};
  }
  if (open) co_await serve(call, subscription, **stream, kinds);
  const auto finished = co_await (*stream)->finish();
  (void)finished;
  co_return sent_reply();
}

}  // namespace fusebox::fleet::handle
