#include "vfs/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <optional>

#include "base/bytes.h"
#include "base/freed.h"
#include "base/text.h"
#include "vfs/net/limits.h"
#include "vfs/net/resolution.h"
#include "vfs/net/tls_bio.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, base::Freed<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL, base::Freed<SSL_free>>;

// What OpenSSL last complained about, and an empty queue: it is per thread and shared.
std::string last_complaint() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return text;
}

base::Result<void> refuse(std::string_view what, const std::string& file) {
  return base::fail(base::Errc::invalid,
                    "TLS " + std::string(what) + " " + base::in_quotes(file) + ": " + last_complaint());
}

base::Result<void> load(SSL_CTX* context, const TlsOptions& options) {
  if (!options.ca.empty() && SSL_CTX_load_verify_file(context, options.ca.c_str()) != 1) {
    return refuse("trust anchors", options.ca);
  }
  if (!options.certificate.empty() && SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1) {
    return refuse("certificate", options.certificate);
  }
  if (!options.key.empty() && SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse("key", options.key);
  }
  if (options.certificate.empty() != options.key.empty()) {
    return base::fail(base::Errc::invalid, "TLS certificate and key: one is given without the other");
  }
  if (!options.key.empty() && SSL_CTX_check_private_key(context) != 1) return refuse("key", options.key);
  return {};
}

class TlsLink final : public Link {
 public:
  TlsLink(base::Fd fd, SessionPtr session, bool datagrams, std::function<void(std::string_view)> report)
      : fd_(std::move(fd)), session_(std::move(session)), datagrams_(datagrams), report_(std::move(report)) {}
  // One close_notify, if it can go out now: nobody waits for a link that is dropped.
  ~TlsLink() override {
    if (SSL_is_init_finished(session_.get()) != 1 || broken_) return;
    (void)flush();
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
  }

  Io<void> handshake(Call& call) override {
    ERR_clear_error();
    if (datagrams_) DTLSv1_handle_timeout(session_.get());
    const int result = SSL_do_handshake(session_.get());
    if (result == 1) return {};
    const int error = SSL_get_error(session_.get(), result);
    if (waits_for(call, error)) {
      timeval left{};
      if (datagrams_ && DTLSv1_get_timeout(session_.get(), &left) == 1) {
        call.waits.until(call.clock.monotonic() + std::chrono::seconds(left.tv_sec) +
                         std::chrono::microseconds(left.tv_usec));
      }
      return fail(Errno::would_block);
    }
    broken_ = true;
    const long verified = SSL_get_verify_result(session_.get());
    const std::string why = verified != X509_V_OK ? X509_verify_cert_error_string(verified) : last_complaint();
    ERR_clear_error();
    if (report_) report_("TLS handshake failed: " + why);
    return fail(Errno::connrefused);
  }

  Io<Received> read(Call& call, ReadBuffers to, bool peek) override {
    if (broken_) return fail(Errno::connreset);
    if (read_shut_) return Received{};
    if (!flush()) call.waits.host_ready(fd_.get(), POLLOUT);
    if (datagrams_ && to.size() > 1) return read_scattered(call, to, peek);
    const std::span<std::byte> into = first_of(to);
    std::size_t n = 0;
    ERR_clear_error();
    const int result = peek ? SSL_peek_ex(session_.get(), into.data(), into.size(), &n)
                            : SSL_read_ex(session_.get(), into.data(), into.size(), &n);
    if (result != 1) return reading_failed(call, result);
    Received received{.bytes = n};
    if (datagrams_) received.truncated = peek ? SSL_pending(session_.get()) > static_cast<int>(n) : drop_rest();
    return received;
  }

  Io<std::size_t> write(Call& call, WriteBuffers from) override {
    if (broken_ || write_shut_) return fail(Errno::pipe);
    const std::size_t size = size_of(from);
    if (datagrams_ && size > kRecordBytesMax) return fail(Errno::msgsize);
    const auto flushed = flush();
    if (!flushed) {
      if (flushed.error() == Errno::would_block) call.waits.host_ready(fd_.get(), POLLOUT);
      return fail(flushed.error());
    }
    std::string record = gather(from, kRecordBytesMax);
    const std::size_t n = record.size();
    const auto sent = send(record);
    if (sent) return n;
    if (sent.error() != Errno::would_block) return fail(sent.error());
    if (datagrams_) {  // a datagram goes whole or not at all; the host's queue is full
      call.waits.host_ready(fd_.get(), POLLOUT);
      return fail(Errno::would_block);
    }
    // The record is encrypted and perhaps half sent: it is taken, and goes on with the next operations.
    unsent_ = std::move(record);
    return n;
  }

  Readiness poll(Call& call, bool for_writing) override {
    if (broken_ || (for_writing ? write_shut_ : read_shut_)) return {.ready = true, .hangup = true};
    const auto flushed = flush();
    const bool unsent = !flushed && flushed.error() == Errno::would_block;
    if (unsent) call.waits.host_ready(fd_.get(), POLLOUT);
    if (for_writing) return {.ready = !unsent && host_ready(call, fd_.get(), POLLOUT)};
    // What the host has may be no data at all: only OpenSSL knows.
    char byte = 0;
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_peek_ex(session_.get(), &byte, 1, &n);
    if (result == 1) return {.ready = true, .bytes = static_cast<std::uint64_t>(SSL_pending(session_.get()))};
    if (waits_for(call, SSL_get_error(session_.get(), result))) return {};
    ERR_clear_error();
    return {.ready = true, .hangup = true};
  }

