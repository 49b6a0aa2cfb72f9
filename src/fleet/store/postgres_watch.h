// What a replica sees of the others: their commits, and who leads. Internal to fleet/store.
//
// Leadership is a lock of PostgreSQL's that ends with the connection holding it (contract control-plane.md 16.4): it is
// given up here the moment that connection is seen to be gone.
//
// Owner    owns its two threads and connections; the observer may change at any time.
// Threads  any.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "fleet/store/observer_slot.h"
#include "fleet/store/postgres_connection.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr int kLeaderRetryMs = 2000;
inline constexpr int kListenRetryMs = 1000;
inline constexpr base::Nanos kCatchUpOverlap = std::chrono::seconds{5};  // clocks of replicas, and commits under way
inline constexpr std::uint32_t kCatchUpMax = 10'000;                     // events of one look

class PostgresWatch {
 public:
  // Listens when this returns: no commit of others from then on is missed.
  static base::Result<std::unique_ptr<PostgresWatch>> start(PostgresConnection::Settings listener,
                                                            PostgresConnection::Settings leader,
                                                            const base::Clock& clock, ObserverSlot& observer);
  ~PostgresWatch();
  PostgresWatch(const PostgresWatch&) = delete;
  PostgresWatch& operator=(const PostgresWatch&) = delete;

  bool is_leader() const noexcept { return leader_.load() == Leader::self; }
  std::string_view leader_word() const noexcept;
  // The server process of our own writer, whose commits the observer hears of without this.
  void own_writer(int server_process) noexcept;

 private:
  PostgresWatch(PostgresConnection::Settings listener, PostgresConnection::Settings leader, const base::Clock& clock,
                ObserverSlot& observer, std::unique_ptr<PostgresConnection> listening);
  enum class Leader : std::uint8_t { none, self, other };
  void listen(std::unique_ptr<PostgresConnection> connection);
  void lead();
  base::Result<void> listen_on(PostgresConnection& connection);
  base::Result<void> catch_up(PostgresConnection& connection);
  base::Result<void> lead_on(PostgresConnection& connection);
  void hear(const PostgresConnection::Notification& notification);
  void told_of(EnvEventRow event);
  bool is_own(int server_process) const noexcept;
  // False: the watch ends.
  bool pause(int milliseconds);
  enum class Woken : std::uint8_t { stop, socket, time };
  Woken wait(int socket, int milliseconds);

  PostgresConnection::Settings listener_settings_, leader_settings_;
  const base::Clock& clock_;
  ObserverSlot& observer_;
  base::Fd stop_;  // an eventfd
  std::atomic<Leader> leader_ = Leader::none;
  std::atomic<int> writer_ = 0, writer_before_ = 0;
  base::Nanos heard_until_{0};  // the listener's own
  std::thread listening_, leading_;
};

}  // namespace fusebox::fleet
