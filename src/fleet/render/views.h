// The objects of the API as JSON text, from the rows they are made of.
//
// Optional fields are left out, required lists are []; times are RFC 3339 UTC.
//
// Threads  pure functions.
// Contract control-plane.md 1.3, 5.1, 10.1, 11.1, 18; section 26 rows 6, 10
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "fleet/store/records.h"
#include "fleet/store/store.h"
#include "host/api/provider.h"

namespace fusebox::fleet {

// Grows when render_environment writes another object from the same row: stored views of an older one are made anew.
inline constexpr std::int32_t kViewVersion = 1;

std::string api_time(base::Nanos wall);  // 0 is the zero time

std::string render_environment(const EnvironmentRow& row);
// Sets view_json and view_version; to be called after the last change of a row and before it is written.
void refresh_view(EnvironmentRow& row);
// A stored view with host_reachable:false in it.
std::string with_unreachable_host(std::string_view view_json);

std::string render_snapshot(const SnapshotRow& row);
// `bound`: which of its devices are taken. `warnings`: of a registration's answer.
std::string render_host(const HostRow& row, const Reader::BoundDevices& bound,
                        const std::vector<std::string>& warnings = {});
// `key`: shown once, in the answer to its creation.
std::string render_api_key(const ApiKeyRow& row, std::string_view key = {});

// The data of a `state` frame, less its id (section 7).
std::string state_event(const EnvironmentRow& row, std::string_view state, base::Nanos at);

// The data of a frame of kind health, log or snapshot, less its id (section 7): what there is to tell is all in the payload.
std::string guest_event(std::string_view kind, std::string_view vm_id, std::string_view payload_json);

std::string render_endpoints(const std::vector<host::Endpoint>& endpoints);

}  // namespace fusebox::fleet
