// A provider for the API's tests: a few files, processes that do what their name says, terminals that echo.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/wait.h"
#include "host/api/provider.h"

namespace fusebox::fleet::test {

using base::Errc;
using base::Result;
using base::Task;

// `cat` says what it is given until its input ends; `hang` says nothing until it is killed; all others say their
// arguments on stdout, "oops" on stderr, and end with 3.
class FakeProcess final : public host::ProcessStream {
 public:
  FakeProcess(base::Executor& executor, host::ProcessSpec spec, std::atomic<int>& alive)
      : signal_(executor), spec_(std::move(spec)), alive_(alive) {
    ++alive_;
    if (spec_.argv.front() == "cat" || spec_.argv.front() == "hang") return;
    std::string out;
    for (std::size_t at = 1; at < spec_.argv.size(); ++at) out += spec_.argv[at];
    push({host::ProcessEvent::Kind::out, out, {}});
    push({host::ProcessEvent::Kind::err, "oops", {}});
    end({3, "", false});
  }
  ~FakeProcess() override { --alive_; }
  std::uint64_t pid() const noexcept override { return 1; }
  Task<Result<host::ProcessEvent>> next() override {
    while (events_.empty()) {
      if (ended_) co_return base::fail(Errc::not_found, "it has ended");
      co_await signal_.wait();
    }
    host::ProcessEvent event = std::move(events_.front());
    events_.pop_front();
    co_return event;
  }
  Task<Result<void>> write_stdin(std::string_view bytes) override {
    push({host::ProcessEvent::Kind::out, std::string(bytes), {}});
    co_return Result<void>{};
  }
  Result<void> close_stdin() override {
    end({0, "", false});
    return {};
  }
  Result<void> signal(std::string_view name) override {
    end({name == "KILL" ? 137 : 143, std::string(name), false});
    return {};
  }
  Result<void> resize(host::TerminalSize) override { return {}; }

 private:
  void push(host::ProcessEvent event) {
    if (ended_) return;
    events_.push_back(std::move(event));
    signal_.notify();
  }
  void end(host::ExitStatus exit) {
    push({host::ProcessEvent::Kind::exit, "", std::move(exit)});
    ended_ = true;
  }
  base::Signal signal_;
  host::ProcessSpec spec_;
  std::atomic<int>& alive_;
  std::deque<host::ProcessEvent> events_;
  bool ended_ = false;
};

// Says back what it is told.
class EchoStream final : public http::ByteStream {
 public:
  EchoStream(base::Executor& executor, std::string greeting, std::atomic<int>& alive)
      : signal_(executor), bytes_(std::move(greeting)), alive_(alive) {
    ++alive_;
  }
  ~EchoStream() override { --alive_; }
  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    while (bytes_.empty() && !closed_) co_await signal_.wait();
    const std::size_t size = std::min(into.size(), bytes_.size());
    std::copy_n(bytes_.begin(), size, into.begin());
    bytes_.erase(0, size);
    co_return size;
  }
  Task<Result<void>> write(std::string_view bytes) override {
    bytes_ += bytes;
    if (bytes.find("bye") != std::string_view::npos) closed_ = true;
    signal_.notify();
    co_return Result<void>{};
  }
  void close() noexcept override {
    closed_ = true;
    signal_.notify();
  }

 private:
  base::Signal signal_;
  std::string bytes_;
  bool closed_ = false;
  std::atomic<int>& alive_;
};

class TextReader final : public host::FileReader {
 public:
  TextReader(std::string bytes, std::uint32_t mode) : bytes_(std::move(bytes)), mode_(mode) {}
  std::uint32_t mode() const noexcept override { return mode_; }
  std::optional<std::uint64_t> size() const noexcept override { return bytes_.size(); }
  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    const std::size_t size = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), size, into.begin());
    at_ += size;
    co_return size;
  }

 private:
  std::string bytes_;
  std::uint32_t mode_;
  std::size_t at_ = 0;
};

struct FakeFile {
  std::string bytes;
  std::uint32_t mode = 0644;
};
using FakeFiles = std::map<std::string, FakeFile>;

class TextWriter final : public host::FileWriter {
 public:
  TextWriter(FakeFiles& files, std::string path, std::uint32_t mode) : files_(files), path_(std::move(path)) {
    file_.mode = mode;
  }
  Task<Result<void>> write(std::string_view piece) override {
    file_.bytes += piece;
    co_return Result<void>{};
  }
  Task<Result<std::uint64_t>> commit() override {
    const std::uint64_t size = file_.bytes.size();
    files_[path_] = std::move(file_);
    co_return size;
  }

 private:
  FakeFiles& files_;
  std::string path_;
  FakeFile file_;
};

class FakeProvider final : public host::Provider {
 public:
  explicit FakeProvider(base::Executor& executor) : executor_(executor) {}

  // Touched on the executor, or before anything runs.
  FakeFiles files;
  std::vector<host::LogRecord> log_records;
  host::ExecResult exec_result{{0, "", false}, "out", "err", false, false};
  host::ProcessSpec last_spec;
  host::AttachSpec last_attach;
  std::optional<base::Error> fails;  // every call
  std::optional<base::Signal> held;  // set: exec waits for it
  std::atomic<int> processes_alive{0}, streams_alive{0}, execs{0};

