#include "edge/sim/devices.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/files.h"
#include "edge/sim/limits.h"
#include "fuse_types.h"

namespace fusebox::edge::sim {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kAll = FUSE_CAP_TEMP_SENSOR | FUSE_CAP_TIMER | FUSE_CAP_CAMERA | FUSE_CAP_GPIO | FUSE_CAP_UART;

class DevicesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-sim");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_->path() / name, std::ios::binary) << text;
    return (folder_->path() / name).string();
  }
  static base::Result<Devices> make(std::vector<std::string> choices, std::uint32_t mask = kAll) {
    return make_devices(mask, choices);
  }
  static std::string refusal(std::vector<std::string> choices, std::uint32_t mask = kAll) {
    const auto made = make(std::move(choices), mask);
    return made ? "made" : made.error().message;
  }
  std::optional<base::TempDir> folder_;
};

std::vector<std::uint8_t> frame(Camera& camera, std::uint64_t at_us, std::size_t room) {
  std::vector<std::uint8_t> out(room, 0xEE);
  out.resize(camera.last_frame(at_us, out));
  return out;
}

std::string received(Serial& serial, std::uint32_t port, std::size_t room) {
  std::vector<std::uint8_t> out(room);
  const std::size_t size = serial.receive(port, out);
  return std::string(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
}

std::size_t send(Serial& serial, std::uint32_t port, std::string_view text) {
  return serial.send(port, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST_F(DevicesTest, EveryGroupHasADefaultAndOnlyTheMasksGroupsAreMade) {
  const auto all = make({});
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->thermometer && all->timer && all->camera && all->pins && all->serial);
  const auto some = make({}, FUSE_CAP_CAMERA | FUSE_CAP_LOG);
  ASSERT_TRUE(some);
  EXPECT_TRUE(some->camera);
  EXPECT_FALSE(some->thermometer || some->timer || some->pins || some->serial);
}

TEST_F(DevicesTest, OffLeavesAGroupOut) {
  const auto made = make({"camera=off", "timer=off"});
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->camera);
  EXPECT_FALSE(made->timer);
  EXPECT_TRUE(made->pins);
}

TEST_F(DevicesTest, ChoicesThatMakeNoSenseAreRefusedWithWhatIsPossible) {
  EXPECT_THAT(refusal({"camera"}), HasSubstr("--hal \"camera\": write NAME=KIND"));
  EXPECT_THAT(refusal({"lidar=off"}), HasSubstr("there is no HAL group \"lidar\""));
  EXPECT_THAT(refusal({"camera=film"}),
              HasSubstr("camera cannot be \"film\"; it can be generator | folder:FOLDER | off"));
  EXPECT_THAT(refusal({"camera=generator:7"}), HasSubstr("camera=generator takes nothing after a colon"));
  EXPECT_THAT(refusal({"gpio=off", "gpio=simulated"}), HasSubstr("gpio is given twice"));
  EXPECT_THAT(refusal({"gpio=off"}, FUSE_CAP_TIMER), HasSubstr("gpio is not among the hal_groups"));
}

TEST_F(DevicesTest, TheWaveIsATriangleOfOneMinute) {
  const auto made = make({});
  EXPECT_EQ(made->thermometer->celsius(0), 15.0F);
  EXPECT_EQ(made->thermometer->celsius(15'000'000), 20.0F);
  EXPECT_EQ(made->thermometer->celsius(30'000'000), 25.0F);
  EXPECT_EQ(made->thermometer->celsius(45'000'000), 20.0F);
  EXPECT_EQ(made->thermometer->celsius(60'000'000), 15.0F);
}

TEST_F(DevicesTest, AFixedTemperatureIsANumber) {
  EXPECT_EQ(make({"temp_sensor=fixed:-40.5"})->thermometer->celsius(1), -40.5F);
  for (const char* wrong : {"temp_sensor=fixed", "temp_sensor=fixed:", "temp_sensor=fixed:warm", "temp_sensor=fixed:1x",
                            "temp_sensor=fixed:inf"}) {
    EXPECT_THAT(refusal({wrong}), HasSubstr("is not a number")) << wrong;
  }
}

TEST_F(DevicesTest, AThermalZoneIsReadInThousandthsAndKeepsItsLastReading) {
  const std::string file = write("temp", "41250\n");
  const auto made = make({"temp_sensor=linux:" + file});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->thermometer->celsius(0), 41.25F);
  write("temp", "42000\n");
  EXPECT_EQ(made->thermometer->celsius(0), 42.0F);
  std::filesystem::remove(file);
  EXPECT_EQ(made->thermometer->celsius(0), 42.0F);
  EXPECT_THAT(refusal({"temp_sensor=linux:" + file}), HasSubstr("--hal temp_sensor: linux: "));
}

