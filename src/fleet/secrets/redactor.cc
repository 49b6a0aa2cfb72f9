#include "fleet/secrets/redactor.h"

#include <algorithm>
#include <span>

#include "base/wipe.h"

namespace fusebox::fleet {
namespace {

constexpr std::string_view kMark = "[REDACTED]";

struct Run {
  std::size_t begin, end;
};

// Ends grow from call to call; begins may not, so a long occurrence can swallow several runs.
void cover(std::vector<Run>& runs, Run found) {
  while (!runs.empty() && found.begin < runs.back().end) {
    found.begin = std::min(found.begin, runs.back().begin);
    runs.pop_back();
  }
  runs.push_back(found);
}

}  // namespace

Redactor::Redactor(const std::vector<std::string_view>& values) : nodes_(1) {
  std::size_t bytes = 1;
  for (const std::string_view value : values) bytes += value.size();
  nodes_.reserve(bytes);  // never moved while it grows: no copy of a value stays behind
  for (const std::string_view value : values) {
    if (value.size() >= kRedactedBytesMin) add(value);
  }
  link();
}

Redactor::Redactor(const std::map<std::string, std::string>& secrets)
    : Redactor([&] {
        std::vector<std::string_view> values;
        for (const auto& [name, value] : secrets) values.emplace_back(value);
        return values;
      }()) {}

Redactor::~Redactor() {
  base::wipe(std::as_writable_bytes(std::span(nodes_)));
}

std::uint32_t Redactor::child(std::uint32_t node, unsigned char byte) const noexcept {
  if (node == 0) return first_[byte];
  std::uint32_t at = nodes_[node].first_child;
  while (at != 0 && nodes_[at].byte != byte) at = nodes_[at].next_sibling;
  return at;
}

void Redactor::add(std::string_view value) {
  std::uint32_t at = 0;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = child(at, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      Node made;
      made.byte = byte;
      made.next_sibling = nodes_[at].first_child;
      nodes_.push_back(made);
      nodes_[at].first_child = next;
      if (at == 0) first_[byte] = next;
    }
    at = next;
  }
  nodes_[at].match = static_cast<std::uint32_t>(value.size());
}

// Level by level, so that the shorter suffix a node falls back to is done before it.
void Redactor::link() {
  std::vector<std::uint32_t> queue;
  queue.reserve(nodes_.size());
  queue.push_back(0);
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t parent = queue[i];
    for (std::uint32_t at = nodes_[parent].first_child; at != 0; at = nodes_[at].next_sibling) {
      queue.push_back(at);
      if (parent == 0) continue;
      std::uint32_t suffix = nodes_[parent].fallback;
      while (suffix != 0 && child(suffix, nodes_[at].byte) == 0) suffix = nodes_[suffix].fallback;
      nodes_[at].fallback = child(suffix, nodes_[at].byte);
      if (nodes_[at].match == 0) nodes_[at].match = nodes_[nodes_[at].fallback].match;
    }
  }
}

std::string Redactor::redact(std::string_view text) const {
  if (empty()) return std::string(text);
  std::vector<Run> runs;
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::uint32_t next = child(at, byte);
    while (next == 0 && at != 0) {
      at = nodes_[at].fallback;
      next = child(at, byte);
    }
    at = next;
    if (const std::size_t size = nodes_[at].match; size != 0) cover(runs, {i + 1 - size, i + 1});
  }
  std::string out;
  std::size_t copied = 0;
  for (const Run& run : runs) {
    out.append(text.substr(copied, run.begin - copied)).append(kMark);
    copied = run.end;
  }
  return out.append(text.substr(copied));
}

}  // namespace fusebox::fleet
