#include "capability/audit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "base/json.h"
#include "capability/audit_test_tools.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

std::vector<std::string> all_lines(AuditLog& log, const AuditFilter& filter = {}) {
  std::vector<std::string> lines;
  const auto result = log.query(filter, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  EXPECT_TRUE(result) << result.error().message;
  return lines;
}

std::size_t count_text(const std::vector<std::string>& lines, std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.contains(text); }));
}

TEST_F(AuditTest, MemoryKeepsTheLastTenThousand) {
  AuditLog log({}, clock);
  append(log, 10'005);
  const auto lines = all_lines(log);
  ASSERT_EQ(lines.size(), kAuditRingRecords);
  // 10,005 records and a checkpoint at each thousandth place.
  EXPECT_EQ(parse_audit_line(lines.back())->seq, 10'005u + 10u);
  EXPECT_EQ(parse_audit_line(lines.front())->seq, 16u);
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  const AuditReport report = audit_verify_text(text);
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.head, *log.head());
}

TEST_F(AuditTest, FileHoldsTheChainAndIsPrivate) {
  AuditLog log(in_file(), clock);
  append(log, 3);
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(lines_of(slurp(path)).size(), 3u);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(log.head()->seq, 3u);
  EXPECT_EQ(verify().head, *log.head());
}

TEST_F(AuditTest, AThousandthRecordIsACheckpointAlsoOverRestarts) {
  {
    AuditLog log(in_file(), clock);
    append(log, 998);
    ASSERT_TRUE(log.flush());
  }  // 999: the checkpoint of close()
  {
    AuditOptions options = in_file();
    options.sign_key = test_key();
    AuditLog log(std::move(options), clock);
    append(log, 1);
    ASSERT_TRUE(log.flush());
  }
  const auto lines = lines_of(slurp(path));
  ASSERT_EQ(lines.size(), 1002u);
  for (const std::size_t seq : {std::size_t{999}, std::size_t{1000}, std::size_t{1002}}) {
    const auto line = parse_audit_line(lines[seq - 1]);
    EXPECT_EQ(line->type, "checkpoint") << seq;
    EXPECT_TRUE(line->detail.starts_with("{\"count\":" + std::to_string(seq - 1) + ",\"head\":\"" + line->prev.hex()))
        << line->detail;
  }
  EXPECT_EQ(count_text(lines, "\"signature\":"), 2u);
  EXPECT_TRUE(verify().ok());
}

TEST_F(AuditTest, CloseWritesNoSecondCheckpointForNothing) {
  AuditLog log(in_file(), clock);
  append(log, 1);
  ASSERT_TRUE(log.close());
  ASSERT_TRUE(log.close());
  EXPECT_EQ(lines_of(slurp(path)).size(), 2u);
  append(log, 1);
  ASSERT_TRUE(log.close());
  EXPECT_EQ(lines_of(slurp(path)).size(), 4u);
  EXPECT_TRUE(verify().ok());
}

TEST_F(AuditTest, RotatesWithoutBreakingTheChain) {
  const std::uint64_t max = 5000;
  {
    AuditLog log(in_file(max), clock);
    for (int i = 0; i < 10; ++i) {
      append(log, 7);
      ASSERT_TRUE(log.flush());
    }
  }
  {
    AuditLog log(in_file(max), clock);
    append(log, 30);
  }
  const auto files = *audit_series(path);
  ASSERT_GE(files.size(), 9u);
  for (const auto& file : files) EXPECT_LE(std::filesystem::file_size(file), max);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    last = parse_audit_line(lines_of(slurp(files[i])).back())->seq;
    EXPECT_TRUE(
        files[i].string().ends_with("." + std::string(20 - std::to_string(last).size(), '0') + std::to_string(last)));
  }
  const AuditReport report = verify();
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.records, 102u);
}

