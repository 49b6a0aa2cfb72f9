#include "fleet/api_error.h"

#include <utility>

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::fleet {

namespace {

std::string_view code_of_status(int status) noexcept {
  switch (status) {
    case 400:
      return "invalid_argument";
    case 401:
    case 403:
      return "unauthorized";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 409:
      return "conflict";
    case 413:
      return "payload_too_large";
    case 429:
      return "rate_limited";
    case 501:
      return "unimplemented";
    case 503:
      return "unavailable";
    default:
      return "internal";
  }
}

int status_of(base::Errc code) noexcept {
  switch (code) {
    case base::Errc::invalid:
      return 400;
    case base::Errc::not_found:
      return 404;
    case base::Errc::exists:
    case base::Errc::stale:
      return 409;
    case base::Errc::unsupported:
      return 501;
    case base::Errc::exhausted:
    case base::Errc::stopped:
    case base::Errc::unavailable:
      return 503;
    default:
      return 500;
  }
}

// What nobody outside may read word for word: which file, which server, which driver.
bool hides_text(base::Errc code) noexcept {
  return code == base::Errc::io || code == base::Errc::corrupt || code == base::Errc::bug;
}

}  // namespace

std::unexpected<base::Error> refuse(int status, std::string code, std::string message, Details details) {
  auto detail = std::make_shared<ApiErrorDetail>();
  detail->status = status;
  detail->code = std::move(code);
  detail->details = std::move(details);
  base::Errc errc = base::Errc::bug;
  switch (status) {
    case 400:
      errc = base::Errc::invalid;
      break;
    case 401:
    case 403:
      errc = base::Errc::denied;
      break;
    case 404:
      errc = base::Errc::not_found;
      break;
    case 409:
      errc = base::Errc::exists;
      break;
    case 413:
    case 429:
      errc = base::Errc::exhausted;
      break;
    case 501:
      errc = base::Errc::unsupported;
      break;
    case 503:
      errc = base::Errc::unavailable;
      break;
    default:
      break;
  }
  if (status == 429 || status == 503) detail->retry_after_seconds = 1;
  return std::unexpected(base::Error{errc, std::move(message), {}, std::move(detail)});
}

std::unexpected<base::Error> refuse(int status, std::string message, Details details) {
  return refuse(status, std::string(code_of_status(status)), std::move(message), std::move(details));
}

ApiErrorDetail api_detail(const base::Error& error) {
  if (const auto* own = dynamic_cast<const ApiErrorDetail*>(error.detail.get())) return *own;
  ApiErrorDetail detail;
  detail.status = status_of(error.code);
  detail.code = code_of_status(detail.status);
  if (detail.status == 503) detail.retry_after_seconds = 1;
  return detail;
}

std::string error_envelope(const base::Error& error) {
  const bool own = dynamic_cast<const ApiErrorDetail*>(error.detail.get()) != nullptr;
  const ApiErrorDetail detail = api_detail(error);
  base::json::Writer writer;
  writer.begin_object().key("error").begin_object();
  writer.key("code").string(detail.code);
  writer.key("message");
  if (!own && hides_text(error.code)) {
    writer.string("internal error");
  } else if (error.code == base::Errc::unavailable && error.detail == nullptr) {
    // Only the store's: what speaks of hosts has a detail. Its own text names the database.
    writer.string("the store is not available; nothing was changed that is not shown; try again");
  } else {
    writer.string(base::to_utf8(error.message));
  }
  if (!detail.details.empty()) {
    writer.key("details").begin_object();
    for (const auto& [key, value] : detail.details) writer.key(key).string(base::to_utf8(value));
    writer.end_object();
  }
  writer.end_object().end_object();
  std::string text = writer.take();
  text += '\n';
  return text;
}

}  // namespace fusebox::fleet
