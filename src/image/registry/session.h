// A conversation with one repository of a registry: authorization, redirects, errors.
//
// Credentials go to the registry and to the token server it names, and never over plain http unless the registry itself
// is spoken to that way. A redirect to another host gets none.
//
// Owner    borrows client and resolver.
// Threads  one thread.
// Errors   `denied`: the registry wants other credentials; `not_found`; `unavailable`, `stopped`: trying again may help;
//          `invalid` "BAD_RESPONSE".
// Format   OCI distribution specification 1.1
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/client.h"
#include "image/registry/credentials.h"
#include "image/registry/remote_reference.h"

namespace fusebox::image::registry {

struct SessionOptions {
  std::optional<Credentials> credentials;
  http::StopCheck stop;
};

// One request below /v2/<repository>/, or to an address the registry sent.
struct Exchange {
  std::string method = "GET";
  std::string path;                    // "manifests/latest", or
  std::optional<http::Target> target;  // instead of it
  std::vector<http::Header> headers;
  base::ByteView body;
  bool large = false;  // a blob: it may take long as long as it moves
  std::uint64_t answer_bytes_max = 64u << 10;
  http::BodySink sink;
  std::function<void(std::uint64_t sent)> sent;  // told how much of the body is out
};

class Session {
 public:
  Session(http::Client& client, http::Resolver& resolver, RemoteReference remote, bool push, SessionOptions options);
  // Any answer, also one that says no.
  base::Result<http::Response> send(const Exchange& exchange);
  // The answer has one of these statuses, or is turned into an error that says what was being done.
  base::Result<http::Response> expect(std::initializer_list<int> statuses, std::string_view step,
                                      const Exchange& exchange);
  // The error for an answer that says no.
  static std::unexpected<base::Error> refusal(std::string_view step, const http::Response& response);
  const RemoteReference& remote() const noexcept { return remote_; }
  http::Target target_of(std::string_view path) const;

 private:
  base::Result<http::Response> send_once(const Exchange& exchange, const http::Target& target, bool authorized);
  base::Result<http::Response> follow(const Exchange& exchange, http::Target target);
  base::Result<void> authorize(const http::Response& refused);
  base::Result<std::string> fetch_token(const Challenge& challenge);
  bool is_home(const http::Target& target) const noexcept;
  base::Result<std::vector<http::IpAddress>> addresses_of(const std::string& host);

  http::Client& client_;
  http::Resolver& resolver_;
  const RemoteReference remote_;
  const bool push_;
  const SessionOptions options_;
  std::string authorization_;  // "" before the registry asked
};

}  // namespace fusebox::image::registry
