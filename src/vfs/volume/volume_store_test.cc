#include "vfs/volume/volume_store.h"

#include <thread>

#include "base/random.h"

#include "vfs/folder/folder_test_support.h"
#include "vfs/folder/ledger.h"

namespace fusebox::vfs {
namespace {

namespace fs = std::filesystem;
using testing::get;
using testing::Guest;
using testing::put;
using testing::Script;
using testing::Step;

// The bytes of all regular files below, each once: what a quota is about.
std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.is_symlink()) sum += entry.file_size() / entry.hard_link_count();
  }
  return sum;
}

class VolumeTest : public ::testing::Test {
 protected:
  VolumeTest() : store_(*VolumeStore::open(folder_.path() / "volumes")) {}
  Script script(const VolumeKey& key, VolumeStore::MountOptions options = {}) {
    auto mounted = store_->mount(key, options);
    EXPECT_TRUE(mounted) << mounted.error().message;
    Namespace::Options names{.root = make_tree_mount(*image::test::build({})), .mounts = {}};
    names.mounts.push_back({.path = "/v", .mount = *mounted, .host_folder = true});
    return Script(*Namespace::build(std::move(names)));
  }
  fs::path of(const char* path) const { return folder_.path() / "volumes" / path; }

  base::TempDir folder_ = std::move(*base::TempDir::create());
  std::shared_ptr<VolumeStore> store_;
};

VolumeStore::MountOptions limit(std::uint64_t bytes) {
  return {.read_only = false, .mount_index = 0, .bytes_max = bytes};
}

void expect(Script& script, std::initializer_list<Step> steps) {
  for (const Step& step : steps) {
    SCOPED_TRACE(step.command);
    EXPECT_EQ(script.run(step.command), step.answer);
  }
}

TEST_F(VolumeTest, PrivateAndSharedVolumesNeverMeet) {
  script({.instance = "shared", .name = "n"}).run("write /v/f private");
  script({.instance = "", .name = "n"}).run("write /v/f shared");
  script({.instance = "n", .name = "shared"}).run("write /v/f other");
  EXPECT_EQ(script({.instance = "shared", .name = "n"}).run("read /v/f"), "private");
  EXPECT_EQ(script({.instance = "", .name = "n"}).run("read /v/f"), "shared");
  EXPECT_EQ(get(of("priv/shared/n/f")), "private");
  EXPECT_EQ(get(of("shared/n/f")), "shared");
  EXPECT_EQ(script({.instance = "a", .name = "n"}).run("read /v/f"), "NOENT");
}

TEST_F(VolumeTest, NamesAreOneComponent) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("/"), std::string("a\0b", 3), std::string(256, 'n')}) {
    for (const VolumeKey& key : {VolumeKey{.instance = "i", .name = name}, VolumeKey{.instance = "", .name = name}}) {
      const auto mounted = store_->mount(key, {});
      ASSERT_FALSE(mounted);
      EXPECT_EQ(mounted.error().code, base::Errc::invalid);
      EXPECT_NE(mounted.error().message.find("must be one path component of 1 to 255 bytes"), std::string::npos);
    }
    if (name.empty()) continue;
    EXPECT_FALSE(store_->mount({.instance = name, .name = "n"}, {}));
  }
  EXPECT_TRUE(store_->mount({.instance = "i", .name = std::string(255, 'n')}, {}));
}

TEST_F(VolumeTest, ListsAndRemoves) {
  auto held = script({.instance = "b", .name = "two"});
  script({.instance = "a", .name = "one"}).run("write /v/f x");
  script({.instance = "", .name = "s"});
  const auto list = store_->list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].key.name, "s");
  EXPECT_EQ((*list)[1].key.instance, "a");
  EXPECT_FALSE((*list)[1].in_use);
  EXPECT_EQ((*list)[2].key.instance, "b");
  EXPECT_TRUE((*list)[2].in_use);
  const auto used = store_->remove({.instance = "b", .name = "two"});
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, base::Errc::unavailable);
  EXPECT_EQ(used.error().message, "volume \"two\": a container uses it; stop the container first");
  EXPECT_TRUE(store_->remove({.instance = "a", .name = "one"}));
  EXPECT_FALSE(fs::exists(of("priv/a")));
  const auto gone = store_->remove({.instance = "a", .name = "one"});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, base::Errc::not_found);
  EXPECT_EQ(gone.error().message, "volume \"one\": there is no such volume");
}

