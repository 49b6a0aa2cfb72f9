// Files of `fusebox compile`: native code is run for this installation's seal alone (contract edge.md 1.1).
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "edge/wasm/backend_fixture.h"
#include "engine/code_bundle.h"
#include "engine/code_file.h"
#include "engine/inspect.h"

namespace fusebox::edge::test {
namespace {

namespace fs = std::filesystem;

constexpr char kModule[] =
    R"((module (memory 1) (func (export "module_step") (i32.store (i32.const 0) (i32.const 5)))))";

class Artifacts : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fusebox-edge-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::unique_ptr<EngineBackend> backend_with(const fs::path& secret) {
    EngineBackendOptions options;
    options.secret_path = secret;
    return small_backend(std::move(options));
  }
  engine::CodeSecret secret_of(const fs::path& path) {
    base::SystemRandom random;
    auto secret = engine::CodeSecret::open(path, random);
    EXPECT_TRUE(secret) << secret.error().message;
    return *secret;
  }
  // As `fusebox compile` does, for one kind of stopping.
  base::Bytes bundle_of(const fs::path& secret, engine::Stopping stopping = engine::Stopping::ticks) {
    engine::EngineOptions options;
    options.stopping = stopping;
    options.pool_instances = 0;
    auto engine = engine::Engine::create(options);
    EXPECT_TRUE(engine) << engine.error().message;
    const base::Bytes wasm = fusebox::test::wat(kModule);
    auto code = engine::Code::compile(*engine, wasm);
    EXPECT_TRUE(code) << code.error().message;
    const auto native = (*code)->serialize();
    EXPECT_TRUE(native) << native.error().message;
    const base::Bytes sealed =
        engine::seal_code((*engine)->code_identity(), (*code)->hash(), *native, secret_of(secret));
    return engine::encode_bundle({.wasm = wasm, .signature = {}, .manifest = {}, .codes = {sealed}});
  }
  Refusal refusal_of(Backend& backend, const base::Bytes& bundle) {
    return Guest(backend, bundle, limits_with(), sink_).refusal();
  }

  fs::path dir_;
  RecordingSink sink_;
};

TEST_F(Artifacts, OfThisInstallationRun) {
  const fs::path secret = dir_ / "secret";
  const auto backend = backend_with(secret);
  const Guest guest(*backend, bundle_of(secret), limits_with(), sink_);
  ASSERT_EQ(guest.refusal(), Refusal{});
  EXPECT_EQ(guest.step().end, CallEnd::completed);
  EXPECT_EQ(guest.peek<int>(0), 5);
}

TEST_F(Artifacts, OfAnotherInstallationAreRefused) {
  const auto backend = backend_with(dir_ / "ours");
  EXPECT_EQ(refusal_of(*backend, bundle_of(dir_ / "theirs")),
            (Refusal{LoadEnd::refused, "not made by this installation, or changed since"}));
}

TEST_F(Artifacts, ThatWereTouchedAreRefused) {
  const fs::path secret = dir_ / "secret";
  const auto backend = backend_with(secret);
  base::Bytes bundle = bundle_of(secret);
  bundle[bundle.size() - 100] ^= std::byte{1};
  EXPECT_EQ(refusal_of(*backend, bundle),
            (Refusal{LoadEnd::refused, "not made by this installation, or changed since"}));
}

TEST_F(Artifacts, CompiledForOtherSettingsAreRefused) {
  const fs::path secret = dir_ / "secret";
  const auto backend = backend_with(secret);
  EXPECT_EQ(refusal_of(*backend, bundle_of(secret, engine::Stopping::time)),
            (Refusal{LoadEnd::refused, "compiled for another engine version, other settings or another processor"}));
}

TEST_F(Artifacts, AreRefusedWhereNoSecretIsKnown) {
  const auto backend = small_backend();
  EXPECT_EQ(refusal_of(*backend, bundle_of(dir_ / "secret")),
            (Refusal{LoadEnd::refused, "compiled code is not accepted here; load the .wasm it was built from"}));
}

TEST_F(Artifacts, CutShortAreRefused) {
  const fs::path secret = dir_ / "secret";
  const auto backend = backend_with(secret);
  const base::Bytes bundle = bundle_of(secret);
  for (const std::size_t size : {std::size_t{16}, std::size_t{40}, bundle.size() / 2, bundle.size() - 1}) {
    const Refusal refusal = refusal_of(*backend, base::Bytes(bundle.begin(), bundle.begin() + size));
    EXPECT_EQ(refusal.end, LoadEnd::refused) << size;
    EXPECT_NE(refusal.text, "") << size;
  }
}

TEST_F(Artifacts, TheCodeCacheKeepsWhatWasCompiled) {
  EngineBackendOptions options;
  options.code_cache = engine::CodeCache::open(dir_ / "code", dir_ / "secret");
  const base::Bytes wasm = fusebox::test::wat(kModule);
  {
    const auto backend = small_backend(options);
    EXPECT_EQ(Guest(*backend, wasm, limits_with(), sink_).refusal(), Refusal{});
  }
  EXPECT_FALSE(fs::is_empty(dir_ / "code"));
  const auto backend = small_backend(options);
  const Guest guest(*backend, wasm, limits_with(), sink_);
  EXPECT_EQ(guest.step().end, CallEnd::completed);
}

}  // namespace
}  // namespace fusebox::edge::test
