#include "container/daemon/status_json.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "container/daemon/members.h"

namespace fusebox::container {
namespace {

using base::json::Node;

constexpr std::array kStates{State::created, State::not_started, State::starting,
                             State::running, State::exited,      State::failure};
constexpr std::array kRestartWords{RestartWord::none, RestartWord::pending, RestartWord::given_up};

std::uint64_t natural(base::Nanos time) {
  return static_cast<std::uint64_t>(std::max<base::Nanos::rep>(time.count(), 0));
}

base::Nanos nanos(const Node& node, std::string_view key) {
  return base::Nanos{static_cast<base::Nanos::rep>(number_of(node, key))};
}
// The value whose word stands there, else the first.
template <class Values>
auto chosen(const Node& node, std::string_view key, const Values& values) {
  const std::string word = text_of(node, key);
  const auto found = std::ranges::find_if(values, [&](auto value) { return to_string(value) == word; });
  return found != values.end() ? *found : values.front();
}

}  // namespace

void write_status(base::json::Writer& out, const Status& status) {
  out.begin_object().key("name").string(status.name).key("state").string(to_string(status.state));
  out.key("has_run").boolean(status.has_run).key("has_reservation").boolean(status.has_reservation);
  out.key("is_configured").boolean(status.is_configured);
  out.key("image").string(base::to_utf8(status.image)).key("version").string(base::to_utf8(status.version));
  out.key("id").unsigned_integer(status.id).key("run").unsigned_integer(status.run);
  out.key("exit_code").integer(status.exit_code).key("reason").string(base::to_utf8(status.reason));
  out.key("memory_bytes").unsigned_integer(status.memory_bytes);
  out.key("memory_bytes_max").unsigned_integer(status.memory_bytes_max);
  out.key("started_unix_ns").unsigned_integer(natural(status.started_wall));
  out.key("uptime_ns").unsigned_integer(natural(status.uptime));
  out.key("cpu_user_ns").unsigned_integer(natural(status.cpu_user));
  out.key("cpu_total_ns").unsigned_integer(natural(status.cpu_total));
  out.key("restarts").unsigned_integer(status.restarts);
  out.key("restart").string(to_string(status.restart_word));
  out.key("digest").string(status.has_run ? "sha256:" + status.digest.hex() : "");
  out.key("open_fds").unsigned_integer(status.open_fds).key("execs").unsigned_integer(status.execs);
  out.end_object();
}

std::string status_json(const Status& status) {
  base::json::Writer out;
  write_status(out, status);
  return out.take();
}

Status read_status(const Node& node) {
  Status status;
  status.name = text_of(node, "name");
  status.state = chosen(node, "state", kStates);
  status.has_run = flag_of(node, "has_run");
  status.has_reservation = flag_of(node, "has_reservation");
  status.is_configured = flag_of(node, "is_configured");
  status.image = text_of(node, "image");
  status.version = text_of(node, "version");
  status.id = static_cast<std::uint32_t>(number_of(node, "id"));
  status.run = number_of(node, "run");
  if (const Node* code = node.find("exit_code"); code != nullptr)
    status.exit_code = static_cast<std::int32_t>(code->as_i64().value_or(-1));
  status.reason = text_of(node, "reason");
  status.memory_bytes = number_of(node, "memory_bytes");
  status.memory_bytes_max = number_of(node, "memory_bytes_max");
  status.started_wall = nanos(node, "started_unix_ns");
  status.uptime = nanos(node, "uptime_ns");
  status.cpu_user = nanos(node, "cpu_user_ns");
  status.cpu_total = nanos(node, "cpu_total_ns");
  status.restarts = static_cast<std::uint32_t>(number_of(node, "restarts"));
  status.restart_word = chosen(node, "restart", kRestartWords);
  const std::string digest = text_of(node, "digest");
  if (digest.starts_with("sha256:"))
    status.digest = base::sha256_from_hex(std::string_view(digest).substr(7)).value_or(base::Sha256{});
  status.open_fds = static_cast<std::uint32_t>(number_of(node, "open_fds"));
  status.execs = static_cast<std::uint32_t>(number_of(node, "execs"));
  return status;
}

}  // namespace fusebox::container
