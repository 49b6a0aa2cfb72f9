#include "fleet/schedule/host_index.h"

#include <gtest/gtest.h>

#include <iostream>

#include "base/clock.h"
#include "base/random.h"

namespace fusebox::fleet::schedule {
namespace {

HostCapacity sizes(std::int64_t cpus, std::int64_t ram_mb, std::int64_t storage_gb, std::int64_t vm_count) {
  HostCapacity capacity;
  capacity.cpus = cpus;
  capacity.ram_mb = ram_mb;
  capacity.storage_gb = storage_gb;
  capacity.vm_count = vm_count;
  return capacity;
}

using base::SeededRandom;

template <class T>
const T& one_of(SeededRandom& random, const std::vector<T>& from) {
  return from[random.below(from.size())];
}

const std::vector<std::string> kBackends = {"firecracker", "", "qemu", "wasm"};
const std::vector<std::string> kRegions = {"", "eu", "us"};
const std::vector<std::string> kArchs = {"", "amd64", "arm64"};
const std::vector<std::string> kImages = {"js", "py", "base"};

std::string host_id(std::uint64_t number) {
  return "host-" + std::to_string(number);
}

HostView random_host(SeededRandom& random, std::uint64_t number) {
  HostView host;
  host.id = host_id(number);
  host.state = random.below(8) == 0 ? HostState::cordoned : HostState::active;
  host.reachability = static_cast<Reachability>(random.below(6) < 4 ? 0 : random.below(3));
  host.backend = one_of(random, kBackends);
  host.region = one_of(random, kRegions);
  host.arch = one_of(random, kArchs);
  if (random.below(2) == 0) host.labels["zone"] = random.below(2) == 0 ? "a" : "b";
  if (random.below(2) == 0) host.features = {"egress", "live-fork"};
  host.capacity =
      sizes(static_cast<std::int64_t>(random.below(9)) - 1, static_cast<std::int64_t>(random.below(5) * 1024),
            static_cast<std::int64_t>(random.below(20)), static_cast<std::int64_t>(random.below(5)));
  if (host.backend == "qemu" && random.below(2) == 0) {
    host.capacity.gpus = 2;
    host.capacity.gpu_kind = "a100";
    if (random.below(2) == 0) host.capacity.gpu_devices = {{host.id + "-0", "A100"}, {host.id + "-1", "H100"}};
    if (random.below(2) == 0) host.capacity.mig_profiles["1g.5gb"] = 2;
  }
  host.tells_images = random.below(3) == 0;
  for (const std::string& image : kImages) {
    if (random.below(3) == 0) host.images.insert(image);
  }
  host.huge_pages_free_mb = static_cast<std::int64_t>(random.below(4) * 512);
  return host;
}

Demand random_demand(SeededRandom& random, std::uint64_t hosts) {
  Demand demand;
  demand.cpus = static_cast<std::int64_t>(1 + random.below(3));
  demand.ram_mb = static_cast<std::int64_t>(256 << random.below(4));
  demand.storage_gb = static_cast<std::int64_t>(random.below(4));
  if (random.below(3) == 0) demand.region = one_of(random, kRegions);
  if (random.below(3) == 0) demand.arch = one_of(random, kArchs);
  if (random.below(3) == 0) demand.backend = one_of(random, kBackends);
  if (random.below(5) == 0) demand.labels["zone"] = "a";
  if (random.below(4) == 0) demand.gpus = static_cast<std::int64_t>(1 + random.below(2));
  if (demand.gpus > 0 && random.below(2) == 0) demand.gpu_kind = "a100";
  if (demand.gpus > 0 && random.below(3) == 0) demand.gpu_profile = "1g.5gb";
  if (random.below(12) == 0) demand.host_pin = host_id(random.below(hosts + 2));
  if (random.below(2) == 0) demand.image = one_of(random, kImages);
  demand.egress = random.below(6) == 0;
  demand.huge_pages = random.below(8) == 0;
  if (random.below(4) == 0) {
    demand.has_seed = true;
    demand.seed.backend = one_of(random, kBackends);
    demand.seed.arch = one_of(random, kArchs);
    demand.seed.live = random.below(3) == 0;
    demand.seed.text = "snap";
    for (int i = 0; i < 3; ++i) demand.seed.holders.insert(host_id(random.below(hosts + 2)));
  }
  return demand;
}

std::string described(const Placement& placement) {
  if (const auto* placed = std::get_if<Placed>(&placement)) {
    std::string text = placed->host_id;
    for (const std::string& uuid : placed->gpu_uuids) text += " " + uuid;
    return text;
  }
  if (const auto* refusal = std::get_if<Refusal>(&placement)) return refusal->text;
  return "default provider";
}

void agree(PlacementPolicy policy, std::uint64_t seed, std::uint64_t hosts_max, int steps) {
  SeededRandom random(seed);
  HostIndex index(policy);
  std::map<std::string, HostView> fleet;
  std::vector<std::pair<std::string, Reservation>> taken;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t number = random.below(hosts_max);
    if (const std::uint64_t what = random.below(10); what < 3 || fleet.size() < hosts_max / 2) {
      HostView host = random_host(random, number);
      if (const auto known = fleet.find(host.id); known != fleet.end()) host.reserved = known->second.reserved;
      fleet[host.id] = host;
      index.upsert(std::move(host));
    } else if (what == 3 && random.below(4) == 0) {
      EXPECT_EQ(index.remove(host_id(number)), fleet.erase(host_id(number)) == 1);
      std::erase_if(taken, [&](const auto& entry) { return entry.first == host_id(number); });
    } else if (what == 4 && !taken.empty()) {
      const auto [id, reservation] = taken.back();
      taken.pop_back();
      release(fleet.at(id).reserved, reservation);
      ASSERT_TRUE(index.release(id, reservation));
    }
    std::vector<HostView> hosts;
    for (const auto& [id, host] : fleet) hosts.push_back(host);
    const Demand demand = random_demand(random, hosts_max);
    const Placement want = place(hosts, demand, policy);
    const Placement got = index.place(demand);
    ASSERT_EQ(described(want), described(got)) << "seed " << seed << ", step " << step;
    ASSERT_EQ(want, got) << "seed " << seed << ", step " << step;
    if (const auto* placed = std::get_if<Placed>(&got); placed != nullptr && random.below(2) == 0) {
      const Reservation reservation = reservation_of(demand, *placed);
      reserve(fleet.at(placed->host_id).reserved, reservation);
      ASSERT_TRUE(index.reserve(placed->host_id, reservation));
      taken.emplace_back(placed->host_id, reservation);
    }
  }
}

TEST(HostIndex, AgreesWithLookingAtEveryHost) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    agree(PlacementPolicy::spread, seed, 12, 400);
    agree(PlacementPolicy::binpack, seed, 12, 400);
  }
  // Enough holders of an image that the index stops asking each of them.
  agree(PlacementPolicy::spread, 100, 400, 600);
  agree(PlacementPolicy::binpack, 101, 400, 600);
}

