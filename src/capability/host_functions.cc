#include "capability/host_functions.h"

#include <algorithm>
#include <initializer_list>

#include "capability/host_call.h"

namespace fusebox::capability {
namespace {

using engine::FuncType;
using engine::ValType;

constexpr HostSignature signature(std::initializer_list<Param> params, bool returns_code = true) {
  HostSignature made;
  std::ranges::copy(params, made.params.begin());
  made.param_count = static_cast<std::uint8_t>(params.size());
  made.returns_code = returns_code;
  return made;
}

constexpr HostFunctionRow row(std::string_view name, HostCapability capability, HostHandler handler,
                              std::initializer_list<HostSignature> signatures) {
  HostFunctionRow made;
  made.name = name;
  made.capability = capability;
  made.handler = handler;
  std::ranges::copy(signatures, made.signatures.begin());
  made.signature_count = static_cast<std::uint8_t>(signatures.size());
  return made;
}

using enum Param;

// clang-format off
constexpr std::array kRows{
    row("log", HostCapability::log, host_log,
        {signature({text_ptr, text_len}), signature({text_ptr, text_len}, false), signature({level, text_ptr, text_len})}),
    row("http.request", HostCapability::http_request, host_http_request, {signature({text_ptr, text_len, out_ptr, out_cap})}),
    row("fs.read", HostCapability::fs_read, host_fs_read, {signature({text_ptr, text_len, out_ptr, out_cap})}),
    row("fs.write", HostCapability::fs_write, host_fs_write, {signature({text_ptr, text_len, data_ptr, data_len})}),
    row("env.get", HostCapability::env, host_env_get, {signature({text_ptr, text_len, out_ptr, out_cap})}),
    row("result", HostCapability::none, host_result, {signature({data_ptr, data_len}), signature({data_ptr, data_len}, false)}),
    row("input", HostCapability::none, host_input, {signature({out_ptr, out_cap})}),
    row("buffer.read", HostCapability::none, host_buffer_read, {signature({offset, out_ptr, out_cap})}),
    row("last_error", HostCapability::none, host_last_error, {signature({out_ptr, out_cap})}),
};
// clang-format on

// What the engine hands back to dispatch(): which function was called and how its arguments are to be read.
struct Bound {
  const HostFunctionRow* row;
  const HostSignature* signature;
};
constexpr std::size_t kSignaturesPerRow = std::tuple_size_v<decltype(HostFunctionRow::signatures)>;
constexpr auto kBound = [] {
  std::array<std::array<Bound, kSignaturesPerRow>, kRows.size()> all{};
  for (std::size_t r = 0; r < kRows.size(); ++r) {
    for (std::size_t s = 0; s < kSignaturesPerRow; ++s) all[r][s] = {&kRows[r], &kRows[r].signatures[s]};
  }
  return all;
}();

bool dispatch(engine::HostContext& context, void* env, engine::RawValue* values) {
  const Bound& bound = *static_cast<const Bound*>(env);
  return HostCall::run(context, *bound.row, *bound.signature, values);
}

FuncType abort_type() {
  return {{ValType::i32, ValType::i32, ValType::i32, ValType::i32}, {}};
}

}  // namespace

std::span<const HostFunctionRow> host_functions() noexcept {
  return kRows;
}

FuncType type_of(const HostSignature& signature) {
  FuncType type;
  type.params.assign(signature.param_count, ValType::i32);
  if (signature.returns_code) type.results.push_back(ValType::i32);
  return type;
}

std::vector<Spelling> spellings_of(std::string_view name) {
  std::string flat(name);
  std::ranges::replace(flat, '.', '_');
  std::vector<Spelling> all;
  for (Spelling spelling : {Spelling{"femto", std::string(name)}, Spelling{"femto", flat},
                            Spelling{"env", "femto_" + flat}, Spelling{"env", "femto." + std::string(name)}}) {
    if (std::ranges::find(all, spelling) == all.end()) all.push_back(std::move(spelling));
  }
  return all;
}

std::vector<engine::HostImport> make_host_imports() {
  std::vector<engine::HostImport> imports;
  for (std::size_t r = 0; r < kRows.size(); ++r) {
    for (const Spelling& spelling : spellings_of(kRows[r].name)) {
      for (std::size_t s = 0; s < kRows[r].signature_count; ++s) {
        // The engine's interface carries environments as void*; dispatch() reads it back as const.
        void* bound = const_cast<Bound*>(&kBound[r][s]);
        imports.push_back({spelling.module, spelling.field, type_of(kRows[r].signatures[s]), dispatch, bound});
      }
    }
  }
  imports.push_back({"env", "abort", abort_type(), host_abort, nullptr});
  return imports;
}

ImportMatch match_import(std::string_view module, std::string_view field, const FuncType& type) {
  ImportMatch match;
  const auto offer = [&](const FuncType& accepted) {
    match.type_accepted = match.type_accepted || accepted == type;
    match.accepted_types.push_back(accepted.text());
  };
  if (module == "env" && field == "abort") {
    match.known = true;
    offer(abort_type());
    return match;
  }
  for (const HostFunctionRow& row : kRows) {
    const auto spellings = spellings_of(row.name);
    if (std::ranges::none_of(spellings, [&](const Spelling& s) { return s.module == module && s.field == field; }))
      continue;
    match.known = true;
    match.row = &row;
    for (const HostSignature& signature : row.accepted()) offer(type_of(signature));
    return match;
  }
  return match;
}

}  // namespace fusebox::capability
