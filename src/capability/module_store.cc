#include "capability/module_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "capability/store_limits.h"
#include "policy/capability_id.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kWasm = ".wasm";
constexpr std::string_view kSignature = ".sig.json";
constexpr std::string_view kManifest = ".manifest.json";
constexpr std::string_view kIntegrity = "INTEGRITY";

std::string in_store(const std::filesystem::path& path) {
  return "module store: " + path.string();
}

template <class T>
const base::Error* error_of(const base::Result<T>& result) {
  return result ? nullptr : &result.error();
}

base::Result<base::Fd> open_file(const std::filesystem::path& path, int flags) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd) return base::fail(base::errno_error(in_store(path), errno));
  return fd;
}

base::Result<void> flock_file(int fd, int operation, const std::filesystem::path& path) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) return base::fail(base::errno_error(in_store(path) + ": lock", errno));
  }
  return {};
}

base::Result<void> make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return base::fail(base::errno_error(in_store(path) + ": create", error.value()));
  return {};
}

// "" when there is no such file.
base::Result<std::string> read_side_file(const std::filesystem::path& path, std::size_t bytes_max) {
  auto text = base::read_file(path, bytes_max);
  if (!text && text.error().code == base::Errc::not_found) return std::string();
  return text;
}

base::Result<void> write_or_remove(const std::filesystem::path& path, std::string_view text) {
  if (!text.empty()) return base::write_file_atomic(path, base::as_bytes(text));
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return base::fail(base::errno_error(in_store(path) + ": remove", error.value()));
  return {};
}

base::Result<ModuleVersion> check_name(std::string_view id, std::string_view version) {
  if (!policy::is_capability_id(id)) {
    return base::fail(base::Errc::invalid, base::in_quotes(id) +
                                               " is not a capability id: lower-case words of letters, digits and '_', "
                                               "joined by '.', at most 128 bytes");
  }
  return ModuleVersion::parse(version);
}

}  // namespace

struct ModuleStore::Object {
  base::Fd fd;  // with a shared lock; empty for what is not stored yet
  base::Bytes wasm;
  std::string signature;
  std::string manifest;
};

ModuleStore::ModuleStore(StoreOptions options, const base::Clock& clock, AuditLog* audit)
    : options_(std::move(options)), clock_(clock), audit_(audit) {}

std::filesystem::path ModuleStore::object_path(const base::Sha256& hash, std::string_view suffix) const {
  const std::string hex = hash.hex();
  return options_.root / "sha256" / hex.substr(0, 2) / (hex + std::string(suffix));
}

base::Result<base::Fd> ModuleStore::lock() const {
  FB_CHECK(make_folder(options_.root));
  const std::filesystem::path path = options_.root / "lock";
  FB_TRY(base::Fd fd, open_file(path, O_RDWR | O_CREAT));
  FB_CHECK(flock_file(fd.get(), LOCK_EX, path));
  return fd;
}

base::Result<StoreIndex> ModuleStore::read_index() const {
  const std::filesystem::path path = options_.root / "index.json";
  FB_TRY(const std::string text, read_side_file(path, kStoreIndexBytesMax));
  if (text.empty()) return StoreIndex{};
  return StoreIndex::parse(text, path.string());
}

base::Result<void> ModuleStore::write_index(const StoreIndex& index) const {
  const std::string text = index.json();
  if (text.size() > kStoreIndexBytesMax || index.tags.size() > kStoreTagsMax || index.objects.size() > kStoreTagsMax) {
    return base::fail(base::Errc::exhausted, "the module store is full: " + base::format_count(kStoreTagsMax) +
                                                 " modules or tags; remove some");
  }
  return base::write_file_atomic(options_.root / "index.json", base::as_bytes(text));
}

