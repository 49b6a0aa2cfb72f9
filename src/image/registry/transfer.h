// Pull and push: images between a registry and the store, every digest verified.
//
// A pull that breaks off leaves what it has; the next one goes on from there.
//
// Owner    borrows client, resolver and store.
// Threads  one thread per call; any number of processes may pull into one store.
// Errors   those of session.h, of oci/package.h, and of ImageStore; `corrupt` "INTEGRITY" for content that is not what
//          its digest says.
// Contract containers.md 18.1; OCI distribution specification 1.1
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "image/registry/session.h"
#include "image/store/image_store.h"

namespace fusebox::image::registry {

// How far one blob is.
struct Progress {
  oci::Digest digest;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  bool there_already = false;  // nothing had to move
};
using ProgressSink = std::function<void(const Progress&)>;

struct TransferOptions {
  SessionOptions session;
  std::string platform;  // pull: which image of an index
  ProgressSink progress;
  std::vector<std::string>* warnings = nullptr;
};

class Registry {
 public:
  Registry(http::Client& client, http::Resolver& resolver) noexcept : client_(client), resolver_(resolver) {}
  // Stores the image under `name`.
  base::Result<Entry> pull(const RemoteReference& from, ImageStore& store, const Reference& name,
                           const TransferOptions& options);
  base::Result<oci::Digest> push(const oci::Package& package, const RemoteReference& to,
                                 const TransferOptions& options);

 private:
  http::Client& client_;
  http::Resolver& resolver_;
};

}  // namespace fusebox::image::registry
