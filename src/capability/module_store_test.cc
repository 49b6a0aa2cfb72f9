#include "capability/module_store.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/json.h"
#include "capability/audit_test_tools.h"
#include "capability/manifest_test_tools.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

class ModuleStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = base::TempDir::create();
    ASSERT_TRUE(made);
    folder = std::make_unique<base::TempDir>(std::move(*made));
    options.root = folder->path() / "store";
    options.validate = [](base::ByteView wasm) -> base::Result<void> {
      if (base::as_text(wasm).starts_with(std::string_view("\0asm", 4))) return {};
      return base::fail(base::Errc::invalid, "not a module", "COMPILE");
    };
    options.compile = [this](base::ByteView) -> base::Result<void> {
      if (compiles) return {};
      return base::fail(base::Errc::invalid, "does not compile", "COMPILE");
    };
    options.forget_compiled = [this](const base::Sha256& hash) { forgotten.push_back(hash); };
  }
  ModuleStore store() { return ModuleStore(options, clock, &audit); }
  std::filesystem::path object(const base::Sha256& hash, std::string_view suffix = ".wasm") const {
    return options.root / "sha256" / hash.hex().substr(0, 2) / (hash.hex() + std::string(suffix));
  }
  static base::Bytes module(std::string_view content) { return module_with_section("x", content); }
  static base::Bytes versioned(std::string_view version, std::string_view id = "a.b",
                               std::string_view abi = "FC-ABI-1.0.0") {
    return module_with_section("femto.manifest", manifest_json(id, version, abi));
  }
  template <class T>
  static void expect_error(const base::Result<T>& result, base::Errc code, std::string_view name,
                           std::string_view message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(base::to_string(result.error().code), base::to_string(code)) << result.error().message;
    EXPECT_EQ(result.error().name, name);
    EXPECT_NE(result.error().message.find(message), std::string::npos) << result.error().message;
  }
  std::vector<std::string> audited() {
    std::vector<std::string> out;
    EXPECT_TRUE(audit.query({}, [&](std::string_view line) {
      const auto parsed = parse_audit_line(line);
      out.push_back(std::string(parsed->type) + " " + std::string(parsed->outcome));
      return true;
    }));
    return out;
  }

  std::unique_ptr<base::TempDir> folder;
  StoreOptions options;
  base::ManualClock clock{std::chrono::seconds{1'790'000'000}};
  AuditLog audit{{}, clock};
  bool compiles = true;
  std::vector<base::Sha256> forgotten;
};

TEST_F(ModuleStoreTest, KeepsModulesByContent) {
  auto s = store();
  const base::Bytes wasm = module("one");
  const auto hash = s.put(wasm);
  ASSERT_TRUE(hash) << hash.error().message;
  EXPECT_EQ(*hash, base::sha256(wasm));
  EXPECT_EQ(std::filesystem::status(object(*hash)).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto loaded = s.load(hash->hex());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->wasm, wasm);
  EXPECT_EQ(loaded->hash, *hash);
  EXPECT_FALSE(loaded->manifest);
  const auto before = slurp(options.root / "index.json");
  clock.advance(std::chrono::hours{1});
  EXPECT_EQ(*s.put(wasm), *hash);
  EXPECT_EQ(slurp(options.root / "index.json"), before);
  EXPECT_EQ(audited(),
            (std::vector<std::string>{"module_verification ok", "module_load ok", "module_verification ok"}));
}

TEST_F(ModuleStoreTest, RefusesWhatDoesNotValidateOrIsTooLarge) {
  auto s = store();
  expect_error(s.put(base::as_bytes("text")), base::Errc::invalid, "COMPILE", "not a module");
  options.module_bytes_max = module("one").size();
  EXPECT_TRUE(store().put(module("one")));
  --options.module_bytes_max;
  expect_error(store().put(module("one")), base::Errc::exhausted, "MODULE_TOO_LARGE", "(limits.module_bytes)");
  expect_error(s.put(versioned("1.0.0", "a.b", "FC-ABI-2.0.0")), base::Errc::invalid, "ABI_MISMATCH", "FC-ABI-2.0.0");
  expect_error(s.put(module("two"), "{}"), base::Errc::invalid, "INTEGRITY", "signature envelope");
  expect_error(s.put(module("two"), "", "{}"), base::Errc::invalid, "MANIFEST_INVALID", "manifest:1:1");
  EXPECT_EQ(s.list()->size(), 1u);
}

TEST_F(ModuleStoreTest, UnderSignatureModeUnsignedModulesDoNotEnter) {
  const auto key = test_key();
  options.integrity.require = policy::IntegrityRequire::signature;
  options.integrity.trusted_keys.push_back({key.public_key().id(), key.public_key().bytes, std::nullopt});
  auto s = store();
  const base::Bytes wasm = module("one");
  const std::string manifest = manifest_json("a.b", "1.0.0");
  expect_error(s.put(wasm), base::Errc::denied, "INTEGRITY", "is not signed");
  EXPECT_FALSE(std::filesystem::exists(object(base::sha256(wasm)))) << "nothing is stored";
  const std::string envelope =
      policy::sign_module(key, {base::sha256(wasm), base::sha256(base::as_bytes(manifest))})->json();
  expect_error(s.put(wasm, envelope), base::Errc::denied, "INTEGRITY", "another manifest");
  const auto hash = s.put(wasm, envelope, manifest);
  ASSERT_TRUE(hash) << hash.error().message;
  const auto loaded = s.load(hash->hex());
  EXPECT_EQ(loaded->signed_by, key.public_key().id());
  EXPECT_EQ(loaded->manifest->id, "a.b");
  EXPECT_EQ(loaded->signature_json, envelope);
  EXPECT_EQ(s.list()->front().signed_by, key.public_key().id());
  // The manifest beside the module is signed too.
  spill(object(*hash, ".manifest.json"), manifest_json("a.b", "2.0.0"));
  expect_error(s.load(hash->hex()), base::Errc::denied, "INTEGRITY", "another manifest");
  EXPECT_TRUE(std::filesystem::exists(object(*hash)))
      << "only bytes that are not what their name says go to quarantine";
}

TEST_F(ModuleStoreTest, SideFilesDoNotChangeUnderAModule) {
  auto s = store();
  const base::Bytes wasm = module("one");
  const std::string manifest = manifest_json("a.b", "1.0.0");
  ASSERT_TRUE(s.put(wasm, "", manifest));
  EXPECT_TRUE(s.put(wasm));
  expect_error(s.put(wasm, "", manifest_json("a.b", "2.0.0")), base::Errc::exists, "",
               "is stored with another manifest; remove it first");
  const policy::ModuleHashes hashes{base::sha256(wasm), base::sha256(base::as_bytes(manifest))};
  const std::string envelope = policy::sign_module(test_key(), hashes)->json();
  EXPECT_TRUE(s.put(wasm, envelope, manifest)) << "a signature may be added";
  EXPECT_EQ(s.load(hashes.module.hex())->signature_json, envelope);
  expect_error(s.put(wasm, policy::sign_module(test_key('o'), hashes)->json(), manifest), base::Errc::exists, "",
               "another signature");
}

TEST_F(ModuleStoreTest, QuarantinesEveryChangedBitAndEveryCut) {
  auto s = store();
  const base::Bytes wasm = module("one");
  const std::string good(base::as_text(wasm));
  for (std::size_t at = 0; at < 2 * good.size(); ++at) {
    const base::Sha256 hash = *s.put(wasm);
    std::string bad = good.substr(0, at);
    if (at >= good.size()) {
      bad = good;
      bad[at - good.size()] = static_cast<char>(bad[at - good.size()] ^ 4);
    }
    spill(object(hash), bad);
    const auto report = s.verify();
    ASSERT_EQ(report->problems.size(), 1u);
    EXPECT_EQ(report->problems[0].object, "sha256/" + hash.hex().substr(0, 2) + "/" + hash.hex() + ".wasm");
    EXPECT_TRUE(std::filesystem::exists(object(hash))) << "verify changes nothing";
    expect_error(s.load(hash.hex()), base::Errc::corrupt, "INTEGRITY",
                 "stored module " + hash.hex() + " does not have this hash any more");
    EXPECT_FALSE(std::filesystem::exists(object(hash)));
    EXPECT_EQ(slurp(options.root / "quarantine" / (hash.hex() + ".wasm")), bad);
    EXPECT_EQ(s.load(hash.hex()).error().code, base::Errc::not_found);
  }
  EXPECT_TRUE(s.put(wasm)) << "and it can be stored anew";
  EXPECT_TRUE(s.verify()->problems.empty());
}

TEST_F(ModuleStoreTest, ResolvesTagsAndNeverMovesThem) {
  auto s = store();
  std::vector<base::Sha256> hashes;
  for (const char* content : {"0", "1", "2", "3"}) hashes.push_back(*s.put(module(content)));
  ASSERT_TRUE(s.tag("a.b", "1.2.0", hashes[0]));
  ASSERT_TRUE(s.tag("a.b", "1.10.0", hashes[1]));
  ASSERT_TRUE(s.tag("a.b", "2.0.0-rc.1", hashes[2]));
  ASSERT_TRUE(s.tag("only.pre", "1.0.0-a", hashes[3]));
  EXPECT_EQ(*s.resolve("a.b"), hashes[1]);
  EXPECT_EQ(*s.resolve("a.b@1.2.0"), hashes[0]);
  EXPECT_EQ(*s.resolve("a.b@2.0.0-rc.1"), hashes[2]);
  EXPECT_EQ(*s.resolve(hashes[3].hex()), hashes[3]);
  EXPECT_TRUE(s.tag("a.b", "1.2.0", hashes[0])) << "the same again";
  expect_error(s.tag("a.b", "1.2.0", hashes[1]), base::Errc::exists, "",
               "a.b@1.2.0 is " + hashes[0].hex() + "; a tag never moves");
  expect_error(s.tag("a.b", "3.0.0", base::Sha256{}), base::Errc::not_found, "", "no module 0000");
  expect_error(s.tag("A", "1.0.0", hashes[0]), base::Errc::invalid, "", "\"A\" is not a capability id");
  expect_error(s.tag("a", "1", hashes[0]), base::Errc::invalid, "", "version \"1\" is not of the form");
  expect_error(s.resolve("nobody"), base::Errc::not_found, "", "no module \"nobody\" in the store");
  expect_error(s.resolve("only.pre"), base::Errc::not_found, "", "it has only pre-releases, name one as ID@VERSION");
  expect_error(s.resolve("a.b@9.9.9"), base::Errc::not_found, "", "no module \"a.b@9.9.9\" in the store");
  expect_error(s.resolve(std::string(64, 'f')), base::Errc::not_found, "", "no module");
  EXPECT_FALSE(s.resolve("../../etc/passwd"));
  EXPECT_FALSE(s.resolve(""));
}

TEST_F(ModuleStoreTest, ListsInOrder) {
  auto s = store();
  const auto untagged = *s.put(module("0"));
  const auto b = *s.put(module("1"));
  const auto a = *s.put(module("2"));
  ASSERT_TRUE(s.tag("b", "1.0.0", b));
  ASSERT_TRUE(s.tag("a", "1.10.0", a));
  ASSERT_TRUE(s.tag("a", "1.9.0", a));
  const auto pin = s.pin(b);
  const auto list = s.list();
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].hash, a);
  EXPECT_EQ((*list)[0].tags, (std::vector<std::string>{"a@1.9.0", "a@1.10.0"}));
  EXPECT_EQ((*list)[0].size_bytes, module("2").size());
  EXPECT_EQ((*list)[0].first_stored, base::format_rfc3339(clock.wall()));
  EXPECT_FALSE((*list)[0].in_use);
  EXPECT_EQ((*list)[1].hash, b);
  EXPECT_TRUE((*list)[1].in_use);
  EXPECT_EQ((*list)[2].hash, untagged);
}

