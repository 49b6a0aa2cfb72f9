#include "fleet/engine/boot_create.h"

#include <algorithm>
#include <set>

#include "fleet/engine/boot_steps.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/intent.h"
#include "fleet/engine/placement.h"
#include "fleet/engine/seeds.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kCreateLimit{seconds{180}};
constexpr base::Nanos kQuickLimit{seconds{10}};
constexpr base::Nanos kDestroyLimit{seconds{60}};
constexpr std::size_t kHostsTried = 3;  // contract 5.2

// How a call went on the wire.
struct Sent {
  explicit Sent(const base::Error& error)
      : failure(host::wire_failure(error)), no_answer(failure != nullptr && failure->status == 0) {}
  const host::WireFailure* failure;
  bool no_answer;
  bool never_sent() const noexcept { return no_answer && !failure->sent; }
  bool perhaps_done() const noexcept { return no_answer && failure->sent; }
};

class HostCreate {
 public:
  HostCreate(Core& core, Boot& boot) noexcept : core_(core), boot_(boot) {}
  base::Task<base::Result<Place>> run();

 private:
  host::CreateSpec create_spec() const;
  base::Task<base::Result<host::VmRecord>> create_once(const Place& place);
  base::Task<base::Result<host::VmRecord>> settle_unknown(const Place& place);
  base::Task<base::Result<host::VmRecord>> create_here(const Place& place);
  std::unexpected<base::Error> refusal(const base::Error& error) const;
  base::Task<base::Result<void>> take_name(std::string name);
  base::Task<base::Result<void>> record_move(EnvironmentRow row);
  base::Task<base::Result<void>> move_to_another_host();

  Core& core_;
  Boot& boot_;
  std::set<std::string> tried_;
  bool unknown_ = false;       // the outcome of the last create
  bool may_be_there_ = false;  // then it is made nowhere else before this host has said what it has
};

host::CreateSpec HostCreate::create_spec() const {
  const EnvironmentRow& row = boot_.row;
  host::CreateSpec spec;
  spec.name = row.host_vm_name;
  spec.cpus = row.cpus;
  spec.memory_mb = row.ram_mb;
  spec.storage_gb = boot_.material.request.spec.storage_gb;  // 0: as large as the image, whatever was counted for it
  spec.region = row.region;
  spec.image = boot_.material.request.spec.image;
  if (boot_.seed && boot_.fork_of.empty()) spec.seed_snapshot = boot_.seed->snapshot_id;
  spec.gpus = row.gpus;
  spec.gpu_kind = row.gpu_kind;
  spec.gpu_profile = row.gpu_profile;
  spec.gpu_uuids = row.gpu_uuids;
  spec.mig_instance_uuids = row.mig_instance_uuids;
  spec.fleet_id = core_.parts.options.fleet_id;
  spec.egress = boot_.material.request.spec.egress;
  spec.huge_pages = boot_.material.request.spec.huge_pages;
  return spec;
}

base::Task<base::Result<host::VmRecord>> HostCreate::create_once(const Place& place) {
  const EnvironmentRow& row = boot_.row;
  base::Result<host::VmRecord> made;
  if (boot_.fork_of.empty()) {
    made = co_await place.provider->create(core_.context(row, &boot_.op, kCreateLimit), create_spec());
  } else {
    host::ForkSpec spec{.name = row.host_vm_name,
                        .snapshot_id = boot_.seed ? boot_.seed->snapshot_id : std::string(),
                        .cpus = row.cpus,
                        .memory_mb = row.ram_mb,
                        .storage_gb = boot_.material.request.spec.storage_gb,
                        .region = row.region};
    made = co_await place.provider->fork(core_.context(row, &boot_.op, kCreateLimit), boot_.fork_of, std::move(spec));
  }
  core_.heard(place, made);
  co_return made;
}

// Contract 14.2: the outcome of an earlier create is not known, or its name is taken by what our own intent may have made.
base::Task<base::Result<host::VmRecord>> HostCreate::settle_unknown(const Place& place) {
  const EnvironmentRow& row = boot_.row;
  auto there = co_await place.provider->get(core_.context(row, &boot_.op, kQuickLimit), row.host_vm_name);
  core_.heard(place, there);
  if (there) {
    if (place.has("generation") && there->generation == row.generation) co_return there;
    auto gone = co_await place.provider->destroy(core_.context(row, &boot_.op, kDestroyLimit), row.host_vm_name);
    core_.heard(place, gone);
    if (!gone && gone.error().code != base::Errc::not_found) co_return std::unexpected(std::move(gone.error()));
  } else if (there.error().code != base::Errc::not_found) {
    co_return there;
  }
  co_return co_await create_once(place);
}

// One at a time where the agent cannot do more; the wait does not count against the create's own time.
base::Task<base::Result<host::VmRecord>> HostCreate::create_here(const Place& place) {
  const Agent* const agent = place.remote();
  const std::shared_ptr<base::Places> turns = agent != nullptr ? agent->creates : nullptr;
  std::optional<base::Places::Place> turn;
  if (turns) turn.emplace(co_await turns->take());
  base::Result<host::VmRecord> made;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (unknown_)
      made = co_await settle_unknown(place);
    else
      made = co_await create_once(place);
    unknown_ = false;
    if (made || made.error().code == base::Errc::stale) break;
    const Sent sent(made.error());
    const bool taken = made.error().code == base::Errc::exists;
    if (!sent.no_answer && !taken) break;
    unknown_ = sent.perhaps_done() || taken;
    may_be_there_ = may_be_there_ || sent.perhaps_done();
  }
  co_return made;
}

