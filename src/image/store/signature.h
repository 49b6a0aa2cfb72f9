// Detached signatures of images: 64 bytes of Ed25519 over the SHA-256 of what is stored.
//
// Threads  pure functions but for reading files.
// Errors   `denied` "BAD_SIGNATURE": none there, or none of the keys made it; `invalid` for a key that is none.
// Contract containers.md 3.1, 4 (system.imageKeys)
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace fusebox::image {

// 64 hexadecimal digits each.
base::Result<std::vector<base::Ed25519PublicKey>> parse_image_keys(std::span<const std::string> texts);

// `image` names it in messages. No keys: nothing is asked.
base::Result<void> check_signature(const std::filesystem::path& signature, std::string_view image,
                                   const base::Sha256& digest, std::span<const base::Ed25519PublicKey> keys);
base::Result<void> write_signature(const std::filesystem::path& signature, const base::Sha256& digest,
                                   const base::Ed25519Key& key);

}  // namespace fusebox::image