TEST_F(ModuleStoreTest, RemovesTagsThenTheObjectButNothingInUse) {
  auto s = store();
  const auto hash = *s.put(module("1"), "", manifest_json("a", "1.0.0"));
  ASSERT_TRUE(s.tag("a", "1.0.0", hash));
  ASSERT_TRUE(s.tag("a", "1.1.0", hash));
  {
    const auto loaded = s.load("a");
    expect_error(s.remove("a@1.0.0"), base::Errc::unavailable, "IN_USE", "is registered or executing");
  }
  ASSERT_TRUE(s.remove("a@1.0.0"));
  EXPECT_TRUE(std::filesystem::exists(object(hash)));
  EXPECT_TRUE(forgotten.empty());
  ASSERT_TRUE(s.remove("a@1.1.0"));
  EXPECT_FALSE(std::filesystem::exists(object(hash)));
  EXPECT_FALSE(std::filesystem::exists(object(hash, ".manifest.json")));
  EXPECT_EQ(forgotten, std::vector<base::Sha256>{hash});
  expect_error(s.remove("a"), base::Errc::not_found, "", "no module \"a\"");

  const auto again = *s.put(module("1"));
  ASSERT_TRUE(s.tag("a", "1.0.0", again));
  ASSERT_TRUE(s.remove(again.hex()));
  EXPECT_TRUE(s.list()->empty());
  EXPECT_FALSE(s.resolve("a@1.0.0"));
}

