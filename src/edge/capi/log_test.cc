// Contract section 13; rows 28, 29 and 33 of section 15: the bytes of the log, its ring, its readers, and the evidence.
#include <unistd.h>

#include <cstring>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kEntry = 144;

class Log : public FuseTest {
 protected:
  // A runtime on `bytes` of log memory that begins `offset` bytes into the buffer.
  void open_log(std::size_t bytes, std::size_t offset = 0, const fuse_options_t* with = nullptr) {
    fuse_deinit();
    memory.assign(bytes + offset + 16, kFill);
    const fuse_hal_t hal = whole_hal();
    ASSERT_EQ(
        fuse_init_ex(pool.data(), pool.size(), memory.data() + offset, bytes, &hal, sizeof hal, FUSE_HAL_MASK, with),
        FUSE_SUCCESS);
  }
  std::uint8_t* entry(std::size_t index, std::size_t offset = 0) { return memory.data() + offset + index * kEntry; }
  template <typename T>
  static T read(const std::uint8_t* at) {
    T out;
    std::memcpy(&out, at, sizeof out);
    return out;
  }
  static const char* text_at(const std::uint8_t* at) { return reinterpret_cast<const char*>(at + 16); }
  static fuse_log_stats_t stats() {
    fuse_log_stats_t out{};
    EXPECT_EQ(fuse_log_stats(&out), FUSE_SUCCESS);
    return out;
  }
  static std::vector<std::string> evidence() {
    std::vector<std::string> out;
    std::uint64_t cursor = 0;
    std::uint32_t n = 0;
    fuse_log_record_t record;
    while (fuse_evidence_read(&cursor, &record, 1, &n) == FUSE_SUCCESS && n == 1) {
      EXPECT_EQ(record.origin, static_cast<std::uint32_t>(FUSE_LOG_ORIGIN_RUNTIME));
      EXPECT_EQ(record.entry.level, static_cast<std::uint32_t>(FUSE_LOG_FATAL));
      out.emplace_back(record.entry.message);
    }
    return out;
  }
  // Logs "SECURITY: forged" at FATAL so often in each step.
  static std::string floods(int times) {
    return with_imports(
        "(local i32) (loop $l (call $log (i32.const 0) (i32.const 16) (i32.const 2))"
        "(br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const " +
            std::to_string(times) + "))))",
        "(data (i32.const 0) \"SECURITY: forged\")");
  }

  static constexpr std::uint8_t kFill = 0xEE;
  std::vector<std::uint8_t> memory;
};

TEST_F(Log, AnEntryIsTheseBytes) {
  world().clock_us = 0x1122334455667788;
  open_log(kEntry * 4);
  EXPECT_EQ(read<std::uint64_t>(entry(0)), 0x1122334455667788u);
  EXPECT_EQ(read<std::uint32_t>(entry(0) + 8), 0xFFFFFFFFu);
  EXPECT_EQ(read<std::uint32_t>(entry(0) + 12), 1u);
  EXPECT_STREQ(text_at(entry(0)), "FUSE runtime initialised");
  world().clock_us = 7;
  load(kNothing);
  EXPECT_EQ(read<std::uint64_t>(entry(1)), 7u);
  EXPECT_EQ(read<std::uint32_t>(entry(1) + 8), 0u);
  EXPECT_STREQ(text_at(entry(1)), "module 0 loaded");
  for (std::size_t i = 16 + std::strlen("module 0 loaded"); i < kEntry; ++i) EXPECT_EQ(entry(1)[i], 0);
  EXPECT_EQ(entry(2)[0], kFill);
}

TEST_F(Log, AnyAlignmentServesAndNothingBeyondIsTouched) {
  for (const std::size_t offset : {1u, 3u, 7u}) {
    open_log(kEntry * 3 + 143, offset);
    for (int i = 0; i < 5; ++i) fuse_stop();
    EXPECT_EQ(stats().capacity, 3u);
    EXPECT_STREQ(text_at(entry(0, offset)), "FUSE runtime stopped");
    for (std::size_t i = 0; i < offset; ++i) EXPECT_EQ(memory[i], kFill);
    for (std::size_t i = offset + kEntry * 3; i < memory.size(); ++i) EXPECT_EQ(memory[i], kFill) << i;
  }
}

