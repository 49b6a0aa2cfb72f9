// Modules on disk, found by content, by id, or by id and version (contract capability.md section 12.1).
//
//   <root>/sha256/<2 hex>/<hash>.wasm, .sig.json, .manifest.json      <root>/index.json      <root>/quarantine/
//
// Owner    borrows the clock and, if set, the audit log; both must outlive it.
// Threads  any thread. Any number of processes share a root: changes happen under an flock on <root>/lock, the index is
//          replaced whole, objects appear whole.
// Errors   `not_found`, `exists`; `invalid` for what does not validate; names INTEGRITY, IN_USE, MANIFEST_INVALID,
// ABI_MISMATCH,
//          MODULE_TOO_LARGE as in contract 14.1.
// Format   docs/formats/module-store.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/files.h"
#include "base/result.h"
#include "capability/audit.h"
#include "capability/manifest.h"
#include "capability/module_store_index.h"
#include "policy/policy.h"
#include "policy/signature.h"

namespace fusebox::capability {

// While one is alive the module cannot be removed, by any process. Copies share it.
class ModulePin {
 public:
  ModulePin() = default;
  explicit ModulePin(base::Fd object) : object_(std::make_shared<base::Fd>(std::move(object))) {}

 private:
  std::shared_ptr<const base::Fd> object_;  // holds a shared flock
};

struct StoredModule {
  base::Sha256 hash;
  base::Bytes wasm;
  std::string signature_json;  // side files as stored, "" when absent
  std::string manifest_json;
  std::optional<Manifest> manifest;  // of section or side file
  std::string signed_by;             // id of the trusted key that signed it
  ModulePin pin;
};

struct ListedModule {
  base::Sha256 hash;
  std::uint64_t size_bytes = 0;
  std::vector<std::string> tags;  // "id@version", ids in order, versions ascending
  std::string signed_by;
  std::string first_stored;  // RFC 3339
  bool in_use = false;
};

struct StoreProblem {
  std::string object;  // file below the root
  std::string message;
};

struct StoreReport {
  std::uint64_t objects = 0;
  std::vector<StoreProblem> problems;
};

struct StoreOptions {
  std::filesystem::path root;
  policy::Integrity integrity;
  std::uint64_t module_bytes_max = 16u << 20;
  std::function<base::Result<void>(base::ByteView wasm)> validate;  // required; engine::Engine::validate
  std::function<base::Result<void>(base::ByteView wasm)> compile;   // upgrade() refuses what this refuses
  std::function<void(const base::Sha256& hash)> forget_compiled;    // remove() drops cache entries with it
};

class ModuleStore {
 public:
  ModuleStore(StoreOptions options, const base::Clock& clock, AuditLog* audit = nullptr);

  // Validates, verifies, stores. Side files are JSON text, "" when absent. The same bytes again change nothing, except
  // that a signature is added where there was none; other side files than the stored ones: `exists`.
  base::Result<base::Sha256> put(base::ByteView wasm, std::string_view signature_json = {},
                                 std::string_view manifest_json = {});

  // `ref` is 64 hex digits, "id" (what upgrade or rollback made active, else the highest version that is no
  // pre-release) or "id@version".
  base::Result<base::Sha256> resolve(std::string_view ref) const;
  // Re-hashes and verifies. Bytes that do not match their name: INTEGRITY, and the object goes to quarantine.
  base::Result<StoredModule> load(std::string_view ref);
  base::Result<ModulePin> pin(const base::Sha256& hash) const;

  // An existing id@version with another hash: `exists`.
  base::Result<void> tag(std::string_view id, std::string_view version, const base::Sha256& hash);
  base::Result<std::vector<ListedModule>> list() const;  // by first tag, then hash; untagged ones last
  // By hash: with all its tags. By tag: that tag, and the object with its last one.
  base::Result<void> remove(std::string_view ref);
  base::Result<StoreReport> verify() const;  // re-hashes everything, changes nothing

  // Makes `hash` what `id` means: it must verify, compile, and carry a manifest of this id with a higher version.
  base::Result<void> upgrade(std::string_view id, const base::Sha256& hash);
  // Back to what `id` meant before the last upgrade.
  base::Result<base::Sha256> rollback(std::string_view id);

 private:
  struct Object;
  std::filesystem::path object_path(const base::Sha256& hash, std::string_view suffix) const;
  base::Result<base::Fd> lock() const;  // held while it lives
  base::Result<StoreIndex> read_index() const;
  base::Result<void> write_index(const StoreIndex& index) const;
  base::Result<Object> read_object(const base::Sha256& hash) const;
  // Hash, envelope, manifest, integrity rules.
  base::Result<StoredModule> check(Object object, const base::Sha256& hash) const;
  base::Result<StoredModule> load_hash(const base::Sha256& hash);
  void quarantine(const base::Sha256& hash);
  base::Result<void> store(const base::Sha256& hash, const Object& object);
  base::Result<void> store_files(const base::Sha256& hash, const Object& object);
  base::Result<void> tag_locked(std::string_view id, const ModuleVersion& version, const base::Sha256& hash);
  base::Result<void> remove_locked(std::string_view ref, base::Sha256& hash, bool& gone);
  base::Result<void> check_upgrade(std::string_view id, const base::Sha256& hash, const StoredModule& module) const;
  base::Result<void> switch_to(std::string_view id, const base::Sha256& hash);
  base::Result<base::Sha256> roll_back(std::string_view id);
  bool in_use(const base::Sha256& hash) const;  // needs the lock
  void record(AuditType type, std::string_view operation, std::string_view subject, const base::Error* error) const;

  const StoreOptions options_;
  const base::Clock& clock_;
  AuditLog* const audit_;
};

}  // namespace fusebox::capability