TEST_F(ModuleStoreTest, UpgradesAndRollsBack) {
  auto s = store();
  const auto v1 = *s.put(versioned("1.0.0"));
  const auto v2 = *s.put(versioned("2.0.0"));
  const auto v3 = *s.put(versioned("3.0.0"));
  expect_error(s.rollback("a.b"), base::Errc::not_found, "", "\"a.b\" was not upgraded; there is nothing to return to");
  ASSERT_TRUE(s.upgrade("a.b", v1));
  EXPECT_EQ(*s.resolve("a.b"), v1);
  EXPECT_EQ(*s.resolve("a.b@1.0.0"), v1) << "an upgrade names what it activates";
  ASSERT_TRUE(s.upgrade("a.b", v2));
  ASSERT_TRUE(s.upgrade("a.b", v3));
  EXPECT_EQ(*s.resolve("a.b"), v3);
  EXPECT_EQ(*s.rollback("a.b"), v2);
  EXPECT_EQ(*s.resolve("a.b"), v2);
  EXPECT_EQ(*s.rollback("a.b"), v1);
  EXPECT_FALSE(s.rollback("a.b"));
  ASSERT_TRUE(s.upgrade("a.b", v3));
  EXPECT_EQ(*s.rollback("a.b"), v1);
  const auto types = audited();
  EXPECT_EQ(std::count(types.begin(), types.end(), "upgrade ok"), 4);
  EXPECT_EQ(std::count(types.begin(), types.end(), "rollback ok"), 3);
  EXPECT_EQ(std::count(types.begin(), types.end(), "rollback failed"), 2);
}

