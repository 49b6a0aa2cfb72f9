// The words of the wire and of the tables for the enumerations of records.h.
#include <array>

#include "fleet/store/records.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

constexpr std::array<std::string_view, 4> kEnvironmentStates = {"provisioning", "running", "draining", "destroying"};
constexpr std::array<std::string_view, 3> kHostStates = {"active", "cordoned", "draining"};
constexpr std::array<std::string_view, 3> kReachabilities = {"reachable", "suspect", "unreachable"};
constexpr std::array<std::string_view, 4> kTaskStatuses = {"assigned", "running", "completed", "failed"};
constexpr std::array<std::string_view, 5> kSnapshotStates = {"creating", "ready", "restoring", "deleting", "error"};
constexpr std::array<std::string_view, 4> kOperationStates = {"running", "done", "failed", "cancelled"};

template <class E, std::size_t N>
E parse(const std::array<std::string_view, N>& words, std::string_view word, E unknown) noexcept {
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return static_cast<E>(i);
  }
  return unknown;
}

}  // namespace

std::string_view to_string(EnvironmentState state) noexcept {
  return kEnvironmentStates[static_cast<std::size_t>(state)];
}
std::string_view to_string(HostState state) noexcept {
  return kHostStates[static_cast<std::size_t>(state)];
}
std::string_view to_string(Reachability state) noexcept {
  return kReachabilities[static_cast<std::size_t>(state)];
}
std::string_view to_string(TaskStatus status) noexcept {
  return kTaskStatuses[static_cast<std::size_t>(status)];
}
std::string_view to_string(SnapshotState state) noexcept {
  return kSnapshotStates[static_cast<std::size_t>(state)];
}
std::string_view to_string(OperationState state) noexcept {
  return kOperationStates[static_cast<std::size_t>(state)];
}

// A word nobody knows becomes the state in which nothing is started and nothing is destroyed.
EnvironmentState environment_state(std::string_view word) noexcept {
  return parse(kEnvironmentStates, word, EnvironmentState::draining);
}
HostState host_state(std::string_view word) noexcept {
  return parse(kHostStates, word, HostState::cordoned);
}
Reachability reachability(std::string_view word) noexcept {
  return parse(kReachabilities, word, Reachability::suspect);
}
TaskStatus task_status(std::string_view word) noexcept {
  return parse(kTaskStatuses, word, TaskStatus::failed);
}
SnapshotState snapshot_state(std::string_view word) noexcept {
  return parse(kSnapshotStates, word, SnapshotState::error);
}
OperationState operation_state(std::string_view word) noexcept {
  return parse(kOperationStates, word, OperationState::failed);
}

}  // namespace fusebox::fleet