TEST_F(DevicesTest, TheGeneratorShowsVariedAndUniformFramesInTurn) {
  const auto made = make({});
  const auto varied = frame(*made->camera, 0, kGeneratedFrameBytes + 1);
  ASSERT_EQ(varied.size(), kGeneratedFrameBytes);
  EXPECT_EQ(varied[0], 0);
  EXPECT_EQ(varied[255], 255);
  const auto uniform = frame(*made->camera, kFramePeriodUs, 1000);
  EXPECT_EQ(uniform, std::vector<std::uint8_t>(1000, 0x80));
  EXPECT_EQ(frame(*made->camera, kFramePeriodUs - 1, kGeneratedFrameBytes), varied) << "the frame of its time, again";
}

TEST_F(DevicesTest, AFolderIsServedInOrderOfNamesAndRound) {
  write("b.raw", "second");
  write("a.raw", "first");
  const auto made = make({"camera=folder:" + folder_->path().string()});
  ASSERT_TRUE(made);
  const auto text = [&](std::uint64_t at_us, std::size_t room) {
    const auto bytes = frame(*made->camera, at_us, room);
    return std::string(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(text(0, 100), "first");
  EXPECT_EQ(text(kFramePeriodUs - 1, 100), "first");
  EXPECT_EQ(text(kFramePeriodUs, 3), "sec") << "cut to the buffer";
  EXPECT_EQ(text(2 * kFramePeriodUs, 100), "first");
  std::filesystem::remove(folder_->path() / "b.raw");
  EXPECT_EQ(text(3 * kFramePeriodUs, 100), "") << "a file that went away is no frame";
}

TEST_F(DevicesTest, AFolderWithoutImagesIsRefused) {
  EXPECT_THAT(refusal({"camera=folder:" + folder_->path().string()}), HasSubstr("holds no image files"));
  EXPECT_THAT(refusal({"camera=folder:/no/such/folder"}), HasSubstr("No such file or directory"));
}

TEST_F(DevicesTest, APinReadsWhatWasWritten) {
  const auto made = make({});
  EXPECT_FALSE(made->pins->read(3));
  made->pins->write(3, true);
  EXPECT_TRUE(made->pins->read(3));
  EXPECT_FALSE(made->pins->read(4));
  made->pins->write(kPins, true);
  EXPECT_FALSE(made->pins->read(kPins)) << "there is no such pin";
}

TEST_F(DevicesTest, ALoopBackReturnsWhatWasSentPortByPort) {
  const auto made = make({});
  EXPECT_EQ(send(*made->serial, 0, "hello"), 5u);
  EXPECT_EQ(send(*made->serial, 1, "other"), 5u);
  EXPECT_EQ(received(*made->serial, 0, 2), "he");
  EXPECT_EQ(received(*made->serial, 0, 100), "llo");
  EXPECT_EQ(received(*made->serial, 0, 100), "");
  EXPECT_EQ(received(*made->serial, 1, 100), "other");
  EXPECT_EQ(send(*made->serial, kSerialPorts, "x"), 0u);
  EXPECT_EQ(received(*made->serial, kSerialPorts, 1), "");
}

TEST_F(DevicesTest, ALoopBackTakesNoMoreThanItHolds) {
  const auto made = make({});
  EXPECT_EQ(send(*made->serial, 0, std::string(kSerialQueueBytes - 1, 'x')), kSerialQueueBytes - 1);
  EXPECT_EQ(send(*made->serial, 0, "yz"), 1u);
  EXPECT_EQ(send(*made->serial, 0, "z"), 0u);
}

TEST_F(DevicesTest, ATerminalCarriesBytesBothWays) {
  const auto made = make({"uart=pty"});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->notes.size(), 1u);
  const std::string name = made->notes[0].substr(made->notes[0].find('/'));
  const auto other = base::Fd::adopt(::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(other) << name;
  EXPECT_EQ(received(*made->serial, 0, 10), "") << "nothing waits, and nobody waits for it";
  EXPECT_EQ(send(*made->serial, 0, "to you\n"), 7u);
  char text[16] = {};
  EXPECT_EQ(::read(other.get(), text, sizeof text), 7);
  EXPECT_STREQ(text, "to you\n");
  ASSERT_EQ(::write(other.get(), "back", 4), 4);
  EXPECT_EQ(received(*made->serial, 0, 10), "back");
  EXPECT_EQ(send(*made->serial, 1, "x"), 0u);
}

TEST_F(DevicesTest, FilesAreReadAndAppendedTo) {
  const std::string in = write("in", "received");
  const std::string out = write("out", "before ");
  {
    const auto made = make({"uart=files:" + in + ":" + out});
    ASSERT_TRUE(made);
    EXPECT_EQ(received(*made->serial, 0, 4), "rece");
    EXPECT_EQ(received(*made->serial, 0, 10), "ived");
    EXPECT_EQ(received(*made->serial, 0, 10), "");
    EXPECT_EQ(send(*made->serial, 0, "sent"), 4u);
  }
  EXPECT_EQ(*base::read_file(out, 100), "before sent");
  EXPECT_THAT(refusal({"uart=files:" + in}), HasSubstr("give the file of received bytes and that of sent ones"));
  EXPECT_THAT(refusal({"uart=files:/no/such:" + out}), HasSubstr("No such file"));
}

}  // namespace
}  // namespace fusebox::edge::sim
