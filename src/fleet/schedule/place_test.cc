#include "fleet/schedule/place.h"

#include <gtest/gtest.h>

#include <functional>

#include "fleet/schedule/gates.h"
#include "fleet/schedule/gpu.h"

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

HostView host(std::string id, std::int64_t cpus = 8, std::int64_t ram_mb = 16384) {
  HostView view;
  view.id = std::move(id);
  view.capacity = sizes(cpus, ram_mb, 100, 10);
  return view;
}

HostView gpu_host(std::string id) {
  HostView view = host(std::move(id));
  view.backend = "qemu";
  view.capacity.gpus = 2;
  view.capacity.gpu_kind = "a100";
  view.capacity.gpu_devices = {{"GPU-1", "NVIDIA A100-SXM4"}, {"GPU-2", "NVIDIA A100-SXM4"}};
  return view;
}

Demand demand() {
  Demand asked;
  asked.cpus = 2;
  asked.ram_mb = 512;
  asked.storage_gb = 2;
  return asked;
}

std::string chosen(const Placement& placement) {
  if (const auto* placed = std::get_if<Placed>(&placement)) return placed->host_id;
  if (const auto* refusal = std::get_if<Refusal>(&placement)) {
    return std::to_string(refusal->http_status) + " " + refusal->text;
  }
  return "default provider";
}

struct GateCase {
  const char* name;
  std::function<void(HostView&, Demand&)> set;
  Gate gate;
  const char* text;
};

