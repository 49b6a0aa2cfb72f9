// What every provider must do, whatever it runs: instantiated for each of them, here and behind the wire.
//
//   struct StubMaker { static constexpr bool kRuns = false; ... };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Stub, ProviderConformance, StubMaker);
//
// A maker has `base::Executor& executor()`, `Provider& provider()`, `std::string image()`, and `void settle(done)`, which
// lets the executor run until done() is true.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "host/api/provider.h"

namespace fusebox::host {

// Runs a task of a provider to its end on the maker's executor.
template <class Maker, class T>
T finish(Maker& maker, base::Task<T> task) {
  struct Box {
    std::optional<T> value;
  };
  const auto box = std::make_shared<Box>();
  const auto body = [](base::Task<T> inner, std::shared_ptr<Box> into) -> base::Task<void> {
    into->value.emplace(co_await std::move(inner));
  };
  base::spawn(maker.executor(), body(std::move(task), box));
  maker.settle([&] { return box->value.has_value(); });
  if (!box->value) {
    ADD_FAILURE() << "the call does not end";
    std::abort();
  }
  return std::move(*box->value);
}

template <class Maker>
class ProviderConformance : public ::testing::Test {
 protected:
  Provider& provider() { return maker_.provider(); }
  template <class T>
  T await(base::Task<T> task) {
    return finish(maker_, std::move(task));
  }
  static CallContext call(std::uint64_t generation = 0, std::string op = {}) {
    CallContext context;
    context.generation = generation;
    context.op_id = std::move(op);
    return context;
  }
  base::Result<VmRecord> create(const std::string& name, CallContext context = {}, std::string seed = {}) {
    CreateSpec spec;
    spec.name = name;
    spec.image = maker_.image();
    spec.seed_snapshot = std::move(seed);
    return await(provider().create(std::move(context), std::move(spec)));
  }
  base::Result<void> put(const std::string& vm, const std::string& path, const std::string& bytes) {
    return await(put_task(vm, path, bytes));
  }
  base::Result<std::string> get(const std::string& vm, const std::string& path) { return await(get_task(vm, path)); }
  base::Result<std::string> tar(const std::string& vm, const std::string& path) { return await(tar_task(vm, path)); }
  std::vector<std::string> names(const std::string& prefix = {}) {
    std::vector<std::string> all;
    const auto listed = await(provider().list(call(), prefix));
    if (!listed) return {listed.error().message};
    for (const VmRecord& one : *listed) all.push_back(one.vm_id);
    return all;
  }
  template <class T>
  static base::Errc code(const base::Result<T>& answer) {
    EXPECT_FALSE(answer.has_value());
    return answer ? base::Errc::bug : answer.error().code;
  }

  Maker maker_;

