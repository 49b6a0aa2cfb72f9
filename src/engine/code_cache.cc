#include "engine/code_cache.h"

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/random.h"

namespace fusebox::engine {

std::shared_ptr<CodeCache> CodeCache::open(std::filesystem::path dir, std::filesystem::path secret_path,
                                           std::uint64_t bytes_max, CacheEventSink on_event) {
  CodeCacheOptions options;
  options.dir = std::move(dir);
  options.secret_path = std::move(secret_path);
  options.bytes_max = bytes_max;
  options.on_event = std::move(on_event);
  return std::make_shared<CodeCache>(std::move(options));
}

base::Result<std::shared_ptr<const Code>> CodeCache::get_or_compile(const std::shared_ptr<Engine>& engine,
                                                                    base::ByteView wasm) {
  return get_or_compile(engine, wasm, base::sha256(wasm));
}

base::Result<std::shared_ptr<const Code>> CodeCache::get_or_compile(const std::shared_ptr<Engine>& engine,
                                                                    base::ByteView wasm, const base::Sha256& hash) {
  const Key key{engine.get(), hash};
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock(mutex_);
    if (CodePtr code = find(key)) return code;
    const auto [entry, first] = flights_.try_emplace(key);
    if (!first) {
      flight = entry->second;
      landed_.wait(lock, [&] { return flight->result.has_value(); });
      return *flight->result;
    }
    flight = entry->second = std::make_shared<Flight>();
  }
  auto result = load_or_compile(engine, wasm, hash);
  const std::lock_guard lock(mutex_);
  if (result) keep(key, *result);
  flight->result = result;
  flights_.erase(key);
  landed_.notify_all();
  return result;
}

CodeCache::CodePtr CodeCache::find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->code;
}

// A kept Code holds its engine, so an engine's address cannot come back while an entry under it exists.
void CodeCache::keep(const Key& key, const CodePtr& code) {
  if (options_.memory_entries_max == 0) return;
  kept_.push_front({key, code});
  by_key_[key] = kept_.begin();
  if (kept_.size() <= options_.memory_entries_max) return;
  by_key_.erase(kept_.back().key);
  kept_.pop_back();
}

base::Result<CodeCache::CodePtr> CodeCache::load_or_compile(const std::shared_ptr<Engine>& engine, base::ByteView wasm,
                                                            const base::Sha256& hash) {
  if (auto offered = load_offered(engine, hash)) return *std::move(offered);
  const CodeSecret* const secret = options_.dir.empty() ? nullptr : this->secret(hash);
  if (secret != nullptr) {
    if (CodePtr code = load(engine, hash, *secret)) return code;
  }
  FB_TRY(CodePtr code, Code::compile(engine, wasm));
  if (secret != nullptr && code->hash() == hash) save(*code, *secret);
  return code;
}

base::Result<void> CodeCache::offer(base::Bytes sealed) {
  base::SystemRandom random;
  FB_TRY(const CodeSecret secret, CodeSecret::open(options_.secret_path, random));
  FB_TRY(const CodeFile file, open_seal(sealed, secret));
  const std::lock_guard lock(mutex_);
  if (offered_.size() == kCodesOfferedMax) {
    return base::fail(base::Errc::exhausted,
                      "more than " + std::to_string(kCodesOfferedMax) + " compiled codes offered at once");
  }
  offered_.emplace(file.module_hash, Offered{std::move(sealed), file});
  return {};
}

std::optional<base::Result<CodeCache::CodePtr>> CodeCache::load_offered(const std::shared_ptr<Engine>& engine,
                                                                        const base::Sha256& hash) {
  const base::Sha256 key = code_key(engine->code_identity(), hash);
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = offered_.equal_range(hash);
  if (begin == end) return std::nullopt;
  for (auto it = begin; it != end; ++it) {
    if (it->second.file.key == key) return Code::deserialize(engine, it->second.file.code);
  }
  return base::fail(base::Errc::denied,
                    "the compiled code is for another version of the engine, other settings or another processor; "
                    "compile the module again, with the policy it runs under",
                    "INTEGRITY");
}

