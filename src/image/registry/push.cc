#include <algorithm>
#include <set>

#include "base/text.h"
#include "image/registry/limits.h"
#include "image/registry/transfer.h"
#include "image/registry/url.h"

namespace fusebox::image::registry {
namespace {

using base::Errc;
using oci::Blob;

// One blob on its way out.
class Upload {
 public:
  Upload(Session& session, const Blob& blob, const ProgressSink& progress)
      : session_(session), blob_(blob), progress_(progress) {}

  base::Result<void> run() {
    Exchange look;
    look.method = "HEAD";
    look.path = "blobs/" + name();
    FB_TRY(const http::Response there, session_.expect({200, 404}, "blob " + name(), look));
    if (there.status == 200) {
      tell(blob_.descriptor.size, true);
      return {};
    }
    FB_CHECK(begin());
    if (blob_.bytes.bytes.size() <= kChunkBytes) return finish(blob_.bytes.bytes);
    FB_CHECK(send_chunks());
    return finish({});
  }

 private:
  std::string name() const { return blob_.descriptor.digest.text(); }
  void tell(std::uint64_t done, bool there_already) const {
    if (progress_) progress_({blob_.descriptor.digest, done, blob_.descriptor.size, there_already});
  }

  base::Result<void> begin() {
    Exchange exchange;
    exchange.method = "POST";
    exchange.path = "blobs/uploads/";
    FB_TRY(const http::Response response, session_.expect({202}, "upload of blob " + name(), exchange));
    return move_to(response, session_.target_of("blobs/uploads/"));
  }

  // The place to go on at: each answer names the next one.
  base::Result<void> move_to(const http::Response& response, const http::Target& from) {
    const std::string* location = response.find("location");
    if (location == nullptr)
      return base::fail(Errc::invalid, "upload of blob " + name() + ": the registry names no place for it",
                        "BAD_RESPONSE");
    FB_TRY(place_, parse_url(*location, from));
    if (from.scheme == "https" && place_.scheme != "https")
      return base::fail(Errc::denied, "upload of blob " + name() + ": it would leave https for plain http");
    return {};
  }

  Exchange piece(std::string method, base::ByteView bytes, std::uint64_t at) const {
    Exchange exchange;
    exchange.method = std::move(method);
    exchange.target = place_;
    exchange.body = bytes;
    exchange.large = true;
    exchange.headers = {{"Content-Type", "application/octet-stream"}};
    exchange.sent = [this, at](std::uint64_t sent) { tell(at + sent, false); };
    return exchange;
  }

  base::Result<void> send_chunks() {
    const base::ByteView all = blob_.bytes.bytes;
    for (std::uint64_t at = 0; at < all.size();) {
      const std::uint64_t size = std::min<std::uint64_t>(kChunkBytes, all.size() - at);
      Exchange exchange = piece("PATCH", all.subspan(at, size), at);
      exchange.headers.push_back({"Content-Range", std::to_string(at) + "-" + std::to_string(at + size - 1)});
      FB_TRY(const http::Response response, session_.expect({202}, "upload of blob " + name(), exchange));
      FB_CHECK(move_to(response, place_));
      at += size;
    }
    return {};
  }

  base::Result<void> finish(base::ByteView rest) {
    Exchange exchange = piece("PUT", rest, blob_.descriptor.size - rest.size());
    exchange.target->path_and_query = with_parameter(place_.path_and_query, "digest", name());
    FB_CHECK(session_.expect({201}, "upload of blob " + name(), exchange));
    return {};
  }

  Session& session_;
  const Blob& blob_;
  const ProgressSink& progress_;
  http::Target place_;
};

}  // namespace

base::Result<oci::Digest> Registry::push(const oci::Package& package, const RemoteReference& to,
                                         const TransferOptions& options) {
  Session session(client_, resolver_, to, true, options.session);
  std::set<oci::Digest> done;
  for (const Blob& layer : package.layers)
    if (done.insert(layer.descriptor.digest).second) FB_CHECK(Upload(session, layer, options.progress).run());
  if (done.insert(package.config.descriptor.digest).second)
    FB_CHECK(Upload(session, package.config, options.progress).run());
  Exchange exchange;
  exchange.method = "PUT";
  exchange.path = "manifests/" + to.manifest();
  exchange.headers = {{"Content-Type", package.manifest.descriptor.media_type}};
  exchange.body = package.manifest.bytes.bytes;
  FB_CHECK(session.expect({200, 201, 202}, "manifest of " + to.text(), exchange));
  return package.manifest.descriptor.digest;
}

}  // namespace fusebox::image::registry