 private:
  base::Task<base::Result<void>> put_task(std::string vm, std::string path, std::string bytes) {
    auto opened = co_await provider().write_file(call(), vm, path, 0644);
    FB_CO_TRY(const std::unique_ptr<FileWriter> writer, std::move(opened));
    auto written = co_await writer->write(bytes);
    FB_CO_CHECK(std::move(written));
    auto committed = co_await writer->commit();
    FB_CO_TRY(const std::uint64_t size, std::move(committed));
    EXPECT_EQ(size, bytes.size());
    co_return base::Result<void>();
  }
  base::Task<base::Result<std::string>> drain(std::unique_ptr<FileReader> reader) {
    std::string all;
    char piece[777];
    for (;;) {
      auto size = co_await reader->read_some(piece);
      FB_CO_TRY(const std::size_t got, std::move(size));
      if (got == 0) co_return all;
      all.append(piece, got);
    }
  }
  base::Task<base::Result<std::string>> get_task(std::string vm, std::string path) {
    auto opened = co_await provider().read_file(call(), vm, path);
    FB_CO_TRY(std::unique_ptr<FileReader> reader, std::move(opened));
    auto all = co_await drain(std::move(reader));
    co_return all;
  }
  base::Task<base::Result<std::string>> tar_task(std::string vm, std::string path) {
    auto opened = co_await provider().read_archive(call(), vm, path);
    FB_CO_TRY(std::unique_ptr<FileReader> reader, std::move(opened));
    auto all = co_await drain(std::move(reader));
    co_return all;
  }
};
TYPED_TEST_SUITE_P(ProviderConformance);

TYPED_TEST_P(ProviderConformance, CreatesOnceAndAnswersTheSameOperationAgain) {
  const auto made = this->create("task-1", this->call(1, "op-1"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->vm_id, "task-1");
  EXPECT_EQ(made->generation, 1u);
  EXPECT_EQ(made->state, "running");
  EXPECT_FALSE(made->url.empty());
  EXPECT_FALSE(made->boot_id.empty());

  const auto again = this->create("task-1", this->call(1, "op-1"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->url, made->url);
  EXPECT_EQ(again->boot_id, made->boot_id);

  const auto other = this->create("task-1", this->call(1, "op-2"));
  EXPECT_EQ(this->code(other), base::Errc::exists);
  EXPECT_EQ(other.error().message, "vm task-1 already exists");
  EXPECT_EQ(this->code(this->create("task-1")), base::Errc::exists);
  EXPECT_EQ(this->names(), std::vector<std::string>{"task-1"});
}

TYPED_TEST_P(ProviderConformance, MapsNamesAsTheWireDoes) {
  EXPECT_EQ(this->create("Team_A/Job  7!")->vm_id, "team-a-job-7");
  EXPECT_EQ(this->code(this->create("team-a-job-7")), base::Errc::exists);
  EXPECT_EQ(this->create("../..")->vm_id, "vm");
  EXPECT_EQ(this->create("")->vm_id.substr(0, 3), "vm-");
  EXPECT_EQ(this->code(this->create(std::string(129, 'x'))), base::Errc::invalid);
  EXPECT_TRUE(this->await(this->provider().get(this->call(), "Team_A/Job  7!")));
}

TYPED_TEST_P(ProviderConformance, RefusesCommandsOfAnOlderGenerationAlsoAfterTheEnd) {
  ASSERT_TRUE(this->create("a", this->call(5, "op")));
  EXPECT_EQ(this->code(this->await(this->provider().get(this->call(4), "a"))), base::Errc::stale);
  EXPECT_EQ(this->code(this->await(this->provider().destroy(this->call(4), "a"))), base::Errc::stale);
  EXPECT_EQ(this->code(this->put("a", "relative", "x")), base::Errc::invalid);
  EXPECT_TRUE(this->await(this->provider().get(this->call(), "a")));
  EXPECT_EQ(this->await(this->provider().get(this->call(6), "a"))->generation, 6u);  // a newer owner
  EXPECT_EQ(this->await(this->provider().get(this->call(), "a"))->generation, 6u);
  EXPECT_EQ(this->code(this->await(this->provider().destroy(this->call(5), "a"))), base::Errc::stale);
  EXPECT_TRUE(this->await(this->provider().destroy(this->call(7), "a")));
  EXPECT_EQ(this->code(this->create("a", this->call(6, "op"))), base::Errc::stale);
  EXPECT_TRUE(this->names().empty());
  EXPECT_TRUE(this->create("a", this->call(8, "op3")));
  // What was never here is fenced, too: its create may still be on the way.
  EXPECT_EQ(this->code(this->await(this->provider().destroy(this->call(9), "late"))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->create("late", this->call(8, "op4"))), base::Errc::stale);
}

TYPED_TEST_P(ProviderConformance, DestroyOfWhatIsGoneSaysSo) {
  ASSERT_TRUE(this->create("a"));
  EXPECT_TRUE(this->await(this->provider().destroy(this->call(), "a")));
  const auto gone = this->await(this->provider().destroy(this->call(), "a"));
  EXPECT_EQ(this->code(gone), base::Errc::not_found);
  EXPECT_EQ(gone.error().message, "vm not found");
  EXPECT_EQ(this->code(this->await(this->provider().get(this->call(), "a"))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->get("a", "/x")), base::Errc::not_found);
  EXPECT_EQ(this->code(this->put("a", "/x", "y")), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().snapshot(this->call(), "a", {}))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().drain(this->call(), "a"))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().stats(this->call(), "a"))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().start_agent(this->call(), "a", {}))), base::Errc::not_found);
  EXPECT_TRUE(this->create("a"));
  EXPECT_EQ(this->code(this->get("a", "/x")), base::Errc::not_found);  // nothing of its namesake
}

