#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "edge/hal/hal_test_support.h"

namespace fusebox::edge {
namespace {

using test::call;
using test::RecordingHost;

// Callbacks of a HAL are plain functions: what they answer lies here.
struct Hardware {
  float celsius = 0;
  std::uint64_t moved = 0;
  std::uint8_t fill = 0;
  std::uint32_t asked_size = 0;
  std::uint32_t unit = 0;
  std::uint32_t level = 0;
  int calls = 0;
  std::string sent;
};
Hardware hardware;

Hal wired() {
  Hal hal;
  hal.temp.get_reading = [] { return hardware.celsius; };
  hal.camera.last_frame = [](void* buf, std::uint32_t max_len) -> std::uint64_t {
    ++hardware.calls;
    hardware.asked_size = max_len;
    std::memset(buf, hardware.fill, max_len);
    return hardware.moved;
  };
  hal.gpio.read = [](std::uint32_t pin) {
    hardware.unit = pin;
    return hardware.level;
  };
  hal.gpio.write = [](std::uint32_t pin, std::uint32_t level) {
    hardware.unit = pin;
    hardware.level = level;
  };
  hal.uart.read = [](std::uint32_t port, void* buf, std::uint32_t max_len) {
    hardware.unit = port;
    hardware.asked_size = max_len;
    std::memset(buf, hardware.fill, max_len);
    return static_cast<std::uint32_t>(hardware.moved);
  };
  hal.uart.write = [](std::uint32_t port, const void* buf, std::uint32_t len) {
    ++hardware.calls;
    hardware.unit = port;
    hardware.sent.assign(static_cast<const char*>(buf), len);
    return static_cast<std::uint32_t>(hardware.moved);
  };
  return hal;
}

class Handlers : public testing::Test {
 protected:
  void SetUp() override { hardware = {}; }
  RecordingHost host;
  Hal hal = wired();
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(300, 0xEE);
};

TEST_F(Handlers, TemperatureBitsArePassedThrough) {
  for (const std::uint32_t bits : {0u, 0x80000000u, 0x41c80000u, 0x7f800000u, 0x7fc01234u}) {
    hardware.celsius = std::bit_cast<float>(bits);
    const auto answer = call("temp_get_reading", hal, host);
    EXPECT_EQ(answer.trap, nullptr);
    EXPECT_EQ(answer.result, bits);
  }
}

TEST_F(Handlers, TimestampIsTheRuntimesOneReadOfTheClock) {
  host.now_us = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(call("timer_get_timestamp", hal, host).result, host.now_us);
}

TEST_F(Handlers, AMissingCallbackGivesZeroAndNoTrap) {
  const Hal none;
  for (const char* field :
       {"temp_get_reading", "camera_last_frame", "gpio_read", "gpio_write", "uart_read", "uart_write"}) {
    const auto answer = call(field, none, host, {1, 1, 1}, buffer.data(), 4);
    EXPECT_EQ(answer.trap, nullptr) << field;
    EXPECT_EQ(answer.result, 0u) << field;
  }
  EXPECT_EQ(buffer[0], 0xEE) << "nothing was written";
}

TEST_F(Handlers, CameraGetsTheBufferAndItsResultIsClamped) {
  hardware.fill = 7;
  for (const auto& [returned, expected] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 0}, {99, 99}, {100, 100}, {101, 100}, {1ull << 32, 100}, {~0ull, 100}}) {
    hardware.moved = returned;
    EXPECT_EQ(call("camera_last_frame", hal, host, {16, 100}, buffer.data(), 100).result, expected) << returned;
    EXPECT_EQ(hardware.asked_size, 100u);
  }
  EXPECT_EQ(buffer[99], 7);
  EXPECT_EQ(buffer[100], 0xEE);
}

TEST_F(Handlers, ALogEntryHasAtMost127Characters) {
  for (const std::uint32_t length : {1u, 126u, 127u, 128u, 300u}) {
    std::ranges::fill(buffer, 'x');
    host.logged.clear();
    EXPECT_EQ(call("module_log_event", hal, host, {0, length, 1}, buffer.data(), length).trap, nullptr);
    ASSERT_EQ(host.logged.size(), 1u);
    EXPECT_EQ(host.logged[0].text, std::string(std::min(length, 127u), 'x'));
  }
}

