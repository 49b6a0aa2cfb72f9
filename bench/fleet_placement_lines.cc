#include <algorithm>
#include <deque>
#include <thread>

#include "base/executor.h"
#include "base/files.h"
#include "base/random.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/schedule/host_index.h"
#include "fleet/store/store.h"
#include "fleet_lines.h"

namespace fusebox::cli::bench {
namespace {

namespace schedule = fusebox::fleet::schedule;

constexpr std::size_t kHosts = 5'000;
constexpr int kBatch = 1000;
constexpr int kDurable = 20'000;
constexpr int kInFlight = 64;
constexpr std::uint32_t kHostsPerWrite = 500;

schedule::HostView host_view(std::size_t number, base::Random& random) {
  schedule::HostView host;
  host.id = "h" + std::to_string(number);
  host.capacity.cpus = static_cast<std::int64_t>(8 + random.below(120));
  host.capacity.ram_mb = static_cast<std::int64_t>(16'384 + random.below(500'000));
  host.capacity.storage_gb = 4000;
  host.capacity.vm_count = 1000;
  return host;
}

schedule::HostIndex index_of_hosts() {
  schedule::HostIndex index(schedule::PlacementPolicy::spread);
  base::SeededRandom random(1);
  for (std::size_t i = 0; i < kHosts; ++i) index.upsert(host_view(i, random));
  return index;
}

schedule::Demand small_demand() {
  schedule::Demand demand;
  demand.cpus = 1;
  demand.ram_mb = 128;
  return demand;
}

base::Result<Row> in_memory(const Conditions& conditions) {
  schedule::HostIndex index = index_of_hosts();
  const schedule::Demand demand = small_demand();
  Samples each;
  for (std::size_t round = 0; round < std::max<std::size_t>(20, conditions.rounds / 10); ++round) {
    std::vector<std::string> taken;
    bool all = true;
    const double took = conditions.watch->time_ns([&] {
      for (int i = 0; i < kBatch; ++i) {
        const auto placement = index.place(demand);
        const auto* placed = std::get_if<schedule::Placed>(&placement);
        if (placed == nullptr || !index.reserve(placed->host_id, schedule::reservation_of(demand, *placed))) {
          all = false;
          return;
        }
        taken.push_back(placed->host_id);
      }
    });
    if (!all) return base::fail(base::Errc::bug, "a placement was refused");
    for (const std::string& host : taken)
      FB_CHECK(index.release(
          host, schedule::reservation_of(demand, {.host_id = host, .gpu_uuids = {}, .mig_instance_uuids = {}})));
    each.add(took / kBatch / 1e3);
  }
  Row row = row_of("fleet.place", "a placement with its reservation among 5,000 hosts, in memory", "us", each);
  row.target.median_max = 5;
  row.note = std::to_string(static_cast<std::uint64_t>(1e6 / each.median())) + " /s";
  return row;
}

// Decisions as the engine records them: the room on the host, the environment, its task, its operation, its history.
class DurablePlacements {
 public:
  DurablePlacements(fleet::Store& store, base::ManualExecutor& executor, const base::Clock& clock)
      : store_(store), executor_(executor), clock_(clock), index_(index_of_hosts()) {}

  base::Result<void> put_hosts() {
    base::SeededRandom random(1);
    for (std::size_t first = 0; first < kHosts; first += kHostsPerWrite) {
      std::vector<fleet::HostRow> rows;
      for (std::size_t i = first; i < first + kHostsPerWrite; ++i) rows.push_back(host_row(host_view(i, random)));
      base::spawn(executor_, write([rows](fleet::Tx& tx) -> base::Result<void> {
                    for (const fleet::HostRow& row : rows) tx.put_host(row);
                    return {};
                  }));
      wait_for(1);
    }
    return failed_ ? base::Result<void>(std::unexpected(*failed_)) : base::Result<void>{};
  }
  base::Result<void> run(int count) {
    ended_ = 0;
    for (int begun = 0; begun < count; ++begun) {
      while (begun - ended_ >= kInFlight) turn();
      place(begun);
    }
    while (ended_ < count) turn();
    return failed_ ? base::Result<void>(std::unexpected(*failed_)) : base::Result<void>{};
  }

