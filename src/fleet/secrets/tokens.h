// The texts a fleet hands out as proof or as name. Each holds enough random bits that nobody guesses one.
//
// Threads  pure functions; the random source as its header says.
// Contract control-plane.md 1.4, 2.6, 8.2, 10.6, 10.7, 17.3, 18
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"

namespace fusebox::fleet {

std::string new_vm_token(base::Random& random);    // 64 hex
std::string new_request_id(base::Random& random);  // req_ + 32 hex
// op_ + 12 hex of the milliseconds + 20 hex: grows with time, so that lists and the retention go by the id.
std::string new_operation_id(base::Nanos wall, base::Random& random);
std::string new_fork_task_id(base::Random& random);   // fork- + 32 hex
std::string new_fork_seed_id(base::Random& random);   // fork-seed- + 32 hex
std::string new_session_value(base::Random& random);  // base64url of 32 bytes: the cookie fuse_session

struct NewApiKey {
  std::string id;    // ak_ + 16 hex
  std::string text;  // fuse_sk_ + base64url of 32 bytes; shown once
};
NewApiKey new_api_key(base::Random& random);
// What is stored of a key or a cookie: SHA-256 of the whole text.
base::Bytes secret_hash(std::string_view text);

// `[A-Za-z0-9_-]{1,128}`: an inbound X-Request-ID that is kept, an Idempotency-Key that is taken.
bool is_plain_id(std::string_view text) noexcept;

// art-<16 hex of digest>-<8 hex SHA-256(host id)>: the same pull has the same name. `digest` as hex, `sha256:` allowed.
std::string artifact_snapshot_id(std::string_view digest, std::string_view host_id);

}  // namespace fusebox::fleet