const CodeSecret* CodeCache::secret(const base::Sha256& hash) {
  std::string message;
  {
    const std::lock_guard lock(secret_mutex_);
    if (secret_) return &*secret_;
    if (secret_failed_) return nullptr;
    base::SystemRandom random;
    auto opened = CodeSecret::open(options_.secret_path, random);
    if (opened) return &secret_.emplace(*opened);
    secret_failed_ = true;
    message = opened.error().message;
  }
  report(CacheEvent::Kind::unavailable, hash, std::move(message));
  return nullptr;
}

CodeCache::CodePtr CodeCache::load(const std::shared_ptr<Engine>& engine, const base::Sha256& hash,
                                   const CodeSecret& secret) {
  const CodeFolder folder(options_.dir);
  const base::Sha256 key = code_key(engine->code_identity(), hash);
  auto file = folder.read(hash, key);
  if (!file) {
    if (file.error().code != base::Errc::not_found) report(CacheEvent::Kind::unavailable, hash, file.error().message);
    return nullptr;
  }
  auto opened = open_code(engine->code_identity(), base::as_bytes(*file), secret);
  base::Result<CodePtr> code =
      opened && opened->module_hash == hash
          ? Code::deserialize(engine, opened->code)
          : base::fail(opened ? base::Error{base::Errc::denied, "the code of another module", {}, nullptr}
                              : opened.error());
  if (code && (*code)->hash() == hash) return *code;
  folder.remove(hash, key);
  report(CacheEvent::Kind::rejected, hash,
         "cache entry " + folder.name(hash, key) + ": " + (code ? "the code of another module" : code.error().message));
  return nullptr;
}

void CodeCache::save(const Code& code, const CodeSecret& secret) {
  const auto bytes = code.serialize();
  if (!bytes) return report(CacheEvent::Kind::unavailable, code.hash(), bytes.error().message);
  const std::string& identity = code.engine().code_identity();
  const base::Bytes file = seal_code(identity, code.hash(), *bytes, secret);
  if (file.size() > options_.bytes_max) return;
  const CodeFolder folder(options_.dir);
  auto written = folder.write(code.hash(), code_key(identity, code.hash()), file);
  if (written) written = folder.evict(options_.bytes_max);
  if (!written) report(CacheEvent::Kind::unavailable, code.hash(), written.error().message);
}

void CodeCache::forget(const base::Sha256& module_hash) {
  {
    const std::lock_guard lock(mutex_);
    for (auto it = kept_.begin(); it != kept_.end();) {
      if (it->key.second == module_hash) {
        by_key_.erase(it->key);
        it = kept_.erase(it);
      } else {
        ++it;
      }
    }
  }
  if (!options_.dir.empty()) CodeFolder(options_.dir).remove_all(module_hash);
}

void CodeCache::report(CacheEvent::Kind kind, const base::Sha256& hash, std::string message) const {
  if (options_.on_event) options_.on_event({kind, hash, std::move(message)});
}

base::Result<void> write_artifact(const Code& code, const std::filesystem::path& path,
                                  const std::filesystem::path& secret_path) {
  base::SystemRandom random;
  FB_TRY(const CodeSecret secret, CodeSecret::open(secret_path, random));
  FB_TRY(const base::Bytes bytes, code.serialize());
  return base::write_file_atomic(path, seal_code(code.engine().code_identity(), code.hash(), bytes, secret));
}

base::Result<std::shared_ptr<const Code>> read_artifact(const std::shared_ptr<Engine>& engine,
                                                        const std::filesystem::path& path,
                                                        const std::filesystem::path& secret_path) {
  FB_TRY(const std::string file, base::read_file(path, kCodeFileBytesMax));
  base::SystemRandom random;
  FB_TRY(const CodeSecret secret, CodeSecret::open(secret_path, random));
  FB_TRY(const CodeFile opened,
         base::within(path.string(), open_code(engine->code_identity(), base::as_bytes(file), secret)));
  auto code = base::within(path.string(), Code::deserialize(engine, opened.code));
  if (code && (*code)->hash() == opened.module_hash) return code;
  if (!code) return base::fail(base::Errc::denied, code.error().message, "INTEGRITY");
  return base::fail(base::Errc::denied, path.string() + ": the code of another module", "INTEGRITY");
}

bool is_artifact(base::ByteView bytes) noexcept {
  return has_code_magic(bytes);
}

}  // namespace fusebox::engine
