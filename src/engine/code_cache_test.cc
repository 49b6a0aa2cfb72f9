#include "engine/code_cache.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/files.h"
#include "support/wat.h"

namespace fusebox::engine {
namespace {

using test::wat;

base::Bytes module_of(int number) {
  return wat("(module (func (export \"run\") (result i32) (i32.const " + std::to_string(number) + ")))");
}

class CodeCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = base::TempDir::create();
    ASSERT_TRUE(made);
    folder = std::make_unique<base::TempDir>(std::move(*made));
    dir = folder->path() / "cache";
    secret = folder->path() / "data" / "secret";
    engine = make_engine();
  }
  static std::shared_ptr<Engine> make_engine(Stopping stopping = Stopping::time) {
    EngineOptions options;
    options.stopping = stopping;
    options.pool_instances = 0;
    options.parallel_compilation = false;
    auto made = Engine::create(options);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
  std::shared_ptr<CodeCache> cache(std::uint64_t bytes_max = kCodeCacheBytesDefault) {
    return CodeCache::open(dir, secret, bytes_max, [this](const CacheEvent& event) {
      const std::lock_guard lock(mutex);
      events.push_back(event);
    });
  }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> out;
    if (!std::filesystem::exists(dir)) return out;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) out.push_back(entry.path());
    return out;
  }
  static std::string contents(const std::filesystem::path& path) { return *base::read_file(path, 1u << 30); }
  static void expect_works(const base::Result<std::shared_ptr<const Code>>& code, const base::Bytes& wasm) {
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ((*code)->hash(), base::sha256(wasm));
    EXPECT_NE((*code)->info().find_export("run"), nullptr);
  }

  std::mutex mutex;
  std::vector<CacheEvent> events;
  std::unique_ptr<base::TempDir> folder;
  std::filesystem::path dir;
  std::filesystem::path secret;
  std::shared_ptr<Engine> engine;
};

TEST_F(CodeCacheTest, CompilesOnceThenReadsFromDiskAndFromMemory) {
  const base::Bytes wasm = module_of(1);
  const auto first = cache();
  const auto code = first->get_or_compile(engine, wasm);
  expect_works(code, wasm);
  EXPECT_EQ(first->get_or_compile(engine, wasm)->get(), code->get());
  ASSERT_EQ(files().size(), 1u);
  const std::string name = files()[0].filename().string();
  EXPECT_EQ(name,
            base::sha256(wasm).hex() + "." + code_key(engine->code_identity(), base::sha256(wasm)).hex() + ".code");
  struct stat info{};
  ASSERT_EQ(::stat(files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  // A second process would see the file only; that it was read shows in the entry being the same file still.
  const auto inode = info.st_ino;
  const auto second = cache()->get_or_compile(engine, wasm);
  expect_works(second, wasm);
  EXPECT_NE(second->get(), code->get());
  ASSERT_EQ(::stat(files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_ino, inode);
  EXPECT_TRUE(events.empty());
}

TEST_F(CodeCacheTest, KeepsEnginesApart) {
  const base::Bytes wasm = module_of(1);
  const auto shared = cache();
  const auto other = make_engine(Stopping::ticks);
  expect_works(shared->get_or_compile(engine, wasm), wasm);
  expect_works(shared->get_or_compile(other, wasm), wasm);
  EXPECT_EQ(&(*shared->get_or_compile(engine, wasm))->engine(), engine.get());
  EXPECT_EQ(&(*shared->get_or_compile(other, wasm))->engine(), other.get());
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(CodeCacheTest, DeletesReportsAndReplacesAnEntryThatDoesNotVerify) {
  const base::Bytes wasm = module_of(1);
  expect_works(cache()->get_or_compile(engine, wasm), wasm);
  const std::filesystem::path file = files().at(0);
  const std::string good = contents(file);
  const std::size_t size = good.size();
  const struct {
    const char* name;
    std::string bytes;
    const char* message;
  } cases[] = {
      {"empty", "", "not compiled code of Fusebox"},
      {"cut in the middle", good.substr(0, size / 2), "the file is cut or its length was changed"},
      {"one bit of code", good.substr(0, 200) + static_cast<char>(good[200] ^ 1) + good.substr(201),
       "not made by this installation, or changed since"},
      {"the last bit", good.substr(0, size - 1) + static_cast<char>(good[size - 1] ^ 1),
       "not made by this installation, or changed since"},
      {"another program's native code",
       "\x7f"
       "ELF" +
           good.substr(4),
       "not compiled code of Fusebox"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    events.clear();
    std::ofstream(file, std::ios::binary | std::ios::trunc) << c.bytes;
    expect_works(cache()->get_or_compile(engine, wasm), wasm);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, CacheEvent::Kind::rejected);
    EXPECT_EQ(events[0].module_hash, base::sha256(wasm));
    EXPECT_EQ(events[0].message, "cache entry " + file.filename().string() + ": " + c.message);
    EXPECT_EQ(contents(file).size(), size) << "compiled and stored again";
    events.clear();
    expect_works(cache()->get_or_compile(engine, wasm), wasm);
    EXPECT_TRUE(events.empty());
  }
}

TEST_F(CodeCacheTest, AnEntryOfAnotherModuleUnderThisNameIsRejected) {
  const base::Bytes wasm = module_of(1);
  const base::Bytes other = module_of(2);
  expect_works(cache()->get_or_compile(engine, other), other);
  const CodeFolder place(dir);
  const auto path_of = [&](const base::Bytes& bytes) {
    return dir / place.name(base::sha256(bytes), code_key(engine->code_identity(), base::sha256(bytes)));
  };
  std::filesystem::copy_file(path_of(other), path_of(wasm));
  expect_works(cache()->get_or_compile(engine, wasm), wasm);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].message.ends_with(": the code of another module")) << events[0].message;
}

TEST_F(CodeCacheTest, AnotherInstallationsEntriesAreRejected) {
  const base::Bytes wasm = module_of(1);
  expect_works(cache()->get_or_compile(engine, wasm), wasm);
  std::filesystem::remove(secret);
  expect_works(cache()->get_or_compile(engine, wasm), wasm);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, CacheEvent::Kind::rejected);
}

TEST_F(CodeCacheTest, NeverFailsAnExecutionWhateverTheFolderIs) {
  const base::Bytes wasm = module_of(1);
  std::ofstream(dir) << "a file where the folder should be";
  expect_works(cache()->get_or_compile(engine, wasm), wasm);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].kind, CacheEvent::Kind::unavailable);
  EXPECT_TRUE(events[0].message.starts_with("compile cache " + dir.string())) << events[0].message;
  std::filesystem::remove(dir);

  events.clear();
  std::ofstream(secret.parent_path() / "x") << "";
  std::filesystem::remove_all(secret.parent_path());
  std::ofstream(secret.parent_path()) << "a file where the secret's folder should be";
  const auto without_secret = cache();
  expect_works(without_secret->get_or_compile(engine, wasm), wasm);
  expect_works(without_secret->get_or_compile(engine, module_of(2)), module_of(2));
  EXPECT_EQ(events.size(), 1u) << "told once";
  EXPECT_TRUE(files().empty());
}