TEST(HostIndex, ExplainsInTheOrderOfIds) {
  HostIndex index(PlacementPolicy::spread);
  for (const char* id : {"b", "a"}) {
    HostView host;
    host.id = id;
    host.capacity = sizes(4, 4096, 10, 4);
    index.upsert(std::move(host));
  }
  const std::vector<Explanation> lines = index.explain({});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text(), "host \"a\" can take it: score 44096, tier 0, chosen");
  EXPECT_EQ(lines[1].host_id, "b");
}

TEST(HostIndex, UnknownHostsAreSaidSo) {
  HostIndex index(PlacementPolicy::spread);
  EXPECT_EQ(index.reserve("x", {}).error().code, base::Errc::not_found);
  EXPECT_EQ(index.release("x", {}).error().code, base::Errc::not_found);
  EXPECT_FALSE(index.remove("x"));
  EXPECT_EQ(index.find("x"), nullptr);
}

TEST(HostIndex, ALineOutlivesTheHostsThatStandInIt) {
  HostIndex index(PlacementPolicy::spread);
  HostView full;
  full.id = "full";
  full.capacity = sizes(1, 1024, 10, 4);
  full.reserved.cpus = 1;
  full.reserved.vm_count = 1;
  HostView other = full;
  other.id = "other";
  other.reserved.cpus = 0;
  other.reserved.vm_count = 0;
  index.upsert(full);
  index.upsert(other);
  index.remove("other");  // the line is empty now, but "full" belongs to it
  Reservation one;
  one.cpus = 1;
  ASSERT_TRUE(index.release("full", one));
  EXPECT_EQ(described(index.place({})), "full");
}

// Prints how fast a decision and its reservation are; asserts nothing about time.
TEST(HostIndex, SpeedOfDecisions) {
  const base::RealClock clock;
  for (const PlacementPolicy policy : {PlacementPolicy::spread, PlacementPolicy::binpack}) {
    SeededRandom random(7);
    HostIndex index(policy);
    for (std::uint64_t i = 0; i < 5000; ++i) {
      HostView host;
      host.id = host_id(i);
      host.region = one_of(random, kRegions);
      host.backend = "wasm";
      host.images = {"js"};
      host.capacity = sizes(256, 524288, 10000, 1000);
      index.upsert(std::move(host));
    }
    Demand demand;
    demand.backend = "wasm";
    demand.image = "js";
    constexpr int kDecisions = 200'000;
    const base::Nanos start = clock.thread_cpu();
    for (int i = 0; i < kDecisions; ++i) {
      const Placement placement = index.place(demand);
      const auto* placed = std::get_if<Placed>(&placement);
      ASSERT_NE(placed, nullptr);
      ASSERT_TRUE(index.reserve(placed->host_id, reservation_of(demand, *placed)));
    }
    const double seconds = std::chrono::duration<double>(clock.thread_cpu() - start).count();
    std::cout << (policy == PlacementPolicy::spread ? "spread: " : "binpack: ")
              << static_cast<std::uint64_t>(kDecisions / seconds)
              << " decisions with reservation a second, 5,000 hosts\n";
  }
}

}  // namespace
}  // namespace fusebox::fleet::schedule