TEST(Gates, EachTurnsAHostAwayWithItsText) {
  const GateCase cases[] = {
      {"fits", [](HostView&, Demand&) {}, Gate::none, ""},
      {"cordoned", [](HostView& h, Demand&) { h.state = HostState::cordoned; }, Gate::state, "is cordoned, not active"},
      {"draining", [](HostView& h, Demand&) { h.state = HostState::draining; }, Gate::state, "is draining, not active"},
      {"region", [](HostView& h, Demand& d) { h.region = "a", d.region = "b"; }, Gate::region,
       "is in region \"a\", the spec requires \"b\""},
      {"region not asked", [](HostView& h, Demand&) { h.region = "a"; }, Gate::none, ""},
      {"arch", [](HostView& h, Demand& d) { h.arch = "arm64", d.arch = "amd64"; }, Gate::arch,
       "is arm64, the spec requires amd64"},
      {"empty arch is amd64", [](HostView&, Demand& d) { d.arch = "amd64"; }, Gate::none, ""},
      {"empty arch is not arm64", [](HostView&, Demand& d) { d.arch = "arm64"; }, Gate::arch,
       "is amd64, the spec requires arm64"},
      {"gpu backend", [](HostView&, Demand& d) { d.gpus = 1; }, Gate::backend,
       "has backend \"firecracker\", gpu environments require \"qemu\""},
      {"backend", [](HostView&, Demand& d) { d.backend = "qemu"; }, Gate::backend,
       "has backend \"firecracker\", the spec requires \"qemu\""},
      {"empty backend is firecracker", [](HostView& h, Demand& d) { h.backend = "", d.backend = "firecracker"; },
       Gate::none, ""},
      {"wasm host, no backend asked", [](HostView& h, Demand&) { h.backend = "wasm"; }, Gate::backend,
       "has backend \"wasm\", the spec does not ask for it"},
      {"wasm host, wasm asked", [](HostView& h, Demand& d) { h.backend = "wasm", d.backend = "wasm"; }, Gate::none, ""},
      {"seed of another backend", [](HostView&, Demand& d) { d.has_seed = true, d.seed.backend = "qemu"; },
       Gate::backend, "has backend \"firecracker\", the seed requires \"qemu\""},
      {"seed of another arch", [](HostView&, Demand& d) { d.has_seed = true, d.seed.arch = "arm64"; }, Gate::backend,
       "is amd64, the seed requires arm64"},
      {"wasm seed", [](HostView& h, Demand& d) { h.backend = "wasm", d.has_seed = true, d.seed.backend = "wasm"; },
       Gate::none, ""},
      {"labels",
       [](HostView& h, Demand& d) {
         h.labels = {{"disk", "hdd"}, {"zone", "a"}}, d.labels = {{"zone", "a"}, {"disk", "ssd"}, {"x", "y"}};
       },
       Gate::labels, "does not have labels disk=ssd, x=y"},
      {"egress", [](HostView&, Demand& d) { d.egress = true; }, Gate::features, "does not support egress"},
      {"egress there", [](HostView& h, Demand& d) { h.features = {"egress"}, d.egress = true; }, Gate::none, ""},
      {"live seed held elsewhere",
       [](HostView& h, Demand& d) { h.features = {"live-fork"}, d.has_seed = true, d.seed.live = true; },
       Gate::features, "does not support live seeds"},
      {"live seed on its host",
       [](HostView& h, Demand& d) {
         h.features = {"live-fork"}, d.has_seed = true, d.seed.live = true, d.seed.holders = {"h"};
       },
       Gate::none, ""},
      {"huge pages", [](HostView& h, Demand& d) { h.huge_pages_free_mb = 511, d.huge_pages = true; }, Gate::features,
       "does not support huge pages"},
      {"enough huge pages", [](HostView& h, Demand& d) { h.huge_pages_free_mb = 512, d.huge_pages = true; }, Gate::none,
       ""},
      {"image that is elsewhere",
       [](HostView& h, Demand& d) { h.tells_images = true, h.images = {"py"}, d.image = "js"; }, Gate::image,
       "does not have image \"js\""},
      {"image of a host that does not tell", [](HostView&, Demand& d) { d.image = "js"; }, Gate::none, ""},
      {"exactly the free cpus", [](HostView& h, Demand&) { h.reserved.cpus = 6; }, Gate::none, ""},
      {"one cpu short", [](HostView& h, Demand&) { h.reserved.cpus = 7; }, Gate::fit, "does not fit 2CPU/512MB/2GB"},
      {"memory", [](HostView& h, Demand&) { h.reserved.ram_mb = 15873; }, Gate::fit, "does not fit 2CPU/512MB/2GB"},
      {"storage", [](HostView& h, Demand&) { h.reserved.storage_gb = 99; }, Gate::fit, "does not fit 2CPU/512MB/2GB"},
      {"no slot", [](HostView& h, Demand&) { h.reserved.vm_count = 10; }, Gate::fit, "does not fit 2CPU/512MB/2GB"},
      {"negative capacity", [](HostView& h, Demand&) { h.capacity.ram_mb = INT64_MIN; }, Gate::fit,
       "does not fit 2CPU/512MB/2GB"},
      {"unreachable", [](HostView& h, Demand&) { h.reachability = Reachability::unreachable; }, Gate::reachable,
       "is unreachable"},
      {"suspect", [](HostView& h, Demand&) { h.reachability = Reachability::suspect; }, Gate::none, ""},
      {"gpu fit text", [](HostView& h, Demand& d) { h.backend = "qemu", d.gpus = 1, d.gpu_kind = "a100"; }, Gate::fit,
       "does not fit 2CPU/512MB/2GB + 1 gpu of kind \"a100\""},
  };
  for (const GateCase& c : cases) {
    HostView view = host("h");
    Demand asked = demand();
    c.set(view, asked);
    const Gate gate = failed_gate(view, asked);
    EXPECT_EQ(gate, c.gate) << c.name;
    EXPECT_EQ(rejection_text(view, asked, gate), c.text) << c.name;
  }
}

TEST(Gpus, DevicesAreFoundByModelAndBoundInOrder) {
  HostView view = gpu_host("g");
  Demand asked = demand();
  asked.gpus = 1;
  asked.gpu_kind = "A100";
  EXPECT_EQ(choose_gpus(view, asked)->gpu_uuids, std::vector<std::string>{"GPU-1"});
  view.reserved.gpus = 1;
  view.reserved.gpu_uuids = {"GPU-1"};
  EXPECT_EQ(choose_gpus(view, asked)->gpu_uuids, std::vector<std::string>{"GPU-2"});
  asked.gpus = 2;
  EXPECT_FALSE(choose_gpus(view, asked));
  asked.gpus = 1;
  asked.gpu_kind = "h100";
  EXPECT_FALSE(choose_gpus(view, asked));
  asked.gpu_kind = "a100";
  view.reserved.gpus = 2;  // the second is held by an environment that does not say which it has
  EXPECT_FALSE(choose_gpus(view, asked));
}

TEST(Gpus, ADeviceWithoutModelIsOfTheHostsKindAndOneWithoutUuidCounts) {
  HostView view = gpu_host("g");
  view.capacity.gpu_devices = {{"", "H100"}, {"GPU-9", ""}};
  Demand asked = demand();
  asked.gpus = 1;
  asked.gpu_kind = "a100";
  EXPECT_EQ(choose_gpus(view, asked)->gpu_uuids, std::vector<std::string>{"GPU-9"});
  asked.gpu_kind = "h100";
  ASSERT_TRUE(choose_gpus(view, asked));
  EXPECT_TRUE(choose_gpus(view, asked)->gpu_uuids.empty());
  view.reserved.gpus = 1;
  EXPECT_FALSE(choose_gpus(view, asked));
}