// The number in the newest record of removed files, if there is one.
std::optional<std::uint64_t> removed_through(const std::vector<std::filesystem::path>& files) {
  std::optional<std::uint64_t> newest;
  for (const auto& file : files) {
    for (const std::string& line : lines_of(slurp(file))) {
      const auto record = parse_audit_line(line);
      if (!record || record->type != "audit_gap") continue;
      const auto detail = base::json::parse(record->detail, {.file = "detail"});
      if (detail && detail->root->find("reason")->string() == "max_files")
        newest = detail->root->find("removed_through")->as_u64();
    }
  }
  return newest;
}

TEST_F(AuditTest, RemovesTheOldestFilesBeyondItsBoundAndRecordsIt) {
  const std::uint64_t max = 5000;
  std::uint64_t removals = 0;
  {
    AuditLog log(in_file(max, 3), clock);
    for (int i = 0; i < 300; ++i) {  // past the checkpoint at 1000
      append(log, 5);
      ASSERT_TRUE(log.flush());
      const auto files = *audit_series(path);
      ASSERT_LE(files.size(), 3u);
      const auto removed = removed_through(files);
      const AuditReport report = verify();
      ASSERT_TRUE(report.ok()) << report.problem->text();
      ASSERT_EQ(report.first_seq, removed.value_or(0) + 1);
      removals += removed ? 1 : 0;
    }
  }
  EXPECT_GT(removals, 200u);
  const auto files = *audit_series(path);
  EXPECT_EQ(files.size(), 3u);
  for (const auto& file : files) EXPECT_LE(std::filesystem::file_size(file), max);
  EXPECT_FALSE(verify().from_beginning);
  EXPECT_GT(verify().head.seq, 1500u);
}

TEST_F(AuditTest, KeepsTheFileThatANewOneContinues) {
  AuditLog log(in_file(1, 0), clock);  // a file for each line
  append(log, 20);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(audit_series(path)->size(), 2u);
  EXPECT_TRUE(verify().ok());
}

TEST_F(AuditTest, AFileThatCannotBeRemovedDoesNotStopTheLog) {
  const std::filesystem::path stays = path.string() + "." + std::string(20, '0');
  AuditLog log(in_file(5000, 3), clock);
  append(log, 1);
  ASSERT_TRUE(log.flush());
  std::filesystem::create_directory(stays);
  for (int i = 0; i < 30; ++i) {
    append(log, 5);
    ASSERT_TRUE(log.flush());
  }
  const auto files = *audit_series(path);
  EXPECT_EQ(files.front(), stays);
  EXPECT_EQ(files.size(), 4u);  // it and the three that are kept
  EXPECT_FALSE(log.status().failing);
}

TEST_F(AuditTest, ALineLargerThanAFileMayBeStillGoesIn) {
  AuditLog log(in_file(1), clock);
  append(log, 3);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(audit_series(path)->size(), 3u);
  EXPECT_EQ(verify().records, 3u);
}

TEST_F(AuditTest, ContinuesFromTheRotatedFileWhenTheNewOneIsMissingOrEmpty) {
  for (const bool empty : {false, true}) {
    {
      AuditLog log(in_file(), clock);
      append(log, 2);
      ASSERT_TRUE(log.flush());
    }
    const std::uint64_t last = verify().head.seq;
    char digits[32];
    std::snprintf(digits, sizeof digits, ".%020llu", static_cast<unsigned long long>(last));
    std::filesystem::rename(path, path.string() + digits);
    if (empty) spill(path, "");
    AuditLog log(in_file(), clock);
    append(log, 1);
    ASSERT_TRUE(log.flush());
    EXPECT_EQ(log.head()->seq, last + 1);
    EXPECT_TRUE(verify().ok());
  }
}