std::unexpected<base::Error> HostCreate::refusal(const base::Error& error) const {
  const std::string text = redacted(boot_.material, error.message);
  if (error.code == base::Errc::invalid) return refuse(400, text, {{"vm_id", boot_.row.vm_id}});
  if (error.code == base::Errc::not_found && boot_.seed && boot_.op.kind == "fork")
    return refuse(404, "snapshot not found: " + boot_.seed->snapshot_id + " is not on its host");
  if (error.code == base::Errc::not_found && boot_.seed)
    return refuse(409, "seed " + boot_.seed->snapshot_id + " is not on the chosen host: " + text);
  if (error.code == base::Errc::unsupported) return refuse(501, text);
  if (Sent(error).no_answer) return refuse(503, "host did not answer: " + text);
  return refuse(500, text, {{"vm_id", boot_.row.vm_id}});
}

// A name of the host's own choice. One that another environment there has is a lie, and both would go with either.
base::Task<base::Result<void>> HostCreate::take_name(std::string name) {
  EnvironmentRow row = boot_.row;
  row.host_vm_name = name;
  std::string holder;
  auto taken = co_await core_.commit("host_named", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(const auto other, tx.environment_on_host(row.host_id, name));
    if (other && other->vm_id != row.vm_id) {
      holder = other->vm_id;
      return base::fail(base::Errc::exists, "the name is taken");
    }
    if (boot_.recorded) tx.update_environment(row, row.generation);
    return {};
  });
  if (!holder.empty())
    co_return refuse(500,
                     "host \"" + row.host_id + "\" answered with vm id " + name + ", which is that of vm " + holder +
                         "; nothing of that vm was touched",
                     {{"vm_id", row.vm_id}, {"host_id", row.host_id}});
  if (taken) boot_.row = std::move(row);
  co_return taken;
}

// The row and its share of the hosts in one transaction: a move that is not recorded has not happened.
base::Task<base::Result<void>> HostCreate::record_move(EnvironmentRow row) {
  FB_CO_TRY(const std::uint64_t first, co_await first_generation(core_, row.host_id, row.host_vm_name));
  row.generation = std::max(row.generation, first);
  row.updated_at = core_.wall();
  refresh_view(row);
  OperationRow op = boot_.op;
  op.host_id = row.host_id;
  op.step = boot_.seed ? "placed" : "host_create_sent";
  FB_CO_CHECK(co_await core_.commit(op.step, [&](Tx& tx) -> base::Result<void> {
    tx.release(host_share(boot_.row));
    FB_CHECK(take_room(tx, row));
    tx.update_environment(row, boot_.row.generation);
    tx.update_operation(op);
    tx.add_event(vm_event(row, "vm.scheduled", row.updated_at, request_json(op.request_id)));
    return {};
  }));
  core_.hosts.release(boot_.row.host_id, index_share(boot_.row));
  boot_.row = std::move(row);
  boot_.op = std::move(op);
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> HostCreate::move_to_another_host() {
  tried_.insert(boot_.row.host_id);
  if (boot_.op.kind == "migrate") {  // never back to where it comes from
    const auto source = co_await core_.environment(boot_.row.source_vm_id, {});
    if (source) tried_.insert(source->host_id);
  }
  const auto choice = choose_place(core_, boot_.demand, tried_);
  if (!choice)
    co_return refuse(503, "host \"" + boot_.row.host_id + "\" did not answer: " + choice.error().message,
                     {{"host_id", boot_.row.host_id}});
  EnvironmentRow row = boot_.row;
  row.host_id = choice->host_id;
  row.backend = choice->backend;
  row.gpu_uuids = choice->placed.gpu_uuids;
  row.mig_instance_uuids = choice->placed.mig_instance_uuids;
  auto moved = co_await record_move(row);
  if (!moved) {
    core_.hosts.release(row.host_id, index_share(row));
    co_return moved;
  }
  if (!boot_.seed) co_return moved;
  boot_.fork_of.clear();  // its source is not there
  FB_CO_CHECK(co_await bring_seed(core_, boot_.row, boot_.op, *boot_.seed));
  co_return co_await record_step(core_, boot_, "host_create_sent");
}

base::Task<base::Result<Place>> HostCreate::run() {
  unknown_ = may_be_there_ = done_before(boot_, "host_create_sent");
  for (;;) {
    FB_CO_TRY(Place place, core_.place_of(boot_.row));
    auto made = co_await create_here(place);
    if (made) {
      if (!made->vm_id.empty() && made->vm_id != boot_.row.host_vm_name) {
        FB_CO_CHECK(co_await take_name(made->vm_id));
      }
      boot_.row.url = made->url;
      boot_.row.boot_id = made->boot_id;
      co_return place;
    }
    if (made.error().code == base::Errc::stale) co_return std::unexpected(std::move(made.error()));
    if (!place.host || !Sent(made.error()).never_sent()) co_return refusal(made.error());
    if (may_be_there_ || tried_.size() + 1 >= kHostsTried || !boot_.demand.host_pin.empty())
      co_return refuse(
          503, "host \"" + boot_.row.host_id + "\" did not answer: " + redacted(boot_.material, made.error().message),
          {{"host_id", boot_.row.host_id}});
    FB_CO_CHECK(co_await move_to_another_host());
  }
}

}  // namespace

base::Task<base::Result<Place>> create_on_host(Core& core, Boot& boot) {
  HostCreate create(core, boot);
  co_return co_await create.run();
}

}  // namespace fusebox::fleet
