#include "edge/hal/event/event.h"

#include "edge/backend.h"

namespace fusebox::edge {
namespace {

const char* post(ImportCall& call) {
  return call.host.post_event(static_cast<std::uint32_t>(call.args[0])) ? nullptr : kTrapPolicy;
}

constexpr ImportRow kRows[] = {{
    .module = "env",
    .field = "fuse_event_post",
    .params = "i",
    .results = "",
    .capability = FUSE_CAP_EVENT_POST,
    .capability_name = "EVENT_POST",
    .label = "event",
    .empty_buffer_trap = nullptr,
    .args = {{Arg::event_id, "event_id", "unsigned int"}},
    .result_ctype = "void",
    .summary = "Posts event 0..31 to every module that subscribes to it.",
    .handler = &post,
}};

}  // namespace

constinit const HalGroup kEventGroup = {
    .name = "event",
    .flag = "",
    .capability = FUSE_CAP_EVENT_POST,
    .capability_name = "EVENT_POST",
    .always = true,
    .summary = "events to other modules",
    .allows = "post events",
    .rows = kRows,
    .row_count = 1,
    .hal_bytes = 0,
    .take = nullptr,
};

}  // namespace fusebox::edge
