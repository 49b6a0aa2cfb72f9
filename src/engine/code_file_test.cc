#include "engine/code_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/files.h"

namespace fusebox::engine {
namespace {

CodeSecret secret_of(char fill) {
  std::array<std::byte, 32> bytes;
  bytes.fill(static_cast<std::byte>(fill));
  return CodeSecret(bytes);
}

void expect_refused(const base::Result<CodeFile>& result, std::string_view message) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Errc::denied);
  EXPECT_EQ(result.error().name, "INTEGRITY");
  EXPECT_EQ(result.error().message, message);
}

const base::Sha256 kModule = base::sha256(base::as_bytes("module"));

TEST(CodeFile, ReadsBackWhatWasSealed) {
  const auto file = seal_code("engine 1", kModule, base::as_bytes("native code"), secret_of('s'));
  EXPECT_EQ(file.size(), 16u + 32 + 8 + 32 + 11 + 32);
  EXPECT_TRUE(has_code_magic(file));
  const auto opened = open_code("engine 1", file, secret_of('s'));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->module_hash, kModule);
  EXPECT_EQ(base::as_text(opened->code), "native code");
}

TEST(CodeFile, KeyDependsOnEngineAndModule) {
  const base::Sha256 key = code_key("engine 1", kModule);
  EXPECT_NE(key, code_key("engine 2", kModule));
  EXPECT_NE(key, code_key("engine 1", base::sha256({})));
  base::Sha256Stream stream;
  stream.update(base::as_bytes("FUSEBOX-CACHE-V1"));
  stream.update(base::as_bytes("engine 1"));
  stream.update(kModule.view());
  EXPECT_EQ(key, stream.finish());
}

TEST(CodeFile, RefusesEveryFlippedBitAndEveryCut) {
  const auto file = seal_code("engine 1", kModule, base::as_bytes("native code"), secret_of('s'));
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = file;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(open_code("engine 1", changed, secret_of('s'))) << at;
    }
    EXPECT_FALSE(open_code("engine 1", base::ByteView(file).first(at), secret_of('s'))) << at;
  }
  auto longer = file;
  longer.push_back(std::byte{0});
  expect_refused(open_code("engine 1", longer, secret_of('s')), "the file is cut or its length was changed");
}

TEST(CodeFile, SaysWhyCodeFromElsewhereIsRefused) {
  const auto file = seal_code("engine 1", kModule, base::as_bytes("native code"), secret_of('s'));
  expect_refused(open_code("engine 1", file, secret_of('t')), "not made by this installation, or changed since");
  expect_refused(
      open_code("engine 2", file, secret_of('s')),
      "made by another version of the engine, with other settings, or for another processor; compile the module again");
  expect_refused(open_code("engine 1",
                           base::as_bytes("\x7f"
                                          "ELF"),
                           secret_of('s')),
                 "not compiled code of Fusebox");
}

class SecretTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = base::TempDir::create();
    ASSERT_TRUE(made);
    folder = std::make_unique<base::TempDir>(std::move(*made));
    path = folder->path() / "new" / "folder" / "secret";
  }
  base::Result<CodeSecret> open() {
    base::SystemRandom random;
    return CodeSecret::open(path, random);
  }
  static std::string text(const base::Result<CodeSecret>& secret) {
    return secret ? base::to_hex(secret->view()) : secret.error().message;
  }
  std::unique_ptr<base::TempDir> folder;
  std::filesystem::path path;
};

TEST_F(SecretTest, IsMadeOnceAndPrivate) {
  const auto first = open();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(text(open()), text(first));
  EXPECT_EQ(text(first).size(), 64u);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path.parent_path())) ++files;
  EXPECT_EQ(files, 1u) << "the temporary file must be gone";
}

TEST_F(SecretTest, ThoseWhoCreateItAtOnceAgree) {
  std::vector<std::string> texts(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& out : texts) threads.emplace_back([this, &out] { out = text(open()); });
  }
  for (const std::string& out : texts) EXPECT_EQ(out, texts[0]);
  EXPECT_EQ(texts[0].size(), 64u);
}

TEST_F(SecretTest, RefusesWhatOthersCouldReadOrHaveMade) {
  ASSERT_TRUE(open());
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(open().error().code, base::Errc::denied);
  EXPECT_EQ(open().error().message,
            "installation secret " + path.string() +
                " must be a file of this user that nobody else can read (mode 0600); remove it to make a new one");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  for (const std::string& wrong : {std::string(31, 'x'), std::string(33, 'x'), std::string()}) {
    std::ofstream(path, std::ios::trunc) << wrong;
    EXPECT_FALSE(open());
  }
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/zero", path);
  EXPECT_FALSE(open());
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(open());
}

}  // namespace
}  // namespace fusebox::engine
