#include "fleet_lines.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/json.h"
#include "child_process.h"
#include "fleet_server.h"
#include "http_load.h"

namespace fusebox::cli::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kClients = 32;
constexpr std::uint64_t kCreates = 20'000;
constexpr std::uint64_t kCreatesPostgres = 5'000;
constexpr std::uint64_t kFleet = 100'000;  // environments that lists are taken among
constexpr std::uint64_t kGets = 200'000;
constexpr std::uint64_t kLists = 10'000;
constexpr std::size_t kSubscribers = 10'000;
constexpr std::size_t kTopics = 1'000;
constexpr double kEventsPerSecond = 1'000;
constexpr base::Nanos kEventsWait{std::chrono::seconds{20}};
constexpr std::size_t kWrittenBytes = 1u << 20;
constexpr std::size_t kWholeForks = 100;  // each leaves a frozen layer of that size behind
constexpr const char* kToken = FleetServer::kToken;

std::string create_body(std::string_view task, std::string_view image = {}) {
  std::string body = R"({"task_id":")" + std::string(task) + '"';
  if (!image.empty()) body += R"(,"spec":{"image":")" + std::string(image) + "\"}";
  return body + "}";
}
std::string create_request(std::string_view task, std::string_view image = {}) {
  return http_request("POST", "/v1/environments", kToken, create_body(task, image));
}
std::string at(std::string_view vm, std::string_view rest = {}) {
  return "/v1/environments/" + std::string(vm) + std::string(rest);
}

base::Result<std::string> expect(base::Result<HttpConnection::Answer> answer, int status) {
  if (!answer) return base::fail(std::move(answer.error()));
  if (answer->status != status)
    return base::fail(base::Errc::io, "the server answered " + std::to_string(answer->status) + ": " + answer->body);
  return std::move(answer->body);
}

base::Result<LoadResult> load(const Conditions& conditions, const LoadOptions& options) {
  FB_TRY(LoadResult result, run_load(conditions.watch->clock(), options));
  if (result.unexpected != 0)
    return base::fail(base::Errc::io, std::to_string(result.unexpected) + " answers were unexpected; the first: " +
                                          result.first_unexpected.substr(0, 400));
  return result;
}

// What each request took of the time of all: a rate as a cost, so that less is better.
Row rate_row(std::string name, std::string line, const LoadResult& result, double per_second_wanted) {
  Samples each;
  each.add(static_cast<double>(result.span.count()) / 1e3 / static_cast<double>(result.latencies_us.size()));
  Row row = row_of(std::move(name), std::move(line), "us", each);
  Samples latencies;
  for (const double one : result.latencies_us) latencies.add(one);
  row.p99 = latencies.p99();
  row.samples = result.latencies_us.size();
  row.target.median_max = 1e6 / per_second_wanted;
  row.note = std::to_string(static_cast<std::uint64_t>(result.per_second())) + " /s; p50 of one " +
             number_text(latencies.median()) + " us; the p99 is that of one";
  return row;
}

Row time_row(std::string name, std::string line, const Samples& samples, double p50_max, double p99_max = 0) {
  Row row = row_of(std::move(name), std::move(line), "us", samples);
  row.target.median_max = p50_max;
  if (p99_max > 0) row.target.p99_max = p99_max;
  return row;
}

base::Result<fs::path> big_image(const fs::path& folder) {
  fs::create_directories(folder / "tree");
  std::ofstream(folder / "tree" / "app.wasm", std::ios::binary).write("\0asm\1\0\0\0", 8);  // never run
  std::ofstream(folder / "tree" / "bulk").close();
  std::error_code error;
  fs::resize_file(folder / "tree" / "bulk", 100u << 20, error);
  const fs::path tar = folder / "big.tar";
  FB_TRY(const int status,
         run_child({{"/usr/bin/tar", "-C", (folder / "tree").string(), "-cf", tar.string(), "app.wasm", "bulk"},
                    {"PATH=/usr/bin:/bin"}}));
  if (status != 0) return base::fail(base::Errc::io, "tar ended with " + std::to_string(status));
  return tar;
}

}  // namespace