TEST_F(Log, TheCapacityIsTheBytesBy144) {
  const std::pair<std::size_t, std::uint32_t> sizes[] = {{32u << 10, 227}, {64u << 10, 455}, {1, 0},  {143, 0},
                                                         {144, 1},         {287, 1},         {288, 2}};
  for (const auto& [bytes, capacity] : sizes) {
    open_log(bytes);
    EXPECT_EQ(stats().capacity, capacity) << bytes;
  }
}

TEST_F(Log, TheRingOverwritesTheOldest) {
  open_log(kEntry * 3);
  for (int i = 0; i < 2; ++i) fuse_restart();
  EXPECT_STREQ(text_at(entry(0)), "FUSE runtime initialised");
  EXPECT_EQ(stats().overwritten, 0u);
  fuse_stop();
  EXPECT_STREQ(text_at(entry(0)), "FUSE runtime stopped");
  EXPECT_STREQ(text_at(entry(1)), "FUSE runtime restarted");
  EXPECT_EQ(stats().written, 4u);
  EXPECT_EQ(stats().overwritten, 1u);
  const auto all = records();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].sequence, 1u);
  EXPECT_EQ(all[2].sequence, 3u);
  EXPECT_STREQ(all[2].entry.message, "FUSE runtime stopped");
}