TEST(Gpus, WithoutAListTheCountAndTheExactKindDecide) {
  HostView view = gpu_host("g");
  view.capacity.gpu_devices.clear();
  Demand asked = demand();
  asked.gpus = 2;
  EXPECT_TRUE(gpus_fit(view, asked));
  asked.gpu_kind = "a100";
  EXPECT_TRUE(gpus_fit(view, asked));
  asked.gpu_kind = "a10";
  EXPECT_FALSE(gpus_fit(view, asked));
  asked.gpu_kind = "";
  view.reserved.gpus = 1;
  EXPECT_FALSE(gpus_fit(view, asked));
}

TEST(Gpus, SlicesAreFoundByProfileAndKind) {
  HostView view = gpu_host("g");
  view.capacity.mig_instances = {{"MIG-1", "1g.5gb", ""}, {"MIG-2", "1G.5GB", "h100"}, {"MIG-3", "2g.10gb", ""}};
  Demand asked = demand();
  asked.gpus = 1;
  asked.gpu_profile = "1g.5gb";
  EXPECT_EQ(choose_gpus(view, asked)->mig_instance_uuids, std::vector<std::string>{"MIG-1"});
  asked.gpus = 2;
  EXPECT_EQ(choose_gpus(view, asked)->mig_instance_uuids, (std::vector<std::string>{"MIG-1", "MIG-2"}));
  asked.gpu_kind = "a100";
  EXPECT_FALSE(choose_gpus(view, asked));
  asked.gpus = 1;
  view.reserved.mig_instance_uuids = {"MIG-1"};
  view.reserved.mig_profiles = {{"1g.5gb", 1}};
  EXPECT_FALSE(choose_gpus(view, asked));
  asked.gpu_kind = "h100";
  EXPECT_EQ(choose_gpus(view, asked)->mig_instance_uuids, std::vector<std::string>{"MIG-2"});
  view.capacity.mig_instances.clear();
  view.capacity.mig_profiles = {{"1g.5gb", 2}};
  asked.gpu_kind = "a100";
  EXPECT_TRUE(choose_gpus(view, asked)->mig_instance_uuids.empty());
  asked.gpus = 2;
  EXPECT_FALSE(gpus_fit(view, asked));
}

TEST(Place, SpreadTakesTheEmptiestAndBinpackTheFullest) {
  std::vector<HostView> hosts = {host("a", 8), host("b", 16), host("c", 4), host("d", 16)};
  EXPECT_EQ(chosen(place(hosts, demand(), PlacementPolicy::spread)), "b");
  EXPECT_EQ(chosen(place(hosts, demand(), PlacementPolicy::binpack)), "c");
  hosts[2].reserved.cpus = 3;
  EXPECT_EQ(chosen(place(hosts, demand(), PlacementPolicy::binpack)), "a");
}

TEST(Place, TierThenSeedThenImageThenScore) {
  std::vector<HostView> hosts = {host("a", 8), host("b", 4), host("c", 2), gpu_host("g"), host("s", 64)};
  hosts[3].capacity.cpus = 32;
  hosts[4].reachability = Reachability::suspect;
  Demand asked = demand();
  asked.image = "js";
  EXPECT_EQ(chosen(place(hosts, asked, PlacementPolicy::spread)), "a");
  hosts[1].images = {"js"};
  EXPECT_EQ(chosen(place(hosts, asked, PlacementPolicy::spread)), "b");
  asked.has_seed = true;
  asked.seed.backend = "firecracker";
  asked.seed.holders = {"c", "s"};
  EXPECT_EQ(chosen(place(hosts, asked, PlacementPolicy::spread)), "c");
  hosts[0].state = hosts[1].state = hosts[2].state = HostState::cordoned;
  EXPECT_EQ(chosen(place(hosts, asked, PlacementPolicy::spread)), "s");
  EXPECT_EQ(chosen(place(hosts, demand(), PlacementPolicy::spread)), "g");  // before a suspect host
}

