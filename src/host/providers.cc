#include "host/providers.h"

#include "host/wire/remote_provider.h"

namespace fusebox::host {

HostProviders::HostProviders(http::Loop& loop, base::Random& random, http::Proxies proxies,
                             std::map<std::string, std::unique_ptr<Provider>, std::less<>> local)
    : loop_(loop), random_(random), proxies_(std::move(proxies)), local_(std::move(local)) {}

std::unique_ptr<Provider> HostProviders::remote(const Remote& remote) {
  RemoteOptions options;
  options.url = remote.url;
  options.token = remote.token;
  options.backend = remote.backend;
  options.tls = {remote.ca_pem, remote.fingerprint_sha256, remote.client_cert_pem, remote.client_key_pem};
  options.proxies = proxies_;
  auto made = RemoteProvider::create(loop_, random_, std::move(options));
  // Registration checks urls; one that cannot be used any more leaves its host without a provider.
  return made ? std::unique_ptr<Provider>(std::move(*made)) : nullptr;
}

Provider* HostProviders::local(std::string_view backend) {
  const auto found = local_.find(backend);
  return found == local_.end() ? nullptr : found->second.get();
}

bool HostProviders::is_agent(std::string_view backend) const {
  const auto found = local_.find(backend);
  return found != local_.end() && dynamic_cast<const RemoteProvider*>(found->second.get()) != nullptr;
}

std::vector<std::string> HostProviders::local_backends() const {
  std::vector<std::string> names;
  for (const auto& [name, provider] : local_) names.push_back(name);
  return names;
}

base::Task<base::Result<int>> HostProviders::guest_get(std::string url, std::string path, std::string token,
                                                       std::string fingerprint, std::chrono::nanoseconds limit) {
  http::AsyncClientOptions options;
  options.tls.fingerprint_sha256 = std::move(fingerprint);
  options.idle_max = 0;  // each guest has a certificate of its own: nothing to keep
  http::AsyncClient client(loop_, std::move(options));
  http::AsyncRequest request;
  request.url = "https://" + url + path;
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  request.limit = limit;
  request.body_bytes_max = 64u << 10;
  auto reply = co_await client.send(std::move(request));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return reply->status;
}

}  // namespace fusebox::host
