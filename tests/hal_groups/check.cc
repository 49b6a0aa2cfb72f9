// The HAL table compiled with one choice of groups (cmake/FuseboxEdge.cmake makes a program per choice): it holds these and
// no others, and reads the struct of a C host compiled with the same choice.
#include <gtest/gtest.h>

#include "edge/hal/table.h"

extern "C" {
const void* host_hal();
size_t host_hal_size();
uint32_t host_hal_mask();
fuse_hal_quota_cancel_fn host_cancel();
}

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kGroups = FUSEBOX_HAL_GROUPS;
constexpr bool has(std::uint32_t bit) {
  return (kGroups & bit) != 0;
}

TEST(HalGroups, TheTableHoldsTheChosenGroupsAndTheTwoThatAreAlwaysThere) {
  EXPECT_EQ(known_capabilities(), kGroups | FUSE_CAP_LOG | FUSE_CAP_EVENT_POST);
  EXPECT_NE(find_import("env", "module_log_event"), nullptr);
  EXPECT_NE(find_import("env", "fuse_event_post"), nullptr);
  EXPECT_EQ(find_import("env", "temp_get_reading") != nullptr, has(FUSE_CAP_TEMP_SENSOR));
  EXPECT_EQ(find_import("env", "timer_get_timestamp") != nullptr, has(FUSE_CAP_TIMER));
  EXPECT_EQ(find_import("env", "camera_last_frame") != nullptr, has(FUSE_CAP_CAMERA));
  EXPECT_EQ(find_import("env", "gpio_read") != nullptr, has(FUSE_CAP_GPIO));
  EXPECT_EQ(find_import("env", "gpio_write") != nullptr, has(FUSE_CAP_GPIO));
  EXPECT_EQ(find_import("env", "uart_read") != nullptr, has(FUSE_CAP_UART));
  EXPECT_EQ(find_group("uart") != nullptr, has(FUSE_CAP_UART));
}

TEST(HalGroups, AHostsStructIsReadAsItsCompilerLaidItOut) {
  ASSERT_EQ(host_hal_mask(), kGroups);
  Hal hal;
  ASSERT_TRUE(hal_from_c(host_hal(), host_hal_size(), host_hal_mask(), hal));
  EXPECT_EQ(hal.quota_cancel, host_cancel());
  ASSERT_EQ(hal.temp.get_reading != nullptr, has(FUSE_CAP_TEMP_SENSOR));
  if (has(FUSE_CAP_TEMP_SENSOR)) {
    EXPECT_EQ(hal.temp.get_reading(), 21.5f);
  }
  ASSERT_EQ(hal.timer.get_timestamp != nullptr, has(FUSE_CAP_TIMER));
  if (has(FUSE_CAP_TIMER)) {
    EXPECT_EQ(hal.timer.get_timestamp(), 77u);
  }
  ASSERT_EQ(hal.camera.last_frame != nullptr, has(FUSE_CAP_CAMERA));
  if (has(FUSE_CAP_CAMERA)) {
    EXPECT_EQ(hal.camera.last_frame(nullptr, 9), 9u);
  }
  ASSERT_EQ(hal.gpio.read != nullptr, has(FUSE_CAP_GPIO));
  if (has(FUSE_CAP_GPIO)) {
    EXPECT_EQ(hal.gpio.read(13), 13u);
  }
  ASSERT_EQ(hal.uart.write != nullptr, has(FUSE_CAP_UART));
  if (has(FUSE_CAP_UART)) {
    EXPECT_EQ(hal.uart.write(1, nullptr, 4), 5u);
  }
}

TEST(HalGroups, AHostWithAGroupThisBuildLacksIsRefused) {
  for (const std::uint32_t bit : {0x01u, 0x02u, 0x04u, 0x20u, 0x40u}) {
    Hal hal;
    if (!has(bit)) {
      EXPECT_FALSE(hal_from_c(host_hal(), host_hal_size(), host_hal_mask() | bit, hal)) << bit;
    }
  }
}

}  // namespace
}  // namespace fusebox::edge