TEST_F(VolumeTest, CreatesOnceAndSaysWhatLiesInAVolume) {
  const VolumeKey key{.instance = "", .name = "s"};
  ASSERT_TRUE(store_->create(key));
  const auto again = store_->create(key);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, base::Errc::exists);
  EXPECT_EQ(store_->create({.instance = "", .name = ".."}).error().code, base::Errc::invalid);
  script(key).run("write /v/f 12345");
  fs::create_directory(of("shared/s/folder"));
  fs::create_symlink("f", of("shared/s/link"));
  const auto usage = store_->usage(key);
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->bytes, 5u);
  EXPECT_EQ(usage->files, 3u);
  EXPECT_EQ(store_->usage({.instance = "no", .name = "such"})->files, 0u);
  fs::create_directory_symlink(of("shared/s"), of("shared/linked"));
  EXPECT_EQ(store_->list()->size(), 1u) << "a link of the operator is no volume";
}

TEST_F(VolumeTest, AQuotaIsTakenToTheLastByteAndNoFurther) {
  auto script = this->script({.instance = "i"}, limit(10));
  expect(script,
         {{"write /v/a 1234567890", "ok"}, {"append /v/a x", "DQUOT"},      {"write /v/b x", "DQUOT"},
          {"stat /v/b", "file 0"},         {"truncate /v/a", "ok"},         {"write /v/a 12345678901", "only 10"},
          {"append /v/a x", "DQUOT"},      {"unlink /v/a", "ok"},           {"write /v/a 12345", "ok"},
          {"link /v/a /v/hard", "ok"},     {"unlink /v/a", "ok"},           {"append /v/hard 67890", "ok"},
          {"append /v/hard x", "DQUOT"},   {"write /v/b y", "DQUOT"},       {"rename /v/b /v/hard", "ok"},
          {"write /v/c 1234567890", "ok"}, {"symlink x /v/s", "DQUOT"},     {"truncate /v/c", "ok"},
          {"symlink 12345 /v/s", "ok"},    {"write /v/c 123456", "only 5"}, {"unlink /v/s", "ok"},
          {"append /v/c 12345", "ok"},     {"append /v/c x", "DQUOT"}});
  EXPECT_EQ(bytes_in(of("priv/i/default")), 10u);
}

TEST_F(VolumeTest, HolesAndAllocationsCount) {
  auto script = this->script({.instance = "i"}, limit(1000));
  auto opened = script.open_file("/v/f", {.write = true, .create = true});
  File& file = *opened->file;
  Guest guest;
  EXPECT_TRUE(file.set_size(1000));
  EXPECT_EQ(file.set_size(1001).error(), Errno::dquot);
  EXPECT_EQ(script.run("write /v/g x"), "DQUOT");
  EXPECT_TRUE(file.set_size(10));
  EXPECT_EQ(file.allocate(0, 1001).error(), Errno::dquot);
  EXPECT_EQ(file.allocate(999, 2).error(), Errno::dquot);
  EXPECT_EQ(file.stat()->size, 10u);
  EXPECT_TRUE(file.allocate(990, 10));
  EXPECT_EQ(file.stat()->size, 1000u);
  EXPECT_TRUE(file.allocate(0, 500));
  EXPECT_EQ(script.run("write /v/g x"), "DQUOT");
  EXPECT_TRUE(file.set_size(0));
  const std::span<const std::byte> x[] = {base::as_bytes("xy")};
  EXPECT_EQ(*file.write_at(guest.fresh(), x, 999), 1u);
  EXPECT_EQ(file.write_at(guest.fresh(), x, 1000).error(), Errno::dquot);
  EXPECT_EQ(file.write_at(guest.fresh(), x, 1ull << 40).error(), Errno::dquot);
  EXPECT_EQ(*file.write_at(guest.fresh(), x, 5), 2u);  // within it
  EXPECT_EQ(*file.seek(5000, Whence::set), 5000u);
  EXPECT_EQ(guest.write(file, "x").error(), Errno::dquot);
  EXPECT_EQ(bytes_in(of("priv/i/default")), 1000u);
}

TEST_F(VolumeTest, ARemovedFileCountsUntilItIsClosed) {
  auto script = this->script({.instance = "i"}, limit(10));
  EXPECT_EQ(script.run("write /v/a 1234567890"), "ok");
  auto one = script.open_file("/v/a", {.write = true});
  auto two = script.open_file("/v/a", {});
  EXPECT_EQ(script.run("unlink /v/a"), "ok");
  EXPECT_EQ(script.run("write /v/b x"), "DQUOT");
  EXPECT_TRUE(one->file->set_size(8));
  EXPECT_EQ(script.run("write /v/b 123"), "only 2");
  one->file.reset();
  EXPECT_EQ(script.run("append /v/b 3"), "DQUOT");
  two->file.reset();
  EXPECT_EQ(script.run("append /v/b 34567890"), "ok");
  EXPECT_EQ(script.run("append /v/b 1"), "DQUOT");
  // Replaced by a rename while it is open.
  auto open = script.open_file("/v/b", {});
  EXPECT_EQ(script.run("create /v/c"), "ok");
  EXPECT_EQ(script.run("rename /v/c /v/b"), "ok");
  EXPECT_EQ(script.run("append /v/b x"), "DQUOT");
  open->file.reset();
  EXPECT_EQ(script.run("append /v/b 1234567890"), "ok");
}

