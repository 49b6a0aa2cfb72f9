// Compiled code kept for the next time: on disk over processes, in memory over sandboxes (contract capability.md
// section 12.2).
//
// On disk an entry is named by a key over engine, settings, processor and module, and carries an HMAC under a secret of
// this installation: native code is run only after both matched. A file from elsewhere, or one that was touched, is
// deleted, reported and compiled again. Nothing that happens to the folder ever fails an execution.
//
// Owner    A cached Code keeps its Engine alive until it leaves the memory layer.
// Threads  any thread; any number of processes on one folder. Of N threads that want the same module, one compiles.
// Errors   get_or_compile: only those of Code::compile. Artifacts: `denied`, name INTEGRITY, for code from elsewhere.
// Format   docs/formats/compiled-code.md
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "engine/code_file.h"
#include "engine/code_folder.h"
#include "engine/engine.h"

namespace fusebox::engine {

inline constexpr std::uint64_t kCodeCacheBytesDefault = 268'435'456;  // contract 12.2
inline constexpr std::size_t kCodeCacheMemoryEntries = 64;            // codes kept in memory; each is megabytes at most

inline constexpr std::size_t kCodesOfferedMax = 64;  // bundles a process opens; each holds a few codes

struct CacheEvent {
  enum class Kind : std::uint8_t {
    rejected,     // an entry did not verify: deleted (audit `cache_rejected`)
    unavailable,  // folder or secret cannot be used: compiled without the cache
  };
  Kind kind = Kind::unavailable;
  base::Sha256 module_hash;
  std::string message;
};
// Called on the thread that met the event, without a lock held.
using CacheEventSink = std::function<void(const CacheEvent&)>;

struct CodeCacheOptions {
  std::filesystem::path dir;          // empty = memory only
  std::filesystem::path secret_path;  // created when missing
  std::uint64_t bytes_max = kCodeCacheBytesDefault;
  std::size_t memory_entries_max = kCodeCacheMemoryEntries;
  CacheEventSink on_event;
};

class CodeCache {
 public:
  // Touches nothing yet: folder and secret are opened, and made, when first needed.
  explicit CodeCache(CodeCacheOptions options) : options_(std::move(options)) {}
  static std::shared_ptr<CodeCache> open(std::filesystem::path dir, std::filesystem::path secret_path,
                                         std::uint64_t bytes_max = kCodeCacheBytesDefault,
                                         CacheEventSink on_event = {});

  base::Result<std::shared_ptr<const Code>> get_or_compile(const std::shared_ptr<Engine>& engine, base::ByteView wasm);
  // For callers that know SHA-256 of `wasm` already.
  base::Result<std::shared_ptr<const Code>> get_or_compile(const std::shared_ptr<Engine>& engine, base::ByteView wasm,
                                                           const base::Sha256& hash);

  // Sealed code the caller brought along. From now on the module it is of runs with offered code or not at all: get_or_compile()
  // gives INTEGRITY for an engine that none of it was compiled for. INTEGRITY at once when its MAC does not match.
  base::Result<void> offer(base::Bytes sealed);

  // Drops everything of one module, for every engine.
  void forget(const base::Sha256& module_hash);

 private:
  using Key = std::pair<const Engine*, base::Sha256>;
  using CodePtr = std::shared_ptr<const Code>;
  struct Kept {
    Key key;
    CodePtr code;
  };
  struct Offered {
    base::Bytes bytes;
    CodeFile file;  // its MAC matched; points into `bytes`
  };
  struct Flight {  // one compilation that others wait for
    std::optional<base::Result<CodePtr>> result;
  };

  CodePtr find(const Key& key);  // the two need mutex_
  void keep(const Key& key, const CodePtr& code);
  base::Result<CodePtr> load_or_compile(const std::shared_ptr<Engine>& engine, base::ByteView wasm,
                                        const base::Sha256& hash);
  const CodeSecret* secret(const base::Sha256& hash);  // null when there is none to be had
  CodePtr load(const std::shared_ptr<Engine>& engine, const base::Sha256& hash, const CodeSecret& secret);
  void save(const Code& code, const CodeSecret& secret);
  // Nothing when no code was offered for the module.
  std::optional<base::Result<CodePtr>> load_offered(const std::shared_ptr<Engine>& engine, const base::Sha256& hash);
  void report(CacheEvent::Kind kind, const base::Sha256& hash, std::string message) const;

  const CodeCacheOptions options_;
  std::mutex mutex_;
  std::condition_variable landed_;
  std::list<Kept> kept_;  // most recently used first
  std::map<Key, std::list<Kept>::iterator> by_key_;
  std::map<Key, std::shared_ptr<Flight>> flights_;
  std::multimap<base::Sha256, Offered> offered_;  // by module; at most kCodesOfferedMax

  std::mutex secret_mutex_;
  std::optional<CodeSecret> secret_;
  bool secret_failed_ = false;  // reported once, not tried again
};

// What `fusebox compile` writes and `fusebox run` reads: the same form, in a file the user names.
base::Result<void> write_artifact(const Code& code, const std::filesystem::path& path,
                                  const std::filesystem::path& secret_path);
// INTEGRITY when the file was not made by this installation, for this engine, with these settings, on this processor.
base::Result<std::shared_ptr<const Code>> read_artifact(const std::shared_ptr<Engine>& engine,
                                                        const std::filesystem::path& path,
                                                        const std::filesystem::path& secret_path);
// Whether bytes begin like an artifact.
bool is_artifact(base::ByteView bytes) noexcept;

}  // namespace fusebox::engine
