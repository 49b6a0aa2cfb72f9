#include "edge/config/policy_json_c.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>

#include "base/bytes.h"
#include "edge/config/read_policy.h"

namespace fusebox::edge::config {
namespace {

void say(std::string_view sentence, char* err, std::size_t err_size) noexcept {
  if (err == nullptr || err_size == 0) return;
  const std::string_view cut = base::utf8_prefix(sentence, err_size - 1);
  std::memcpy(err, cut.data(), cut.size());
  err[cut.size()] = '\0';
}

std::optional<std::vector<EventName>> parse_events(std::string_view text, Notes& notes) {
  const auto document = base::json::parse(text, {.file = "events", .bytes_max = kConfigBytesMax}, notes.errors);
  std::vector<EventName> events;
  if (document) events = read_events({*document, notes}, *document->root);
  if (!notes.ok()) return std::nullopt;
  return events;
}

std::optional<EdgePolicy> read(std::string_view text, const char* events, Notes& notes) {
  PolicyContext context;
  std::vector<EventName> names;
  if (events != nullptr) {
    auto parsed = parse_events(events, notes);
    if (!parsed) return std::nullopt;
    names = *std::move(parsed);
  }
  context.events = names;
  return parse_policy(text, "policy", context, notes);
}

}  // namespace

fuse_stat_t policy_from_json(const char* text, std::size_t size, const char* events, fuse_policy_t* out_policy,
                             fuse_policy_ext_t* out_ext, char* err, std::size_t err_size) noexcept {
  say("", err, err_size);
  if (text == nullptr || out_policy == nullptr) {
    say("text or out_policy is NULL", err, err_size);
    return FUSE_ERR_INVALID_ARG;
  }
  try {
    Notes notes;
    const auto policy = read({text, size}, events, notes);
    if (!policy) {
      say(notes.text(), err, err_size);
      return FUSE_ERR_INVALID_ARG;
    }
    *out_policy = policy->policy;
    if (out_ext != nullptr) *out_ext = policy->ext;
    return FUSE_SUCCESS;
  } catch (const std::exception&) {
    say("out of memory", err, err_size);
    return FUSE_ERR_INVALID_ARG;
  }
}

}  // namespace fusebox::edge::config
