#include "cli/fleet/exit_status.h"

#include <array>
#include <string_view>

#include "cli/fleet/text.h"
#include "http/async/async_client.h"

namespace fusebox::cli::fleet {
namespace {

using base::Errc;

// What a person can do about an answer; a row counts when the code is equal and the message holds the text.
struct Advice {
  std::string_view code, in_message, text;
};
constexpr std::array kAdvices{
    Advice{"route_not_found", "", "this server does not know the request: is it older, or no control plane at all?"},
    Advice{"unauthorized", "requires the master token", "use the master token, or a key with that scope"},
    Advice{"unauthorized", "rejected the token", "give the host agent's own token: --agent-token"},
    Advice{"unauthorized", "", "give a token: --token, FUSE_TOKEN, or fusebox context add"},
    Advice{"forbidden", "", "this address is not on the server's list (ORCH_ALLOWED_CIDRS)"},
    Advice{"conflict", "task already assigned", "choose another --task-id, or look at it: fusebox env get"},
    Advice{"invalid_argument", "startup script did not complete in time", "give it longer: --startup-timeout"},
    Advice{"invalid_argument", "startup script timeout exceeds",
           "the server's ceiling is its -max-startup-script-timeout"},
    Advice{"unavailable", "no host", "see why: fusebox hosts explain"},
    Advice{"unavailable", "pinned host", "see why: fusebox hosts explain"},
};

std::string_view advice(const ApiFailure& failure, std::string_view message) {
  for (const Advice& row : kAdvices)
    if (row.code == failure.code && message.find(row.in_message) != message.npos) return row.text;
  return {};
}

int status_of(const ApiFailure& failure) noexcept {
  switch (failure.status) {
    case 401:
    case 403:
      return kRefused;
    case 404:
      return failure.code == "route_not_found" ? kFailed : kNotFound;
    case 409:
      return kConflict;
    case 429:
    case 503:
      return kUnavailable;
    default:
      return kFailed;
  }
}

}  // namespace

const ApiFailure* api_failure(const base::Error& error) noexcept {
  return dynamic_cast<const ApiFailure*>(error.detail.get());
}

int exit_status(const base::Error& error) noexcept {
  if (const ApiFailure* failure = api_failure(error); failure != nullptr) return status_of(*failure);
  switch (error.code) {
    case Errc::stopped:
      return kTimedOut;
    case Errc::invalid:
      return kUsage;
    case Errc::not_found:
      return kNotFound;
    default:
      return kFailed;
  }
}

std::string failure_text(const base::Error& error) {
  const ApiFailure* failure = api_failure(error);
  std::string text = printable(error.message);
  if (failure == nullptr) return text;
  text += "\n" + failure->code + " (HTTP " + std::to_string(failure->status) + ")";
  if (!failure->request_id.empty()) text += ", request " + printable(failure->request_id);
  for (const auto& [name, value] : failure->details) text += "\n" + printable(name) + ": " + printable(value);
  if (const std::string_view next = advice(*failure, error.message); !next.empty()) text += "\n" + std::string(next);
  return text;
}

int tell(const Streams& streams, const base::Error& error) {
  report(streams, failure_text(error));
  return exit_status(error);
}

}  // namespace fusebox::cli::fleet