TEST_F(AuditTest, RepairsATailCutAtEveryByteAndSaysSo) {
  std::string text;
  {
    AuditLog log(in_file(), clock);
    append(log, 2);
    ASSERT_TRUE(log.flush());
    text = slurp(path);
  }
  const std::size_t first = text.find('\n') + 1;
  for (std::size_t size = 0; size <= text.size(); size += size > 16 && size < first ? 16 : 1) {
    spill(path, text.substr(0, size));
    const bool clean = size == 0 || size == first || size == text.size();
    const std::size_t whole = size < first ? 0 : size < text.size() ? 1 : 2;
    AuditLog log(in_file(), clock);
    append(log, 1);
    const auto flushed = log.flush();
    ASSERT_TRUE(flushed) << size << ": " << flushed.error().message;
    const auto lines = lines_of(slurp(path));
    ASSERT_EQ(lines.size(), whole + (clean ? 1 : 2)) << size;
    if (!clean) {
      const auto gap = parse_audit_line(lines[whole]);
      EXPECT_EQ(gap->type, "audit_gap");
      const std::size_t torn = size - (whole == 0 ? 0 : first);
      EXPECT_EQ(gap->detail, "{\"reason\":\"torn_line\",\"bytes\":" + std::to_string(torn) + "}");
    }
    ASSERT_TRUE(verify().ok()) << size;
  }
}

TEST_F(AuditTest, RepairsBlocksThatWereNeverFilled) {
  {
    AuditLog log(in_file(), clock);
    append(log, 1);
    ASSERT_TRUE(log.flush());
  }
  spill(path, slurp(path) + "{\"se" + std::string(5000, '\0'));
  AuditLog log(in_file(), clock);
  append(log, 1);
  ASSERT_TRUE(log.flush());
  EXPECT_TRUE(verify().ok());
  EXPECT_EQ(count_text(all_lines(log), "\"torn_line\",\"bytes\":5004"), 1u);
}

TEST_F(AuditTest, NeverTouchesAFileThatIsNoAuditLog) {
  const std::string foreign[] = {"precious text\nwithout a last line end", "precious text\n", "root:x:0:0",
                                 std::string(400'000, 'x')};
  for (const std::string& text : foreign) {
    spill(path, text);
    {
      AuditLog log(in_file(), clock);
      append(log, 1);
      const auto flushed = log.flush();
      ASSERT_FALSE(flushed);
      EXPECT_EQ(flushed.error().code, base::Errc::corrupt);
      EXPECT_TRUE(flushed.error().message.starts_with("audit log " + path.string())) << flushed.error().message;
    }
    EXPECT_EQ(slurp(path), text);
  }
}

TEST_F(AuditTest, DoesNotContinueATailThatDoesNotVerify) {
  {
    AuditLog log(in_file(), clock);
    append(log, 3);
  }
  std::string text = slurp(path);
  const std::size_t at = text.rfind("\"count\":3");
  text[at + 8] = '4';
  spill(path, text);
  AuditLog log(in_file(), clock);
  append(log, 1);
  const auto flushed = log.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().message,
            "audit log " + path.string() +
                " cannot be continued (see `fusebox audit verify`): record 4 does not match its hash");
  EXPECT_TRUE(log.status().failing);
  EXPECT_EQ(log.status().queued, 1u);
}

TEST_F(AuditTest, RefusesWhatIsNotARegularFile) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  AuditLog log(in_file(), clock);
  append(log, 1);
  EXPECT_EQ(log.flush().error().message, "audit log " + path.string() + " is not a regular file");
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/full", path);
  EXPECT_FALSE(log.flush());
}