 private:
  fleet::HostRow host_row(const schedule::HostView& view) const {
    fleet::HostRow row;
    row.host_id = view.id;
    row.url = "http://" + view.id + ".test:8090";
    row.backend = "firecracker";
    row.cpus_total = view.capacity.cpus;
    row.ram_mb_total = view.capacity.ram_mb;
    row.storage_gb_total = view.capacity.storage_gb;
    row.vm_count_max = view.capacity.vm_count;
    row.created_at = row.updated_at = clock_.wall();
    return row;
  }

  void place(int number) {
    const schedule::Demand demand = small_demand();
    const auto placement = index_.place(demand);
    const auto* placed = std::get_if<schedule::Placed>(&placement);
    if (placed == nullptr || !index_.reserve(placed->host_id, schedule::reservation_of(demand, *placed))) {
      failed_ = base::Error{base::Errc::bug, "a placement was refused", {}, nullptr};
      ++ended_;
      return;
    }
    const base::Nanos at = clock_.wall();
    fleet::EnvironmentRow row;
    row.task_id = "t" + std::to_string(number);
    row.vm_id = "fuse-" + row.task_id;
    row.host_vm_name = row.vm_id;
    row.host_id = placed->host_id;
    row.backend = "firecracker";
    row.cpus = 1;
    row.ram_mb = 128;
    row.created_at = row.updated_at = row.state_changed_at = at;
    row.view_json = std::string(400, 'v');
    base::spawn(executor_, write([row, at, number](fleet::Tx& tx) -> base::Result<void> {
                  tx.reserve({.host_id = row.host_id, .cpus = 1, .ram_mb = 128, .storage_gb = 0, .gpus = 0});
                  tx.insert_environment(row);
                  tx.append_env_event(row.vm_id, "state", "{}");
                  fleet::TaskRow task;
                  task.task_id = row.task_id;
                  task.vm_id = row.vm_id;
                  task.assigned_at = task.updated_at = at;
                  tx.put_task(task);
                  fleet::OperationRow op;
                  op.op_id = "op_" + std::to_string(1'000'000 + number);
                  op.kind = "create";
                  op.vm_id = row.vm_id;
                  op.host_id = row.host_id;
                  op.created_at = op.updated_at = at;
                  op.lease_until = at;
                  tx.insert_operation(op);
                  for (const char* type : {"vm.provisioning", "vm.scheduled", "task.assigned"}) {
                    fleet::EventRow event;
                    event.entity_type = "vm";
                    event.entity_id = row.vm_id;
                    event.event_type = type;
                    event.created_at = at;
                    tx.add_event(event);
                  }
                  return {};
                }));
  }

  base::Task<void> write(fleet::Store::WriteWork work) {
    auto done = co_await store_.write(executor_, std::move(work));
    if (!done && !failed_) failed_ = std::move(done.error());
    ++ended_;
  }
  void turn() {
    if (executor_.run() == 0) std::this_thread::yield();
  }
  void wait_for(int count) {
    ended_ = 0;
    while (ended_ < count) turn();
  }

  fleet::Store& store_;
  base::ManualExecutor& executor_;
  const base::Clock& clock_;
  schedule::HostIndex index_;
  int ended_ = 0;
  std::optional<base::Error> failed_;
};

base::Result<Row> durable(const Conditions& conditions) {
  FB_TRY(const base::TempDir folder, base::TempDir::create("fusebox-bench-placement"));
  const base::RealClock wall;
  base::ManualClock manual;
  base::ManualExecutor executor(manual);
  fleet::StoreOptions options;
  options.data_dir = folder.path().string();
  options.replica_id = "bench";
  options.clock = &wall;
  FB_TRY(const auto store, fleet::open_store(options));
  DurablePlacements placements(*store, executor, wall);
  FB_CHECK(placements.put_hosts());
  base::Result<void> done;
  const double took = conditions.watch->time_ns([&] { done = placements.run(kDurable); });
  FB_CHECK(done);
  Samples each;
  each.add(took / kDurable / 1e3);
  Row row = row_of("fleet.place.durable", "the same, recorded with its environment, SQLite, 64 at a time", "us", each);
  row.samples = kDurable;
  row.target.median_max = 200;
  row.note = std::to_string(static_cast<std::uint64_t>(1e6 / each.median())) + " /s";
  return row;
}

}  // namespace

Rows measure_fleet_placement(const Conditions& conditions) {
  FB_TRY(Row memory, in_memory(conditions));
  FB_TRY(Row recorded, durable(conditions));
  std::vector<Row> rows;
  rows.push_back(std::move(memory));
  rows.push_back(std::move(recorded));
  return rows;
}

}  // namespace fusebox::cli::bench
