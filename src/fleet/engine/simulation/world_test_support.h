// A whole fleet in one thread and in no time: hosts, a network, a database, control planes that are killed and started
// again, clients that ask for things, and a judge who knows what must be true afterwards. Everything follows from the seed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fleet/engine/make_engine.h"
#include "fleet/engine/simulation/network_test_support.h"
#include "fleet/engine/simulation/process_test_support.h"
#include "fleet/engine/simulation/store_test_support.h"
#include "fleet/engine/simulation/trace_test_support.h"

namespace fusebox::fleet::simulation {

struct Settings {
  explicit Settings(std::uint64_t seed_in);
  std::uint64_t seed;
  std::string backend = "wasm";
  std::size_t hosts = 3, replicas = 1, clients = 4, calls_per_client = 10;
  std::int64_t vms_per_host = 5;
  StoreFaults store_faults;
  std::uint32_t lost_per_mille = 0;
  bool store_goes_away = false;
};

inline Settings::Settings(std::uint64_t seed_in) : seed(seed_in) {
  base::SeededRandom random(seed ^ 0x5eed'5eed'5eed'5eedULL);
  if (random.below(4) == 0) backend = "firecracker";
  hosts = 2 + random.below(3);
  replicas = 1 + random.below(2);
  clients = 2 + random.below(4);
  vms_per_host = 2 + static_cast<std::int64_t>(random.below(5));
  if (random.below(2) == 0) lost_per_mille = 40;
  if (random.below(3) == 0) store_faults = {.refused_per_mille = 15, .unknown_per_mille = replicas > 1 ? 15u : 0u};
  store_goes_away = random.below(3) == 0;
}

// A control plane.
struct Process {
  Process(base::ManualExecutor& world, Network& net, Database& database, std::uint64_t seed, const Settings& settings,
          std::function<bool()> leads)
      : executor(world),
        network(net, executor),
        providers(net, network),
        random(seed),
        store({.database = database,
               .executor = executor,
               .random = random,
               .faults = settings.store_faults,
               .shared = settings.replicas > 1,
               .is_leader = std::move(leads)}),
        logger(executor.clock(), base::LogLevel::error, {}) {}

  ProcessExecutor executor;
  ProcessNetwork network;
  ProcessProviders providers;
  base::SeededRandom random;
  ProcessStore store;
  base::Logger logger;
  EngineMeters meters;
  std::unique_ptr<Vault> vault;
  std::unique_ptr<Engine> engine;  // null until it has started
  std::string replica_id;
  bool starting = true, dead = false;
  int steps_to_live = 0;  // killed at that durable step; 0 = no such plan
};

class World {
 public:
  explicit World(Settings settings);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void run();
  const std::vector<std::string>& violations() const noexcept { return violations_; }
  const Trace& trace() const noexcept { return trace_; }
  std::size_t kills() const noexcept { return kills_; }
  std::size_t calls() const noexcept { return calls_; }

 private:
  enum class Presence : std::uint8_t { absent, present, going, unknown };
  struct Client {
    int number = 0;
    std::map<std::string, Presence> tasks;           // task ids of its own
    std::map<std::string, Presence> snapshots;       // by id
    std::map<std::string, std::string> snapshot_of;  // task id by snapshot id
    int forks = 0;
    bool done = false;
  };
  // A migration whose end nobody was told: afterwards its environment is in one place.
  struct Move {
    std::string task;
    bool was_there = false;
  };
  // An answer, and whether it can be taken at its word.
  struct Answer {
    base::Result<Outcome> result;
    bool known = false;
  };

  // control planes
  void start(std::size_t slot);
  base::Task<void> start_engine(std::shared_ptr<Process> process, std::size_t slot);
  void cut_off(Process& process);
  void kill(std::size_t slot, std::string_view why);
  void bury(Process& process);
  void bury_dead();
  std::shared_ptr<Process> any_process();
  base::Task<std::shared_ptr<Process>> wait_for_process();

  // what happens
  base::Task<void> client(Client& me);
  base::Task<void> one_call(Client& me);
  base::Task<void> create(Client& me, std::string task);
  base::Task<void> destroy(Client& me, std::string task);
  base::Task<void> fork(Client& me, std::string task);
  base::Task<void> snapshot(Client& me, std::string task);
  base::Task<void> restore(Client& me);
  base::Task<void> fork_snapshot(Client& me);
  base::Task<void> delete_snapshot(Client& me);
  base::Task<void> drain(Client& me, std::string task);
  base::Task<void> migrate(Client& me, std::string task);
  base::Task<void> change_secrets(Client& me, std::string task);
  base::Task<void> register_host(std::string id);
  base::Task<void> drain_host(std::string id, bool evict);
  base::Task<void> open_host(std::string id);
  base::Task<void> trouble();
  void one_trouble();
  void came_to_be(Client& me, const std::string& task, const Answer& answer, std::string_view verb);

  // judgement
  void watch_host(Host& host, std::string_view verb, const std::string& vm,
                  const std::optional<host::VmRecord>& before);
  void let_it_settle();
  bool settled();
  void judge();
  void violation(std::string text) {
    trace_.add("VIOLATION: " + text);
    violations_.push_back(std::move(text));
  }

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  base::Nanos millis(std::uint64_t least, std::uint64_t most) {
    return std::chrono::milliseconds{least + below(most - least + 1)};
  }
  std::string vm_of(const std::string& task) const { return "fuse-" + task; }
  bool doubtful(const std::string& vm_id) const { return doubtful_.contains(vm_id); }
  CreateRequest create_request(const std::string& task) const;
  std::vector<EnvironmentRow> all_rows();
  bool step_until(const std::function<bool()>& done, base::Nanos limit);
  Answer weigh(const Process& process, base::Result<Outcome> result, const std::string& call);
  Answer weigh(const Process& process, base::Result<void> result, const std::string& call);
  std::string some(const std::map<std::string, Presence>& among, Presence wanted);

  Settings settings_;
  base::ManualClock clock_;
  base::ManualExecutor executor_{clock_};
  Trace trace_{clock_, 20'000};
  base::SeededRandom random_, network_random_;
  Network network_;
  std::unique_ptr<Database> database_;
  std::vector<std::shared_ptr<Process>> processes_;  // by slot; null while none runs there
  std::vector<std::shared_ptr<Process>> graveyard_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::set<std::string> doubtful_;  // vm ids that a host's eviction may have taken
  std::vector<Move> moves_;
  std::size_t leader_ = 0;
  std::uint64_t processes_started_ = 0;
  std::size_t kills_ = 0, calls_ = 0;
  bool calm_ = false;  // no more trouble
  std::size_t hosts_known_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace fusebox::fleet::simulation
