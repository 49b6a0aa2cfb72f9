// The API behind a real server on 127.0.0.1, over a store in memory and a scripted engine.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "fleet/api/api.h"
#include "fleet/api/engine_test_support.h"
#include "fleet/secrets/tokens.h"
#include "fleet/store/store_test_support.h"
#include "http/server/server_test_support.h"

namespace fusebox::fleet::test {

using namespace std::chrono_literals;

inline constexpr std::string_view kMaster = "master-token-of-this-test";

struct Received {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  const std::string& header(const std::string& name) { return headers[name]; }
  std::string code() const {  // of an error envelope
    const auto document = base::json::parse(body);
    if (!document) return "not JSON: " + body;
    const base::json::Node* error = document->root->find("error");
    const base::json::Node* code = error != nullptr ? error->find("code") : nullptr;
    return code != nullptr ? code->string() : "no envelope: " + body;
  }
  std::string message() const {
    const auto document = base::json::parse(body);
    const base::json::Node* error = document ? document->root->find("error") : nullptr;
    const base::json::Node* text = error != nullptr ? error->find("message") : nullptr;
    return text != nullptr ? text->string() : "no envelope: " + body;
  }
};

// A client connection that keeps alive.
class Talk {
 public:
  explicit Talk(std::uint16_t port) : raw_(port) {}
  http::test::RawClient& raw() noexcept { return raw_; }

