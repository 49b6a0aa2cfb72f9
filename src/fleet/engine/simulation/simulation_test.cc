// Real engine, simulated world: after whatever happened, nothing is lost, nothing is there twice, and the books are right.
//
// FUSEBOX_SIMULATION_SEED=N runs that seed alone and prints what happened; FUSEBOX_SIMULATION_SEEDS=N runs the first N.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "fleet/engine/simulation/world_test_support.h"

namespace fusebox::fleet::simulation {

using std::chrono::hours;

std::vector<EnvironmentRow> World::all_rows() {
  return database_->get<std::vector<EnvironmentRow>>(
      [](Reader& reader) { return reader.environments({}, {}, 10'000); });
}

// While it happens: what a host does is backed by what the store says.
void World::watch_host(Host& host, std::string_view verb, const std::string& vm,
                       const std::optional<host::VmRecord>& before) {
  if (verb != "create" && verb != "fork" && verb != "destroy") return;
  const std::string what = std::string(verb) + " of " + vm + " on " + host.id;
  const auto row = database_->get<std::optional<EnvironmentRow>>(
      [&](Reader& reader) { return reader.environment_on_host(host.id, vm); });
  if (verb != "destroy") {
    if (!row) violation(what + ": no row says so");
    const auto all = Network::run(host.stub.list({}, "fuse-"));
    if (static_cast<std::int64_t>(all->size()) > host.vm_max) violation(what + ": more than the host may have");
    return;
  }
  if (!row || row->state == EnvironmentState::destroying) return;
  const bool leftover = row->state == EnvironmentState::provisioning && before && before->generation != row->generation;
  if (!leftover) violation(what + ": a live environment, " + std::string(to_string(row->state)));
}

bool World::settled() {
  const auto unfinished = database_->get<std::vector<OperationRow>>(
      [&](Reader& reader) { return reader.expired_operations(clock_.wall() + hours{24 * 400}, 1000); });
  if (!unfinished.empty()) return false;
  std::size_t there = 0;
  for (const EnvironmentRow& row : all_rows()) {
    ++there;
    const bool at_rest = row.state == EnvironmentState::running || row.state == EnvironmentState::draining;
    if (!at_rest || !row.op_id.empty()) return false;
  }
  std::size_t on_hosts = 0;
  for (const auto& host : network_.hosts()) on_hosts += Network::run(host->stub.list({}, "fuse-"))->size();
  if (there != on_hosts) return false;
  const auto snapshots =
      database_->get<std::vector<SnapshotRow>>([](Reader& reader) { return reader.snapshots({}, {}, 10'000); });
  return std::ranges::all_of(snapshots, [](const SnapshotRow& one) {
    return one.state == SnapshotState::ready || (one.state == SnapshotState::error && one.next_retry_at.count() == 0);
  });
}

void World::judge() {
  for (const OperationRow& op : database_->get<std::vector<OperationRow>>(
           [&](Reader& reader) { return reader.expired_operations(clock_.wall() + hours{24 * 400}, 1000); }))
    violation("operation " + op.kind + " of " + op.vm_id + " has not ended: " + op.step + ", owner " + op.owner);

  std::map<std::string, const EnvironmentRow*> by_id;
  std::map<std::string, HostRow> sums;
  const std::vector<EnvironmentRow> rows = all_rows();
  for (const EnvironmentRow& row : rows) {
    by_id[row.vm_id] = &row;
    HostRow& sum = sums[row.host_id];
    sum.cpus_allocated += row.cpus;
    sum.ram_mb_allocated += row.ram_mb;
    sum.storage_gb_allocated += row.storage_gb;
    ++sum.vm_count_allocated;
    if (row.state != EnvironmentState::running && row.state != EnvironmentState::draining)
      violation(row.vm_id + " is " + std::string(to_string(row.state)) + " for ever");
    if (!row.op_id.empty()) violation(row.vm_id + " is held by operation " + row.op_id + " for ever");
    const auto task = database_->get<std::optional<TaskRow>>([&](Reader& reader) { return reader.task(row.task_id); });
    if (!task || task->run_status != TaskStatus::running)
      violation("task " + row.task_id + " is not running, but its environment is");
    const auto events = database_->get<std::vector<EnvEventRow>>(
        [&](Reader& reader) { return reader.env_events(row.vm_id, row.incarnation, 0, 10'000); });
    for (std::size_t i = 0; i < events.size(); ++i)
      if (events[i].seq != i + 1) violation("events of " + row.vm_id + " have a gap after " + std::to_string(i));
  }

  std::set<std::string> names;
  for (const auto& host : network_.hosts()) {
    const auto stored = database_->get<std::optional<HostRow>>([&](Reader& reader) { return reader.host(host->id); });
    const HostRow& sum = sums[host->id];
    if (stored->cpus_allocated != sum.cpus_allocated || stored->ram_mb_allocated != sum.ram_mb_allocated ||
        stored->storage_gb_allocated != sum.storage_gb_allocated ||
        stored->vm_count_allocated != sum.vm_count_allocated)
      violation("allocations of " + host->id + " are " + std::to_string(stored->vm_count_allocated) +
                " environments, its rows are " + std::to_string(sum.vm_count_allocated));
    if (sum.vm_count_allocated > host->vm_max) violation(host->id + " is above its capacity");
    std::set<std::string> here;
    const auto listed = Network::run(host->stub.list({}, "fuse-"));
    for (const host::VmRecord& vm : *listed) {
      here.insert(vm.vm_id);
      if (!names.insert(vm.vm_id).second) violation(vm.vm_id + " is on two hosts");
      const auto row = by_id.find(vm.vm_id);
      if (row == by_id.end() || row->second->host_id != host->id)
        violation(vm.vm_id + " is on " + host->id + " and no row says so");
    }
    for (const EnvironmentRow& row : rows)
      if (row.host_id == host->id && !here.contains(row.host_vm_name))
        violation(row.vm_id + " is not on its host " + host->id);
  }

  std::set<std::string> owned;
  for (const auto& client : clients_) {
    for (const auto& [task, presence] : client->tasks) {
      owned.insert(task);
      if (doubtful(vm_of(task))) continue;
      const bool there = by_id.contains(vm_of(task));
      if (presence == Presence::present && !there) violation(task + " was lost");
      if ((presence == Presence::absent || presence == Presence::going) && there)
        violation(task + " is there, but it was never made or is destroyed");
    }
    for (const auto& [id, presence] : client->snapshots) {
      const auto row = database_->get<std::optional<SnapshotRow>>([&](Reader& reader) { return reader.snapshot(id); });
      if (presence == Presence::present && (!row || row->state != SnapshotState::ready))
        violation("snapshot " + id + " of " + client->snapshot_of[id] +
                  (row ? " is " + std::string(to_string(row->state)) : std::string(" was lost")));
      if ((presence == Presence::absent || presence == Presence::going) && row)
        violation("snapshot " + id + " is there, but it is deleted");
    }
  }
  const std::set<std::string> asked = owned;
  for (const Move& move : moves_) {
    if (asked.contains(move.task)) continue;  // asked for again since
    std::size_t places = by_id.contains(vm_of(move.task)) ? 1 : 0;
    for (const EnvironmentRow& row : rows)
      if (row.task_id.starts_with(move.task + "-m") && !asked.contains(row.task_id)) {
        owned.insert(row.task_id);
        ++places;
      }
    owned.insert(move.task);
    if (places > 1) violation("a migration left " + move.task + " twice");
    const bool evicted = std::ranges::any_of(doubtful_, [&](const std::string& vm) {
      return vm == vm_of(move.task) || vm.starts_with(vm_of(move.task) + "-m");
    });
    if (places == 0 && move.was_there && !evicted) violation("a migration lost " + move.task);
  }
  for (const EnvironmentRow& row : rows)
    if (!owned.contains(row.task_id)) violation(row.vm_id + " was never asked for");

  for (const SnapshotRow& one :
       database_->get<std::vector<SnapshotRow>>([](Reader& reader) { return reader.snapshots({}, {}, 10'000); })) {
    const bool at_rest = one.state == SnapshotState::ready || one.state == SnapshotState::error;
    if (!at_rest) violation("snapshot " + one.snapshot_id + " is " + std::string(to_string(one.state)) + " for ever");
    if (one.state != SnapshotState::ready || one.snapshot_id.starts_with("fork-seed-")) continue;
    const auto host = std::ranges::find_if(network_.hosts(), [&](const auto& each) { return each->id == one.host_id; });
    const auto held = Network::run((*host)->stub.all_snapshots({}));
    if (std::ranges::none_of(*held, [&](const auto& record) { return record.snapshot_id == one.snapshot_id; }))
      violation("snapshot " + one.snapshot_id + " is ready, but its host does not have it");
  }
}

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string run(std::uint64_t seed, std::string& problems, std::string& story) {
  World world{Settings(seed)};
  world.run();
  for (const std::string& one : world.violations()) problems += "  " + one + "\n";
  story = world.trace().last();
  return world.trace().digest();
}

TEST(Simulation, NothingIsLostAndNothingIsThereTwiceWhateverHappens) {
  const std::uint64_t only = number_from("FUSEBOX_SIMULATION_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : number_from("FUSEBOX_SIMULATION_SEEDS", 120);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    std::string problems, story;
    (void)run(seed, problems, story);
    EXPECT_EQ(problems, "") << "FUSEBOX_SIMULATION_SEED=" << seed << " runs this again and tells what happened"
                            << (only != 0 ? ":\n" + story : std::string());
  }
}

TEST(Simulation, ASeedTellsTheSameStoryTwice) {
  for (const std::uint64_t seed : {3, 4, 5}) {
    std::string problems, story, again;
    const std::string digest = run(seed, problems, story);
    EXPECT_EQ(run(seed, problems, again), digest) << "seed " << seed << "\n" << story << "\n\n" << again;
  }
}

}  // namespace
}  // namespace fusebox::fleet::simulation
