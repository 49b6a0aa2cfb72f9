// The clients of a simulation: each owns the names it asks for, so it knows what must have become of them.
#include <algorithm>

#include "base/fatal.h"
#include "fleet/engine/simulation/world_test_support.h"

namespace fusebox::fleet::simulation {
namespace {

using std::chrono::seconds;

std::string text_of(const std::string& json, std::string_view key) {
  const auto document = base::json::parse(json);
  const auto* found = document ? document->root->find(key) : nullptr;
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

bool taken(const base::Error& error) {
  return error.message.find("already assigned") != error.message.npos;
}

RequestInfo request(const std::string& route) {
  RequestInfo info;
  info.route = route;
  return info;
}

}  // namespace

CreateRequest World::create_request(const std::string& task) const {
  auto read = read_create(R"({"task_id":")" + task + R"(","spec":{"backend":")" + settings_.backend + R"("}})",
                          {[](std::string_view) { return true; }, 55});
  if (!read) base::fatal(read.error().message);
  return std::move(*read);
}

// An error can be taken at its word unless its process is gone or on its way out, or the database may have lost an answer.
World::Answer World::weigh(const Process& process, base::Result<Outcome> result, const std::string& call) {
  ++calls_;
  // The first outcome under an idempotency key is told again, also when it was a refusal.
  if (result && result->status >= 400) {
    const int status = result->status;
    result = refuse(status, "replayed: " + result->json);
  }
  Answer answer;
  answer.known = result.has_value();
  if (!result) {
    const int status = api_detail(result.error()).status;
    const bool from_store = settings_.store_goes_away || settings_.store_faults.refused_per_mille > 0;
    answer.known = !process.dead && (status < 500 || !from_store);
  }
  std::string words = result ? std::to_string(result->status) : result.error().message;
  if (!answer.known) words += " (or not)";
  trace_.add(call + " by " + process.replica_id + ": " + words);
  answer.result = std::move(result);
  return answer;
}

World::Answer World::weigh(const Process& process, base::Result<void> result, const std::string& call) {
  base::Result<Outcome> outcome = Outcome{};
  if (!result) outcome = std::unexpected(std::move(result.error()));
  return weigh(process, std::move(outcome), call);
}

std::string World::some(const std::map<std::string, Presence>& among, Presence wanted) {
  std::vector<std::string> found;
  for (const auto& [name, presence] : among)
    if (presence == wanted) found.push_back(name);
  return found.empty() ? std::string() : found[below(found.size())];
}

base::Task<void> World::register_host(std::string id) {
  HostRequest host;
  host.id = id;
  host.url = Network::url_of(id);
  host.token = "token-of-" + id;
  host.backend = settings_.backend;
  host.vm_count = settings_.vms_per_host;
  host.cpus = 64;
  host.ram_mb = 1 << 20;
  host.storage_gb = 1 << 20;
  for (;;) {
    const auto process = co_await wait_for_process();
    const RequestInfo info = request("POST /v1/hosts");
    auto added = co_await process->engine->register_host(executor_, info, host);
    if (weigh(*process, std::move(added), "register " + id).result) break;
    co_await base::sleep_for(executor_, seconds{1});
  }
  ++hosts_known_;
}

base::Task<void> World::drain_host(std::string id, bool evict) {
  const auto process = any_process();
  if (!process) co_return;
  const auto doubt = [this, &id] {
    for (const EnvironmentRow& row : all_rows())
      if (row.host_id == id) doubtful_.insert(row.vm_id);
  };
  if (evict) doubt();
  const RequestInfo info = request("POST /v1/hosts/" + id);
  auto drained = co_await process->engine->drain_host(executor_, info, id, evict, 20);
  if (evict) doubt();
  (void)weigh(*process, std::move(drained), (evict ? "evict " : "drain ") + id);
}

base::Task<void> World::open_host(std::string id) {
  const auto process = any_process();
  if (!process) co_return;
  const RequestInfo info = request("POST /v1/hosts/" + id);
  auto opened = co_await process->engine->cordon(executor_, info, id, false);
  (void)weigh(*process, std::move(opened), "uncordon " + id);
}

base::Task<void> World::client(Client& me) {
  for (int i = 0; i < 4; ++i)
    me.tasks.emplace("c" + std::to_string(me.number) + "-" + std::to_string(i), Presence::absent);
  for (std::size_t i = 0; i < settings_.calls_per_client; ++i) {
    co_await base::sleep_for(executor_, millis(0, 4'000));
    co_await one_call(me);
  }
  me.done = true;
}

base::Task<void> World::one_call(Client& me) {
  const std::string there = some(me.tasks, Presence::present);
  const std::uint64_t dice = below(100);
  if (there.empty() || dice < 25) {
    auto any = me.tasks.begin();
    std::advance(any, static_cast<std::ptrdiff_t>(below(me.tasks.size())));
    co_await create(me, any->first);
  } else if (dice < 42) {
    co_await destroy(me, there);
  } else if (dice < 54) {
    co_await fork(me, there);
  } else if (dice < 66) {
    co_await snapshot(me, there);
  } else if (dice < 73) {
    co_await restore(me);
  } else if (dice < 80) {
    co_await fork_snapshot(me);
  } else if (dice < 85) {
    co_await delete_snapshot(me);
  } else if (dice < 89) {
    co_await drain(me, there);
  } else if (dice < 95) {
    co_await migrate(me, there);
  } else {
    co_await change_secrets(me, there);
  }
}

// What the answer to a create or a fork says about its name.
void World::came_to_be(Client& me, const std::string& task, const Answer& answer, std::string_view verb) {
  Presence& presence = me.tasks[task];
  const bool doubt = doubtful(vm_of(task));
  if (answer.result) {
    if (presence == Presence::present && !answer.result->replayed && !doubt)
      violation(std::string(verb) + " of " + task + " was answered twice with success");
    presence = Presence::present;
    return;
  }
  if (!answer.known) {
    presence = Presence::unknown;
    return;
  }
  if (!taken(answer.result.error())) {
    if (presence == Presence::present && verb == "create" && !doubt)
      violation(task + " is there, but its create was refused with: " + answer.result.error().message);
    if (presence == Presence::absent) presence = Presence::going;  // what its host may have of it goes first
    return;
  }
  if (presence == Presence::absent && !doubt) violation(task + " was said to be there, but it was never made");
}

base::Task<void> World::create(Client& me, std::string task) {
  RequestInfo info = request("POST /v1/environments");
  info.respond_async = false;
  if (below(2) == 0) {
    info.idempotency_key = "key-" + std::to_string(calls_) + "-" + std::to_string(me.number);
    info.body_hash = base::Bytes(4, std::byte{1});
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto process = co_await wait_for_process();
    auto made = co_await process->engine->create(executor_, info, create_request(task));
    const Answer answer = weigh(*process, std::move(made), "create " + task);
    came_to_be(me, task, answer, "create");
    if (answer.known || info.idempotency_key.empty()) co_return;
    co_await base::sleep_for(executor_, seconds{2});
  }
}

base::Task<void> World::destroy(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("DELETE /v1/environments");
  auto gone = co_await process->engine->destroy(executor_, info, vm_of(task));
  const Answer answer = weigh(*process, std::move(gone), "destroy " + task);
  Presence& presence = me.tasks[task];
  if (answer.result) {
    presence = Presence::absent;
  } else if (!answer.known) {
    presence = Presence::unknown;
  } else if (api_detail(answer.result.error()).status == 404) {
    if (presence == Presence::present && !doubtful(vm_of(task))) violation(task + " was lost");
    presence = Presence::absent;
  } else {
    presence = Presence::going;
  }
}

base::Task<void> World::fork(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/environments/" + task);
  ForkRequest wanted;
  wanted.task_id = "c" + std::to_string(me.number) + "-f" + std::to_string(me.forks++);
  me.tasks[wanted.task_id] = Presence::absent;
  auto made = co_await process->engine->fork(executor_, info, vm_of(task), wanted);
  came_to_be(me, wanted.task_id, weigh(*process, std::move(made), "fork " + task + " as " + wanted.task_id), "fork");
}

base::Task<void> World::snapshot(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/environments/" + task);
  const SnapshotRequest wanted;
  auto made = co_await process->engine->snapshot(executor_, info, vm_of(task), wanted);
  const Answer answer = weigh(*process, std::move(made), "snapshot " + task);
  if (!answer.result) co_return;
  const std::string id = text_of(answer.result->json, "id");
  me.snapshots[id] = Presence::present;
  me.snapshot_of[id] = task;
}

base::Task<void> World::restore(Client& me) {
  const std::string id = some(me.snapshots, Presence::present);
  if (id.empty()) co_return;
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/snapshots/" + id);
  auto done = co_await process->engine->restore(executor_, info, id);
  (void)weigh(*process, std::move(done), "restore " + me.snapshot_of[id]);
}

base::Task<void> World::fork_snapshot(Client& me) {
  const std::string id = some(me.snapshots, Presence::present);
  if (id.empty()) co_return;
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/snapshots/" + id);
  ForkSnapshotRequest wanted;
  wanted.task_id = "c" + std::to_string(me.number) + "-f" + std::to_string(me.forks++);
  me.tasks[wanted.task_id] = Presence::absent;
  auto made = co_await process->engine->fork_snapshot(executor_, info, id, wanted);
  const std::string call = "fork snapshot of " + me.snapshot_of[id] + " as " + wanted.task_id;
  came_to_be(me, wanted.task_id, weigh(*process, std::move(made), call), "fork");
}

base::Task<void> World::delete_snapshot(Client& me) {
  const std::string id = some(me.snapshots, Presence::present);
  if (id.empty()) co_return;
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("DELETE /v1/snapshots/" + id);
  auto gone = co_await process->engine->delete_snapshot(executor_, info, id);
  const Answer answer = weigh(*process, std::move(gone), "delete snapshot of " + me.snapshot_of[id]);
  Presence& presence = me.snapshots[id];
  const int status = answer.result ? 200 : api_detail(answer.result.error()).status;
  if (answer.result) {
    presence = Presence::absent;
  } else if (!answer.known) {
    presence = Presence::unknown;
  } else if (status == 404) {
    violation("snapshot " + id + " was lost");
    presence = Presence::absent;
  } else if (status == 500) {
    presence = Presence::going;
  }
}

base::Task<void> World::drain(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/environments/" + task);
  auto done = co_await process->engine->drain(executor_, info, vm_of(task));
  (void)weigh(*process, std::move(done), "drain " + task);
  (void)me;
}

base::Task<void> World::migrate(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("POST /v1/environments/" + task);
  const MigrateRequest wanted;
  auto moved = co_await process->engine->migrate(executor_, info, vm_of(task), wanted);
  const Answer answer = weigh(*process, std::move(moved), "migrate " + task);
  if (answer.result) {
    me.tasks[task] = Presence::going;
    me.tasks[text_of(answer.result->json, "task_id")] = Presence::present;
  } else if (!answer.known) {
    moves_.push_back({task, me.tasks[task] == Presence::present && !doubtful(vm_of(task))});
    me.tasks.erase(task);  // whichever of the two is there is nobody's any more
  }
}

base::Task<void> World::change_secrets(Client& me, std::string task) {
  const auto process = co_await wait_for_process();
  const RequestInfo info = request("PUT /v1/environments/" + task);
  if (below(2) == 0) {
    auto done = co_await process->engine->rotate_token(executor_, info, vm_of(task));
    (void)weigh(*process, std::move(done), "rotate the token of " + task);
  } else {
    const std::map<std::string, std::string> none;
    auto done = co_await process->engine->put_secrets(executor_, info, vm_of(task), none, false);
    (void)weigh(*process, std::move(done), "put secrets of " + task);
  }
  (void)me;
}

}  // namespace fusebox::fleet::simulation
