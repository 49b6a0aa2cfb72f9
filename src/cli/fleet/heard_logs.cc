#include "cli/fleet/heard_logs.h"

#include "cli/fleet/text.h"

namespace fusebox::cli::fleet {

bool HeardLogs::is_new(const base::json::Node& record) {
  const std::string source = text_member(record, "source");
  const std::string time = text_member(record, "at");
  const std::string data = text_member(record, "data");
  const base::Nanos at = base::parse_rfc3339(time).value_or(base::Nanos{0});
  if (was_heard(source, at, data)) return false;
  if (first_.empty()) first_ = time;
  Source& heard = heard_[source];
  if (at > heard.newest) heard = {at, {}};
  if (at == heard.newest) heard.said.insert(data);
  return true;
}

bool HeardLogs::was_heard(const std::string& source, base::Nanos at, const std::string& data) {
  const auto before = before_.find(source);
  if (before == before_.end() || at > before->second.newest) return false;
  if (at < before->second.newest) return true;
  const auto same = before->second.said.find(data);
  if (same == before->second.said.end()) return false;
  before->second.said.erase(same);
  return true;
}

void HeardLogs::go_on(std::string& since, std::string& limit) {
  before_ = heard_;
  if (limit.empty() || first_.empty()) return;
  since = first_;
  limit.clear();
}

}  // namespace fusebox::cli::fleet
