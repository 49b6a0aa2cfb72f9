// The world of a simulation: its processes, and the trouble they get into.
#include <algorithm>

#include "base/fatal.h"
#include "fleet/engine/simulation/world_test_support.h"

namespace fusebox::fleet::simulation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Nanos kCallsEndWithin = hours{2};
constexpr base::Nanos kSettlesWithin =
    minutes{40};  // a snapshot that is looked for takes 10 minutes, a removal backs off for 5
constexpr base::Nanos kTicks = seconds{95};  // of the reconciler, after which nothing may have changed

Vault make_vault(base::Random& random) {
  auto vault = Vault::create(*VaultKey::from_hex(std::string(64, 'a')), {}, random);
  if (!vault) base::fatal(vault.error().message);
  return std::move(*vault);
}

}  // namespace

World::World(Settings settings)
    : settings_(std::move(settings)),
      random_(settings_.seed),
      network_random_(settings_.seed + 1),
      network_(executor_, network_random_, trace_) {}

World::~World() {
  for (const auto& process : processes_)
    if (process) bury(*process);
  for (const auto& process : graveyard_) bury(*process);
}

void World::run() {
  StoreOptions options;
  options.database_url = "memory:";
  options.replica_id = "simulation";
  options.clock = &clock_;
  auto opened = open_store(options);
  if (!opened) base::fatal(opened.error().message);
  database_ = std::make_unique<Database>(std::move(*opened));
  network_.done_on_host = [this](Host& host, std::string_view verb, const std::string& vm, const auto& before) {
    watch_host(host, verb, vm, before);
  };
  for (std::size_t i = 0; i < settings_.hosts; ++i)
    network_.add("h" + std::to_string(i), settings_.vms_per_host, settings_.backend);
  processes_.resize(settings_.replicas);
  for (std::size_t slot = 0; slot < settings_.replicas; ++slot) start(slot);
  for (const auto& host : network_.hosts()) base::spawn(executor_, register_host(host->id));
  if (!step_until([this] { return hosts_known_ == settings_.hosts; }, minutes{10}))
    return violation("hosts could not be registered");
  network_.faults.lost_per_mille = settings_.lost_per_mille;
  for (std::size_t i = 0; i < settings_.clients; ++i) {
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->number = static_cast<int>(i);
    base::spawn(executor_, client(*clients_.back()));
  }
  base::spawn(executor_, trouble());
  const auto all_done = [this] { return std::ranges::all_of(clients_, [](const auto& one) { return one->done; }); };
  if (!step_until(all_done, kCallsEndWithin)) violation("a call has no end");
  let_it_settle();
  judge();
}

bool World::step_until(const std::function<bool()>& done, base::Nanos limit) {
  return executor_.run_until(
      [&] {
        bury_dead();
        return done();
      },
      limit);
}

void World::start(std::size_t slot) {
  auto process = std::make_shared<Process>(executor_, network_, *database_, settings_.seed + 100 + processes_started_++,
                                           settings_, [this, slot] { return leader_ == slot; });
  process->replica_id = settings_.replicas == 1 ? "only" : "r" + std::to_string(slot);
  process->vault = std::make_unique<Vault>(make_vault(process->random));
  processes_[slot] = process;
  trace_.add(process->replica_id + " starts");
  base::spawn(process->executor, start_engine(process, slot));
}

base::Task<void> World::start_engine(std::shared_ptr<Process> process, std::size_t slot) {
  EngineOptions options;
  options.replica_id = process->replica_id;
  options.fleet_id = "fleet";
  options.host_poll = seconds{10};
  EngineParts parts{process->executor, process->store,  process->providers, *process->vault, process->executor.clock(),
                    process->random,   process->logger, process->meters,    options,         {}};
  Process* const raw = process.get();
  parts.on_step = [this, raw, slot](std::string_view step) {
    if (raw->dead) return;
    trace_.add(raw->replica_id + " made durable: " + std::string(step));
    if (raw->steps_to_live > 0 && --raw->steps_to_live == 0) kill(slot, step);
  };
  auto made = co_await make_engine(std::move(parts), settings_.replicas == 1);
  process->starting = false;
  if (made) {
    process->engine = std::move(*made);
    trace_.add(process->replica_id + " is up");
    co_return;
  }
  if (process->dead) co_return;
  trace_.add(process->replica_id + " did not start: " + made.error().message);
  cut_off(*process);
  graveyard_.push_back(process);
  processes_[slot].reset();
  executor_.post_at(clock_.monotonic() + seconds{1}, [this, slot] { start(slot); });
}