// While the folder is missing nothing can be written; making it is the recovery.
TEST_F(AuditTest, QueuesThenDropsThenTellsHowMany) {
  path = folder->path() / "later" / "audit.log";
  AuditLog log(in_file(), clock);
  append(log, static_cast<int>(kAuditQueueRecords));
  EXPECT_EQ(log.status().queued, kAuditQueueRecords);
  EXPECT_EQ(log.status().dropped, 0u);
  append(log, 3);
  EXPECT_EQ(log.status().queued, kAuditQueueRecords);
  EXPECT_EQ(log.status().dropped, 3u);
  EXPECT_TRUE(log.status().failing);
  EXPECT_NE(log.status().message.find("later/audit.log: open"), std::string::npos) << log.status().message;
  EXPECT_TRUE(log.admit()) << "on_failure continue keeps running";

  std::filesystem::create_directory(path.parent_path());
  ASSERT_TRUE(log.flush());
  EXPECT_FALSE(log.status().failing);
  EXPECT_EQ(log.status().queued, 0u);
  EXPECT_EQ(log.status().dropped, 0u);
  const auto lines = lines_of(slurp(path));
  ASSERT_EQ(lines.size(), kAuditQueueRecords + 2);  // one checkpoint, one gap
  const auto gap = parse_audit_line(lines.back());
  EXPECT_EQ(gap->type, "audit_gap");
  EXPECT_TRUE(gap->detail.starts_with("{\"reason\":\"write_failed\",\"dropped\":3,\"first\":\"20")) << gap->detail;
  EXPECT_TRUE(verify().ok());
}

TEST_F(AuditTest, DenyRefusesExecutionsUntilWritingWorks) {
  path = folder->path() / "later" / "audit.log";
  AuditOptions options = in_file();
  options.on_failure = policy::OnAuditFailure::deny;
  AuditLog log(std::move(options), clock);
  const auto refused = log.admit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().name, "AUDIT_UNAVAILABLE");
  EXPECT_EQ(refused.error().code, base::Errc::unavailable);
  EXPECT_TRUE(refused.error().message.starts_with("nothing may run while the audit log cannot be written: audit log "))
      << refused.error().message;
  std::filesystem::create_directory(path.parent_path());
  EXPECT_TRUE(log.admit());
  append(log, 1);
  EXPECT_TRUE(log.flush());
  EXPECT_TRUE(log.admit());
}

TEST_F(AuditTest, AFullDiskLosesNothingThatFitsTheQueueAndLeavesNoTornLine) {
  // In a child: the limit on file sizes stands for the disk, and cannot be raised again.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{3000, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) ::_exit(10);
    AuditLog log(in_file(), clock);
    append(log, 4);
    if (!log.flush()) ::_exit(11);
    append(log, 20);
    const auto failed = log.flush();
    if (failed || !log.status().failing || log.status().queued != 20) ::_exit(12);
    if (slurp(path).back() != '\n') ::_exit(13);
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &large) != 0) ::_exit(14);
    if (!log.flush() || log.status().queued != 0) ::_exit(15);
    if (!log.close()) ::_exit(16);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);
  const AuditReport report = verify();
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.records, 25u);
}

TEST_F(AuditTest, AReadOnlyFolderFailsTheFlushButNotTheCaller) {
  std::filesystem::create_directory(folder->path() / "ro");
  path = folder->path() / "ro" / "audit.log";
  ::chmod(path.parent_path().c_str(), 0500);
  if (::geteuid() == 0) {
    if (::mount("tmpfs", path.parent_path().c_str(), "tmpfs", MS_RDONLY, nullptr) != 0)
      GTEST_SKIP() << "needs a user without rights, or mounts";
  }
  {
    AuditLog log(in_file(), clock);
    append(log, 2);
    const auto flushed = log.flush();
    EXPECT_FALSE(flushed);
    EXPECT_EQ(log.status().queued, 2u);
  }
  if (::geteuid() == 0) ::umount(path.parent_path().c_str());
  ::chmod(path.parent_path().c_str(), 0700);
}

TEST_F(AuditTest, ThreadsShareOneLog) {
  {
    AuditLog log(in_file(20'000), clock);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          log.append({.type = AuditType::execution_start,
                      .execution_id = "t" + std::to_string(t),
                      .detail = "{\"i\":" + std::to_string(i) + "}"});
          if (i % 3 == 0) {
            EXPECT_TRUE(log.flush());
          }
          if (i % 50 == 0) {
            EXPECT_TRUE(log.head());
          }
        }
      });
    }
    threads.clear();
    for (int t = 0; t < 4; ++t) {
      const auto lines =
          all_lines(log, {.execution_id = "t" + std::to_string(t), .type = {}, .capability = {}, .from = {}, .to = {}});
      ASSERT_EQ(lines.size(), 200u);
      for (std::size_t i = 0; i < lines.size(); ++i)
        EXPECT_EQ(parse_audit_line(lines[i])->detail, "{\"i\":" + std::to_string(i) + "}");
    }
  }
  const AuditReport report = verify();
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.records, 801u);
}