base::Result<ModuleStore::Object> ModuleStore::read_object(const base::Sha256& hash) const {
  Object object;
  const std::filesystem::path path = object_path(hash, kWasm);
  FB_TRY(object.fd, open_file(path, O_RDONLY));
  FB_CHECK(flock_file(object.fd.get(), LOCK_SH, path));
  struct stat info{};
  if (::fstat(object.fd.get(), &info) != 0) return base::fail(base::errno_error(in_store(path) + ": stat", errno));
  if (info.st_nlink == 0) return base::fail(base::Errc::not_found, in_store(path) + " was removed just now");
  if (!S_ISREG(info.st_mode))
    return base::fail(base::Errc::corrupt, in_store(path) + " is not a regular file", std::string(kIntegrity));
  FB_TRY(const std::string wasm, base::within(in_store(path), base::read_fd(object.fd.get(), kStoreModuleBytesMax)));
  const base::ByteView bytes = base::as_bytes(wasm);
  object.wasm.assign(bytes.begin(), bytes.end());
  FB_TRY(object.signature, read_side_file(object_path(hash, kSignature), policy::kEnvelopeBytesMax));
  FB_TRY(object.manifest, read_side_file(object_path(hash, kManifest), kManifestBytesMax));
  return object;
}

base::Result<StoredModule> ModuleStore::check(Object object, const base::Sha256& hash) const {
  if (!base::equal_constant_time(base::sha256(object.wasm).view(), hash.view())) {
    return base::fail(base::Errc::corrupt, "stored module " + hash.hex() + " does not have this hash any more",
                      std::string(kIntegrity));
  }
  policy::ModuleHashes hashes{hash, {}};
  if (!object.manifest.empty()) hashes.manifest = base::sha256(base::as_bytes(object.manifest));
  std::optional<policy::SignatureEnvelope> envelope;
  if (!object.signature.empty()) {
    FB_TRY(envelope, policy::SignatureEnvelope::parse(object.signature));
  }
  FB_TRY(policy::IntegrityVerdict verdict,
         policy::verify_integrity(options_.integrity, hashes, envelope ? &*envelope : nullptr, {}, clock_));
  StoredModule module;
  FB_TRY(module.manifest, module_manifest(object.wasm, object.manifest));
  module.hash = hash;
  module.wasm = std::move(object.wasm);
  module.signature_json = std::move(object.signature);
  module.manifest_json = std::move(object.manifest);
  module.signed_by = std::move(verdict.signed_by);
  if (object.fd) module.pin = ModulePin(std::move(object.fd));
  return module;
}

base::Result<base::Sha256> ModuleStore::put(base::ByteView wasm, std::string_view signature_json,
                                            std::string_view manifest_json) {
  const base::Sha256 hash = base::sha256(wasm);
  Object object{{}, {}, std::string(signature_json), std::string(manifest_json)};
  base::Result<void> result;
  if (wasm.size() > options_.module_bytes_max) {
    result = base::fail(base::Errc::exhausted,
                        "the module has " + base::format_size(wasm.size()) + "; at most " +
                            base::format_size(options_.module_bytes_max) + " are allowed (limits.module_bytes)",
                        "MODULE_TOO_LARGE");
  } else {
    // The validator before our own parser of the manifest section.
    object.wasm.assign(wasm.begin(), wasm.end());
    result = options_.validate(wasm);
    if (result) {
      Object copy{{}, object.wasm, object.signature, object.manifest};
      auto checked = check(std::move(copy), hash);
      if (!checked) result = base::fail(checked.error());
    }
  }
  record(AuditType::module_verification, "put", hash.hex(), error_of(result));
  if (result) result = store(hash, object);
  if (!result) return base::fail(result.error());
  return hash;
}

base::Result<void> ModuleStore::store(const base::Sha256& hash, const Object& object) {
  FB_TRY(const base::Fd held, lock());
  FB_CHECK(store_files(hash, object));
  FB_TRY(StoreIndex index, read_index());
  if (!index.objects.emplace(hash, base::format_rfc3339(clock_.wall())).second) return {};
  return write_index(index);
}

