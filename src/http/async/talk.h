// One request and the head of its answer on a connection.
//
// Internal to src/http/async.
// Threads  the loop's.
#pragma once

#include <memory>
#include <string_view>

#include "http/async/call.h"
#include "http/message_head.h"
#include "http/wire.h"

namespace fusebox::http {

// Writes until all is written or the server takes no more: it may have answered already, and then closed. Sets
// Call::sent with the first byte that goes.
base::Task<void> write_request(Wire& wire, std::shared_ptr<Call> call, std::string_view head, std::string_view body);

// The final head; interim ones (100 Continue) are skipped. `came`: whether the server said anything at all.
base::Task<base::Result<ResponseHead>> read_head(Wire& wire, std::shared_ptr<Call> call, bool upgrading, bool& came);

}  // namespace fusebox::http
