// Contract 6.1-6.5, 8.5; rows 4 and 31 of section 15: policies from bytes and from JSON, hashes and signatures of modules.
#include <cstring>

#include "base/crypto.h"
#include "base/random.h"
#include "edge/capi/fuse_fixture.h"
#include "policy/signature.h"

namespace fusebox::edge::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::uint8_t kWorked[32] = {0x1c, 0,    0, 0, 0x06, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x20, 0, 0,
                                  0x88, 0x13, 0, 0, 0,    0, 0, 0, 2, 0,    0, 0, 1, 0,    0, 0};

TEST(PolicyBin, TheContractsExampleAndNothingButItsLength) {
  fuse_policy_t out;
  std::memset(&out, 0x77, sizeof out);
  const fuse_policy_t before = out;
  for (const std::uint32_t size : {0u, 31u, 33u, 64u})
    EXPECT_EQ(fuse_policy_from_bin(kWorked, size, &out), FUSE_ERR_INVALID_ARG) << size;
  EXPECT_EQ(fuse_policy_from_bin(nullptr, 32, &out), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_policy_from_bin(kWorked, 32, nullptr), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(std::memcmp(&out, &before, sizeof out), 0);
  ASSERT_EQ(fuse_policy_from_bin(kWorked, 32, &out), FUSE_SUCCESS);  // before init
  EXPECT_EQ(out.capabilities, 0x1Cu);
  EXPECT_EQ(out.memory_pages_max, 6u);
  EXPECT_EQ(out.stack_size, 8192u);
  EXPECT_EQ(out.heap_size, 8192u);
  EXPECT_EQ(out.cpu_quota_us, 5000u);
  EXPECT_EQ(out.step_interval_us, 0u);
  EXPECT_EQ(out.activation_mask, 2u);
  EXPECT_EQ(out.event_subscribe, 1u);
}

TEST(PolicyBin, ValuesAreNotJudgedAndBytesMayLieAnywhere) {
  std::uint8_t bytes[33];
  std::memset(bytes, 0xFF, sizeof bytes);
  bytes[1] = 0x01;
  bytes[4] = 0x80;
  fuse_policy_t out{};
  ASSERT_EQ(fuse_policy_from_bin(bytes + 1, 32, &out), FUSE_SUCCESS);
  EXPECT_EQ(out.capabilities, 0x80FFFF01u);
  EXPECT_EQ(out.event_subscribe, 0xFFFFFFFFu);
}

TEST(PolicyValidate, SaysWhatIsOutOfRange) {
  char text[128] = "before";
  fuse_policy_t policy{};
  EXPECT_EQ(fuse_policy_validate(&policy, 0, text, sizeof text), FUSE_SUCCESS);
  EXPECT_STREQ(text, "");
  policy.memory_pages_max = 65536;
  policy.activation_mask = 7;
  policy.capabilities = 0x7F;
  EXPECT_EQ(fuse_policy_validate(&policy, 0, text, sizeof text), FUSE_SUCCESS);
  policy.memory_pages_max = 65537;
  EXPECT_EQ(fuse_policy_validate(&policy, 0, text, sizeof text), FUSE_ERR_INVALID_ARG);
  EXPECT_STREQ(text, "memory_pages_max is 65537; the limit is 65536 (4 GiB)");
  policy.activation_mask = 8;
  EXPECT_EQ(fuse_policy_validate(&policy, 0, text, sizeof text), FUSE_ERR_INVALID_ARG);
  EXPECT_THAT(text, StartsWith("activation_mask: bits 0x00000008"));
  policy.capabilities = 0x80;
  EXPECT_EQ(fuse_policy_validate(&policy, 0, text, 5), FUSE_ERR_INVALID_ARG);
  EXPECT_STREQ(text, "capa");
  EXPECT_EQ(fuse_policy_validate(&policy, 0, nullptr, 0), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_policy_validate(nullptr, 0, text, sizeof text), FUSE_ERR_INVALID_ARG);
  fuse_policy_t good{};
  EXPECT_EQ(fuse_policy_validate(&good, 1, text, sizeof text), FUSE_ERR_INVALID_ARG);
}

class PolicyJson : public ::testing::Test {
 protected:
  fuse_stat_t read(std::string_view text, const char* events = nullptr) {
    std::memset(&policy, 0x77, sizeof policy);
    std::memset(&ext, 0x77, sizeof ext);
    std::memset(error, 'x', sizeof error);
    return fuse_policy_from_json(text.data(), text.size(), events, &policy, &ext, error, sizeof error);
  }
  void expect_untouched() const {
    const auto* p = reinterpret_cast<const unsigned char*>(&policy);
    const auto* e = reinterpret_cast<const unsigned char*>(&ext);
    EXPECT_TRUE(std::all_of(p, p + sizeof policy, [](unsigned char b) { return b == 0x77; }));
    EXPECT_TRUE(std::all_of(e, e + sizeof ext, [](unsigned char b) { return b == 0x77; }));
  }
  static std::string with(std::string_view more,
                          std::string_view capabilities = "[\"CAMERA\", \"LOG\", \"EVENT_POST\"]") {
    return "{\"capabilities\": " + std::string(capabilities) +
           ", \"memory_pages_max\": 6, \"stack_size\": 8192, \"heap_size\": 8192, \"cpu_quota_us\": 5000, "
           "\"step_interval_us\": 0" +
           std::string(more) + "}";
  }

  fuse_policy_t policy;
  fuse_policy_ext_t ext;
  char error[512];
};

TEST_F(PolicyJson, IsThePolicyOfTheBytes) {
  ASSERT_EQ(read(with(R"(, "activation": ["EVENT"], "event_subscribe": ["FRAME"])"), R"({"FRAME": 0})"), FUSE_SUCCESS)
      << error;
  EXPECT_STREQ(error, "");
  fuse_policy_t expected{};
  fuse_policy_from_bin(kWorked, 32, &expected);
  EXPECT_EQ(std::memcmp(&policy, &expected, sizeof policy), 0);
  EXPECT_EQ(ext.size, sizeof ext);
  EXPECT_EQ(ext.tick_budget, 0u);
}

TEST_F(PolicyJson, BothSpellingsAndBothForms) {
  ASSERT_EQ(read(with(R"(, "activation_mask": 2, "event_subscribe": 5)", "28")), FUSE_SUCCESS) << error;
  EXPECT_EQ(policy.capabilities, 28u);
  EXPECT_EQ(policy.event_subscribe, 5u);  // a scalar is the mask
  ASSERT_EQ(read(with(R"(, "event_subscribe": [5])")), FUSE_SUCCESS) << error;
  EXPECT_EQ(policy.event_subscribe, 1u << 5);  // in a list, an index
  ASSERT_EQ(read(with(R"(, "activation": ["EVENT"], "activation_mask": 2)")), FUSE_SUCCESS) << error;
  EXPECT_EQ(read(with(R"(, "activation": ["EVENT"], "activation_mask": 1)")), FUSE_ERR_INVALID_ARG);
  expect_untouched();
}

TEST_F(PolicyJson, ExtensionsAreRead) {
  ASSERT_EQ(read(with(R"(, "fusebox": {"tick_budget": 9000000000, "priority": -3, "drift_free": true, "phase_us": 4,
      "log_entries_per_step": 7, "on_fault": {"restart": "limited", "max": 2, "backoff_us": 100}})")),
            FUSE_SUCCESS)
      << error;
  EXPECT_EQ(ext.tick_budget, 9'000'000'000u);
  EXPECT_EQ(ext.priority, -3);
  EXPECT_EQ(ext.flags, FUSE_EXT_DRIFT_FREE);
  EXPECT_EQ(ext.phase_us, 4u);
  EXPECT_EQ(ext.log_entries_per_step, 7u);
  EXPECT_EQ(ext.restart, static_cast<std::uint32_t>(FUSE_RESTART_LIMITED));
  EXPECT_EQ(ext.restart_max, 2u);
  EXPECT_EQ(ext.restart_backoff_us, 100u);
}

TEST_F(PolicyJson, EveryProblemIsNamedAndNothingWritten) {
  for (const auto& [text, says] : {std::pair<std::string, const char*>{"", "policy"},
                                   {"[]", "policy"},
                                   {"{", "policy"},
                                   {"{}", "capabilities"},
                                   {with(R"(, "surprise": 1)"), "surprise"},
                                   {with(R"(, "activation": [true])"), "activation"},
                                   {with(R"(, "event_subscribe": ["NOBODY"])"), "NOBODY"},
                                   {with("", "[\"CAMRA\"]"), "CAMRA"},
                                   {with("", "1.5"), "capabilities"},
                                   {with(R"(, "heap_size": 1)"), "heap_size"}}) {
    EXPECT_EQ(read(text), FUSE_ERR_INVALID_ARG) << text;
    EXPECT_THAT(error, HasSubstr(says)) << text;
    EXPECT_EQ(last_error(), error);
    expect_untouched();
  }
  EXPECT_EQ(read(with(""), "{"), FUSE_ERR_INVALID_ARG);
  expect_untouched();
}

TEST_F(PolicyJson, PointersAreChecked) {
  const std::string text = with("");
  EXPECT_EQ(fuse_policy_from_json(nullptr, 3, nullptr, &policy, &ext, error, sizeof error), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_policy_from_json(text.data(), text.size(), nullptr, nullptr, &ext, error, sizeof error),
            FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_policy_from_json(text.data(), text.size(), nullptr, &policy, nullptr, nullptr, 0), FUSE_SUCCESS);
}

class Integrity : public FuseTest {
 protected:
  void SetUp() override {
    FuseTest::SetUp();
    wasm = fusebox::test::wat(kNothing);
    base::SystemRandom random;
    key = std::make_unique<base::Ed25519Key>(*base::Ed25519Key::generate(random));
    other = std::make_unique<base::Ed25519Key>(*base::Ed25519Key::generate(random));
  }
  static fuse_stat_t trust(const base::Ed25519Key& which) {
    const base::Ed25519PublicKey pub = which.public_key();
    return fuse_trust_key(pub.id().c_str(), reinterpret_cast<const std::uint8_t*>(pub.bytes.data()));
  }
  static std::string sign(const base::Ed25519Key& with, const base::Bytes& module) {
    return policy::sign_module(with, {base::sha256(module), {}})->json();
  }
  fuse_stat_t load_signed(const std::string& signature) {
    const fuse_policy_t policy = any_policy();
    fuse_module_id_t id = kUntouched;
    const fuse_stat_t status = fuse_module_load_ext(
        reinterpret_cast<const std::uint8_t*>(wasm.data()), static_cast<std::uint32_t>(wasm.size()), &policy, nullptr,
        reinterpret_cast<const std::uint8_t*>(signature.data()), static_cast<std::uint32_t>(signature.size()), &id);
    if (status != FUSE_SUCCESS) {
      EXPECT_EQ(id, kUntouched);
      EXPECT_THAT(last_line(), StartsWith("2 -1 wasm_runtime_load failed: "));
      EXPECT_THAT(last_error(), ::testing::Not(StartsWith("wasm_runtime_load")));  // the whole sentence
    } else {
      fuse_module_unload(id);
    }
    return status;
  }

  static constexpr fuse_module_id_t kUntouched = 0xC0FFEE;
  base::Bytes wasm;
  std::unique_ptr<base::Ed25519Key> key;
  std::unique_ptr<base::Ed25519Key> other;
};

TEST_F(Integrity, ASignatureOfATrustedKeyHolds) {
  ASSERT_EQ(trust(*key), FUSE_SUCCESS);
  EXPECT_EQ(load_signed(sign(*key, wasm)), FUSE_SUCCESS);
  ASSERT_EQ(trust(*other), FUSE_SUCCESS);
  EXPECT_EQ(load_signed(sign(*other, wasm)), FUSE_SUCCESS);
}

TEST_F(Integrity, AnyOtherSignatureIsSeven) {
  EXPECT_EQ(load_signed(sign(*key, wasm)), FUSE_ERR_POLICY_VIOLATION);  // nobody is trusted
  ASSERT_EQ(trust(*key), FUSE_SUCCESS);
  EXPECT_EQ(load_signed(sign(*other, wasm)), FUSE_ERR_POLICY_VIOLATION);
  EXPECT_EQ(load_signed(sign(*key, fusebox::test::wat(kTrap))), FUSE_ERR_POLICY_VIOLATION);
  for (const std::string& malformed : {std::string("x"), std::string("{}"), std::string(5000, ' '),
                                       sign(*key, wasm).substr(0, 100), std::string("\0\0", 2)})
    EXPECT_EQ(load_signed(malformed), FUSE_ERR_POLICY_VIOLATION);
  std::string touched = sign(*key, wasm);
  const std::size_t at = touched.find("\"signature\":\"") + 20;
  touched[at] = touched[at] == 'A' ? 'B' : 'A';
  EXPECT_EQ(load_signed(touched), FUSE_ERR_POLICY_VIOLATION);
  EXPECT_EQ(load_signed(sign(*key, wasm)), FUSE_SUCCESS);
}

TEST_F(Integrity, AFullRuntimeIsSixBeforeTheSignatureIsJudged) {
  for (int i = 0; i < 8; ++i) load(kNothing);
  const std::string bad = "bad";
  const fuse_policy_t policy = any_policy();
  fuse_module_id_t id = 0;
  EXPECT_EQ(
      fuse_module_load_ext(reinterpret_cast<const std::uint8_t*>(wasm.data()), static_cast<std::uint32_t>(wasm.size()),
                           &policy, nullptr, reinterpret_cast<const std::uint8_t*>(bad.data()), 3, &id),
      FUSE_ERR_MODULE_LIMIT);
}

TEST_F(Integrity, KeysAreNamedByTheirOwnIdAndEightFit) {
  const base::Ed25519PublicKey pub = key->public_key();
  EXPECT_EQ(fuse_trust_key("0123456789abcdef", reinterpret_cast<const std::uint8_t*>(pub.bytes.data())),
            FUSE_ERR_INVALID_ARG);
  EXPECT_THAT(last_error(), HasSubstr(pub.id()));
  base::SystemRandom random;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(trust(*base::Ed25519Key::generate(random)), FUSE_SUCCESS);
  EXPECT_EQ(trust(*key), FUSE_ERR_INVALID_ARG);
  fuse_deinit();
  ASSERT_EQ(open(), FUSE_SUCCESS);
  EXPECT_EQ(load_signed(sign(*key, wasm)), FUSE_ERR_POLICY_VIOLATION);  // trust is the runtime's
}

TEST_F(Integrity, AHashOfThePolicyMustBeTheModules) {
  fuse_policy_ext_t ext = extension();
  ext.flags = FUSE_EXT_SHA256;
  const base::Sha256 hash = base::sha256(wasm);
  std::memcpy(ext.sha256, hash.bytes.data(), 32);
  fuse_module_id_t id = kUntouched;
  EXPECT_EQ(try_load(fusebox::test::wat(kTrap), any_policy(), &id, &ext), FUSE_ERR_POLICY_VIOLATION);
  EXPECT_EQ(last_line(), "2 -1 wasm_runtime_load failed: SHA-256 is not the policy's");
  EXPECT_EQ(id, kUntouched);
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_SUCCESS);
  ext.sha256[31] ^= 1;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_ERR_POLICY_VIOLATION);
  ext.flags = 0;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_SUCCESS);
}

}  // namespace
}  // namespace fusebox::edge::test
