#include "fleet/engine/boot_material.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <new>
#include <string_view>
#include <utility>

namespace fusebox::fleet {
namespace {

// Texts this short stand in the object itself, where they can be looked for when it is gone.
constexpr std::string_view kTexts[] = {"short-token", "short-key", "short-gate"};

struct Room {
  alignas(BootMaterial) std::array<std::byte, sizeof(BootMaterial)> bytes{};
  BootMaterial* make() {
    auto* const made = new (bytes.data()) BootMaterial;
    made->token = kTexts[0];
    made->key_pem = kTexts[1];
    made->request.gateway_token = kTexts[2];
    return made;
  }
  bool holds(std::string_view text) const { return base::as_text(bytes).find(text) != std::string_view::npos; }
};

TEST(BootMaterial, IsWipedWhenItGoes) {
  Room room;
  BootMaterial* const made = room.make();
  for (const std::string_view text : kTexts) EXPECT_TRUE(room.holds(text));
  made->~BootMaterial();
  for (const std::string_view text : kTexts) EXPECT_FALSE(room.holds(text.substr(1))) << text;
}

TEST(BootMaterial, LeavesNothingWhereItWasMovedFrom) {
  Room room;
  BootMaterial* const made = room.make();
  const BootMaterial moved = std::move(*made);
  made->~BootMaterial();
  for (const std::string_view text : kTexts)
    EXPECT_FALSE(room.holds(text.substr(1))) << text;  // a move empties by the first byte
  EXPECT_EQ(moved.token, kTexts[0]);
}

}  // namespace
}  // namespace fusebox::fleet
