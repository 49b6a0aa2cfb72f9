// What a committed closure has for the CommitObserver. Internal to fleet/store.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fleet/store/records.h"

namespace fusebox::fleet {

class CommitObserver;

struct Notice {
  enum class Kind : std::uint8_t { env_event, environment, cache };
  Kind kind = Kind::environment;
  std::string what{};   // cache
  std::string id{};     // environment, cache
  EnvEventRow event{};  // env_event; its seq is known when the transaction has settled
};

void deliver(std::span<const Notice> notices, CommitObserver& observer);

}  // namespace fusebox::fleet
