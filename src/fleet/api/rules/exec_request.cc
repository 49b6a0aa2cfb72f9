// ?action=exec (contract control-plane.md 5.4).
#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "fleet/api/rules/body_reader.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::Result;

constexpr std::int64_t kTimeoutDefaultMs = 60'000;
constexpr std::int64_t kTimeoutMaxMs = 600'000;

bool holds_nul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

Result<void> check_process(const host::ProcessSpec& process) {
  for (const std::string& argument : process.argv) {
    if (holds_nul(argument)) return refuse(400, "cmd: an argument holds a NUL byte");
  }
  for (const auto& [name, value] : process.env) {
    if (name.empty() || holds_nul(name) || name.find('=') != std::string::npos || holds_nul(value)) {
      return refuse(400, "env: " + base::in_quotes(name) + " is no variable: empty, with = or a NUL byte");
    }
  }
  if (holds_nul(process.cwd) || holds_nul(process.user)) return refuse(400, "cwd or user holds a NUL byte");
  return {};
}

}  // namespace

Result<ExecRequest> read_exec(std::string_view text) {
  FB_TRY(Body body, Body::parse(text));
  const BodyObject root = body.root();
  ExecRequest request;
  std::vector<std::string> cmd = root.texts("cmd");
  const std::string shell = root.text("shell");
  std::int64_t timeout_ms = root.i64("timeout_ms");
  for (auto& [name, value] : root.text_map("env")) request.process.env.emplace_back(name, value);
  request.process.cwd = root.text("cwd");
  request.process.user = root.text("user");
  const std::string input = root.text("stdin_b64");
  const std::string encoding = root.text("encoding");
  FB_CHECK(body.check());
  if (cmd.empty() && shell.empty()) return refuse(400, "one of cmd or shell is required");
  if (!cmd.empty() && !shell.empty()) return refuse(400, "cmd and shell are mutually exclusive");
  request.process.argv = shell.empty() ? std::move(cmd) : std::vector<std::string>{"sh", "-lc", shell};
  if (timeout_ms <= 0) timeout_ms = kTimeoutDefaultMs;
  request.process.timeout = std::chrono::milliseconds{std::min(timeout_ms, kTimeoutMaxMs)};
  const Result<base::Bytes> bytes = base::from_base64(input);
  if (!bytes) return refuse(400, "stdin_b64 is not standard base64: " + bytes.error().message);
  request.process.stdin_bytes = std::string(base::as_text(*bytes));
  if (!encoding.empty() && encoding != "base64" && encoding != "utf-8") {
    return refuse(400, "encoding " + base::in_quotes(encoding) + " must be base64 or utf-8");
  }
  request.base64 = encoding == "base64";
  FB_CHECK(check_process(request.process));
  return request;
}

}  // namespace fusebox::fleet
