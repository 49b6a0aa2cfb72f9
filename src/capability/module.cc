#include <algorithm>

#include "base/crypto.h"
#include "base/files.h"
#include "base/units.h"
#include "capability/codes.h"
#include "capability/limits.h"
#include "capability/module_state.h"
#include "capability/store_limits.h"
#include "policy/signature.h"

namespace fusebox::capability {
namespace {

// What from_bytes() accepts, which has no policy: the largest a policy may allow (contract 8.2).
constexpr std::uint64_t kModuleBytesMax = 268'435'456;

base::Error named(base::Error error, std::string_view code) {
  if (code_info(error.name).code != error.name) error.name = code;
  return error;
}

Sha256 identity_of(const Sha256& hash, const SideFiles& sides) {
  base::Sha256Stream stream;
  stream.update(hash.view());
  stream.update(base::sha256(base::as_bytes(sides.signature)).view());
  stream.update(base::sha256(base::as_bytes(sides.manifest)).view());
  return stream.finish();
}

base::Result<std::string> read_side(const std::filesystem::path& module, const char* suffix, std::size_t bytes_max) {
  std::filesystem::path side = module;
  side.replace_extension(suffix);
  auto text = base::read_file(side, bytes_max);
  if (!text && text.error().code == base::Errc::not_found) return std::string();
  return text;
}

}  // namespace

std::shared_ptr<const Prepared> Module::State::find(const engine::Engine* engine) const {
  const std::shared_lock lock(mutex_);
  const auto at = std::ranges::find(slots_, engine, &Slot::engine);
  return at == slots_.end() ? nullptr : at->prepared;
}

std::shared_ptr<const Prepared> Module::State::keep(const engine::Engine* engine,
                                                    std::shared_ptr<const Prepared> made) {
  const std::unique_lock lock(mutex_);
  const auto at = std::ranges::find(slots_, engine, &Slot::engine);
  if (at != slots_.end()) return at->prepared;
  if (slots_.size() == kProgramsPerModuleMax) slots_.erase(slots_.begin());
  slots_.push_back({engine, std::move(made)});
  return slots_.back().prepared;
}

base::Result<Module> make_module(const engine::Engine& engine, std::span<const std::byte> wasm, SideFiles sides,
                                 std::uint64_t module_bytes_max) {
  if (wasm.size() > module_bytes_max) {
    return refuse(code::kModuleTooLarge, "the module has " + base::format_count(wasm.size()) +
                                             " bytes; limits.module_bytes allows " +
                                             base::format_count(module_bytes_max));
  }
  // The engine's own validator is memory-safe; ours reads only what it accepted.
  if (auto valid = engine.validate(wasm); !valid) return base::fail(named(std::move(valid.error()), code::kCompile));
  auto state = std::make_shared<Module::State>();
  state->wasm.assign(wasm.begin(), wasm.end());
  state->hash = base::sha256(wasm);
  auto info = engine::inspect(state->wasm);
  if (!info) return base::fail(named(std::move(info.error()), code::kCompile));
  state->info = std::move(*info);
  FB_CHECK(check_imports(state->info));
  FB_TRY(state->manifest, module_manifest(state->wasm, sides.manifest));
  FB_TRY(state->abi, plan_abi(state->info, state->manifest ? std::string_view(state->manifest->entry) : "run"));
  if (state->manifest) state->permitted = named_by(state->manifest->permissions);
  state->identity = identity_of(state->hash, sides);
  state->sides = std::move(sides);
  return Module(std::move(state));
}

Result<Module> Module::from_bytes(std::span<const std::byte> wasm, SideFiles sides) {
  EngineSet engines(0);
  FB_TRY(const auto engine, engines.get({}));
  return make_module(*engine, wasm, std::move(sides), kModuleBytesMax);
}

Result<Module> Module::from_file(const std::filesystem::path& path) {
  auto bytes = base::read_file(path, kModuleBytesMax);
  if (!bytes) {
    const bool large = bytes.error().code == base::Errc::exhausted;
    return base::fail(named(std::move(bytes.error()), large ? code::kModuleTooLarge : code::kIo));
  }
  SideFiles sides;
  FB_TRY(sides.signature, read_side(path, ".sig.json", policy::kEnvelopeBytesMax));
  FB_TRY(sides.manifest, read_side(path, ".manifest.json", kManifestBytesMax));
  return base::within(path.string(), from_bytes(base::as_bytes(*bytes), std::move(sides)));
}

const Sha256& Module::hash() const noexcept {
  return state_->hash;
}
const Manifest* Module::manifest() const noexcept {
  return state_->manifest ? &*state_->manifest : nullptr;
}
std::span<const std::byte> Module::bytes() const noexcept {
  return state_->wasm;
}

std::vector<std::string> Module::functions() const {
  std::vector<std::string> names;
  for (const engine::Export& item : state_->info.exports) {
    if (item.kind == engine::ExternKind::function) names.push_back(item.name);
  }
  return names;
}

}  // namespace fusebox::capability