Rows measure_fleet_sandboxes(const Conditions& conditions) {
  FB_TRY(const base::TempDir scratch, base::TempDir::create("fusebox-bench-image"));
  FB_TRY(const fs::path tar, big_image(scratch.path()));
  FB_TRY(const auto server, FleetServer::start({.database = {}, .images = {"hello"}, .image_file = tar}));
  FB_TRY(HttpConnection connection, HttpConnection::open(server->port()));
  const Stopwatch& watch = *conditions.watch;
  const double idle_mb = static_cast<double>(server->resident_bytes()) / 1e6;
  const std::string exec_body = R"({"cmd":["hello"]})";
  Samples first, exec, fork, fork_whole;
  const std::size_t rounds = std::max<std::size_t>(50, std::min<std::size_t>(conditions.rounds, 500));
  for (std::size_t i = 0; i < rounds + 5; ++i) {
    const std::string task = "o" + std::to_string(i);
    base::Result<void> done;
    const double took = watch.time_ns([&] {
      auto made = expect(connection.call(create_request(task, "hello")), 201);
      if (!made) done = std::unexpected(made.error());
      auto said =
          expect(connection.call(http_request("POST", at("fuse-" + task, "?action=exec"), kToken, exec_body)), 200);
      if (!said) done = std::unexpected(said.error());
    });
    FB_CHECK(done);
    if (i >= 5) first.add(took / 1e3);
  }
  for (std::size_t i = 0; i < rounds; ++i) {
    base::Result<std::string> said;
    exec.add(watch.time_ns([&] {
      said = expect(connection.call(http_request("POST", at("fuse-o0", "?action=exec"), kToken, exec_body)), 200);
    }) / 1e3);
    FB_CHECK(said);
  }
  FB_CHECK(expect(connection.call(create_request("source", "big")), 201));
  const std::string written(kWrittenBytes, 'w');
  FB_CHECK(expect(connection.call(http_request("PUT", at("fuse-source", "/files?path=/note"), kToken, written)), 201));
  FB_TRY(const std::string made,
         expect(connection.call(http_request("POST", at("fuse-source", "/snapshots"), kToken, "{}")), 201));
  FB_TRY(const auto snapshot, base::json::parse(made));
  const std::string reuse = R"({"reuse_snapshot_id":")" + snapshot.root->find("id")->string() + "\"}";
  for (std::size_t i = 0; i < rounds; ++i) {
    base::Result<std::string> forked;
    fork.add(watch.time_ns([&] {
      forked = expect(connection.call(http_request("POST", at("fuse-source", "?action=fork"), kToken, reuse)), 201);
    }) / 1e3);
    FB_CHECK(forked);
  }
  for (std::size_t i = 0; i < std::min(rounds, kWholeForks); ++i) {
    // A new one each time: one that has been forked has its 1 MiB in a frozen layer already.
    const std::string task = "w" + std::to_string(i);
    FB_CHECK(expect(connection.call(create_request(task, "big")), 201));
    FB_CHECK(
        expect(connection.call(http_request("PUT", at("fuse-" + task, "/files?path=/note"), kToken, written)), 201));
    base::Result<std::string> forked;
    fork_whole.add(watch.time_ns([&] {
      forked = expect(connection.call(http_request("POST", at("fuse-" + task, "?action=fork"), kToken, "{}")), 201);
    }) / 1e3);
    FB_CHECK(forked);
  }
  std::vector<Row> rows;
  rows.push_back(
      time_row("fleet.first_output", "create, run and the first output, wasm, SQLite durable", first, 2000, 10'000));
  rows.push_back(time_row("fleet.exec", "exec of a trivial program in a running environment", exec, 1000));
  rows.push_back(time_row("fleet.fork.snapshot", "fork, 100 MiB image, 1 MiB written, from its snapshot", fork, 1000));
  rows.push_back(
      time_row("fleet.fork.whole", "the same from the running environment, its snapshot made too", fork_whole, 1000));
  Samples idle;
  idle.add(idle_mb);
  Row memory = row_of("fleet.idle", "memory of an idle server", "MB", idle);
  memory.target.median_max = 30;
  rows.push_back(std::move(memory));
  return rows;
}

namespace {

base::Result<std::vector<Row>> creates_and_destroys(const Conditions& conditions, const std::string& name,
                                                    const std::string& database, std::uint64_t count, double creates,
                                                    double destroys) {
  FB_TRY(const auto server, FleetServer::start({.database = database, .images = {}, .image_file = {}}));
  LoadOptions options;
  options.port = server->port();
  options.connections = kClients;
  options.requests = count;
  options.status = 201;
  options.request = [](std::uint64_t n) { return create_request("c" + std::to_string(n)); };
  FB_TRY(const LoadResult made, load(conditions, options));
  options.status = 204;
  options.request = [](std::uint64_t n) { return http_request("DELETE", at("fuse-c" + std::to_string(n)), kToken); };
  FB_TRY(const LoadResult gone, load(conditions, options));
  std::vector<Row> rows;
  rows.push_back(rate_row("fleet.create." + name, "durable creates, 32 clients, each", made, creates));
  rows.push_back(rate_row("fleet.destroy." + name, "durable destroys, 32 clients, each", gone, destroys));
  if (destroys == 0) rows.back().target = {};
  return rows;
}

}  // namespace

Rows measure_fleet_creates(const Conditions& conditions) {
  FB_TRY(std::vector<Row> rows, creates_and_destroys(conditions, "sqlite", {}, kCreates, 8000, 8000));
  FB_TRY(const auto postgres, PostgresProcess::start());
  FB_TRY(std::vector<Row> more,
         creates_and_destroys(conditions, "postgres", postgres->url(), kCreatesPostgres, 5000, 0));
  for (Row& row : more) rows.push_back(std::move(row));
  return rows;
}

Rows measure_fleet_reads(const Conditions& conditions) {
  FB_TRY(const auto server, FleetServer::start({.database = {}, .images = {}, .image_file = {}}));
  LoadOptions options;
  options.port = server->port();
  options.connections = kClients;
  options.requests = kFleet;
  options.status = 201;
  options.request = [](std::uint64_t n) { return create_request("r" + std::to_string(n)); };
  FB_CHECK(load(conditions, options));
  options.status = 200;
  options.requests = kGets;
  options.request = [](std::uint64_t) { return http_request("GET", at("fuse-r77"), kToken); };
  std::vector<Row> rows;
  FB_TRY(const LoadResult gets, load(conditions, options));
  rows.push_back(rate_row("fleet.get", "GET one environment, 32 connections, each", gets, 60'000));
  options.per_second = 30'000;
  FB_TRY(const LoadResult paced, load(conditions, options));
  Samples at_half;
  for (const double one : paced.latencies_us) at_half.add(one);
  rows.push_back(time_row("fleet.get.paced", "the same at 30,000 /s", at_half, 3000, 3000));
  options.per_second = 0;
  options.requests = kLists;
  const auto list = [&](const char* name, const char* line,
                        std::function<std::string(std::uint64_t)> target) -> base::Result<void> {
    options.request = [target](std::uint64_t n) { return http_request("GET", target(n), kToken); };
    FB_TRY(const LoadResult lists, load(conditions, options));
    Row row = rate_row(name, line, lists, 5000);
    row.target.p99_max = 10'000;
    rows.push_back(std::move(row));
    return {};
  };
  FB_CHECK(
      list("fleet.list", "list of 50 among 100,000, each", [](std::uint64_t) { return "/v1/environments?limit=50"; }));
  FB_CHECK(list("fleet.list.state", "the same, filtered by state",
                [](std::uint64_t) { return "/v1/environments?limit=50&state=running"; }));
  FB_CHECK(list("fleet.list.task", "the same, filtered by task", [](std::uint64_t n) {
    return "/v1/environments?limit=50&task_id=r" + std::to_string(n * 7 % kFleet);
  }));
  Samples restart;
  for (int i = 0; i < 3; ++i) {
    FB_TRY(const double took, server->restart());
    restart.add(took);
  }
  Row again = row_of("fleet.restart", "kill -9 to ready, 100,000 environments in the store", "ms", restart);
  again.target.median_max = 2000;
  rows.push_back(std::move(again));
  return rows;
}

namespace {

// Event streams and what they get.
class Subscribers {
 public:
  explicit Subscribers(const base::Clock& clock) : clock_(clock) {}
  base::Result<void> open(std::uint16_t port, std::size_t count) {
    epoll_ = base::Fd::adopt(::epoll_create1(EPOLL_CLOEXEC));
    for (std::size_t i = 0; i < count; ++i) {
      FB_TRY(HttpConnection line, HttpConnection::open(port));
      const std::string request = http_request("GET", at("fuse-e" + std::to_string(i % kTopics), "/events"), kToken);
      if (::write(line.descriptor(), request.data(), request.size()) < 0) return base::fail(base::Errc::io, "write");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, line.descriptor(), &event);
      lines_.push_back(std::move(line));
      if (i % 256 == 255) take(0);
    }
    return {};
  }
  // Takes what has come: frames in all, and when those of `draining` came.
  void take(int timeout_ms) {
    std::array<epoll_event, 512> events{};
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
      if (count <= 0) return;
      for (int i = 0; i < count; ++i) read(events[static_cast<std::size_t>(i)].data.u64);
      timeout_ms = 0;
    }
  }
  std::size_t first_frames() const noexcept { return first_; }
  std::size_t delivered() const noexcept { return delivered_; }
  void sent(std::size_t topic) { sent_[topic] = clock_.monotonic(); }
  const Samples& delays() const noexcept { return delays_; }

 private:
  void read(std::size_t index) {
    std::array<char, 16384> piece;
    const ssize_t got = ::recv(lines_[index].descriptor(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    const std::string_view text(piece.data(), static_cast<std::size_t>(got));
    if (text.find("\"state\":\"running\"") != text.npos) ++first_;
    if (text.find("\"state\":\"draining\"") == text.npos) return;
    ++delivered_;
    delays_.add(static_cast<double>((clock_.monotonic() - sent_[index % kTopics]).count()) / 1e6);
  }
  const base::Clock& clock_;
  base::Fd epoll_;
  std::vector<HttpConnection> lines_;
  std::map<std::size_t, base::Nanos> sent_;
  std::size_t first_ = 0, delivered_ = 0;
  Samples delays_;
};

}  // namespace

Rows measure_fleet_events(const Conditions& conditions) {
  const base::Clock& clock = conditions.watch->clock();
  FB_TRY(const auto server, FleetServer::start({.database = {}, .images = {}, .image_file = {}}));
  LoadOptions options;
  options.port = server->port();
  options.requests = kTopics;
  options.status = 201;
  options.request = [](std::uint64_t n) { return create_request("e" + std::to_string(n)); };
  FB_CHECK(load(conditions, options));
  const std::uint64_t before = server->resident_bytes();
  Subscribers subscribers(clock);
  FB_CHECK(subscribers.open(server->port(), kSubscribers));
  const auto until = [&](auto&& done) {
    for (const base::Nanos end = clock.monotonic() + kEventsWait; !done() && clock.monotonic() < end;)
      subscribers.take(100);
  };
  until([&] { return subscribers.first_frames() == kSubscribers; });
  if (subscribers.first_frames() < kSubscribers)
    return base::fail(base::Errc::io,
                      std::to_string(subscribers.first_frames()) + " of the subscribers got their first frame");
  const std::uint64_t after = server->resident_bytes();
  FB_TRY(HttpConnection driver, HttpConnection::open(server->port()));
  const base::Nanos began = clock.monotonic();
  for (std::size_t topic = 0; topic < kTopics; ++topic) {
    const base::Nanos turn =
        began + base::Nanos{static_cast<std::int64_t>(static_cast<double>(topic) * 1e9 / kEventsPerSecond)};
    while (clock.monotonic() < turn) subscribers.take(0);
    subscribers.sent(topic);
    FB_CHECK(expect(
        driver.call(http_request("POST", at("fuse-e" + std::to_string(topic), "?action=drain"), kToken, "")), 200));
    subscribers.take(0);
  }
  until([&] { return subscribers.delivered() == kSubscribers; });
  std::vector<Row> rows;
  Row delay =
      row_of("fleet.events", "10,000 subscribers of 1,000 topics, 1,000 events/s: delay", "ms", subscribers.delays());
  delay.target.p99_max = 250;
  delay.note = std::to_string(subscribers.delivered()) + " of " + std::to_string(kSubscribers) + " deliveries came";
  rows.push_back(std::move(delay));
  Samples each;
  each.add(static_cast<double>(after - before) / 1024.0 / static_cast<double>(kSubscribers));
  Row memory = row_of("fleet.events.memory", "memory of the server for each subscriber", "KiB", each);
  memory.target.median_max = 12;
  rows.push_back(std::move(memory));
  if (subscribers.delivered() != kSubscribers) return base::fail(base::Errc::io, rows.front().note);
  return rows;
}

}  // namespace fusebox::cli::bench
