// The form of compiled code on disk and the secret that says it is ours (contract capability.md section 12.2).
//
//   magic 16 | key 32 | length 8, little endian | module hash 32, native code | HMAC-SHA-256 32 over all before it
//
// Threads  pure functions, plain values.
// Errors   `denied`, name INTEGRITY: the message says which check failed.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/result.h"

namespace fusebox::engine {

inline constexpr std::size_t kCodeFileBytesMax = std::size_t{1}
                                                 << 30;  // native code of the largest module allowed, with room

// 32 random bytes in a file that only its user can read.
class CodeSecret {
 public:
  explicit CodeSecret(const std::array<std::byte, 32>& bytes) noexcept : bytes_(bytes) {}
  ~CodeSecret();
  CodeSecret(const CodeSecret&) = default;
  CodeSecret& operator=(const CodeSecret&) = default;
  // Reads the file or, when there is none, creates it with its folder; of several that create at once one wins.
  // `denied`: others could read or replace it. `corrupt`: not 32 bytes. `io`.
  static base::Result<CodeSecret> open(const std::filesystem::path& path, base::Random& random);
  base::ByteView view() const noexcept { return bytes_; }

 private:
  std::array<std::byte, 32> bytes_;
};

// Where the secret of this installation lies: in the user's data folder.
std::filesystem::path installation_secret_path();

// The key of contract 12.2. `identity` is Engine::code_identity().
base::Sha256 code_key(std::string_view identity, const base::Sha256& module_hash);

struct CodeFile {
  base::Sha256 key;
  base::Sha256 module_hash;
  base::ByteView code;  // points into what was parsed
};
base::Bytes seal_code(std::string_view identity, const base::Sha256& module_hash, base::ByteView code,
                      const CodeSecret& secret);
// Form and MAC alone: whose code it is stays to be compared, by `key`. Nothing of `code` may be used before.
base::Result<CodeFile> open_seal(base::ByteView file, const CodeSecret& secret);
// The same, and the key must be the one of `identity`.
base::Result<CodeFile> open_code(std::string_view identity, base::ByteView file, const CodeSecret& secret);
bool has_code_magic(base::ByteView bytes) noexcept;

}  // namespace fusebox::engine