TEST(Place, RefusalsSayWhy) {
  std::vector<HostView> none;
  std::vector<HostView> hosts = {host("a"), host("b")};
  hosts[1].state = HostState::cordoned;
  const auto refuse = [&](const std::vector<HostView>& fleet, const std::function<void(Demand&)>& set) {
    Demand asked = demand();
    set(asked);
    return chosen(place(fleet, asked, PlacementPolicy::spread));
  };
  EXPECT_EQ(refuse(none, [](Demand&) {}), "default provider");
  EXPECT_EQ(refuse(none, [](Demand& d) { d.gpus = 1; }),
            "503 no host has sufficient capacity: gpu workloads require a registered gpu host");
  EXPECT_EQ(refuse(none, [](Demand& d) { d.labels = {{"k", "v"}}; }),
            "503 no hosts registered: placement requires registered hosts");
  EXPECT_EQ(refuse(none, [](Demand& d) { d.host_pin = "x"; }), "404 spec.host_id: host \"x\" is not registered");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.host_pin = "x"; }), "404 spec.host_id: host \"x\" is not registered");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.host_pin = "b"; }),
            "503 pinned host cannot take this environment: host \"b\" is cordoned, not active");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.host_pin = "a"; }), "a");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.labels = {{"k", "v"}}; }),
            "503 no host matches the requested placement labels: k=v matched none of 1 schedulable hosts");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.gpus = 1, d.gpu_kind = "a100"; }),
            "503 no host has sufficient capacity: need 1 gpu of kind \"a100\", and none of 1 schedulable hosts serves "
            "gpus");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.gpus = 2, d.gpu_profile = "1g.5gb"; }),
            "503 no host has sufficient capacity: need 2 1g.5gb mig instances, and none of 1 schedulable hosts serves "
            "gpus");
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.cpus = 9; }),
            "503 no host has sufficient capacity: need 9CPU/512MB/2GB, no eligible host fits");
  hosts[0].tells_images = hosts[1].tells_images = true;
  EXPECT_EQ(refuse(hosts, [](Demand& d) { d.image = "js"; }),
            "503 no host has sufficient capacity: image \"js\" is on none of 1 schedulable hosts");
  EXPECT_EQ(refuse({gpu_host("g")}, [](Demand& d) { d.gpus = 3; }),
            "503 no host has sufficient capacity: need 2CPU/512MB/2GB + 3 gpus, no eligible host fits");
  EXPECT_EQ(
      refuse(hosts, [](Demand& d) { d.has_seed = true, d.seed.backend = "qemu", d.seed.text = "snap-1, held by a"; }),
      "503 no host has sufficient capacity: no host can take an environment seeded from this artifact: seeded "
      "from snap-1, held by a: no host has sufficient capacity: need 2CPU/512MB/2GB, no eligible host fits");
}

TEST(Place, ExplainsEachHost) {
  std::vector<HostView> hosts = {host("a"), host("b", 4), host("c")};
  hosts[2].state = HostState::cordoned;
  hosts[1].images = {"js"};
  Demand asked = demand();
  asked.image = "js";
  const std::vector<Explanation> lines = explain(hosts, asked, PlacementPolicy::spread);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].text(), "host \"a\" can take it: score 96384, tier 0");
  EXPECT_EQ(lines[1].text(), "host \"b\" can take it: score 56384, tier 0, holds the image, chosen");
  EXPECT_EQ(lines[2].text(), "host \"c\" is cordoned, not active");
  asked.host_pin = "a";
  EXPECT_EQ(explain(hosts, asked, PlacementPolicy::spread)[1].text(), "host \"b\" is not the pinned host \"a\"");
}

TEST(Reservations, TakenAndGivenBackLeaveNothing) {
  HostReserved reserved;
  Demand asked = demand();
  asked.gpus = 1;
  asked.gpu_profile = "1g.5gb";
  const Reservation taken = reservation_of(asked, {"g", {}, {"MIG-1"}});
  reserve(reserved, taken);
  EXPECT_EQ(reserved.cpus, 2);
  EXPECT_EQ(reserved.vm_count, 1);
  EXPECT_EQ(reserved.gpus, 0);
  EXPECT_EQ(reserved.mig_profiles.at("1g.5gb"), 1);
  EXPECT_TRUE(reserved.mig_instance_uuids.contains("MIG-1"));
  release(reserved, taken);
  EXPECT_EQ(reserved.cpus, 0);
  EXPECT_EQ(reserved.vm_count, 0);
  EXPECT_TRUE(reserved.mig_profiles.empty());
  EXPECT_TRUE(reserved.mig_instance_uuids.empty());
}

}  // namespace
}  // namespace fusebox::fleet::schedule
