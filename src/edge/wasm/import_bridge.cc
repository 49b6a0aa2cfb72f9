#include "edge/wasm/import_bridge.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "edge/wasm/wasm_unit.h"

namespace fusebox::edge {
namespace {

using Offer = ImportBridge::Offer;

std::uint64_t bits_of(const engine::RawValue& value) noexcept {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The path of every import call; the number of arguments is known, so that nothing is left to loop over. The sink's slots
// are half as wide as the engine's and lie in their place: copied in order, none is overwritten before it was read.
template <std::size_t kArgs>
bool answer(engine::HostContext& context, void* env, engine::RawValue* values) {
  WasmInstance& self = *static_cast<WasmInstance*>(context.user());
  const Offer& offer = *static_cast<const Offer*>(env);
  auto* const slots = reinterpret_cast<std::uint64_t*>(values);
  for (std::size_t i = 0; i < kArgs; ++i) {
    const std::uint64_t bits = bits_of(values[i]) & offer.masks[i];
    std::memcpy(&slots[i], &bits, sizeof bits);
  }
  const char* trap = nullptr;
  try {
    trap = self.sink.import_called(*offer.row, self.owner, slots);
  } catch (...) {
    trap = kTrapHostException;
  }
  if (trap == nullptr) [[likely]]
    return true;
  self.sink_trap = trap;
  context.trap({});  // said now, so that a stop that comes later does not replace it
  return false;
}

constexpr engine::HostFunction kAnswers[] = {&answer<0>, &answer<1>, &answer<2>, &answer<3>, &answer<4>};
static_assert(std::size(kAnswers) == kImportArgsMax + 1);

engine::ValType type_of_letter(char letter) noexcept {
  switch (letter) {
    case 'I':
      return engine::ValType::i64;
    case 'f':
      return engine::ValType::f32;
    case 'F':
      return engine::ValType::f64;
    default:
      return engine::ValType::i32;
  }
}

std::vector<engine::ValType> types_of_letters(const char* letters) {
  std::vector<engine::ValType> types;
  for (; *letters != '\0'; ++letters) types.push_back(type_of_letter(*letters));
  return types;
}

Offer offer_of(const HalGroup& group, const ImportRow& row) noexcept {
  Offer offer{.row = &row, .group = &group};
  for (std::size_t i = 0; row.params[i] != '\0'; ++i) {
    const bool wide = row.params[i] == 'I' || row.params[i] == 'F';
    offer.masks[i] = wide ? ~std::uint64_t{0} : std::uint64_t{0xFFFF'FFFF};
  }
  return offer;
}

}  // namespace

ImportBridge::ImportBridge() {
  const HalTable table = hal_table();
  for (const HalGroup* group : std::span(table.groups, table.count)) {
    for (const ImportRow& row : std::span(group->rows, group->row_count)) offers_.push_back(offer_of(*group, row));
  }
  for (Offer& offer : offers_) {
    const ImportRow& row = *offer.row;
    engine::FuncType type{types_of_letters(row.params), types_of_letters(row.results)};
    const engine::HostFunction function = kAnswers[type.params.size()];
    imports_.push_back({row.module, row.field, std::move(type), function, &offer, nullptr});
  }
}

const Offer* ImportBridge::find(std::string_view module, std::string_view field) const noexcept {
  const auto found = std::ranges::find_if(
      offers_, [&](const Offer& offer) { return offer.row->module == module && offer.row->field == field; });
  return found == offers_.end() ? nullptr : &*found;
}

}  // namespace fusebox::edge
