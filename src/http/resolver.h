// The seam for name resolution: names to addresses, within a time.
//
// Threads  any thread.
// Errors   `not_found`: the name has no address. `unavailable`: the name servers did not answer. `stopped` with the
// name
//          "TIMEOUT" or "CANCELLED". `exhausted`: kLookupsMax lookups are under way. Messages hold no address.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/address.h"

namespace fusebox::http {

// Asked now and then while something is waited for; true ends the wait.
using StopCheck = std::function<bool()>;

class Resolver {
 public:
  virtual ~Resolver() = default;
  // All addresses of the name, in the order they should be tried, never none.
  virtual base::Result<std::vector<IpAddress>> resolve(const std::string& name, base::Nanos time_limit,
                                                       const StopCheck& stop) = 0;
};

// getaddrinfo(3). It cannot be interrupted, so each lookup runs in a thread of its own that only shares the lookup's
// state; one that takes too long is left behind, and ends when the system's own limit ends it.
class SystemResolver final : public Resolver {
 public:
  explicit SystemResolver(const base::Clock& clock);
  base::Result<std::vector<IpAddress>> resolve(const std::string& name, base::Nanos time_limit,
                                               const StopCheck& stop) override;

 private:
  struct Shared;
  const base::Clock& clock_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace fusebox::http