TYPED_TEST_P(ProviderConformance, ListsByPrefixInOrder) {
  for (const char* name : {"b-2", "a-1", "b-1", "c"}) ASSERT_TRUE(this->create(name));
  EXPECT_EQ(this->names(), (std::vector<std::string>{"a-1", "b-1", "b-2", "c"}));
  EXPECT_EQ(this->names("b-"), (std::vector<std::string>{"b-1", "b-2"}));
  EXPECT_TRUE(this->names("d").empty());
  const auto capacity = this->await(this->provider().capacity(this->call()));
  ASSERT_TRUE(capacity);
  EXPECT_EQ(capacity->vm_count, 4);
  EXPECT_GT(capacity->cpus, 0);
  EXPECT_TRUE(capacity->arch == "amd64" || capacity->arch == "arm64");
  EXPECT_NE(std::ranges::find(capacity->features, "generation"), capacity->features.end());
}

TYPED_TEST_P(ProviderConformance, KeepsFiles) {
  ASSERT_TRUE(this->create("a"));
  EXPECT_TRUE(this->put("a", "/work/one.txt", "1"));
  EXPECT_TRUE(this->put("a", "/work/sub/two.txt", std::string(10'000, '2')));
  EXPECT_TRUE(this->await(this->provider().upload(this->call(), "a", "/work/three", "333", std::nullopt)));
  EXPECT_EQ(*this->get("a", "/work/one.txt"), "1");
  EXPECT_EQ(*this->get("a", "/work/sub/two.txt"), std::string(10'000, '2'));
  EXPECT_TRUE(this->put("a", "/work/one.txt", "replaced"));
  EXPECT_EQ(*this->get("a", "/work/one.txt"), "replaced");
  EXPECT_TRUE(this->put("a", "/work/empty", ""));
  EXPECT_EQ(*this->get("a", "/work/empty"), "");

  auto entries = this->await(this->provider().list_files(this->call(), "a", "/work"));
  ASSERT_TRUE(entries) << entries.error().message;
  std::string text;
  for (const FileEntry& one : *entries) text += one.name + ":" + one.type + ":" + std::to_string(one.size) + " ";
  EXPECT_EQ(text.substr(0, text.find("sub")), "empty:file:0 one.txt:file:8 ");
  EXPECT_NE(text.find("sub:dir:"), text.npos);
  EXPECT_NE(text.find("three:file:3"), text.npos);

  const auto archive = this->tar("a", "/work");
  ASSERT_TRUE(archive) << archive.error().message;
  EXPECT_NE(archive->find("sub/two.txt"), archive->npos);
  EXPECT_EQ(archive->size() % 512, 0u);

  EXPECT_EQ(this->code(this->get("a", "/work/none")), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().list_files(this->call(), "a", "/none"))), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().remove_file(this->call(), "a", "/work", false))),
            base::Errc::invalid);
  EXPECT_TRUE(this->await(this->provider().remove_file(this->call(), "a", "/work/one.txt", false)));
  EXPECT_EQ(this->code(this->await(this->provider().remove_file(this->call(), "a", "/work/one.txt", false))),
            base::Errc::not_found);
  EXPECT_TRUE(this->await(this->provider().remove_file(this->call(), "a", "/work", true)));
  EXPECT_EQ(this->code(this->get("a", "/work/three")), base::Errc::not_found);
}

TYPED_TEST_P(ProviderConformance, RefusesPathsThatAreNotClean) {
  ASSERT_TRUE(this->create("a"));
  for (const std::string path :
       {"", "x", "./x", "/a/../b", "/a/./b", "//a", "/a//b", "/a/", "/..", "/../../etc/passwd"}) {
    EXPECT_EQ(this->code(this->put("a", path, "x")), base::Errc::invalid) << path;
    EXPECT_EQ(this->code(this->get("a", path)), base::Errc::invalid) << path;
    EXPECT_EQ(this->code(this->await(this->provider().remove_file(this->call(), "a", path, true))), base::Errc::invalid)
        << path;
  }
  EXPECT_EQ(this->code(this->put("a", std::string("/a\0b", 4), "x")), base::Errc::invalid);
  EXPECT_EQ(this->code(this->put("a", "/" + std::string(5000, 'x'), "x")), base::Errc::invalid);
  EXPECT_EQ(this->code(this->put("a", "/", "x")), base::Errc::invalid);
}

TYPED_TEST_P(ProviderConformance, SnapshotsRestoresAndForks) {
  ASSERT_TRUE(this->create("a", this->call(1, "op-1")));
  ASSERT_TRUE(this->put("a", "/f", "first"));
  SnapshotSpec spec;
  spec.comment = "one op:o1";
  const auto first = this->await(this->provider().snapshot(this->call(1, "o1"), "a", spec));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->origin_vm_id, "a");
  EXPECT_EQ(first->comment, "one op:o1");
  EXPECT_EQ(first->kind, "disk");
  EXPECT_EQ(first->digest.size(), 64u);
  EXPECT_TRUE(first->created_at.ends_with("Z") && first->created_at.size() == 20) << first->created_at;
  const auto repeated = this->await(this->provider().snapshot(this->call(1, "o1"), "a", spec));
  ASSERT_TRUE(repeated);
  EXPECT_EQ(repeated->snapshot_id, first->snapshot_id);

  ASSERT_TRUE(this->put("a", "/f", "second"));
  ASSERT_TRUE(this->put("a", "/g", "new"));
  const auto second = this->await(this->provider().snapshot(this->call(1, "o2"), "a", {}));
  ASSERT_TRUE(second);
  EXPECT_NE(second->snapshot_id, first->snapshot_id);
  EXPECT_NE(second->digest, first->digest);
  const auto listed = this->await(this->provider().snapshots(this->call(), "a"));
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].snapshot_id, first->snapshot_id);

  ASSERT_TRUE(this->await(this->provider().restore(this->call(), "a", first->snapshot_id)));
  EXPECT_EQ(*this->get("a", "/f"), "first");
  EXPECT_EQ(this->code(this->get("a", "/g")), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().restore(this->call(), "a", "none"))), base::Errc::not_found);

  ForkSpec fork;
  fork.name = "b";
  fork.snapshot_id = second->snapshot_id;
  const auto child = this->await(this->provider().fork(this->call(1, "fork-op"), "a", fork));
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ(child->vm_id, "b");
  EXPECT_EQ(this->await(this->provider().fork(this->call(1, "fork-op"), "a", fork))->vm_id, "b");
  EXPECT_EQ(this->code(this->await(this->provider().fork(this->call(1, "x"), "a", fork))), base::Errc::exists);
  EXPECT_EQ(*this->get("b", "/g"), "new");
  ASSERT_TRUE(this->put("b", "/g", "of b"));
  EXPECT_EQ(this->code(this->get("a", "/g")), base::Errc::not_found);
  fork.snapshot_id = "none";
  fork.name = "c";
  EXPECT_EQ(this->code(this->await(this->provider().fork(this->call(), "a", fork))), base::Errc::not_found);
}

