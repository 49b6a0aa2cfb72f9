#include "fleet/store/postgres_watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace fusebox::fleet {
namespace {

constexpr std::string_view kListen = "LISTEN fusebox_events; LISTEN fusebox_cache";
constexpr sql::Query kTryLead{"try_lead", "", "SELECT pg_try_advisory_lock(1179996997, 1)"};
constexpr sql::Query kAlive{"alive", "", "SELECT 1"};
constexpr sql::Query kSince{"env_events_since", "zi",
                            "SELECT vm_id, incarnation, seq FROM orchestrator_env_events WHERE created_at > ?1 "
                            "ORDER BY created_at, seq LIMIT ?2"};

}  // namespace

base::Result<std::unique_ptr<PostgresWatch>> PostgresWatch::start(PostgresConnection::Settings listener,
                                                                  PostgresConnection::Settings leader,
                                                                  const base::Clock& clock, ObserverSlot& observer) {
  FB_TRY(auto connection, PostgresConnection::open(listener));
  FB_CHECK(connection->script(std::string(kListen)));
  return std::unique_ptr<PostgresWatch>(
      new PostgresWatch(std::move(listener), std::move(leader), clock, observer, std::move(connection)));
}

PostgresWatch::PostgresWatch(PostgresConnection::Settings listener, PostgresConnection::Settings leader,
                             const base::Clock& clock, ObserverSlot& observer,
                             std::unique_ptr<PostgresConnection> listening)
    : listener_settings_(std::move(listener)),
      leader_settings_(std::move(leader)),
      clock_(clock),
      observer_(observer),
      stop_(base::Fd::adopt(::eventfd(0, EFD_CLOEXEC))) {
  listening_ = std::thread([this, connection = std::move(listening)]() mutable { listen(std::move(connection)); });
  pthread_setname_np(listening_.native_handle(), "fb-store-hear");
  leading_ = std::thread([this] { lead(); });
  pthread_setname_np(leading_.native_handle(), "fb-store-lead");
}

PostgresWatch::~PostgresWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
  listening_.join();
  leading_.join();
}

std::string_view PostgresWatch::leader_word() const noexcept {
  switch (leader_.load()) {
    case Leader::self:
      return "self";
    case Leader::other:
      return "other";
    case Leader::none:
      break;
  }
  return "none";
}

void PostgresWatch::own_writer(int server_process) noexcept {
  if (const int before = writer_.load(); before != server_process) {
    writer_before_.store(before);
    writer_.store(server_process);
  }
}

bool PostgresWatch::is_own(int server_process) const noexcept {
  return server_process == writer_.load() || server_process == writer_before_.load();
}

PostgresWatch::Woken PostgresWatch::wait(int socket, int milliseconds) {
  pollfd waiting[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                      {.fd = socket, .events = POLLIN, .revents = 0}};
  const int ready = ::poll(waiting, 2, milliseconds);
  if (waiting[0].revents != 0) return Woken::stop;
  return ready > 0 ? Woken::socket : Woken::time;
}

bool PostgresWatch::pause(int milliseconds) {
  return wait(-1, milliseconds) != Woken::stop;
}

void PostgresWatch::listen(std::unique_ptr<PostgresConnection> connection) {
  for (;;) {
    if (connection != nullptr) (void)listen_on(*connection);
    if (!pause(kListenRetryMs)) return;
    connection.reset();
    auto opened = PostgresConnection::open(listener_settings_);
    if (!opened || !(*opened)->script(std::string(kListen))) continue;
    // What others committed while nobody listened.
    if (!catch_up(**opened)) continue;
    connection = std::move(*opened);
  }
}

base::Result<void> PostgresWatch::listen_on(PostgresConnection& connection) {
  for (;;) {
    heard_until_ = clock_.wall();
    FB_TRY(const auto arrived, connection.notifications());
    for (const auto& notification : arrived) hear(notification);
    switch (wait(connection.socket(), kListenRetryMs)) {
      case Woken::stop:
        return {};
      case Woken::socket:
        break;
      case Woken::time:
        FB_CHECK(connection.query(kAlive, {}, [](const sql::Row&) {}));
        break;
    }
  }
}

base::Result<void> PostgresWatch::catch_up(PostgresConnection& connection) {
  const sql::Value values[] = {heard_until_ - kCatchUpOverlap, kCatchUpMax};
  return connection.query(kSince, values, [&](const sql::Row& row) {
    EnvEventRow event;
    event.vm_id = row.text(0);
    const base::ByteView incarnation = row.bytes(1);
    std::copy_n(incarnation.begin(), std::min(incarnation.size(), event.incarnation.size()), event.incarnation.begin());
    event.seq = static_cast<std::uint64_t>(row.integer(2));
    told_of(std::move(event));
  });
}

// "<vm id>:<seq>" or "<what>:<id>".
void PostgresWatch::hear(const PostgresConnection::Notification& notification) {
  if (is_own(notification.sender)) return;
  const std::string_view payload = notification.payload;
  if (notification.channel == "fusebox_cache") {
    const std::size_t colon = payload.find(':');
    if (colon == std::string_view::npos) return;
    return observer_.tell(
        [&](CommitObserver& observer) { observer.cache_changed(payload.substr(0, colon), payload.substr(colon + 1)); });
  }
  const std::size_t colon = payload.rfind(':');
  EnvEventRow event;
  if (colon == std::string_view::npos) return;
  event.vm_id = payload.substr(0, colon);
  std::from_chars(payload.data() + colon + 1, payload.data() + payload.size(), event.seq);
  told_of(std::move(event));
}

void PostgresWatch::told_of(EnvEventRow event) {
  observer_.tell([&](CommitObserver& observer) {
    observer.env_event(event);
    observer.environment_changed(event.vm_id);
  });
}

void PostgresWatch::lead() {
  do {
    auto connection = PostgresConnection::open(leader_settings_);
    if (connection) (void)lead_on(**connection);
    leader_.store(Leader::none);
  } while (pause(kLeaderRetryMs));
}

base::Result<void> PostgresWatch::lead_on(PostgresConnection& connection) {
  for (;;) {
    if (leader_.load() != Leader::self) {
      bool got = false;
      FB_CHECK(connection.query(kTryLead, {}, [&](const sql::Row& row) { got = row.integer(0) != 0; }));
      leader_.store(got ? Leader::self : Leader::other);
    } else {
      FB_CHECK(connection.query(kAlive, {}, [](const sql::Row&) {}));
    }
    // The server closes the connection, or says why it will: either wakes us before the next turn.
    switch (wait(connection.socket(), kLeaderRetryMs)) {
      case Woken::stop:
        return {};
      case Woken::socket:
        FB_CHECK(connection.notifications());
        break;
      case Woken::time:
        break;
    }
  }
}

}  // namespace fusebox::fleet