TEST_F(ModuleStoreTest, AFailedUpgradeChangesNothing) {
  auto s = store();
  const auto v2 = *s.put(versioned("2.0.0"));
  ASSERT_TRUE(s.upgrade("a.b", v2));
  const auto unchanged = [&, before = slurp(options.root / "index.json")](std::size_t objects) {
    EXPECT_EQ(*s.resolve("a.b"), v2);
    EXPECT_EQ(s.list()->size(), objects);
  };
  expect_error(s.upgrade("a.b", v2), base::Errc::stale, "", "version 2.0.0 is not higher than the active 2.0.0");
  expect_error(s.upgrade("a.b", *s.put(versioned("1.9.9"))), base::Errc::stale, "",
               "version 1.9.9 is not higher than the active 2.0.0");
  expect_error(s.upgrade("a.b", *s.put(versioned("3.0.0", "c.d"))), base::Errc::invalid, "MANIFEST_INVALID",
               "the module is \"c.d\", not \"a.b\"");
  expect_error(s.upgrade("a.b", *s.put(module("plain"))), base::Errc::invalid, "MANIFEST_INVALID", "has no manifest");
  expect_error(s.upgrade("a.b", base::Sha256{}), base::Errc::not_found, "", "module store");
  const auto v3 = *s.put(versioned("3.0.0"));
  compiles = false;
  expect_error(s.upgrade("a.b", v3), base::Errc::invalid, "COMPILE", "does not compile");
  unchanged(5);
  spill(object(v3), "damaged");
  compiles = true;
  expect_error(s.upgrade("a.b", v3), base::Errc::corrupt, "INTEGRITY", "does not have this hash any more");
  EXPECT_EQ(*s.resolve("a.b"), v2);
}

TEST_F(ModuleStoreTest, ACrashBetweenFilesLeavesNoHalfModule) {
  auto s = store();
  const base::Bytes wasm = module("one");
  const base::Sha256 hash = base::sha256(wasm);
  // Side files of a put that never finished must not be taken for those of a later one.
  std::filesystem::create_directories(object(hash).parent_path());
  spill(object(hash, ".manifest.json"), manifest_json("evil", "1.0.0"));
  ASSERT_TRUE(s.put(wasm));
  EXPECT_FALSE(s.load(hash.hex())->manifest);
  // The object is there, the index was not written.
  std::filesystem::remove(options.root / "index.json");
  EXPECT_FALSE(s.resolve(hash.hex()));
  ASSERT_TRUE(s.put(wasm));
  EXPECT_TRUE(s.load(hash.hex()));
}

