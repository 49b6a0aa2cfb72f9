#include "engine/code_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/files.h"

namespace fusebox::engine {
namespace {

constexpr std::string_view kMagic{"FUSEBOX-CODE-V1\0", 16};
constexpr std::string_view kKeyPrefix = "FUSEBOX-CACHE-V1";
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kHeaderBytes = kMagic.size() + kHashBytes + kLengthBytes;
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kSecretBytes = 32;

auto refuse(std::string message) {
  return base::fail(base::Errc::denied, std::move(message), "INTEGRITY");
}

std::string name(const std::filesystem::path& path) {
  return "installation secret " + path.string();
}

std::uint64_t read_length(base::ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = kLengthBytes; i > 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i - 1]);
  return value;
}

base::Result<CodeSecret> read_secret(int fd, const std::filesystem::path& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return base::fail(base::errno_error(name(path) + ": stat", errno));
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return base::fail(
        base::Errc::denied,
        name(path) + " must be a file of this user that nobody else can read (mode 0600); remove it to make a new one");
  }
  FB_TRY(const std::string text, base::within(name(path), base::read_fd(fd, kSecretBytes + 1)));
  if (text.size() != kSecretBytes) {
    return base::fail(base::Errc::corrupt, name(path) + " has not 32 bytes; remove it to make a new one");
  }
  std::array<std::byte, kSecretBytes> bytes;
  std::memcpy(bytes.data(), text.data(), bytes.size());
  return CodeSecret(bytes);
}

base::Result<base::Fd> open_secret(const std::filesystem::path& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return base::fail(base::errno_error(name(path) + ": open", errno));
  return fd;
}

// Complete under another name before it gets its own: of several processes the first link wins, and nobody reads half.
base::Result<void> create_secret(const std::filesystem::path& path, base::Random& random) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return base::fail(base::errno_error(name(path) + ": create its folder", error.value()));
  std::array<std::byte, kSecretBytes> bytes;
  random.fill(bytes);
  std::array<std::byte, 8> suffix;
  random.fill(suffix);
  const std::string temporary = path.string() + ".tmp-" + base::to_hex(suffix);
  base::Fd fd = base::Fd::adopt(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return base::fail(base::errno_error(name(path) + ": create", errno));
  auto written = base::within(name(path), base::write_all(fd.get(), bytes));
  if (written && ::fsync(fd.get()) != 0) written = base::fail(base::errno_error(name(path) + ": sync", errno));
  if (written && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    written = base::fail(base::errno_error(name(path) + ": create", errno));
  }
  ::unlink(temporary.c_str());
  return written;
}

}  // namespace

CodeSecret::~CodeSecret() {
  ::explicit_bzero(bytes_.data(), bytes_.size());
}

base::Result<CodeSecret> CodeSecret::open(const std::filesystem::path& path, base::Random& random) {
  auto fd = open_secret(path);
  if (!fd && fd.error().code == base::Errc::not_found) {
    FB_CHECK(create_secret(path, random));
    fd = open_secret(path);
  }
  if (!fd) return base::fail(fd.error());
  return read_secret(fd->get(), path);
}

std::filesystem::path installation_secret_path() {
  return base::user_data_dir() / "compiled-code.key";
}

base::Sha256 code_key(std::string_view identity, const base::Sha256& module_hash) {
  base::Sha256Stream stream;
  stream.update(base::as_bytes(kKeyPrefix));
  stream.update(base::as_bytes(identity));
  stream.update(module_hash.view());
  return stream.finish();
}

base::Bytes seal_code(std::string_view identity, const base::Sha256& module_hash, base::ByteView code,
                      const CodeSecret& secret) {
  const std::uint64_t length = kHashBytes + code.size();
  base::Bytes out(kHeaderBytes + length + kMacBytes);
  std::byte* at = out.data();
  const auto put = [&at](base::ByteView bytes) { at = std::copy(bytes.begin(), bytes.end(), at); };
  put(base::as_bytes(kMagic));
  put(code_key(identity, module_hash).view());
  for (std::size_t i = 0; i < kLengthBytes; ++i) *at++ = static_cast<std::byte>(length >> (8 * i));
  put(module_hash.view());
  put(code);
  put(base::hmac_sha256(secret.view(), base::ByteView(out).first(out.size() - kMacBytes)).view());
  return out;
}

base::Result<CodeFile> open_seal(base::ByteView file, const CodeSecret& secret) {
  if (!has_code_magic(file)) return refuse("not compiled code of Fusebox");
  if (file.size() < kHeaderBytes + kHashBytes + kMacBytes ||
      read_length(file.subspan(kMagic.size() + kHashBytes)) != file.size() - kHeaderBytes - kMacBytes) {
    return refuse("the file is cut or its length was changed");
  }
  const base::ByteView body = file.first(file.size() - kMacBytes);
  if (!base::equal_constant_time(base::hmac_sha256(secret.view(), body).view(), file.last(kMacBytes))) {
    return refuse("not made by this installation, or changed since");
  }
  CodeFile out;
  std::copy_n(body.begin() + kMagic.size(), kHashBytes, out.key.bytes.begin());
  std::copy_n(body.begin() + kHeaderBytes, kHashBytes, out.module_hash.bytes.begin());
  out.code = body.subspan(kHeaderBytes + kHashBytes);
  return out;
}

base::Result<CodeFile> open_code(std::string_view identity, base::ByteView file, const CodeSecret& secret) {
  FB_TRY(CodeFile out, open_seal(file, secret));
  if (!base::equal_constant_time(code_key(identity, out.module_hash).view(), out.key.view())) {
    return refuse(
        "made by another version of the engine, with other settings, or for another processor; compile the module "
        "again");
  }
  return out;
}

bool has_code_magic(base::ByteView bytes) noexcept {
  return base::as_text(bytes).starts_with(kMagic);
}

}  // namespace fusebox::engine
