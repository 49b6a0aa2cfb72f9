#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "base/units.h"
#include "image/oci/fields.h"
#include "image/registry/limits.h"
#include "image/registry/transfer.h"
#include "image/store/staging.h"

namespace fusebox::image::registry {
namespace {

using base::Errc;
using oci::Blob;
using oci::Descriptor;
using oci::Digest;
using oci::Package;

const std::string& accepted_types() {
  static const std::string types = std::string(oci::kOciIndex) + ", " + std::string(oci::kOciManifest) + ", " +
                                   std::string(oci::kDockerList) + ", " + std::string(oci::kDockerManifest);
  return types;
}

std::unexpected<base::Error> not_intact(const std::string& what) {
  return base::fail(Errc::corrupt, what, "INTEGRITY");
}

// "application/x; charset=utf-8" without what follows the type.
std::string media_type_of(const http::Response& response) {
  const std::string* type = response.find("content-type");
  if (type == nullptr) return {};
  std::string out = type->substr(0, type->find(';'));
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// A manifest as the registry sends it: its type is what the header says, or what it says of itself.
base::Result<Descriptor> fetch_manifest(Session& session, const std::string& name) {
  Exchange exchange;
  exchange.path = "manifests/" + name;
  exchange.headers = {{"Accept", accepted_types()}};
  exchange.answer_bytes_max = kDocumentBytesMax;
  FB_TRY(const http::Response response, session.expect({200}, session.remote().text(), exchange));
  const base::ByteView bytes = base::as_bytes(response.body);
  Descriptor out;
  out.media_type = media_type_of(response);
  if (oci::document_kind(out.media_type) == oci::DocumentKind::unknown) {
    FB_TRY(const auto document, oci::parse_document(response.body, "manifest " + name));
    const base::json::Node* type = document.root->find("mediaType");
    if (type != nullptr && type->is_string()) out.media_type = type->string();
  }
  out.digest = Digest::of(bytes);
  out.size = bytes.size();
  out.data = base::Bytes(bytes.begin(), bytes.end());
  const std::string* said = response.find("docker-content-digest");
  const auto promised = said == nullptr ? base::Result<Digest>(out.digest) : Digest::parse(*said);
  if (promised && !promised->matches(bytes))
    return not_intact(session.remote().text() + ": the manifest is not what its digest " + promised->text() + " says");
  return out;
}

// One blob on its way in: a file that keeps what has arrived, held by one process at a time.
class Download {
 public:
  Download(Session& session, const BlobStore& blobs, const Descriptor& blob, const ProgressSink& progress)
      : session_(session), blobs_(blobs), blob_(blob), progress_(progress) {}

  base::Result<void> run() {
    if (already_there()) return {};
    FB_CHECK(open());
    // Another process may have finished it while this one waited.
    if (already_there()) return {};
    FB_CHECK(fetch_all());
    return publish();
  }

 private:
  bool already_there() const {
    if (!blobs_.has(blob_.digest, blob_.size)) return false;
    const auto bytes = blobs_.map(blob_.digest);
    if (!bytes || !blob_.digest.matches(bytes->bytes)) return false;  // damaged: fetched again
    if (progress_) progress_({blob_.digest, blob_.size, blob_.size, true});
    return true;
  }

  base::Result<void> open() {
    const auto path = blobs_.partial_path(blob_.digest);
    while (true) {
      file_ = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      if (!file_) return base::fail(write_error("download " + path.string(), errno));
      while (::flock(file_.get(), LOCK_EX) != 0)
        if (errno != EINTR) return base::fail(base::errno_error("download " + path.string(), errno));
      struct stat info{};
      if (::fstat(file_.get(), &info) != 0) return base::fail(base::errno_error("download " + path.string(), errno));
      if (info.st_nlink == 0) continue;  // published by the one that held it before
      have_ = static_cast<std::uint64_t>(info.st_size);
      if (have_ > blob_.size) return restart();
      return {};
    }
  }

  base::Result<void> restart() {
    have_ = 0;
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0)
      return base::fail(write_error("download", errno));
    return {};
  }

  base::Result<void> take(std::string_view piece) {
    if (piece.size() > blob_.size - have_)
      return not_intact("blob " + blob_.digest.text() + " is longer than its descriptor says");
    while (!piece.empty()) {
      const ssize_t count = ::pwrite(file_.get(), piece.data(), piece.size(), static_cast<off_t>(have_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return base::fail(write_error("download", errno));
      piece.remove_prefix(static_cast<std::size_t>(count));
      have_ += static_cast<std::uint64_t>(count);
    }
    if (progress_) progress_({blob_.digest, have_, blob_.size, false});
    return {};
  }

  // A line that breaks is picked up where it broke; only attempts that gain nothing are counted.
  base::Result<void> fetch_all() {
    int fruitless = 0;
    while (have_ < blob_.size) {
      const std::uint64_t before = have_;
      const auto fetched = fetch();
      if (!fetched && fetched.error().code != Errc::unavailable && fetched.error().name != "TIMEOUT")
        return base::fail(fetched.error());
      fruitless = have_ > before ? 0 : fruitless + 1;
      if (fruitless < kAttemptsMax) continue;
      if (!fetched) return base::fail(fetched.error());
      return base::fail(Errc::unavailable, "blob " + blob_.digest.text() + ": the registry does not give all of it");
    }
    return {};
  }

  // What is missing, or all of it where the registry cannot give a part.
  base::Result<void> fetch() {
    Exchange exchange;
    exchange.path = "blobs/" + blob_.digest.text();
    exchange.large = true;
    const std::uint64_t from = have_;
    if (from > 0) exchange.headers = {{"Range", "bytes=" + std::to_string(from) + "-"}};
    exchange.answer_bytes_max = blob_.size;
    bool begun = false;
    exchange.sink = [&](const http::Response& head, std::string_view piece) -> base::Result<void> {
      if (!begun && from > 0 && !continues(head, from)) FB_CHECK(restart());
      begun = true;
      return take(piece);
    };
    FB_TRY(const http::Response response, session_.send(exchange));
    if (response.status == 416) return restart();
    if (response.status != 200 && response.status != 206)
      return Session::refusal("blob " + blob_.digest.text(), response);
    if (!begun) return base::fail(Errc::unavailable, "blob " + blob_.digest.text() + ": the registry sent nothing");
    return {};
  }

  static bool continues(const http::Response& head, std::uint64_t from) {
    const std::string* range = head.find("content-range");
    return head.status == 206 && range != nullptr && range->starts_with("bytes " + std::to_string(from) + "-");
  }

  base::Result<void> publish() {
    const auto path = blobs_.partial_path(blob_.digest);
    FB_TRY(const LayerBytes bytes, map_file(path));
    if (!blob_.digest.matches(bytes.bytes)) {
      ::unlink(path.c_str());
      return not_intact("blob " + blob_.digest.text() + " has other content than its digest says");
    }
    if (::fchmod(file_.get(), 0444) != 0 || ::fsync(file_.get()) != 0)
      return base::fail(write_error("download " + path.string(), errno));
    if (::rename(path.c_str(), blobs_.blob_path(blob_.digest).c_str()) != 0)
      return base::fail(write_error("download " + path.string(), errno));
    return {};
  }

  Session& session_;
  const BlobStore& blobs_;
  const Descriptor& blob_;
  const ProgressSink& progress_;
  base::Fd file_;
  std::uint64_t have_ = 0;
};

base::Result<oci::FileBytes> fetch_small(Session& session, const Descriptor& blob) {
  Exchange exchange;
  exchange.path = "blobs/" + blob.digest.text();
  exchange.answer_bytes_max = blob.size;
  FB_TRY(const http::Response response, session.expect({200}, "blob " + blob.digest.text(), exchange));
  const base::ByteView bytes = base::as_bytes(response.body);
  return oci::FileBytes{keep_bytes(base::Bytes(bytes.begin(), bytes.end())), std::nullopt};
}

}  // namespace

base::Result<Entry> Registry::pull(const RemoteReference& from, ImageStore& store, const Reference& name,
                                   const TransferOptions& options) {
  Session session(client_, resolver_, from, false, options.session);
  FB_TRY(const Descriptor start, fetch_manifest(session, from.manifest()));
  if (from.digest && !from.digest->matches(*start.data))
    return not_intact(from.text() + ": the manifest is not what its digest says");
  const oci::FetchBlob fetch_index = [&](const Descriptor& wanted) -> base::Result<oci::FileBytes> {
    FB_TRY(const Descriptor found, fetch_manifest(session, wanted.digest.text()));
    return oci::FileBytes{keep_bytes(*found.data), std::nullopt};
  };
  FB_TRY(Blob manifest, oci::find_manifest(start, options.platform, fetch_index));
  FB_TRY(Package package, oci::read_documents(std::move(manifest), store.limits(),
                                              [&](const Descriptor& wanted) { return fetch_small(session, wanted); }));
  // Held until the name stands, so that nothing that has arrived is swept up.
  FB_TRY(const base::Fd lock, store.blobs().lock(BlobStore::Lock::shared));
  for (const Descriptor& layer : package.document.layers) {
    FB_CHECK(Download(session, store.blobs(), layer, options.progress).run());
    FB_TRY(LayerBytes bytes, store.blobs().map(layer.digest));
    package.layers.push_back({layer, std::move(bytes)});
  }
  return store.add(package, name, options.warnings);
}

}  // namespace fusebox::image::registry
