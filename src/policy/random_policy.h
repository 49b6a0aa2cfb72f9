// Random policies for tests: every one is in the normal form that reading gives.
//
// Threads  one thread at a time per Random.
#pragma once

#include <string>

#include "base/random.h"
#include "policy/key_tables.h"
#include "policy/policy.h"
#include "policy/text.h"

namespace fusebox::policy {

class RandomPolicy {
 public:
  explicit RandomPolicy(base::Random& random) noexcept : random_(random) {}

  Policy next() {
    Policy policy;
    table(keys::kTop, policy);
    policy.isolation = Isolation::thread;
    table(keys::kInput, policy);
    table(keys::kResult, policy);
    table(keys::kLimits, policy.limits);
    integrity(policy.integrity);
    table(keys::kLog, policy.log);
    table(keys::kEnv, policy.env);
    for (std::uint64_t i = below(4); i > 0; --i)
      policy.env.vars[name()] = pick({"", "a\"b\\c", "\n\t\x01", "\xc3\xa9"});
    http(policy.http);
    files(policy.fs_read, false);
    files(policy.fs_write, true);
    for (std::uint64_t i = below(3); i > 0; --i) registered(policy.registered[concat({"tool.", name()})]);
    table(keys::kAudit, policy.audit);
    if (flip()) policy.audit.path = concat({"audit/", name()});
    if (flip()) policy.audit.sign_key = name();
    if (flip()) policy.audit.redact = {name(), name()};
    table(keys::kSchedule, policy.schedule);
    policy.schedule.activation_mask = static_cast<std::uint32_t>(below(8));
    policy.schedule.event_subscribe = static_cast<std::uint32_t>(random_.next_u64());
    policy.schedule.priority = static_cast<std::int32_t>(random_.next_u64());
    if (flip()) policy.hal_groups = {"camera", "timer"};
    return policy;
  }

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  bool flip() { return below(2) == 1; }
  std::string name() { return concat({"n", std::to_string(below(1000))}); }
  std::string pick(std::initializer_list<const char*> of) { return of.begin()[below(of.size())]; }

  template <class T>
  void table(const KeyTable<T>& table, T& value) {
    for (const auto& key : table.numbers) {
      const std::uint64_t form = below(4);
      if (form == 0) continue;
      value.*key.field = form == 1 ? key.min : form == 2 ? key.max : key.min + below(key.max - key.min + 1);
    }
    for (const auto& key : table.flags) value.*key.field = flip();
    for (const auto& key : table.choices) key.set(value, below(key.names.size()));
  }

  void integrity(Integrity& out) {
    table(keys::kIntegrity, out);
    for (std::uint64_t i = below(3); i > 0; --i) random_.fill(out.sha256.emplace_back());
    for (std::uint64_t i = below(3); i > 0; --i) {
      TrustedKey& key = out.trusted_keys.emplace_back();
      key.id = concat({"key ", std::to_string(i)});
      random_.fill(key.public_key);
      if (flip()) key.not_after_unix_ns = static_cast<std::int64_t>(below(4'000'000'000'000'000'000));
    }
  }

  HttpRule rule(bool deny) {
    HttpRule rule;
    table(deny ? keys::kHttpDeny : keys::kHttpAllow, rule);
    const auto present = [&] { return !deny || flip(); };
    if (present()) rule.scheme = pick({"https", "http"});
    if (present()) rule.host = pick({"a.example.com", "*.example.com", "10.0.0.1", "2001:db8::1", "b_c"});
    if (present()) rule.port = static_cast<std::uint16_t>(1 + below(65535));
    if (present()) rule.methods = flip() ? std::vector<std::string>{"GET"} : std::vector<std::string>{"POST", "PUT"};
    if (present()) rule.path = pick({"/", "/v1", "/v1/", "/a%3Ab/c*d"});
    if (!rule.path) rule.path_match = PathMatch::prefix;
    return rule;
  }

  void http(HttpRules& out) {
    table(keys::kHttp, out);
    for (std::uint64_t i = below(4); i > 0; --i) out.allow.push_back(rule(false));
    for (std::uint64_t i = below(3); i > 0; --i) out.deny.push_back(rule(true));
    if (flip()) out.response_headers.clear();
    if (flip()) out.request_headers = {"x-a", "accept"};
  }

  void files(FileRules& out, bool write) {
    table(write ? keys::kFsWrite : keys::kFsRead, out);
    for (std::uint64_t i = below(3); i > 0; --i) {
      FileRoot& root = out.roots.emplace_back();
      table(write ? keys::kWriteRoot : keys::kReadRoot, root);
      root.guest = concat({"/g", std::to_string(i)});
      root.host = pick({"data", "/srv/data", "../up"});
    }
  }

  void registered(RegisteredCapability& out) {
    table(keys::kRegistered, out);
    if (flip())
      out.arguments_schema = pick({"{}", R"({"properties":{"a":{"maximum":3,"type":"integer"}},"type":"object"})"});
    if (flip()) out.hosts = {"env", "fs.read"};
  }

  base::Random& random_;
};

}  // namespace fusebox::policy