TEST_F(VolumeTest, NamesAreBoundedToo) {
  auto script = this->script({.instance = "i"}, limit(0));
  std::uint64_t made = 0;
  while (script.run("create /v/f" + std::to_string(made)) == "ok") ++made;
  EXPECT_EQ(made, names_max(0));
  expect(script, {{"mkdir /v/d", "DQUOT"},
                  {"symlink x /v/s", "DQUOT"},
                  {"link /v/f0 /v/l", "DQUOT"},
                  {"unlink /v/f0", "ok"},
                  {"mkdir /v/d", "ok"},
                  {"create /v/x", "DQUOT"},
                  {"rmdir /v/d", "ok"},
                  {"create /v/x", "ok"},
                  {"create /v/y", "DQUOT"},
                  {"rename /v/x /v/f1", "ok"},
                  {"create /v/y", "ok"},
                  {"create /v/z", "DQUOT"}});
}

TEST_F(VolumeTest, WhatIsThereAtTheMountCounts) {
  {
    auto free = script({.instance = "i"});
    expect(free, {{"mkdir /v/d", "ok"},
                  {"write /v/d/f 12345", "ok"},
                  {"link /v/d/f /v/hard", "ok"},
                  {"symlink abc /v/s", "ok"}});
  }
  auto script = this->script({.instance = "i"}, limit(10));
  expect(script,
         {{"write /v/g 123", "only 2"}, {"unlink /v/s", "ok"}, {"append /v/g 456", "ok"}, {"append /v/g 7", "DQUOT"}});
  // More than the quota already: nothing grows, everything can shrink.
  auto tight = this->script({.instance = "i"}, limit(3));
  expect(tight, {{"append /v/g x", "DQUOT"},
                 {"create /v/new", "ok"},
                 {"read /v/g", "12456"},
                 {"unlink /v/g", "ok"},
                 {"append /v/new x", "DQUOT"},
                 {"truncate /v/hard", "ok"},
                 {"append /v/new xyz", "ok"},
                 {"append /v/new x", "DQUOT"}});
}

TEST_F(VolumeTest, MountsOfASharedVolumeShareItsQuota) {
  auto free = script({.instance = "", .name = "s"});
  auto one = script({.instance = "", .name = "s"}, limit(10));
  auto two = script({.instance = "", .name = "s"}, limit(10));
  EXPECT_EQ(free.run("write /v/f 1234"), "ok");
  EXPECT_EQ(one.run("write /v/a 1234"), "ok");
  EXPECT_EQ(two.run("write /v/b 1234"), "only 2");
  EXPECT_EQ(one.run("append /v/a x"), "DQUOT");
  EXPECT_EQ(free.run("append /v/f 12345"), "ok");
  EXPECT_EQ(two.run("unlink /v/f"), "ok");
  EXPECT_EQ(one.run("append /v/a 1234"), "ok");
}

TEST_F(VolumeTest, AWritableLayerIsAVolumeInUseAndUnderItsQuota) {
  const VolumeKey key{.instance = "i", .name = "state"};
  auto options = limit(10);
  options.keep_links = true;
  auto layer = store_->mount(key, options);
  ASSERT_TRUE(layer) << layer.error().message;
  Guest guest;
  EXPECT_TRUE((*layer)->symlink(guest.fresh(), "/abs", "link"));  // the namespace's above it
  EXPECT_EQ((*layer)->read_link(guest.fresh(), "link").value(), "/abs");
  EXPECT_EQ(script(key, limit(10)).run("write /v/f 1234567"), "only 6");
  EXPECT_EQ(store_->remove(key).error().name, "BUSY");
  layer->reset();
  EXPECT_TRUE(store_->remove(key));
}