TYPED_TEST_P(ProviderConformance, SnapshotsOutliveTheirEnvironment) {
  ASSERT_TRUE(this->create("a"));
  ASSERT_TRUE(this->put("a", "/f", "kept"));
  const auto made = this->await(this->provider().snapshot(this->call(), "a", {}));
  ASSERT_TRUE(made);
  ASSERT_TRUE(this->await(this->provider().destroy(this->call(), "a")));
  EXPECT_EQ(this->await(this->provider().all_snapshots(this->call()))->size(), 1u);
  ASSERT_TRUE(this->create("b", {}, made->snapshot_id));
  EXPECT_EQ(*this->get("b", "/f"), "kept");
  EXPECT_EQ(this->code(this->create("c", {}, "none")), base::Errc::not_found);
  EXPECT_EQ(this->code(this->await(this->provider().delete_snapshot(this->call(), "b", made->snapshot_id))),
            base::Errc::not_found);  // not its own
  EXPECT_TRUE(this->await(this->provider().delete_snapshot(this->call(), "", made->snapshot_id)));
  EXPECT_EQ(this->code(this->await(this->provider().delete_snapshot(this->call(), "", made->snapshot_id))),
            base::Errc::not_found);
  EXPECT_EQ(*this->get("b", "/f"), "kept");  // what was made of it goes on
}