TEST_F(AuditTest, ThreadsShareOneLogInMemory) {
  AuditLog log({}, clock);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          log.append({.type = AuditType::execution_start});
          EXPECT_TRUE(log.flush());
        }
      });
    }
  }
  EXPECT_EQ(log.head()->seq, 2002u);
  std::string text;
  for (const auto& line : all_lines(log)) text += line + "\n";
  EXPECT_TRUE(audit_verify_text(text).ok());
}

TEST_F(AuditTest, InMemoryRecordsAreChainedWhenAskedForOrWhenManyWait) {
  AuditLog log({}, clock);
  append(log, 10);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.status().queued, 10u);
  EXPECT_EQ(log.head()->seq, 10u);
  EXPECT_EQ(log.status().queued, 0u);
  append(log, static_cast<int>(kAuditLazyRecords) - 1);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.status().queued, kAuditLazyRecords - 1);
  append(log, 1);
  ASSERT_TRUE(log.flush());
  EXPECT_EQ(log.status().queued, 0u);
  append(log, static_cast<int>(kAuditQueueRecords) + 1);
  EXPECT_LE(log.status().queued, kAuditQueueRecords);
  EXPECT_EQ(log.status().dropped, 0u);
  EXPECT_EQ(all_lines(log).size(), 10 + kAuditLazyRecords + kAuditQueueRecords + 1 + 1);  // one checkpoint
}

// Each thread may run on another processor than the one before, and the clock stands still.
TEST_F(AuditTest, WhatWasAppendedFirstIsFirstInTheChainWhicheverThreadAppended) {
  AuditLog log({}, clock);
  constexpr int kThreads = 64;
  for (int i = 0; i < kThreads; ++i) {
    std::jthread([&log, i] {
      log.append({.type = AuditType::host_call, .detail = "{\"i\":" + std::to_string(i) + "}"});
    }).join();
  }
  const auto lines = all_lines(log);
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kThreads));
  for (int i = 0; i < kThreads; ++i) {
    EXPECT_EQ(parse_audit_line(lines[static_cast<std::size_t>(i)])->detail, "{\"i\":" + std::to_string(i) + "}");
  }
}

TEST_F(AuditTest, ThreadsInMemoryLoseNothingWhenTheQueuesAreFull) {
  AuditLog log({}, clock);
  constexpr int kThreads = 4;
  constexpr int kRecords = 2000;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&log] {
        for (int i = 0; i < kRecords; ++i) log.append({.type = AuditType::execution_start});
      });
    }
  }
  EXPECT_EQ(log.status().dropped, 0u);
  EXPECT_EQ(log.head()->seq, kThreads * kRecords + 8u);  // with a checkpoint at each thousandth place
}

class AuditProcessesTest : public AuditTest {
 protected:
  static constexpr int kProcesses = 3;
  static constexpr int kRecords = 150;

  // Each writes its records, one at a time, and closes its log.
  void write_from_processes(std::uint64_t max_file_bytes, std::uint64_t max_files) {
    std::vector<pid_t> children;
    for (int p = 0; p < kProcesses; ++p) {
      const pid_t child = ::fork();
      if (child == 0) {
        AuditLog log(in_file(max_file_bytes, max_files), clock);
        for (int i = 0; i < kRecords; ++i) {
          append(log, 1, "p" + std::to_string(p));
          if (!log.flush()) ::_exit(1);
        }
        ::_exit(log.close() ? 0 : 2);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0);
    }
  }
};

