#include "host/wasm_host.h"

#include <charconv>
#include <functional>
#include <stop_token>

#include "host/api/grant.h"
#include "host/wasm/wasm_provider.h"
#include "http/async/async_client.h"
#include "image/store/image_store.h"

namespace fusebox::host {
namespace {

constexpr std::uint32_t kContainersMax = 4096;  // processes at a time; the provider has a bound of its own below it
constexpr std::uint32_t kInstancesPooled = 256;

// Ends what takes longer than `limit`, and with the caller's own stop.
class IoLimit {
 public:
  IoLimit(http::Loop& loop, base::Nanos limit, std::stop_token caller)
      : loop_(loop), limit_(limit), caller_(std::move(caller), [this] { stop_.request_stop(); }) {}
  std::stop_token token() const noexcept { return stop_.get_token(); }
  http::Loop::TimerId begin() {
    return loop_.post_at(loop_.clock().monotonic() + limit_, [stop = stop_]() mutable { stop.request_stop(); });
  }
  void end(http::Loop::TimerId timer) { loop_.cancel(timer); }

 private:
  http::Loop& loop_;
  const base::Nanos limit_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> caller_;
};

class FetchedArtifact final : public FileReader {
 public:
  FetchedArtifact(std::unique_ptr<http::AsyncClient> client, std::unique_ptr<IoLimit> limit,
                  std::unique_ptr<http::ReplyStream> stream)
      : client_(std::move(client)), limit_(std::move(limit)), stream_(std::move(stream)) {
    std::uint64_t size = 0;
    const std::string* text = stream_->head().find("content-length");
    if (text == nullptr) return;
    const char* const end = text->data() + text->size();
    if (const auto [at, error] = std::from_chars(text->data(), end, size); error == std::errc() && at == end)
      size_ = size;
  }
  std::uint32_t mode() const noexcept override { return 0600; }
  std::optional<std::uint64_t> size() const noexcept override { return size_; }
  base::Task<base::Result<std::size_t>> read_some(std::span<char> into) override {
    const auto timer = limit_->begin();
    auto got = co_await stream_->read_some(into);
    limit_->end(timer);
    co_return got;
  }

 private:
  std::unique_ptr<http::AsyncClient> client_;
  std::unique_ptr<IoLimit> limit_;
  std::unique_ptr<http::ReplyStream> stream_;
  std::optional<std::uint64_t> size_;
};

// From the peer the control plane named, with the grant it signed; never with a token (host-agent.md 9.2).
base::Task<base::Result<std::unique_ptr<FileReader>>> fetch(http::Loop& loop, base::Nanos io_limit, CallContext context,
                                                            PullSpec spec) {
  http::AsyncClientOptions options;
  options.idle_max = 0;
  auto client = std::make_unique<http::AsyncClient>(loop, std::move(options));
  auto limit = std::make_unique<IoLimit>(loop, io_limit, context.stop);
  http::AsyncRequest request;
  request.url = spec.peer_url + "/v1/artifacts/" + spec.digest;
  http::Header grant;
  grant.name = kGrantHeader;
  grant.value = spec.grant;
  request.headers.push_back(std::move(grant));
  request.limit = context.limit;
  request.stop = limit->token();
  request.body_bytes_max = UINT64_MAX;  // the provider counts what it takes
  const auto timer = limit->begin();
  auto stream = co_await client->open(std::move(request));
  limit->end(timer);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  const int status = (*stream)->head().status;
  if (status != 200)
    co_return base::fail(base::Errc::unavailable, "the peer answered " + std::to_string(status) + " for the artifact");
  co_return std::make_unique<FetchedArtifact>(std::move(client), std::move(limit), std::move(*stream));
}

}  // namespace

base::Result<std::unique_ptr<Provider>> make_wasm_host(http::Loop& loop, const base::Clock& clock, base::Random& random,
                                                       WasmHostOptions options) {
  image::ImageStoreOptions images;
  images.root = options.image_dir;
  FB_TRY(std::shared_ptr<image::Library> library, image::ImageStore::create(std::move(images)));
  container::ContainersOptions engine;
  engine.profile = *container::find_profile("big");
  engine.profile.max_wapps = kContainersMax;
  engine.profile.name_bytes = image::kStoreNameBytesMax;
  engine.library = std::move(library);
  engine.data_dir = options.state_dir / "volumes";
  engine.code_cache = std::move(options.code_cache);
  engine.clock = &clock;
  engine.random = &random;
  engine.version = options.version;
  engine.instances_pooled = kInstancesPooled;
  FB_TRY(std::shared_ptr<container::Containers> containers, container::Containers::create(std::move(engine)));
  WasmOptions wasm;
  wasm.containers = containers.get();
  wasm.keep = std::move(containers);
  wasm.executor = &loop;
  wasm.random = &random;
  wasm.state_dir = options.state_dir;
  wasm.image_limits.name_bytes_max = image::kStoreNameBytesMax;
  wasm.capacity.cpus = options.cpus;
  wasm.capacity.ram_mb = options.ram_mb;
  wasm.capacity.storage_gb = options.storage_gb;
  wasm.artifact_bytes_max = options.artifact_bytes_max;
  wasm.artifact_dir = options.artifact_dir;
  wasm.fetch_artifact = [&loop, io_limit = options.artifact_io_limit](CallContext context, PullSpec spec) {
    return fetch(loop, io_limit, std::move(context), std::move(spec));
  };
  FB_TRY(std::unique_ptr<WasmProvider> provider, WasmProvider::create(std::move(wasm)));
  return std::unique_ptr<Provider>(std::move(provider));
}

}  // namespace fusebox::host