class Mounted {
 public:
  Mounted(std::filesystem::path at, unsigned long flags, const char* data) : at_(std::move(at)) {
    std::filesystem::create_directories(at_);
    ok_ = ::mount("tmpfs", at_.c_str(), "tmpfs", flags, data) == 0;
  }
  ~Mounted() {
    if (ok_) ::umount(at_.c_str());
  }
  bool ok() const { return ok_; }

 private:
  std::filesystem::path at_;
  bool ok_;
};

TEST_F(CodeCacheTest, AFullDiskOrAReadOnlyFolderOnlyCostsTheCache) {
  const base::Bytes wasm = module_of(1);
  for (const bool full : {true, false}) {
    events.clear();
    const Mounted small(dir, full ? 0 : MS_RDONLY, full ? "size=8k" : nullptr);
    if (!small.ok()) GTEST_SKIP() << "needs the right to mount";
    expect_works(cache()->get_or_compile(engine, wasm), wasm);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, CacheEvent::Kind::unavailable);
    EXPECT_TRUE(files().empty()) << "no half entry stays";
  }
}

TEST_F(CodeCacheTest, EvictsTheLeastRecentlyUsed) {
  expect_works(cache()->get_or_compile(engine, module_of(0)), module_of(0));
  const std::uint64_t one = std::filesystem::file_size(files().at(0));
  const std::uint64_t room = 3 * one + one / 2;
  const auto age = [&](int module, int seconds) {
    const auto hash = base::sha256(module_of(module));
    const auto path = dir / CodeFolder(dir).name(hash, code_key(engine->code_identity(), hash));
    if (std::filesystem::exists(path))
      std::filesystem::last_write_time(path,
                                       std::filesystem::file_time_type::clock::now() - std::chrono::seconds(seconds));
  };
  for (int i = 1; i < 3; ++i) expect_works(cache(room)->get_or_compile(engine, module_of(i)), module_of(i));
  EXPECT_EQ(files().size(), 3u);
  for (int i = 0; i < 3; ++i) age(i, 100 - i);
  expect_works(cache(room)->get_or_compile(engine, module_of(0)), module_of(0));  // used now: 1 is the oldest
  expect_works(cache(room)->get_or_compile(engine, module_of(3)), module_of(3));
  EXPECT_EQ(files().size(), 3u);
  for (const auto& file : files()) EXPECT_FALSE(file.filename().string().starts_with(base::sha256(module_of(1)).hex()));

  std::filesystem::remove_all(dir);
  expect_works(cache(one - 1)->get_or_compile(engine, module_of(0)), module_of(0));
  EXPECT_TRUE(files().empty()) << "larger than the whole cache may be";
}

