#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "edge/hal/table.h"

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kOptional[] = {FUSE_CAP_TEMP_SENSOR, FUSE_CAP_TIMER, FUSE_CAP_CAMERA, FUSE_CAP_GPIO,
                                       FUSE_CAP_UART};

// The pointer in place `index` of a struct; never called.
template <typename Function>
bool is(Function function, std::size_t index) {
  std::uintptr_t bits = 0;
  std::memcpy(&bits, &function, sizeof bits);
  return bits == 0x1000 + index;
}

std::vector<std::uintptr_t> struct_of(std::size_t pointers) {
  std::vector<std::uintptr_t> members;
  for (std::size_t i = 0; i < pointers; ++i) members.push_back(0x1000 + i);
  return members;
}

std::uint32_t mask_of(unsigned subset) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < std::size(kOptional); ++i) mask |= (subset >> i & 1) != 0 ? kOptional[i] : 0;
  return mask;
}

std::size_t pointers_of(std::uint32_t mask) {
  const auto has = [mask](std::uint32_t bit) { return (mask & bit) != 0 ? std::size_t{1} : std::size_t{0}; };
  return 2 + has(FUSE_CAP_TEMP_SENSOR) + has(FUSE_CAP_TIMER) + has(FUSE_CAP_CAMERA) + 2 * has(FUSE_CAP_GPIO) +
         2 * has(FUSE_CAP_UART);
}

TEST(HalFromC, ReadsTheMembersOfEveryMask) {
  for (unsigned subset = 0; subset < 32; ++subset) {
    const std::uint32_t mask = mask_of(subset);
    const auto members = struct_of(pointers_of(mask));
    Hal hal;
    ASSERT_TRUE(hal_from_c(members.data(), members.size() * sizeof members[0], mask, hal)) << mask;
    std::size_t next = 0;
    const auto expect = [&](std::uint32_t bit, auto function) {
      if ((mask & bit) != 0) {
        EXPECT_TRUE(is(function, next++)) << mask;
      } else {
        EXPECT_EQ(function, nullptr) << mask;
      }
    };
    expect(FUSE_CAP_TEMP_SENSOR, hal.temp.get_reading);
    expect(FUSE_CAP_TIMER, hal.timer.get_timestamp);
    expect(FUSE_CAP_CAMERA, hal.camera.last_frame);
    EXPECT_TRUE(is(hal.quota_arm, next++)) << mask;
    EXPECT_TRUE(is(hal.quota_cancel, next++)) << mask;
    expect(FUSE_CAP_GPIO, hal.gpio.read);
    expect(FUSE_CAP_GPIO, hal.gpio.write);
    expect(FUSE_CAP_UART, hal.uart.read);
    expect(FUSE_CAP_UART, hal.uart.write);
    EXPECT_EQ(next, members.size());
  }
}

TEST(HalFromC, RefusesEverySizeButTheMasksOwn) {
  const auto members = struct_of(16);
  for (unsigned subset = 0; subset < 32; ++subset) {
    const std::uint32_t mask = mask_of(subset);
    for (std::size_t size = 0; size <= members.size() * sizeof members[0]; ++size) {
      Hal hal;
      EXPECT_EQ(hal_from_c(members.data(), size, mask, hal), size == pointers_of(mask) * sizeof members[0])
          << mask << ' ' << size;
    }
  }
}

TEST(HalFromC, RefusesBitsOfNoGroupAndLeavesTheResultAlone) {
  const auto members = struct_of(16);
  for (unsigned bit = 7; bit < 32; ++bit) {
    Hal hal;
    for (std::size_t pointers = 2; pointers < 6; ++pointers) {
      EXPECT_FALSE(hal_from_c(members.data(), pointers * sizeof members[0], 1u << bit, hal)) << bit;
    }
    EXPECT_EQ(hal.quota_arm, nullptr);
  }
}

// Contract section 8.4, and what sizeof gives a host compiled with this header's default.
TEST(HalFromC, TheDefaultStructIsForty) {
  EXPECT_EQ(sizeof(fuse_hal_t), 40u);
  EXPECT_EQ(FUSE_HAL_MASK, 0x07u);
  EXPECT_EQ(offsetof(fuse_hal_t, quota_arm), 24u);
  EXPECT_EQ(offsetof(fuse_hal_t, quota_cancel), 32u);
}

}  // namespace
}  // namespace fusebox::edge