TEST_F(AuditProcessesTest, ShareOneFileAndItsRotation) {
  write_from_processes(10'000, kAuditFilesMax);
  const AuditReport report = verify();
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.records, kProcesses * (kRecords + 1u));
  EXPECT_GT(audit_series(path)->size(), 5u);
}

TEST_F(AuditProcessesTest, RemoveOldFilesTogether) {
  write_from_processes(10'000, 4);
  const auto files = *audit_series(path);
  EXPECT_EQ(files.size(), 4u);
  const AuditReport report = verify();
  EXPECT_TRUE(report.ok()) << report.problem->text();
  EXPECT_EQ(report.first_seq, removed_through(files).value_or(0) + 1);
  EXPECT_GT(report.head.seq, kProcesses * (kRecords + 1u));
}

TEST_F(AuditTest, QueriesByEveryKeyAndKeepsLinesUnchanged) {
  for (const bool memory : {true, false}) {
    AuditLog log(memory ? AuditOptions{} : in_file(1500), clock);
    const base::Nanos start = clock.wall();
    log.append({.type = AuditType::runtime_start});
    clock.advance(std::chrono::seconds{10});
    log.append({.type = AuditType::authorization_decision, .execution_id = "a", .capability = "fs.read"});
    clock.advance(std::chrono::seconds{10});
    log.append({.type = AuditType::authorization_decision, .execution_id = "b", .capability = "odd \"id\""});
    clock.advance(std::chrono::seconds{10});
    log.append({.type = AuditType::host_call, .execution_id = "b", .capability = "fs.read"});
    const auto seqs = [&](const AuditFilter& filter) {
      std::string out;
      for (const auto& line : all_lines(log, filter)) out += std::to_string(parse_audit_line(line)->seq);
      return out;
    };
    AuditFilter filter;
    EXPECT_EQ(seqs(filter), "1234");
    filter.execution_id = "b";
    EXPECT_EQ(seqs(filter), "34");
    filter.type = AuditType::host_call;
    EXPECT_EQ(seqs(filter), "4");
    filter = {};
    filter.capability = "fs.read";
    EXPECT_EQ(seqs(filter), "24");
    filter.capability = "odd \"id\"";
    EXPECT_EQ(seqs(filter), "3");
    filter = {};
    filter.from = start + std::chrono::seconds{10};
    EXPECT_EQ(seqs(filter), "234");
    filter.to = start + std::chrono::seconds{20};
    EXPECT_EQ(seqs(filter), "2");
    int seen = 0;
    ASSERT_TRUE(log.query({}, [&](std::string_view) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
    if (!memory) {
      std::string text;
      const auto files = audit_series(path);
      for (const auto& file : *files) text += slurp(file);
      EXPECT_EQ(lines_of(text), all_lines(log));
    }
  }
}

TEST_F(AuditTest, OptionsComeFromThePolicy) {
  policy::AuditRules rules;
  EXPECT_TRUE(audit_options(rules, folder->path())->path.empty());
  rules.path = "logs/a.log";
  rules.max_file_bytes = 77;
  rules.on_failure = policy::OnAuditFailure::deny;
  rules.sign_key = "key";
  EXPECT_FALSE(audit_options(rules, folder->path()));
  spill(folder->path() / "key", std::string(31, 'k'));
  EXPECT_EQ(audit_options(rules, folder->path()).error().message,
            "audit.sign_key: " + (folder->path() / "key").string() + " has 31 bytes; an Ed25519 seed has 32");
  spill(folder->path() / "key", std::string(32, 'k'));
  const auto options = audit_options(rules, folder->path());
  ASSERT_TRUE(options);
  EXPECT_EQ(options->path, folder->path() / "logs/a.log");
  EXPECT_EQ(options->max_file_bytes, 77u);
  EXPECT_EQ(options->on_failure, policy::OnAuditFailure::deny);
  EXPECT_EQ(options->sign_key->public_key(), test_key().public_key());
}

}  // namespace
}  // namespace fusebox::capability