  Io<void> shutdown(bool reading, bool writing) override {
    if (reading) read_shut_ = true;
    if (writing && !write_shut_ && !broken_) {
      (void)flush();
      ERR_clear_error();
      SSL_shutdown(session_.get());  // close_notify; the peer's is not waited for
      ERR_clear_error();
      write_shut_ = true;
    }
    return {};
  }

 private:
  bool waits_for(Call& call, int error) {
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    call.waits.host_ready(fd_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
    return true;
  }

  Io<Received> reading_failed(Call& call, int result) {
    const int error = SSL_get_error(session_.get(), result);
    if (waits_for(call, error)) return fail(Errno::would_block);
    if (error == SSL_ERROR_ZERO_RETURN) return Received{};
    broken_ = true;
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    // A connection that ends without close_notify may have been cut by somebody in between.
    const bool cut = error == SSL_ERROR_SYSCALL || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    return fail(cut ? Errno::connreset : Errno::io);
  }

  // A record that was read in part: datagrams lose their excess.
  bool drop_rest() {
    bool dropped = false;
    char rest[1024];
    std::size_t n = 0;
    while (SSL_pending(session_.get()) > 0 && SSL_read_ex(session_.get(), rest, sizeof(rest), &n) == 1) dropped = true;
    return dropped;
  }

  Io<Received> read_scattered(Call& call, ReadBuffers to, bool peek) {
    std::string whole(std::min(size_of(to), kRecordBytesMax), '\0');
    const std::span<std::byte> one[] = {std::as_writable_bytes(std::span(whole))};
    auto received = read(call, one, peek);
    if (received) scatter(base::as_bytes(whole).first(received->bytes), to);
    return received;
  }

  Io<void> flush() {
    if (unsent_.empty()) return {};
    const auto sent = send(unsent_);
    if (!sent) return sent;
    unsent_.clear();
    return {};
  }
  Io<void> send(const std::string& record) {
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(session_.get(), record.data(), record.size(), &n);
    if (result == 1) return {};
    const int error = SSL_get_error(session_.get(), result);
    ERR_clear_error();
    // WANT_READ comes with renegotiation, which is off.
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return fail(Errno::would_block);
    broken_ = true;
    return fail(Errno::pipe);
  }

  base::Fd fd_;
  SessionPtr session_;
  const bool datagrams_;
  std::function<void(std::string_view)> report_;
  std::string unsent_;  // the plain text of a record that the host has not taken whole
  bool broken_ = false;
  bool read_shut_ = false;
  bool write_shut_ = false;
};

}  // namespace

struct TlsContext::Impl {
  ContextPtr context;
  Role role = Role::client;
  bool verify = true;
  std::string server_name;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

base::Result<std::shared_ptr<TlsContext>> TlsContext::create(const TlsOptions& options, Role role) {
  const bool datagrams = role == Role::datagram_client;
  const SSL_METHOD* method = role == Role::server ? TLS_server_method()
                             : datagrams          ? DTLS_client_method()
                                                  : TLS_client_method();
  ContextPtr context(SSL_CTX_new(method));
  if (!context) return base::fail(base::Errc::exhausted, "TLS context: " + last_complaint());
  SSL_CTX_set_min_proto_version(context.get(), datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (auto loaded = load(context.get(), options); !loaded) return std::unexpected(std::move(loaded.error()));
  if (role == Role::server) {
    if (options.certificate.empty()) {
      return base::fail(base::Errc::invalid, "a listening TLS socket needs a certificate and a key");
    }
    const bool clients = options.verify && !options.ca.empty();
    SSL_CTX_set_verify(context.get(), clients ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                       nullptr);
  } else {
    SSL_CTX_set_verify(context.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (options.verify && options.ca.empty()) SSL_CTX_set_default_verify_paths(context.get());
  }
  ERR_clear_error();
  auto impl = std::make_unique<Impl>(
      Impl{.context = std::move(context), .role = role, .verify = options.verify, .server_name = options.server_name});
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

std::unique_ptr<Link> TlsContext::make_link(base::Fd fd, const std::string& host,
                                            std::function<void(std::string_view)> report) {
  SessionPtr session(SSL_new(impl_->context.get()));
  const bool datagrams = impl_->role == Role::datagram_client;
  BIO* bio = !session ? nullptr : datagrams ? new_datagram_bio(fd.get()) : new_stream_bio(fd.get());
  if (bio == nullptr) return nullptr;
  SSL_set_bio(session.get(), bio, bio);
  if (impl_->role == Role::server) {
    SSL_set_accept_state(session.get());
  } else {
    const std::string& name = impl_->server_name.empty() ? host : impl_->server_name;
    if (literal_address(name, 0)) {  // addresses are not sent as names, but certificates may be for them
      if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), name.c_str()) != 1) return nullptr;
    } else {
      SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if (SSL_set1_host(session.get(), name.c_str()) != 1) return nullptr;
      if (SSL_set_tlsext_host_name(session.get(), name.c_str()) != 1) return nullptr;
    }
    SSL_set_connect_state(session.get());
  }
  return std::make_unique<TlsLink>(std::move(fd), std::move(session), datagrams, std::move(report));
}

}  // namespace fusebox::vfs
