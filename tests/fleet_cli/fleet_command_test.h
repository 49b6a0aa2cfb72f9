// For the tests of the control plane's verbs: the command, and a server that answers as the contract says.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "support/http_test_server.h"
#include "support/process.h"

namespace fusebox::testing {

inline std::string error_json(const std::string& code, const std::string& message) {
  return R"({"error":{"code":")" + code + R"(","message":")" + message + "\"}}\n";
}
inline std::string chunk(std::string_view data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

class FleetCommandTest : public ::testing::Test {
 protected:
  // What one "METHOD /path?query" answers; the first whose text begins the request's counts.
  void on(const std::string& request, TestHandler handler) {
    const std::lock_guard lock(routes_mutex_);
    routes_.emplace_back(request, std::move(handler));
  }
  void on(const std::string& request, int status, const std::string& body, const std::string& headers = "") {
    on(request, [=](const SeenRequest&, TestConnection& to) {
      return to.write(response(status, headers + "Content-Type: application/json\r\nX-Request-ID: req_1\r\n", body));
    });
  }
  // A stream of server-sent events that stays open after them.
  void on_events(const std::string& request, const std::string& frames, bool then_close = false) {
    on(request, [=](const SeenRequest&, TestConnection& to) {
      to.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
               chunk(frames));
      if (then_close)
        to.write("0\r\n\r\n");
      else
        to.wait_for_client_to_close();
      return false;
    });
  }
  static std::string state_frame(int id, const std::string& state, const std::string& more = "") {
    return "id: " + std::to_string(id) + "\ndata: {\"id\":\"" + std::to_string(id) +
           R"(","event":"state","vm_id":"fuse-a","state":")" + state + "\"" + more + "}\n\n";
  }

  Finished fusebox(std::vector<std::string> arguments, ProcessOptions options = {}) {
    if (server_ == nullptr)
      server_ =
          std::make_unique<HttpTestServer>([this](const SeenRequest& r, TestConnection& to) { return answer(r, to); });
    arguments.insert(arguments.begin(), FUSEBOX_COMMAND);
    options.folder = folder_.path().string();
    options.environment.insert(options.environment.begin(),
                               {"FUSE_BASE_URL=" + url(), "FUSE_TOKEN=secret-token",
                                "FUSE_CONFIG=" + (folder_.path() / "config.yaml").string()});
    return run_process(arguments, options);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  std::vector<SeenRequest> seen() const { return server_->seen(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name) << text;
    return (folder_.path() / name).string();
  }
  std::string read(const std::string& name) const {
    const auto text = base::read_file(folder_.path() / name, 1u << 20);
    return text ? *text : text.error().message;
  }

  base::TempDir folder_ = *base::TempDir::create("fusebox-fleet");

 private:
  bool answer(const SeenRequest& request, TestConnection& to) {
    const std::string text = request.method + " " + request.target;
    if (const TestHandler handler = handler_of(text)) return handler(request, to);
    return to.write(
        response(404, "Content-Type: application/json\r\n", error_json("route_not_found", "no such route: " + text)));
  }
  // A copy: a test may add to them while one is under way.
  TestHandler handler_of(const std::string& text) {
    const std::lock_guard lock(routes_mutex_);
    for (const auto& [begin, handler] : routes_)
      if (text.starts_with(begin)) return handler;
    return {};
  }
  std::mutex routes_mutex_;
  std::vector<std::pair<std::string, TestHandler>> routes_;
  std::unique_ptr<HttpTestServer> server_;
};

inline constexpr const char* kEnvironmentA =
    R"({"id":"fuse-a","state":"running","task_id":"a","host_id":"h1","url":"10.0.0.1:80","backend":"wasm",)"
    R"("spec":{"image":"js"},"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"})";
inline constexpr const char* kEnvironmentB =
    R"({"id":"fuse-b","state":"draining","task_id":"b","url":"","spec":{},)"
    R"("created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"})";

}  // namespace fusebox::testing
