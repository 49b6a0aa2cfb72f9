// The functions a guest may import, as one table: a row per function gives its names, signatures, capability, argument
// kinds and handler. The imports the engine links, the load-time import check, guest/femto.h and docs/capability.md
// follow from it (the last two by a test). Contract capability.md section 5.
//
// Threads  the table is constant; a handler runs on the thread of its execution.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capability/gate.h"
#include "engine/engine.h"

namespace fusebox::capability {

class HostCall;

// What one i32 parameter is. Pointers and lengths come in pairs, pointer first.
enum class Param : std::uint8_t {
  text_ptr,
  text_len,  // guest buffer read by the host, must be UTF-8
  data_ptr,
  data_len,  // the same, any bytes
  out_ptr,
  out_cap,  // guest buffer written by the host
  level,    // a plain number, as is the next
  offset,
};

struct HostSignature {
  std::array<Param, 4> params{};
  std::uint8_t param_count = 0;
  bool returns_code = true;  // -> i32, else -> ()
  std::span<const Param> used() const noexcept { return std::span(params).first(param_count); }
};

// Returns the i32 for the guest.
using HostHandler = std::int32_t (*)(HostCall& call);

struct HostFunctionRow {
  std::string_view name;
  HostCapability capability = HostCapability::none;
  std::array<HostSignature, 3> signatures{};
  std::uint8_t signature_count = 0;
  HostHandler handler = nullptr;
  std::span<const HostSignature> accepted() const noexcept { return std::span(signatures).first(signature_count); }
};

std::span<const HostFunctionRow> host_functions() noexcept;

engine::FuncType type_of(const HostSignature& signature);
// The four spellings of 5.1 as module and field; for a name without a dot some coincide and appear once.
struct Spelling {
  std::string module;
  std::string field;
  bool operator==(const Spelling&) const = default;
};
std::vector<Spelling> spellings_of(std::string_view name);

// Every spelling with every accepted signature, and env.abort. `user` of the instance is an Execution*.
std::vector<engine::HostImport> make_host_imports();

// Whether some accepted function has this name; then whether it has this type; which row it is (null for env.abort).
struct ImportMatch {
  bool known = false;
  bool type_accepted = false;
  const HostFunctionRow* row = nullptr;
  std::vector<std::string> accepted_types;  // texts, for a message
};
ImportMatch match_import(std::string_view module, std::string_view field, const engine::FuncType& type);

}  // namespace fusebox::capability