void World::cut_off(Process& process) {
  process.dead = true;
  process.executor.cut_off();
  process.store.cut_off();
  process.network.cut_off();
}

void World::kill(std::size_t slot, std::string_view why) {
  const std::shared_ptr<Process> process = processes_[slot];
  if (!process || process->starting) return;
  trace_.add(process->replica_id + " is killed: " + std::string(why));
  ++kills_;
  cut_off(*process);
  graveyard_.push_back(process);
  processes_[slot].reset();
  executor_.post_at(clock_.monotonic() + millis(100, 20'000), [this, slot] { start(slot); });
  if (settings_.replicas > 1 && leader_ == slot)
    executor_.post_at(clock_.monotonic() + millis(100, 4'000),
                      [this, slot] { leader_ = (slot + 1) % processes_.size(); });
}

void World::bury(Process& process) {
  if (!process.dead) cut_off(process);
  (void)process.executor.run_out([&] { return !process.starting; });
  if (!process.engine) return;
  bool closed = false;
  const base::Nanos began = process.executor.clock().monotonic();
  base::spawn(process.executor, process.engine->close(process.executor, hours{1}), [&closed] { closed = true; });
  (void)process.executor.run_out([&] { return closed; });
  if (!closed || process.executor.clock().monotonic() - began >= hours{1}) {
    violation("work of a control plane that was closed has no end");
    (void)process.engine.release();  // its tasks still refer to it
    return;
  }
  (void)process.executor.run_out([] { return false; });
  process.engine.reset();
}

void World::bury_dead() {
  for (const auto& process : std::exchange(graveyard_, {})) bury(*process);
}

std::shared_ptr<Process> World::any_process() {
  std::vector<std::shared_ptr<Process>> up;
  for (const auto& process : processes_)
    if (process && process->engine) up.push_back(process);
  return up.empty() ? nullptr : up[below(up.size())];
}

base::Task<std::shared_ptr<Process>> World::wait_for_process() {
  for (;;) {
    if (auto process = any_process()) co_return process;
    co_await base::sleep_for(executor_, std::chrono::milliseconds{200});
  }
}

base::Task<void> World::trouble() {
  while (!calm_) {
    co_await base::sleep_for(executor_, millis(500, 12'000));
    if (!calm_) one_trouble();
  }
}

void World::one_trouble() {
  Host& host = *network_.hosts()[below(settings_.hosts)];
  const std::size_t slot = below(settings_.replicas);
  const std::shared_ptr<Process> process = processes_[slot];
  const base::Nanos now = clock_.monotonic();
  switch (below(10)) {
    case 0:
      return kill(slot, "just so");
    case 1:
    case 2:
    case 3:
      if (process) process->steps_to_live = 1 + static_cast<int>(below(12));
      return;
    case 4:
      host.refuses_until = now + millis(1'000, 120'000);
      return trace_.add(host.id + " refuses connections for a while");
    case 5:
      host.drops_until = now + millis(1'000, 120'000);
      return trace_.add(host.id + " is hard to reach for a while");
    case 6:
      host.slow_until = now + millis(1'000, 60'000);
      return trace_.add(host.id + " is slow for a while");
    case 7:
      if (!settings_.store_goes_away) return;
      database_->away_until = now + millis(100, 70'000);
      return trace_.add("the database is away for a while");
    case 8:
      if (settings_.replicas < 2) return;
      if (below(2) == 0) {
        leader_ = below(settings_.replicas);
        return trace_.add("r" + std::to_string(leader_) + " leads");
      }
      if (process) process->executor.stand_still_until(now + millis(1'000, 70'000));
      return trace_.add("r" + std::to_string(slot) + " stands still for a while");
    default:
      if (below(2) == 0)
        base::spawn(executor_, drain_host(host.id, below(4) == 0));
      else
        base::spawn(executor_, open_host(host.id));
      return;
  }
}

void World::let_it_settle() {
  calm_ = true;
  network_.heal();
  settings_.store_faults = {};
  database_->away_until = base::Nanos{0};
  for (const auto& process : processes_) {
    if (!process) continue;
    process->executor.stand_still_until(base::Nanos{0});
    process->steps_to_live = 0;
  }
  trace_.add("calm from here on");
  const base::Nanos end = clock_.monotonic() + kSettlesWithin;
  const auto pass = [this](base::Nanos span) {
    for (base::Nanos over{0}; over < span; over += seconds{1}) {
      executor_.run_for(seconds{1});
      bury_dead();
    }
  };
  while (!settled() && clock_.monotonic() < end) pass(seconds{5});
  pass(kTicks);
  trace_.add("settled");
}

}  // namespace fusebox::fleet::simulation
