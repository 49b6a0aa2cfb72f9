// Rooms and devices are given once, whatever the views of a replica say.
#include "fleet/engine/intent.h"

#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct Room : EngineTest {
  // A GPU host; what is bound there was bound by another replica.
  void add_gpu_host(const std::string& id, const std::function<void(host::Capacity&)>& has) {
    host(id).faults.capacity = has;
    add_host(id, 10, "qemu");
  }
  static host::GpuDevice gpu(std::string uuid) {
    host::GpuDevice device;
    device.uuid = std::move(uuid);
    return device;
  }
  void bind(const EnvironmentRow& row) {
    write([&row](Tx& tx) -> base::Result<void> {
      tx.insert_environment(row);
      return {};
    });
  }
  static EnvironmentRow theirs(const std::string& host_id) {
    EnvironmentRow row;
    row.vm_id = row.host_vm_name = "fuse-theirs";
    row.task_id = "theirs";
    row.host_id = host_id;
    row.backend = "qemu";
    row.gpus = 1;
    return row;
  }
  base::Result<void> take(const EnvironmentRow& row) {
    return await(store->write(executor, [&row](Tx& tx) { return take_room(tx, row); }));
  }
};

TEST_F(Room, ADeviceThatIsBoundIsNotBoundAgain) {
  add_gpu_host("h1", [](host::Capacity& capacity) {
    capacity.gpus = 2;
    capacity.gpu_devices = {gpu("gpu-1"), gpu("gpu-2")};
  });
  EnvironmentRow first = theirs("h1");
  first.gpu_uuids = {"gpu-1"};
  bind(first);
  EnvironmentRow second = theirs("h1");
  second.gpu_uuids = {"gpu-1"};
  const auto refused = take(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().name, "capacity");
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
  second.gpu_uuids = {"gpu-2"};
  EXPECT_TRUE(take(second));
  EXPECT_EQ(host_row("h1").vm_count_allocated, 1);
}

TEST_F(Room, SlicesWithoutNamesAreCounted) {
  add_gpu_host("h1", [](host::Capacity& capacity) { capacity.mig_profiles = {{"1g.5gb", 3}, {"2g.10gb", 1}}; });
  EnvironmentRow first = theirs("h1");
  first.gpu_profile = "1g.5gb";
  first.gpus = 2;
  bind(first);
  EnvironmentRow second = theirs("h1");
  second.gpu_profile = "1g.5gb";
  second.gpus = 2;
  const auto refused = take(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().name, "capacity");
  second.gpus = 1;
  EXPECT_TRUE(take(second));
  second.gpu_profile = "2g.10gb";
  EXPECT_TRUE(take(second));
  second.gpu_profile = "7g.40gb";
  EXPECT_FALSE(take(second));
}

TEST_F(Room, AMoveToAnotherHostDoesNotBindWhatIsBoundThere) {
  const auto one_gpu = [](host::Capacity& capacity) {
    capacity.gpus = 1;
    capacity.gpu_devices = {gpu("gpu-1")};
  };
  add_gpu_host("h1", one_gpu);
  add_gpu_host("h2", one_gpu);
  EnvironmentRow other = theirs("h2");
  other.gpu_uuids = {"gpu-1"};
  bind(other);
  host("h1").faults.plan(Call::create,
                         {.how = How::fail,
                          .error = {base::Errc::unavailable, "down", {}, std::make_shared<host::WireFailure>()},
                          .times = 2});
  CreateRequest wanted = request("a");
  wanted.spec.gpus = 1;
  const auto made = await(engine->create(executor, {}, wanted));
  EXPECT_FALSE(made);
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(host("h2").faults.calls(Call::create), 0u);
}

}  // namespace
}  // namespace fusebox::fleet