TEST_F(VolumeTest, ConcurrentWritersNeverExceedTheQuota) {
  constexpr std::uint64_t kBytes = 40'000;
  const auto work = [&](int who) {
    auto script = this->script({.instance = "", .name = "s"}, limit(kBytes));
    base::SeededRandom random(static_cast<std::uint64_t>(who));
    Guest guest;
    for (int i = 0; i < 400; ++i) {
      const std::string path = "/v/f" + std::to_string(random.below(6));
      auto opened = script.open_file(path, {.write = true, .create = true});
      if (!opened) continue;
      const std::string text(random.below(3000) + 1, 'x');
      switch (random.below(5)) {
        case 0:
          (void)opened->file->set_size(random.below(30'000));
          break;
        case 1:
          (void)opened->file->allocate(random.below(20'000), random.below(9000) + 1);
          break;
        case 2:
          script.run("unlink " + path);
          [[fallthrough]];
        default:
          (void)opened->file->seek(static_cast<std::int64_t>(random.below(20'000)), Whence::set);
          (void)guest.write(*opened->file, text);
      }
      EXPECT_LE(opened->file->stat()->size, kBytes);
    }
  };
  std::thread one(work, 1), two(work, 2);
  work(3);
  one.join();
  two.join();
  EXPECT_LE(bytes_in(of("shared/s")), kBytes);
  // The ledger is still right: what is left can be filled exactly.
  auto script = this->script({.instance = "", .name = "s"}, limit(kBytes));
  const std::string text(kBytes, 'y');
  script.run("write /v/rest " + text);
  EXPECT_EQ(bytes_in(of("shared/s")), kBytes);
}

// A quota that comes later counts what the mounts without one have done, and still hold.
TEST_F(VolumeTest, WhatWasWrittenWithoutAQuotaCountsWhenOneComes) {
  const VolumeKey key{.instance = "", .name = "s"};
  auto free = script(key);
  expect(free, {{"write /v/old 12345678", "ok"}, {"unlink /v/old", "ok"}, {"write /v/f 123", "ok"}});
  EXPECT_EQ(free.run("write /v/held 1"), "ok");
  auto one = free.open_file("/v/held", {.write = true});
  auto two = free.open_file("/v/held", {});
  EXPECT_EQ(free.run("unlink /v/held"), "ok");
  EXPECT_TRUE(one->file->set_size(5));
  auto tight = script(key, limit(10));
  EXPECT_EQ(tight.run("write /v/g 123"), "only 2");
  EXPECT_TRUE(one->file->set_size(4));
  EXPECT_EQ(tight.run("append /v/g 45"), "only 1");
  one->file.reset();
  EXPECT_EQ(tight.run("append /v/g 4"), "DQUOT");
  two->file.reset();
  EXPECT_EQ(tight.run("append /v/g 45678"), "only 4");
}

// The walk that measures does not hold up the others, and ends when nobody waits for it.
TEST_F(VolumeTest, AMeasurementHoldsUpNobodyAndIsStoppable) {
  const VolumeKey key{.instance = "", .name = "s"};
  auto free = script(key);
  for (int i = 0; i < 4; ++i) free.run("write /v/f" + std::to_string(i) + " 12");
  auto options = limit(20);
  int asked = 0;
  options.stopped = [&] {
    ++asked;
    // In the middle of the walk: on this thread, so that any lock that is held would show.
    if (asked == 2) {
      EXPECT_EQ(free.run("append /v/f0 34567890"), "ok");
      EXPECT_TRUE(store_->list());
      EXPECT_TRUE(store_->mount({.instance = "other"}, limit(1)));
      EXPECT_EQ(store_->remove(key).error().name, "BUSY");
    }
    return false;
  };
  EXPECT_EQ(script(key, options).run("write /v/g 12345"), "only 4");  // the append is counted: the walk began anew
  EXPECT_GT(asked, 4 + 2);

  ASSERT_TRUE(store_->mount({.instance = "i", .name = "n"}, {}));
  put(of("priv/i/n/f"), "12");
  options.stopped = [] { return true; };
  const auto stopped = store_->mount({.instance = "i", .name = "n"}, options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, base::Errc::stopped);
}

TEST_F(VolumeTest, AVolumeWithoutAQuotaIsNotMeasured) {
  ASSERT_TRUE(store_->create({.instance = "", .name = "s"}));
  put(of("shared/s/f"), "12");
  VolumeStore::MountOptions options;
  options.stopped = [] { return true; };  // would end a measurement
  EXPECT_TRUE(store_->mount({.instance = "", .name = "s"}, options));
}

TEST_F(VolumeTest, MeasuresDeepFolders) {
  std::string path = "/v";
  {
    auto free = script({.instance = "i"});
    for (int i = 0; i < 600; ++i) free.run("mkdir " + (path += "/d"));
    EXPECT_EQ(free.run("write " + path + "/f 12345"), "ok");
  }
  auto script = this->script({.instance = "i"}, limit(6));
  EXPECT_EQ(script.run("write /v/x 12"), "only 1");
}

}  // namespace
}  // namespace fusebox::vfs