  std::string_view backend() const noexcept override { return "stub"; }
  Task<Result<host::ExecResult>> exec(host::CallContext, std::string, host::ProcessSpec spec) override {
    ++execs;
    last_spec = std::move(spec);
    if (held) co_await held->wait();
    if (fails) co_return std::unexpected(*fails);
    co_return exec_result;
  }
  Task<Result<std::unique_ptr<host::ProcessStream>>> start_process(host::CallContext, std::string,
                                                                   host::ProcessSpec spec) override {
    last_spec = spec;
    if (fails) co_return std::unexpected(*fails);
    co_return std::make_unique<FakeProcess>(executor_, std::move(spec), processes_alive);
  }
  Task<Result<std::unique_ptr<http::ByteStream>>> attach(host::CallContext, std::string,
                                                         host::AttachSpec spec) override {
    last_attach = std::move(spec);
    if (fails) co_return std::unexpected(*fails);
    co_return std::make_unique<EchoStream>(executor_, "hello ", streams_alive);
  }
  Task<Result<std::unique_ptr<host::FileReader>>> read_file(host::CallContext, std::string, std::string path) override {
    if (fails) co_return std::unexpected(*fails);
    const auto found = files.find(path);
    if (found == files.end()) co_return base::fail(Errc::not_found, "no such file: " + path);
    co_return std::make_unique<TextReader>(found->second.bytes, found->second.mode);
  }
  Task<Result<std::unique_ptr<host::FileReader>>> read_archive(host::CallContext, std::string,
                                                               std::string path) override {
    if (fails) co_return std::unexpected(*fails);
    co_return std::make_unique<TextReader>("tar of " + path, 0);
  }
  Task<Result<std::unique_ptr<host::FileWriter>>> write_file(host::CallContext, std::string, std::string path,
                                                             std::uint32_t mode) override {
    if (fails) co_return std::unexpected(*fails);
    co_return std::make_unique<TextWriter>(files, std::move(path), mode);
  }
  Task<Result<std::vector<host::FileEntry>>> list_files(host::CallContext, std::string, std::string) override {
    if (fails) co_return std::unexpected(*fails);
    std::vector<host::FileEntry> entries;
    for (const auto& [path, file] : files)
      entries.push_back({path.substr(1), "file", file.bytes.size(), file.mode, {}});
    co_return entries;
  }
  Task<Result<void>> remove_file(host::CallContext, std::string, std::string path, bool) override {
    if (fails) co_return std::unexpected(*fails);
    if (files.erase(path) == 0) co_return base::fail(Errc::not_found, "no such file: " + path);
    co_return Result<void>{};
  }
  Task<Result<LogPage>> logs(host::CallContext, std::string, std::vector<std::string>, std::uint64_t from) override {
    LogPage page;
    for (std::size_t at = from; at < log_records.size(); ++at) page.records.push_back(log_records[at]);
    page.next = log_records.size();
    co_return page;
  }

  // What the API never calls.
  Task<Result<host::Capacity>> capacity(host::CallContext) override { co_return unused(); }
  Task<Result<host::VmRecord>> create(host::CallContext, host::CreateSpec) override { co_return unused(); }
  Task<Result<std::vector<host::VmRecord>>> list(host::CallContext, std::string) override { co_return unused(); }
  Task<Result<host::VmRecord>> get(host::CallContext, std::string) override { co_return unused(); }
  Task<Result<void>> destroy(host::CallContext, std::string) override { co_return unused(); }
  Task<Result<void>> upload(host::CallContext, std::string, std::string, std::string,
                            std::optional<std::uint32_t>) override {
    co_return unused();
  }
  Task<Result<std::unique_ptr<host::ProcessStream>>> connect_process(host::CallContext, std::string,
                                                                     std::uint64_t) override {
    co_return unused();
  }
  Task<Result<std::vector<host::ProcessInfo>>> processes(host::CallContext, std::string) override {
    co_return unused();
  }
  Task<Result<std::vector<host::Endpoint>>> start_agent(host::CallContext, std::string, host::StartAgentSpec) override {
    co_return unused();
  }
  Task<Result<void>> start_surfd(host::CallContext, std::string, host::StartAgentSpec) override { co_return unused(); }
  Task<Result<void>> drain(host::CallContext, std::string) override { co_return unused(); }
  Task<Result<host::SnapshotRecord>> snapshot(host::CallContext, std::string, host::SnapshotSpec) override {
    co_return unused();
  }
  Task<Result<std::vector<host::SnapshotRecord>>> snapshots(host::CallContext, std::string) override {
    co_return unused();
  }
  Task<Result<std::vector<host::SnapshotRecord>>> all_snapshots(host::CallContext) override { co_return unused(); }
  Task<Result<void>> restore(host::CallContext, std::string, std::string) override { co_return unused(); }
  Task<Result<host::VmRecord>> fork(host::CallContext, std::string, host::ForkSpec) override { co_return unused(); }
  Task<Result<void>> delete_snapshot(host::CallContext, std::string, std::string) override { co_return unused(); }
  Task<Result<host::SnapshotRecord>> pull(host::CallContext, host::PullSpec) override { co_return unused(); }
  Task<Result<std::unique_ptr<host::FileReader>>> artifact(host::CallContext, std::string) override {
    co_return unused();
  }
  Task<Result<host::VmStats>> stats(host::CallContext, std::string) override { co_return unused(); }
  bool has_image(std::string_view) const override { return false; }

 private:
  static std::unexpected<base::Error> unused() { return base::fail(Errc::unsupported, "not of this test"); }
  base::Executor& executor_;
};

}  // namespace fusebox::fleet::test