TEST_F(Log, AReaderGoesOnWhereItWasAndSeesTheGap) {
  open_log(kEntry * 3);
  std::uint64_t cursor = 0;
  std::uint32_t n = 99;
  fuse_log_record_t out[4];
  EXPECT_EQ(fuse_log_read(&cursor, out, 4, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(cursor, 1u);
  EXPECT_EQ(fuse_log_read(&cursor, out, 4, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 0u);
  for (int i = 0; i < 5; ++i) fuse_stop();  // sequences 1..5
  EXPECT_EQ(fuse_log_read(&cursor, out, 2, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 2u);
  EXPECT_EQ(out[0].sequence, 3u);
  EXPECT_EQ(cursor, 5u);
  EXPECT_EQ(fuse_log_read(&cursor, nullptr, 0, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 0u);
  EXPECT_EQ(cursor, 5u);
  EXPECT_EQ(fuse_log_read(&cursor, out, 4, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 1u);
  cursor = ~std::uint64_t{0};  // of another runtime
  EXPECT_EQ(fuse_log_read(&cursor, out, 4, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 0u);
}

TEST_F(Log, WithoutARingTheEvidenceIsKept) {
  open_log(1);
  world().clock_reads = 0;
  const auto id = run(kTrap);
  EXPECT_EQ(world().clock_reads, 0);  // one read for each ring entry, and there is no ring
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(world().clock_reads, 1);
  EXPECT_TRUE(records().empty());
  EXPECT_THAT(evidence(), ::testing::ElementsAre("module 0 trap: Exception: unreachable"));
  for (const std::uint8_t byte : memory) EXPECT_EQ(byte, kFill);
}

TEST_F(Log, AGuestCanNeitherForgeNorFlushWhatTheRuntimeWrites) {
  open_log(32u << 10);
  const auto bad = run(kTrap);
  fuse_module_run_step(bad);
  const auto id = run(floods(228));
  fuse_module_run_step(id);
  EXPECT_THAT(log_lines(), Not(Contains(HasSubstr("trap: Exception"))));  // 227 guest calls overwrite the ring
  EXPECT_THAT(evidence(), ::testing::ElementsAre("module 0 trap: Exception: unreachable"));
  for (const fuse_log_record_t& record : records()) {
    EXPECT_EQ(record.origin, static_cast<std::uint32_t>(FUSE_LOG_ORIGIN_GUEST));
    EXPECT_EQ(record.entry.module_id, id);
  }
  EXPECT_EQ(stats().overwritten, stats().written - 227);
}

TEST_F(Log, EveryRecordSaysWhoWroteIt) {
  open_log(kEntry * 20);
  fuse_module_run_step(run(floods(2)));
  std::vector<std::uint32_t> origins;
  for (const fuse_log_record_t& record : records()) origins.push_back(record.origin);
  EXPECT_THAT(origins, ::testing::ElementsAre(0, 0, 0, 1, 1));  // initialised, loaded, running, two of the guest
}

TEST_F(Log, EntriesOfAStepAreLimitedDroppedAndCounted) {
  fuse_policy_ext_t ext = extension();
  ext.log_entries_per_step = 3;
  const auto id = run(floods(10), any_policy(), &ext);
  const auto before = stats().written;
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(stats().written, before + 3);
  EXPECT_EQ(stats().guest_dropped, 7u);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(info(id).log_written, 6u);
  EXPECT_EQ(info(id).log_dropped, 14u);
}

TEST_F(Log, TheEvidenceIsARingOfItsOwn) {
  fuse_options_t with = options();
  with.evidence_entries = 2;
  open_log(kEntry * 50, 0, &with);
  EXPECT_EQ(stats().evidence_capacity, 2u);
  fuse_module_id_t id = 0;
  for (const char* name : {"a", "b", "c"}) {
    try_load(fusebox::test::wat(std::string("(module (import \"env\" \"") + name +
                                "\" (func)) (func (export \"module_step\")))"),
             any_policy(), &id);
  }
  EXPECT_THAT(evidence(), ::testing::ElementsAre("instantiate failed: import env.b not provided",
                                                 "instantiate failed: import env.c not provided"));
  EXPECT_EQ(stats().evidence_written, 3u);
}

TEST_F(Log, LinesOfModulesWithLargeIdsAndLongTextsAreCut) {
  fuse_module_id_t id = 0;
  const std::string name(200, 'n');
  try_load(fusebox::test::wat("(module (import \"" + name + "\" \"x\" (func)) (func (export \"module_step\")))"),
           any_policy(), &id);
  EXPECT_EQ(last_line(), "2 -1 instantiate failed: " + ("import " + name).substr(0, 80));
}

TEST_F(Log, OneReadOfTheClockForEveryEntryAndEveryAttemptAndNoOther) {
  const auto reads = [&](auto what) {
    world().clock_reads = 0;
    const auto before = stats().written;
    what();
    return std::pair(world().clock_reads, stats().written - before);
  };
  using Reads = std::pair<int, std::uint64_t>;
  fuse_module_id_t id = 0;
  EXPECT_EQ(reads([&] { id = load(kNothing, with_quota(60'000'000)); }), Reads(1, 1));
  EXPECT_EQ(reads([&] { fuse_module_start(id); }), Reads(1, 1));
  EXPECT_EQ(reads([&] { fuse_module_run_step(id); }), Reads(1, 0));
  EXPECT_EQ(reads([&] { fuse_tick(); }), Reads(1, 0));
  EXPECT_EQ(reads([&] { fuse_post_event(0); }), Reads(0, 0));
  EXPECT_EQ(reads([&] { info(id); }), Reads(0, 0));
  EXPECT_EQ(reads([&] { fuse_module_pause(id); }), Reads(1, 1));
  EXPECT_EQ(reads([&] { fuse_module_run_step(id); }), Reads(0, 0));
  EXPECT_EQ(reads([&] { fuse_tick(); }), Reads(0, 0));
}

TEST_F(Log, NothingGoesToStandardOutput) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  fuse_module_id_t id = 0;
  const std::uint8_t junk[] = {1, 2, 3, 4};
  const fuse_policy_t policy = any_policy();
  fuse_module_load(junk, sizeof junk, &policy, &id);
  step_once(kTrap);
  step_once(with_imports("(call $log (i32.const 0) (i32.const 9) (i32.const 2))"));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace fusebox::edge::test