TEST_F(ModuleStoreTest, ADamagedIndexIsReportedAtEveryCutAndLosesNothing) {
  auto s = store();
  ASSERT_TRUE(s.upgrade("a.b", *s.put(versioned("1.0.0"))));
  const std::string good = slurp(options.root / "index.json");
  for (std::size_t size = 1; size < good.size(); ++size) {
    spill(options.root / "index.json", good.substr(0, size));
    const auto result = s.resolve("a.b");
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code, base::Errc::corrupt);
    EXPECT_NE(result.error().message.find("index.json:1:"), std::string::npos) << result.error().message;
    EXPECT_FALSE(s.put(module("new")));
    EXPECT_EQ(slurp(options.root / "index.json").size(), size) << "left for a person to repair";
  }
  spill(options.root / "index.json", good);
  EXPECT_TRUE(s.resolve("a.b"));
  const auto parsed = StoreIndex::parse(good, "index.json");
  EXPECT_EQ(parsed->json(), good);
  for (const char* hostile :
       {"{}", "[]", "{\"version\":2,\"objects\":[],\"tags\":[],\"active\":[]}",
        "{\"version\":1,\"objects\":[{\"sha256\":\"..\",\"stored\":1}],\"tags\":[],\"active\":[]}",
        "{\"version\":1,\"objects\":[],\"tags\":[{\"id\":\"../"
        "x\",\"version\":\"1.0.0\",\"sha256\":\"\"}],\"active\":[]}",
        "{\"version\":1,\"objects\":7,\"tags\":{},\"active\":null}"}) {
    EXPECT_FALSE(StoreIndex::parse(hostile, "index.json")) << hostile;
  }
}

TEST_F(ModuleStoreTest, ThreadsPutLoadTagAndRemoveTheSameModules) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      auto s = store();
      for (int i = 0; i < 12; ++i) {
        const base::Bytes wasm = module(std::to_string(i % 3));
        const auto hash = s.put(wasm);
        ASSERT_TRUE(hash) << hash.error().message;
        const auto loaded = s.load(hash->hex());
        if (loaded) {
          EXPECT_EQ(loaded->wasm, wasm);
        } else {
          EXPECT_EQ(loaded.error().code, base::Errc::not_found) << loaded.error().message;
        }
        if (t % 2 == 0) {
          const auto removed = s.remove(hash->hex());
          if (!removed && removed.error().name != "IN_USE") {
            EXPECT_EQ(removed.error().code, base::Errc::not_found) << removed.error().message;
          }
        }
      }
    });
  }
  threads.clear();
  EXPECT_TRUE(store().verify()->problems.empty());
}

TEST_F(ModuleStoreTest, ProcessesAddAtOnceAndSeeEachOthersPins) {
  constexpr int kProcesses = 3;
  constexpr int kModules = 8;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto s = store();
      for (int i = 0; i < kModules; ++i) {
        const auto hash = s.put(module(std::to_string(p) + "." + std::to_string(i)));
        if (!hash || !s.tag("p" + std::to_string(p), std::to_string(i) + ".0.0", *hash)) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  auto s = store();
  EXPECT_EQ(s.list()->size(), static_cast<std::size_t>(kProcesses * kModules));
  EXPECT_TRUE(s.verify()->problems.empty());

  const auto loaded = s.load("p1");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto removed = store().remove("p1");
    ::_exit(!removed && removed.error().name == "IN_USE" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ModuleStoreTest, AFullDiskIsAnErrorAndLeavesTheStoreGood) {
  std::filesystem::create_directories(options.root);
  if (::mount("tmpfs", options.root.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "needs the right to mount";
  {
    auto s = store();
    const auto small = s.put(module("small"));
    EXPECT_TRUE(small);
    base::Bytes large = module("large");
    large.resize(200'000);
    EXPECT_FALSE(s.put(large));
    EXPECT_TRUE(s.load(small->hex()));
    EXPECT_EQ(s.list()->size(), 1u);
    EXPECT_TRUE(s.verify()->problems.empty());
  }
  ::umount(options.root.c_str());
}

}  // namespace
}  // namespace fusebox::capability
