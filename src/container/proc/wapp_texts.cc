#include "container/proc/wapp_texts.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace fusebox::container {
namespace {

constexpr std::uint64_t kPageBytes = 65536;
constexpr std::array<std::string_view, 11> kLeaves = {"state",  "image",   "version", "id",       "memory", "exit_code",
                                                      "reason", "started", "cpu",     "restarts", "digest"};

std::string memory_text(const Status& status) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  return "linear_cur:\t" + number(status.memory_bytes) + " B\nlinear_max:\t" + number(status.memory_bytes_max) +
         " B\npages_cur:\t" + number(status.memory_bytes / kPageBytes) + "\npages_max:\t" +
         number(status.memory_bytes_max / kPageBytes) + "\n";
}

std::string millis(base::Nanos time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

std::string digest_text(const Status& status) {
  return status.digest == base::Sha256{} ? std::string() : "sha256:" + status.digest.hex();
}

}  // namespace

std::span<const std::string_view> wapp_leaves() noexcept {
  return kLeaves;
}
bool is_wapp_leaf(std::string_view leaf) noexcept {
  return std::ranges::find(kLeaves, leaf) != kLeaves.end();
}

std::string wapp_text(const Status& status, std::string_view leaf) {
  if (leaf == "state") return std::string(to_string(status.state));
  if (leaf == "image") return status.image;
  if (leaf == "version") return status.version;
  if (leaf == "id") return std::to_string(status.id);
  if (leaf == "memory") return memory_text(status);
  if (leaf == "exit_code") return std::to_string(status.exit_code);
  if (leaf == "reason") return status.reason;
  if (leaf == "started") return std::to_string(status.started_wall.count()) + " " + millis(status.uptime);
  if (leaf == "cpu") return "user_ms:\t" + millis(status.cpu_user) + "\ntotal_ms:\t" + millis(status.cpu_total) + "\n";
  if (leaf == "restarts") return std::to_string(status.restarts) + " " + std::string(to_string(status.restart_word));
  return digest_text(status);
}

}  // namespace fusebox::container
