// Files of `fusebox compile` through the C interface: this installation's run, others are refused (contract 1.1).
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "edge/capi/fuse_fixture.h"
#include "engine/code_bundle.h"
#include "engine/code_file.h"
#include "engine/engine.h"

namespace fusebox::edge::test {
namespace {

namespace fs = std::filesystem;

// A folder that stands for the user's data folder while a test runs.
class Installation {
 public:
  Installation() {
    std::string name = (fs::temp_directory_path() / "fusebox-edge-XXXXXX").string();
    dir_ = ::mkdtemp(name.data()) != nullptr ? name : "";
    const char* before = std::getenv("XDG_DATA_HOME");
    if (before != nullptr) before_ = before;
    ::setenv("XDG_DATA_HOME", dir_.c_str(), 1);
  }
  ~Installation() {
    before_.empty() ? ::unsetenv("XDG_DATA_HOME") : ::setenv("XDG_DATA_HOME", before_.c_str(), 1);
    fs::remove_all(dir_);
  }
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

 private:
  fs::path dir_;
  std::string before_;
};

// As `fusebox compile` does.
base::Bytes compiled() {
  engine::EngineOptions options;
  options.stopping = engine::Stopping::ticks;
  options.pool_instances = 0;
  const auto engine = engine::Engine::create(options);
  const base::Bytes wasm = fusebox::test::wat(R"((module (func (export "module_step"))))");
  const auto code = engine::Code::compile(*engine, wasm);
  base::SystemRandom random;
  const auto secret = engine::CodeSecret::open(engine::installation_secret_path(), random);
  const base::Bytes sealed =
      engine::seal_code((*engine)->code_identity(), (*code)->hash(), *(*code)->serialize(), *secret);
  return engine::encode_bundle({.wasm = wasm, .signature = {}, .manifest = {}, .codes = {sealed}});
}

fuse_stat_t load(const base::Bytes& bytes) {
  static std::array<std::byte, 1 << 20> pool;
  static std::array<std::byte, 4096> log;
  const fuse_hal_t hal = whole_hal();
  fuse_runtime_t* rt = nullptr;
  EXPECT_EQ(
      fuse_rt_create(&rt, pool.data(), pool.size(), log.data(), log.size(), &hal, sizeof hal, FUSE_HAL_MASK, nullptr),
      FUSE_SUCCESS);
  const fuse_policy_t policy{};
  fuse_module_id_t id = kNone;
  const fuse_stat_t status = fuse_rt_module_load(rt, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                 static_cast<std::uint32_t>(bytes.size()), &policy, &id);
  if (status == FUSE_SUCCESS) {
    EXPECT_EQ(fuse_rt_module_start(rt, id), FUSE_SUCCESS);
    EXPECT_EQ(fuse_rt_module_run_step(rt, id), FUSE_SUCCESS);
  }
  EXPECT_EQ(fuse_rt_destroy(rt), FUSE_SUCCESS);
  return status;
}

TEST(Compiled, OfThisInstallationRunsAndOfAnotherIsRefused) {
  base::Bytes bytes;
  {
    const Installation ours;
    bytes = compiled();
    EXPECT_EQ(load(bytes), FUSE_SUCCESS);
  }
  const Installation other;
  EXPECT_EQ(load(bytes), FUSE_ERR_MODULE_LOAD_FAILED);
  char why[256] = {};
  fuse_last_error(why, sizeof why);
  EXPECT_THAT(why, ::testing::HasSubstr("not made by this installation"));
}

}  // namespace
}  // namespace fusebox::edge::test