TYPED_TEST_P(ProviderConformance, StatsTellTheBytesThatWereWritten) {
  const auto bytes = [this](const std::string& vm) {
    const auto stats = this->await(this->provider().stats(this->call(), vm));
    EXPECT_TRUE(stats) << stats.error().message;
    return stats ? stats->disk_bytes : 0;
  };
  ASSERT_TRUE(this->create("a"));
  EXPECT_EQ(bytes("a"), 0u);  // the image is not its own
  ASSERT_TRUE(this->put("a", "/f", std::string(1000, 'x')));
  EXPECT_EQ(bytes("a"), 1000u);
  ASSERT_TRUE(this->put("a", "/d/e/g", std::string(234, 'x')));
  EXPECT_EQ(bytes("a"), 1234u);
  ASSERT_TRUE(this->put("a", "/f", std::string(100, 'y')));
  EXPECT_EQ(bytes("a"), 334u);
  const auto made = this->await(this->provider().snapshot(this->call(), "a", {}));
  ASSERT_TRUE(made);
  EXPECT_EQ(bytes("a"), 334u);
  ForkSpec fork;
  fork.name = "b";
  fork.snapshot_id = made->snapshot_id;
  ASSERT_TRUE(this->await(this->provider().fork(this->call(), "a", fork)));
  ASSERT_TRUE(this->put("b", "/h", "12345"));
  EXPECT_EQ(bytes("b"), 339u);
  EXPECT_EQ(bytes("a"), 334u);
  ASSERT_TRUE(this->await(this->provider().remove_file(this->call(), "a", "/d", true)));
  EXPECT_LE(bytes("a"), 334u);  // what a snapshot holds may go on counting
}

TYPED_TEST_P(ProviderConformance, SecretsAreInNoSnapshotForkOrArchive) {
  ASSERT_TRUE(this->create("a"));
  ASSERT_TRUE(this->await(this->provider().upload(this->call(), "a", "/fuse/secrets.json", "s3cr3t", std::nullopt)));
  ASSERT_TRUE(this->put("a", "/f", "plain"));
  const auto made = this->await(this->provider().snapshot(this->call(), "a", {}));
  ASSERT_TRUE(made);
  EXPECT_EQ(this->tar("a", "/")->find("s3cr3t"), std::string::npos);
  ForkSpec fork;
  fork.name = "b";
  fork.snapshot_id = made->snapshot_id;
  ASSERT_TRUE(this->await(this->provider().fork(this->call(), "a", fork)));
  EXPECT_EQ(this->tar("b", "/")->find("s3cr3t"), std::string::npos);
  EXPECT_EQ(this->code(this->get("b", "/fuse/secrets.json")), base::Errc::not_found);
  ASSERT_TRUE(this->await(this->provider().restore(this->call(), "a", made->snapshot_id)));
  EXPECT_EQ(this->code(this->get("a", "/fuse/secrets.json")), base::Errc::not_found);
}

TYPED_TEST_P(ProviderConformance, AttachIsNotSupported) {
  ASSERT_TRUE(this->create("a"));
  EXPECT_EQ(this->code(this->await(this->provider().attach(this->call(), "a", {}))), base::Errc::unsupported);
}

REGISTER_TYPED_TEST_SUITE_P(ProviderConformance, CreatesOnceAndAnswersTheSameOperationAgain, MapsNamesAsTheWireDoes,
                            RefusesCommandsOfAnOlderGenerationAlsoAfterTheEnd, DestroyOfWhatIsGoneSaysSo,
                            ListsByPrefixInOrder, KeepsFiles, RefusesPathsThatAreNotClean, SnapshotsRestoresAndForks,
                            SnapshotsOutliveTheirEnvironment, StatsTellTheBytesThatWereWritten,
                            SecretsAreInNoSnapshotForkOrArchive, AttachIsNotSupported);

}  // namespace fusebox::host