// The module's own file comes last: where it is, its side files are, and a crash leaves no module without them.
base::Result<void> ModuleStore::store_files(const base::Sha256& hash, const Object& object) {
  const std::filesystem::path path = object_path(hash, kWasm);
  auto stored = read_object(hash);
  if (!stored && stored.error().code != base::Errc::not_found) return base::fail(stored.error());
  if (stored && base::sha256(stored->wasm) == hash) {
    const bool other_signature =
        !object.signature.empty() && !stored->signature.empty() && object.signature != stored->signature;
    const bool other_manifest = !object.manifest.empty() && object.manifest != stored->manifest;
    if (other_signature || other_manifest) {
      return base::fail(base::Errc::exists, "module " + hash.hex() + " is stored with another " +
                                                (other_manifest ? "manifest" : "signature") + "; remove it first");
    }
    if (object.signature.empty() || !stored->signature.empty()) return {};
    return base::write_file_atomic(object_path(hash, kSignature), base::as_bytes(object.signature));
  }
  FB_CHECK(make_folder(path.parent_path()));
  FB_CHECK(write_or_remove(object_path(hash, kSignature), object.signature));
  FB_CHECK(write_or_remove(object_path(hash, kManifest), object.manifest));
  return base::write_file_atomic(path, object.wasm);
}

base::Result<base::Sha256> ModuleStore::resolve(std::string_view ref) const {
  FB_TRY(const StoreIndex index, read_index());
  return index.resolve(ref);
}

base::Result<StoredModule> ModuleStore::load(std::string_view ref) {
  FB_TRY(const base::Sha256 hash, resolve(ref));
  auto module = load_hash(hash);
  record(AuditType::module_load, "load", hash.hex(), error_of(module));
  return module;
}

base::Result<StoredModule> ModuleStore::load_hash(const base::Sha256& hash) {
  FB_TRY(Object object, read_object(hash));
  const bool intact = base::sha256(object.wasm) == hash;
  auto module = check(std::move(object), hash);
  if (!intact) quarantine(hash);
  return module;
}

// Kept for whoever wants to know what happened. A second bad object of one name replaces the first.
void ModuleStore::quarantine(const base::Sha256& hash) {
  const auto held = lock();
  const auto now = read_object(hash);
  if (!held || !now || base::sha256(now->wasm) == hash) return;  // somebody stored it anew meanwhile
  if (!make_folder(options_.root / "quarantine")) return;
  for (const std::string_view suffix : {kWasm, kSignature, kManifest}) {
    std::error_code ignored;
    std::filesystem::rename(object_path(hash, suffix),
                            options_.root / "quarantine" / (hash.hex() + std::string(suffix)), ignored);
  }
}