TEST_F(Handlers, ALogEntryEndsAtItsFirstNul) {
  std::memcpy(buffer.data(), "ab\0cd", 5);
  call("module_log_event", hal, host, {0, 5, 1}, buffer.data(), 5);
  call("module_log_event", hal, host, {0, 3, 1}, buffer.data() + 2, 3);
  ASSERT_EQ(host.logged.size(), 2u);
  EXPECT_EQ(host.logged[0].text, "ab");
  EXPECT_EQ(host.logged[1].text, "") << "an empty message is an entry";
}

TEST_F(Handlers, ALogOfLengthZeroIsNoEntry) {
  EXPECT_EQ(call("module_log_event", hal, host, {0, 0, 1}, buffer.data(), 0).trap, nullptr);
  EXPECT_TRUE(host.logged.empty());
}

TEST_F(Handlers, ALogLevelIsStoredRaw) {
  for (const std::uint32_t level : {0u, 2u, 3u, 0xFFFFFFFFu}) {
    call("module_log_event", hal, host, {0, 1, level}, buffer.data(), 1);
    EXPECT_EQ(host.logged.back().level, level);
  }
}

TEST_F(Handlers, AnEventIsPosted) {
  EXPECT_EQ(call("fuse_event_post", hal, host, {31}).trap, nullptr);
  EXPECT_THAT(host.posted, testing::ElementsAre(31u));
}

TEST_F(Handlers, AFailedPostIsAViolation) {
  host.post_succeeds = false;
  EXPECT_STREQ(call("fuse_event_post", hal, host, {0}).trap, "FUSE policy violation");
}

TEST_F(Handlers, PinsReadZeroOrOne) {
  for (const auto& [level, expected] :
       std::vector<std::pair<std::uint32_t, std::uint64_t>>{{0, 0}, {1, 1}, {2, 1}, {0x80000000u, 1}}) {
    hardware.level = level;
    EXPECT_EQ(call("gpio_read", hal, host, {17}).result, expected);
    EXPECT_EQ(hardware.unit, 17u);
  }
}

TEST_F(Handlers, PinsAreWrittenZeroOrOne) {
  for (const auto& [level, expected] :
       std::vector<std::pair<std::uint64_t, std::uint32_t>>{{0, 0}, {1, 1}, {0xFFFFFFFFu, 1}}) {
    EXPECT_EQ(call("gpio_write", hal, host, {0xFFFFFFFFu, level}).trap, nullptr);
    EXPECT_EQ(hardware.unit, 0xFFFFFFFFu);
    EXPECT_EQ(hardware.level, expected);
  }
}

TEST_F(Handlers, SerialReadsAreClampedToTheBuffer) {
  hardware.fill = 9;
  for (const auto& [returned, expected] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 0}, {8, 8}, {9, 8}, {0xFFFFFFFFu, 8}}) {
    hardware.moved = returned;
    EXPECT_EQ(call("uart_read", hal, host, {2, 64, 8}, buffer.data(), 8).result, expected);
    EXPECT_EQ(hardware.unit, 2u);
    EXPECT_EQ(hardware.asked_size, 8u);
  }
  EXPECT_EQ(buffer[8], 0xEE);
}

TEST_F(Handlers, SerialWritesAreClampedToTheLength) {
  std::memcpy(buffer.data(), "hello", 5);
  for (const auto& [returned, expected] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 0}, {5, 5}, {6, 5}, {0xFFFFFFFFu, 5}}) {
    hardware.moved = returned;
    EXPECT_EQ(call("uart_write", hal, host, {1, 64, 5}, buffer.data(), 5).result, expected);
    EXPECT_EQ(hardware.sent, "hello");
  }
}

TEST_F(Handlers, ASerialWriteOfNothingDoesNotReachTheDriver) {
  hardware.moved = 5;
  EXPECT_EQ(call("uart_write", hal, host, {1, 64, 0}, buffer.data(), 0).result, 0u);
  EXPECT_EQ(hardware.calls, 0);
}

}  // namespace
}  // namespace fusebox::edge
