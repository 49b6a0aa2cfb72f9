// The providers of one control plane: those of this process, and a client of the host wire for each registered host.
//
// Owner    owns local providers and the client of guest agents; loop and random outlive it.
// Threads  the loop's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/random.h"
#include "host/api/provider_set.h"
#include "http/async/async_client.h"
#include "http/loop.h"

namespace fusebox::host {

class HostProviders final : public ProviderSet {
 public:
  // `local`: by backend.
  HostProviders(http::Loop& loop, base::Random& random, http::Proxies proxies,
                std::map<std::string, std::unique_ptr<Provider>, std::less<>> local);

  std::unique_ptr<Provider> remote(const Remote& remote) override;
  Provider* local(std::string_view backend) override;
  std::vector<std::string> local_backends() const override;
  bool is_agent(std::string_view backend) const override;
  base::Task<base::Result<int>> guest_get(std::string url, std::string path, std::string token, std::string fingerprint,
                                          std::chrono::nanoseconds limit) override;

 private:
  http::Loop& loop_;
  base::Random& random_;
  http::Proxies proxies_;
  std::map<std::string, std::unique_ptr<Provider>, std::less<>> local_;
};

}  // namespace fusebox::host