  void send(std::string_view method, std::string_view target, const std::vector<http::Header>& headers,
            std::string_view body, bool with_length = true) {
    std::string text = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
    for (const http::Header& header : headers) text += header.name + ": " + header.value + "\r\n";
    if (with_length && (!body.empty() || method == "POST" || method == "PUT")) {
      text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    text += "\r\n";
    raw_.say(text);
    raw_.say(body);
  }
  Received head() {
    Received received;
    const std::string text = raw_.until("\r\n\r\n");
    if (text.size() < 12) return received;
    std::from_chars(text.data() + 9, text.data() + 12, received.status);
    for (std::size_t at = text.find("\r\n") + 2; at < text.size();) {
      const std::size_t end = text.find("\r\n", at);
      const std::size_t colon = text.find(':', at);
      if (end == at || colon == std::string::npos || colon > end) break;
      std::string name = text.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      received.headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return received;
  }
  Received receive() {
    Received received = head();
    if (received.headers.contains("content-length")) {
      const std::size_t size = std::stoul(received.headers["content-length"]);
      while (received.body.size() < size) {
        const std::string more = take(size - received.body.size());
        if (more.empty()) break;
        received.body += more;
      }
    } else if (received.headers["transfer-encoding"] == "chunked") {
      for (std::string piece = chunk(); !piece.empty(); piece = chunk()) received.body += piece;
    }
    return received;
  }
  // One chunk of a streamed answer; "" = the end.
  std::string chunk() {
    const std::string head = raw_.until("\r\n");
    std::size_t size = 0;
    const auto parsed = std::from_chars(head.data(), head.data() + head.size(), size, 16);
    if (parsed.ec != std::errc{}) return {};
    std::string bytes;
    while (bytes.size() < size) {
      const std::string more = take(size - bytes.size());
      if (more.empty()) return {};
      bytes += more;
    }
    raw_.until("\r\n");
    return bytes;
  }

 private:
  std::string take(std::size_t size) { return raw_.at_most(size); }
  http::test::RawClient raw_;
};

struct ApiServerOptions {
  ApiOptions api{.version = "1.0", .product_version = "9.9", .master_token = std::string(kMaster)};
  std::size_t loops = 2;
};

class ApiServer {
 public:
  explicit ApiServer(ApiServerOptions options = {}) : loops_(options.loops) {
    StoreOptions store_options;
    store_options.database_url = "memory:";
    store_options.replica_id = "r1";
    store_options.clock = &clock;
    auto opened = open_store(store_options);
    if (!opened) ADD_FAILURE() << opened.error().message;
    store = std::move(*opened);
    engine = std::make_unique<ScriptedEngine>(engine_loop_.loop(), *store);
    std::vector<http::Loop*> all;
    for (auto& loop : loops_) all.push_back(&(loop = std::make_unique<http::test::LoopThread>())->loop());
    auto made = Api::create({*engine, *store, metrics, logger, clock, random, all}, std::move(options.api));
    if (!made) ADD_FAILURE() << made.error().message;
    api = std::move(*made);
    store->observe(api.get());
    http::ServerOptions server_options;
    server_options.listen = "127.0.0.1:0";
    api->prepare(server_options);
    auto server = http::Server::listen(all, std::move(server_options), api->handler());
    if (!server) ADD_FAILURE() << server.error().message;
    server_ = std::move(*server);
  }
  ~ApiServer() {
    close();
    server_->drain(10s);
    end_work();
    await(api->settle(waiting_));
    server_.reset();
    // Leases that were handed back are gone before the engine's loop is.
    await(settle(engine_loop_.loop()));
    store->observe(nullptr);
    for (auto& loop : loops_) loop->stop();
    engine_loop_.stop();
    api.reset();
    engine.reset();
    store.reset();
  }
  void close() {
    if (std::exchange(closed_, true)) return;
    await(api->close(waiting_));
  }
  void end_work() { await(api->end_work(waiting_)); }
  std::uint16_t port() const noexcept { return server_->port(); }
  http::Server& server() noexcept { return *server_; }
  base::Executor& engine_executor() noexcept { return engine_loop_.loop(); }

  template <class T>
  T await(base::Task<T> task) {
    return waiting_.await(std::move(task));
  }
  void await(base::Task<void> task) {
    task.start();
    waiting_.run_until([&task] { return task.done(); });
  }
  void write(Store::WriteWork work) {
    const auto done = await(store->write(waiting_, std::move(work)));
    EXPECT_TRUE(done) << done.error().message;
  }

  Received ask(std::string_view method, std::string_view target, std::string_view body = {},
               std::vector<http::Header> headers = {}, std::string_view token = kMaster) {
    Talk talk(port());
    if (!token.empty()) headers.push_back({"Authorization", "Bearer " + std::string(token)});
    headers.push_back({"Connection", "close"});
    talk.send(method, target, headers, body);
    return talk.receive();
  }
  Received get(std::string_view target, std::string_view token = kMaster) { return ask("GET", target, {}, {}, token); }

  // An environment that runs, with its first event.
  EnvironmentRow add_environment(const std::string& vm_id, const std::function<void(EnvironmentRow&)>& change = {}) {
    EnvironmentRow row;
    row.vm_id = vm_id;
    row.host_vm_name = vm_id;
    row.task_id = vm_id.substr(vm_id.find('-') + 1);
    row.state = EnvironmentState::running;
    row.backend = "stub";
    row.url = "fc://" + vm_id;
    row.created_at = row.updated_at = clock.wall();
    random.fill(row.incarnation);
    if (change) change(row);
    refresh_view(row);
    write([&row](Tx& tx) -> base::Result<void> {
      tx.insert_environment(row);
      tx.append_env_event(row.vm_id, "state", state_event(row, to_string(row.state), row.updated_at));
      return {};
    });
    return row;
  }
  void say(const EnvironmentRow& row, std::string_view state) {
    write([&](Tx& tx) -> base::Result<void> {
      tx.append_env_event(row.vm_id, "state", state_event(row, state, clock.wall()));
      return {};
    });
  }
  // Gone, with its last event.
  void remove(const EnvironmentRow& row) {
    write([&](Tx& tx) -> base::Result<void> {
      tx.append_env_event(row.vm_id, "state", state_event(row, "destroyed", clock.wall()));
      tx.delete_environment(row.vm_id, row.generation);
      return {};
    });
  }
  // A key's text.
  std::string add_key(const std::function<void(ApiKeyRow&)>& change = {}) {
    const NewApiKey key = new_api_key(random);
    ApiKeyRow row;
    row.id = key.id;
    row.key_hash = secret_hash(key.text);
    row.created_at = clock.wall();
    if (change) change(row);
    last_key_id = row.id;
    write([&row](Tx& tx) -> base::Result<void> {
      tx.insert_api_key(row);
      return {};
    });
    return key.text;
  }
  std::vector<EventRow> audit(std::string type) {
    EventFilter filter;
    filter.event_type = std::move(type);
    auto rows = await(store->get<std::vector<EventRow>>(
        waiting_, [&filter](Reader& reader) { return reader.events(filter, 0, 100); }));
    EXPECT_TRUE(rows);
    return rows ? std::move(*rows) : std::vector<EventRow>{};
  }

  base::RealClock clock;
  base::SystemRandom random;
  std::mutex lines_mutex;
  std::vector<std::string> lines;  // of the log
  base::Logger logger{clock, base::LogLevel::info, [this](std::string_view line) {
                        const std::lock_guard lock(lines_mutex);
                        lines.emplace_back(line);
                      }};
  Registry metrics;
  std::unique_ptr<Store> store;
  std::unique_ptr<ScriptedEngine> engine;
  std::unique_ptr<Api> api;
  std::string last_key_id;

 private:
  base::Task<void> settle(base::Executor& executor) {
    co_await base::resume_on(executor);
    co_await base::resume_on(waiting_);
  }
  WaitingExecutor waiting_;
  http::test::LoopThread engine_loop_;
  std::vector<std::unique_ptr<http::test::LoopThread>> loops_;
  std::unique_ptr<http::Server> server_;
  bool closed_ = false;
};

}  // namespace fusebox::fleet::test