base::Result<ModulePin> ModuleStore::pin(const base::Sha256& hash) const {
  const std::filesystem::path path = object_path(hash, kWasm);
  FB_TRY(base::Fd fd, open_file(path, O_RDONLY));
  FB_CHECK(flock_file(fd.get(), LOCK_SH, path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || info.st_nlink == 0) {
    return base::fail(base::Errc::not_found, in_store(path) + " was removed just now");
  }
  return ModulePin(std::move(fd));
}

bool ModuleStore::in_use(const base::Sha256& hash) const {
  const auto fd = open_file(object_path(hash, kWasm), O_RDONLY);
  return fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

base::Result<void> ModuleStore::tag(std::string_view id, std::string_view version, const base::Sha256& hash) {
  FB_TRY(const ModuleVersion parsed, check_name(id, version));
  auto result = tag_locked(id, parsed, hash);
  record(AuditType::operator_action, "tag", std::string(id) + "@" + parsed.text() + " " + hash.hex(), error_of(result));
  return result;
}

base::Result<void> ModuleStore::tag_locked(std::string_view id, const ModuleVersion& version,
                                           const base::Sha256& hash) {
  FB_TRY(const base::Fd held, lock());
  FB_TRY(StoreIndex index, read_index());
  if (!index.objects.contains(hash))
    return base::fail(base::Errc::not_found, "no module " + hash.hex() + " in the store");
  const auto [tag, added] = index.tags.emplace(std::pair(std::string(id), version), hash);
  if (!added && tag->second != hash) {
    return base::fail(base::Errc::exists, std::string(id) + "@" + version.text() + " is " + tag->second.hex() +
                                              "; a tag never moves, use another version");
  }
  return added ? write_index(index) : base::Result<void>{};
}

base::Result<std::vector<ListedModule>> ModuleStore::list() const {
  // The lock keeps two lists from seeing each other's test for use.
  FB_TRY(const base::Fd held, lock());
  FB_TRY(const StoreIndex index, read_index());
  std::vector<ListedModule> out;
  for (const auto& [hash, stored] : index.objects) {
    ListedModule module;
    module.hash = hash;
    module.first_stored = stored;
    module.tags = index.tags_of(hash);
    std::error_code missing;
    const auto size = std::filesystem::file_size(object_path(hash, kWasm), missing);
    module.size_bytes = missing ? 0 : size;
    module.in_use = in_use(hash);
    const auto object = read_object(hash);
    if (object && !object->signature.empty()) {
      auto checked = check(Object{{}, object->wasm, object->signature, object->manifest}, hash);
      if (checked) module.signed_by = checked->signed_by;
    }
    out.push_back(std::move(module));
  }
  std::stable_sort(out.begin(), out.end(), [](const ListedModule& a, const ListedModule& b) {
    if (a.tags.empty() != b.tags.empty()) return b.tags.empty();
    return !a.tags.empty() && a.tags.front() < b.tags.front();
  });
  return out;
}

base::Result<void> ModuleStore::remove(std::string_view ref) {
  base::Sha256 hash;
  bool gone = false;
  auto result = remove_locked(ref, hash, gone);
  if (gone && options_.forget_compiled) options_.forget_compiled(hash);
  record(AuditType::module_remove, "remove", std::string(ref), error_of(result));
  return result;
}

base::Result<void> ModuleStore::remove_locked(std::string_view ref, base::Sha256& hash, bool& gone) {
  FB_TRY(const base::Fd held, lock());
  FB_TRY(StoreIndex index, read_index());
  FB_TRY(hash, index.resolve(ref));
  if (in_use(hash)) {
    return base::fail(base::Errc::unavailable, "module " + hash.hex() + " is registered or executing", "IN_USE");
  }
  const std::size_t at = ref.find('@');
  if (at != std::string_view::npos) {
    FB_TRY(const ModuleVersion version, ModuleVersion::parse(ref.substr(at + 1)));
    index.tags.erase({std::string(ref.substr(0, at)), version});
  } else if (ref.size() != 64) {
    std::erase_if(index.tags, [&](const auto& tag) { return tag.second == hash && tag.first.first == ref; });
  } else {
    index.forget(hash);
  }
  gone = index.tags_of(hash).empty();
  if (!gone) return write_index(index);
  index.forget(hash);
  index.objects.erase(hash);
  // The index first: a file nobody names is harmless, a name without its file is not.
  FB_CHECK(write_index(index));
  for (const std::string_view suffix : {kWasm, kSignature, kManifest})
    FB_CHECK(write_or_remove(object_path(hash, suffix), {}));
  return {};
}

base::Result<StoreReport> ModuleStore::verify() const {
  FB_TRY(const StoreIndex index, read_index());
  StoreReport report;
  for (const auto& [hash, stored] : index.objects) {
    ++report.objects;
    auto object = read_object(hash);
    const auto checked =
        object ? check(std::move(*object), hash) : base::Result<StoredModule>(base::fail(object.error()));
    if (!checked) {
      report.problems.push_back(
          {object_path(hash, kWasm).lexically_relative(options_.root).string(), checked.error().message});
    }
  }
  for (const auto& [name, hash] : index.tags) {
    if (!index.objects.contains(hash)) {
      report.problems.push_back(
          {"index.json", name.first + "@" + name.second.text() + " names a module that is not stored"});
    }
  }
  return report;
}

base::Result<void> ModuleStore::upgrade(std::string_view id, const base::Sha256& hash) {
  auto result = switch_to(id, hash);
  record(AuditType::upgrade, "upgrade", std::string(id) + " " + hash.hex(), error_of(result));
  return result;
}

base::Result<void> ModuleStore::check_upgrade(std::string_view id, const base::Sha256& hash,
                                              const StoredModule& module) const {
  if (!module.manifest) {
    return base::fail(base::Errc::invalid,
                      "module " + hash.hex() + " has no manifest; an upgrade needs one with id and version",
                      "MANIFEST_INVALID");
  }
  if (module.manifest->id != id) {
    return base::fail(base::Errc::invalid,
                      "the module is " + base::in_quotes(module.manifest->id) + ", not " + base::in_quotes(id),
                      "MANIFEST_INVALID");
  }
  return options_.compile ? options_.compile(module.wasm) : options_.validate(module.wasm);
}

base::Result<void> ModuleStore::switch_to(std::string_view id, const base::Sha256& hash) {
  FB_TRY(const StoredModule module, load_hash(hash));
  FB_CHECK(check_upgrade(id, hash, module));  // slow: before the lock
  const ModuleVersion& version = module.manifest->version;
  FB_TRY(const base::Fd held, lock());
  FB_TRY(StoreIndex index, read_index());
  ActiveVersion next{hash, {}};
  if (const auto current = index.resolve(id)) {
    FB_TRY(Object object, read_object(*current));
    FB_TRY(const auto old, module_manifest(object.wasm, object.manifest));
    if (old && old->id == id && version <= old->version) {
      return base::fail(base::Errc::stale,
                        "version " + version.text() + " is not higher than the active " + old->version.text());
    }
    if (const auto active = index.active.find(std::string(id)); active != index.active.end())
      next.previous = active->second.previous;
    next.previous.push_back(*current);
    if (next.previous.size() > kStoreHistoryMax) next.previous.erase(next.previous.begin());
  }
  if (!index.objects.contains(hash))
    return base::fail(base::Errc::not_found, "module " + hash.hex() + " was removed just now");
  const auto [tag, added] = index.tags.emplace(std::pair(std::string(id), version), hash);
  if (tag->second != hash) {
    return base::fail(base::Errc::exists,
                      std::string(id) + "@" + version.text() + " is another module, " + tag->second.hex());
  }
  index.active[std::string(id)] = std::move(next);
  return write_index(index);
}

base::Result<base::Sha256> ModuleStore::rollback(std::string_view id) {
  auto result = roll_back(id);
  record(AuditType::rollback, "rollback", result ? std::string(id) + " " + result->hex() : std::string(id),
         error_of(result));
  return result;
}

base::Result<base::Sha256> ModuleStore::roll_back(std::string_view id) {
  FB_TRY(const base::Fd held, lock());
  FB_TRY(StoreIndex index, read_index());
  const auto active = index.active.find(std::string(id));
  if (active == index.active.end() || active->second.previous.empty()) {
    return base::fail(base::Errc::not_found, base::in_quotes(id) + " was not upgraded; there is nothing to return to");
  }
  ActiveVersion& version = active->second;
  version.hash = version.previous.back();
  version.previous.pop_back();
  const base::Sha256 hash = version.hash;
  FB_TRY(Object object, read_object(hash));
  FB_CHECK(check(std::move(object), hash));
  FB_CHECK(write_index(index));
  return hash;
}

void ModuleStore::record(AuditType type, std::string_view operation, std::string_view subject,
                         const base::Error* error) const {
  if (audit_ == nullptr) return;
  base::json::Writer detail;
  detail.begin_object()
      .key("operation")
      .string(operation)
      .key("subject")
      .string(base::is_utf8(subject) ? subject : "[not UTF-8]");
  if (error != nullptr) {
    detail.key("error").string(error->name.empty() ? base::to_string(error->code) : std::string_view(error->name));
  }
  detail.end_object();
  audit_->append(
      {.type = type, .component = "store", .outcome = error == nullptr ? "ok" : "failed", .detail = detail.text()});
  (void)audit_->flush();
}

}  // namespace fusebox::capability
