// Makes host functions of ordinary ones: the WebAssembly type follows from the C++ parameters.
//
// A call answers an Errno (would_block becomes kCallAgain), an i32 of its own, or nothing.
// Threads  pure.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/engine.h"
#include "vfs/errno.h"
#include "wasi/process_impl.h"

namespace fusebox::wasi {

template <class T>
struct Wire;
template <>
struct Wire<std::uint32_t> {
  static constexpr engine::ValType kType = engine::ValType::i32;
  static std::uint32_t take(const engine::RawValue& raw) noexcept { return static_cast<std::uint32_t>(raw.i32); }
};
template <>
struct Wire<std::int32_t> {
  static constexpr engine::ValType kType = engine::ValType::i32;
  static std::int32_t take(const engine::RawValue& raw) noexcept { return raw.i32; }
};
template <>
struct Wire<std::uint64_t> {
  static constexpr engine::ValType kType = engine::ValType::i64;
  static std::uint64_t take(const engine::RawValue& raw) noexcept { return static_cast<std::uint64_t>(raw.i64); }
};
template <>
struct Wire<std::int64_t> {
  static constexpr engine::ValType kType = engine::ValType::i64;
  static std::int64_t take(const engine::RawValue& raw) noexcept { return raw.i64; }
};

template <auto Function>
struct Bound;

template <class Result, class... Arguments, Result (*Function)(Caller&, Arguments...)>
struct Bound<Function> {
  static bool call(engine::HostContext& context, void*, engine::RawValue* values) {
    Caller caller(context);
    return call_with(caller, values, std::index_sequence_for<Arguments...>{});
  }
  static engine::FuncType type() {
    engine::FuncType type{{Wire<Arguments>::kType...}, {}};
    if constexpr (!std::is_void_v<Result>) type.results = {engine::ValType::i32};
    return type;
  }

 private:
  template <std::size_t... I>
  static bool call_with(Caller& caller, engine::RawValue* values, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<Result>) {
      Function(caller, Wire<Arguments>::take(values[I])...);
    } else if constexpr (std::is_same_v<Result, vfs::Errno>) {
      const vfs::Errno answer = Function(caller, Wire<Arguments>::take(values[I])...);
      if (answer == vfs::Errno::would_block) [[unlikely]] {
        caller.process.asked_again = true;
        values[0].i32 = engine::kCallAgain;
      } else {
        values[0].i32 = static_cast<std::int32_t>(answer);
      }
    } else {
      values[0].i32 = Function(caller, Wire<Arguments>::take(values[I])...);
    }
    return !caller.ended;
  }
};

}  // namespace fusebox::wasi