TEST_F(CodeCacheTest, RemovesAbandonedTemporaryFilesOnly) {
  std::filesystem::create_directories(dir);
  std::ofstream(dir / ".tmp-old") << "x";
  std::filesystem::last_write_time(dir / ".tmp-old",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  std::ofstream(dir / ".tmp-new") << "x";
  std::ofstream(dir / "notes.txt") << "x";
  std::filesystem::last_write_time(dir / "notes.txt",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  expect_works(cache()->get_or_compile(engine, module_of(0)), module_of(0));
  EXPECT_FALSE(std::filesystem::exists(dir / ".tmp-old"));
  EXPECT_TRUE(std::filesystem::exists(dir / ".tmp-new"));
  EXPECT_TRUE(std::filesystem::exists(dir / "notes.txt"));
}

TEST_F(CodeCacheTest, ThreadsShareOneCompilation) {
  const base::Bytes wasm = module_of(7);
  CodeCacheOptions options;  // no folder: a second compilation would give a second Code
  CodeCache memory(options);
  std::vector<std::shared_ptr<const Code>> codes(8);
  {
    std::vector<std::jthread> threads;
    for (auto& code : codes) threads.emplace_back([&] { code = *memory.get_or_compile(engine, wasm); });
  }
  for (const auto& code : codes) EXPECT_EQ(code.get(), codes[0].get());
}

TEST_F(CodeCacheTest, ForgetsAModuleAndBoundsWhatItKeeps) {
  CodeCacheOptions options;
  options.dir = dir;
  options.secret_path = secret;
  options.memory_entries_max = 2;
  CodeCache bounded(options);
  std::vector<std::weak_ptr<const Code>> codes;
  for (int i = 0; i < 3; ++i) codes.push_back(*bounded.get_or_compile(engine, module_of(i)));
  EXPECT_TRUE(codes[0].expired());
  EXPECT_FALSE(codes[1].expired());
  EXPECT_FALSE(codes[2].expired());
  EXPECT_EQ(files().size(), 3u);
  bounded.forget(base::sha256(module_of(2)));
  EXPECT_TRUE(codes[2].expired());
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(CodeCacheTest, ReportsTheCompilersErrorToEveryCaller) {
  const auto shared = cache();
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(shared->get_or_compile(engine, base::as_bytes("no module")));
  EXPECT_TRUE(files().empty());
}

TEST_F(CodeCacheTest, WritersOnOneFolderDoNotDisturbEachOther) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 6; ++i) {
        CodeCache own({.dir = dir,
                       .secret_path = secret,
                       .bytes_max = 60'000,
                       .memory_entries_max = 0,
                       .on_event = [](const CacheEvent& event) {
                         EXPECT_NE(event.kind, CacheEvent::Kind::rejected) << event.message;
                       }});
        expect_works(own.get_or_compile(engine, module_of(i % 3)), module_of(i % 3));
      }
    });
  }
}

TEST_F(CodeCacheTest, ArtifactsRunHereAndNowhereElse) {
  const base::Bytes wasm = module_of(1);
  const auto path = folder->path() / "module.code";
  ASSERT_TRUE(write_artifact(**Code::compile(engine, wasm), path, secret));
  EXPECT_TRUE(is_artifact(base::as_bytes(contents(path))));
  EXPECT_FALSE(is_artifact(wasm));
  expect_works(read_artifact(engine, path, secret), wasm);

  const auto refused = [&](const std::shared_ptr<Engine>& with, const std::filesystem::path& key,
                           std::string_view message) {
    const auto code = read_artifact(with, path, key);
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().code, base::Errc::denied);
    EXPECT_EQ(code.error().name, "INTEGRITY");
    EXPECT_EQ(code.error().message, path.string() + ": " + std::string(message));
  };
  refused(engine, folder->path() / "other" / "secret", "not made by this installation, or changed since");
  refused(
      make_engine(Stopping::ticks), secret,
      "made by another version of the engine, with other settings, or for another processor; compile the module again");
  const std::string good = contents(path);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << good.substr(0, good.size() - 1);
  refused(engine, secret, "the file is cut or its length was changed");
  std::ofstream(path, std::ios::binary | std::ios::trunc) << base::as_text(wasm);
  refused(engine, secret, "not compiled code of Fusebox");
  std::filesystem::remove(path);
  EXPECT_EQ(read_artifact(engine, path, secret).error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace fusebox::engine
