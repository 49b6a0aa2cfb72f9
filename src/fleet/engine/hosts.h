// The hosts as the engine works with them: how each is reached, what it can do, what is free on it.
//
// Rows are the truth; this is what is derived from them. Free room is counted from the moment a placement is decided, so
// that two decisions never take the same room; the store's guard has the last word where several replicas place.
//
// Owner    owns a Provider per host. A Provider that is replaced stays until its calls have ended (shared).
// Threads  the engine's executor; reachable(), known(): any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/wait.h"
#include "fleet/engine/options.h"
#include "fleet/engine/probed.h"
#include "fleet/schedule/host_index.h"
#include "fleet/store/store.h"
#include "host/api/provider.h"

namespace fusebox::fleet {

// An agent by what it says it can do.
struct Agent {
  std::set<std::string, std::less<>> features;
  std::shared_ptr<base::Places> creates;  // how many it takes at a time; who waits for a turn keeps it

  void learn(base::Executor& executor, const std::vector<std::string>& told);
};

struct ManagedHost : Agent {
  HostRow row;
  std::shared_ptr<host::Provider> provider;  // null: its token cannot be decrypted
  Probed probed;                             // of the row
  std::int32_t refusals_in_row = 0;          // refused connections
  base::Nanos contact{0};                    // monotonic, of the last successful answer
  base::Nanos contact_written{0};            // wall, what the row has
};

// Decrypts a row's token and makes its provider; an error's message is what `last_error` shows.
using ProviderMaker = std::function<base::Result<std::shared_ptr<host::Provider>>(const HostRow& row)>;

class HostDirectory {
 public:
  HostDirectory(base::Executor& executor, schedule::PlacementPolicy policy, ProviderMaker maker);

  // A row that is new or has changed. `devices`: what of its GPUs is taken.
  void upsert(HostRow row, const Reader::BoundDevices& devices);
  void remove(std::string_view host_id);
  std::shared_ptr<ManagedHost> find(std::string_view host_id) const;
  std::vector<std::shared_ptr<ManagedHost>> all() const;
  bool empty() const noexcept { return hosts_.empty(); }
  bool serves(std::string_view backend) const;  // some host has it
  bool serves_vms() const;                      // some host has firecracker or qemu

  const schedule::HostIndex& index() const noexcept { return index_; }
  // What a placement that was decided takes, and gives back. An unknown host: nothing.
  void reserve(std::string_view host_id, const schedule::Reservation& taken) { account(host_id, taken, 1); }
  void release(std::string_view host_id, const schedule::Reservation& taken) { account(host_id, taken, -1); }
  // After a change of `host.row`, features or `probed` that is not an upsert.
  void changed(const ManagedHost& host);
  void set_features(ManagedHost& host, const std::vector<std::string>& told);

  // Any successful answer of a host. Whether its state changed; `now` monotonic.
  bool contact(ManagedHost& host, base::Nanos now, base::Nanos wall);
  // A call failed: three refused connections in a row make it unreachable at once.
  bool refused(ManagedHost& host, base::Nanos wall);
  // What its age makes of it.
  bool age(ManagedHost& host, base::Nanos now, base::Nanos wall, base::Nanos suspect, base::Nanos unreachable);

  bool reachable(std::string_view host_id) const noexcept;
  bool known(std::string_view host_id) const noexcept;

 private:
  bool set_reach(ManagedHost& host, Reachability state, base::Nanos wall);
  schedule::HostView view_of(const ManagedHost& host) const;
  void account(std::string_view host_id, const schedule::Reservation& taken, int by);

  base::Executor& executor_;
  ProviderMaker maker_;
  schedule::HostIndex index_;
  std::map<std::string, std::shared_ptr<ManagedHost>, std::less<>> hosts_;
  std::map<std::string, schedule::HostReserved, std::less<>> devices_;  // the device part of what is reserved
  std::atomic<std::size_t> unreachable_count_{0};                       // so that the common question takes no lock
  mutable std::mutex ids_mutex_;
  std::set<std::string, std::less<>> known_;        // guarded by ids_mutex_
  std::set<std::string, std::less<>> unreachable_;  // the same
};

}  // namespace fusebox::fleet
