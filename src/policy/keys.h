// What a table of policy keys is made of. One table per object of the document drives reading, writing, comparing, the
// JSON schema and the documentation, so that they cannot disagree.
//
// Threads  constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fusebox::policy {

// Sizes and durations may also be written with their unit: "64MiB", "5s".
enum class Unit : std::uint8_t { count, bytes, milliseconds, microseconds, nanoseconds };

// What 0 means; it decides what counts as more when two policies are compared.
enum class Zero : std::uint8_t { plain, off };  // off: no limit at all, the widest value

template <class T>
struct NumberKey {
  std::string_view name;
  std::uint64_t T::* field;
  std::uint64_t min;
  std::uint64_t max;
  Unit unit;
  std::string_view doc;
  Zero zero = Zero::plain;
};

// What setting the flag does to the guest's possibilities.
enum class Effect : std::uint8_t { grants, restricts, neutral };

template <class T>
struct FlagKey {
  std::string_view name;
  bool T::* field;
  Effect effect;
  std::string_view doc;
};

template <class T>
struct ChoiceKey {
  std::string_view name;
  std::span<const std::string_view> names;  // in the order of the enum
  std::size_t (*get)(const T&);
  void (*set)(T&, std::size_t);
  Effect effect;  // what a later name does
  std::string_view doc;
};

// A key with a reader of its own: a list, an object, a text.
struct OtherKey {
  std::string_view name;
  std::string_view schema;    // JSON schema of its value, without description
  std::string_view type;      // for the documentation: "list of entries"
  std::string_view fallback;  // for the documentation: "`[]`"
  std::string_view doc;
  bool required = false;
};

template <class T>
struct KeyTable {
  std::span<const NumberKey<T>> numbers;
  std::span<const FlagKey<T>> flags;
  std::span<const ChoiceKey<T>> choices;
  std::span<const OtherKey> others;
};

template <class T, class E>
struct MemberTypes {
  using Owner = T;
  using Value = E;
};
template <class T, class E>
constexpr MemberTypes<T, E> member_types(E T::*) {
  return {};
}

// choice<&Policy::on_denied>("on_denied", names, ...): an enum whose values count from 0 in the order of the names.
template <auto Member>
constexpr auto choice(std::string_view name, std::span<const std::string_view> names, Effect effect,
                      std::string_view doc) {
  using Types = decltype(member_types(Member));
  using T = typename Types::Owner;
  using E = typename Types::Value;
  return ChoiceKey<T>{name,
                      names,
                      [](const T& value) { return static_cast<std::size_t>(value.*Member); },
                      [](T& value, std::size_t index) { value.*Member = static_cast<E>(index); },
                      effect,
                      doc};
}

}  // namespace fusebox::policy
