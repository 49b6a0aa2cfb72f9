#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "http/address.h"
#include "http/tls_bio.h"
#include "http/tls_context.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;
using BioPtr = std::unique_ptr<BIO, base::Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, base::Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, base::Freed<EVP_PKEY_free>>;

BioPtr memory(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Never asks the terminal: a key that needs a password is one we cannot read.
int no_password(char*, int, int, void*) noexcept {
  return -1;
}

Result<void> trust(SSL_CTX* context, const std::string& ca_pem) {
  if (ca_pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return base::fail(Errc::unsupported, "the system's authorities cannot be read");
    return {};
  }
  const BioPtr bio = memory(ca_pem);
  int count = 0;
  while (const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return base::fail(Errc::invalid, "the authorities are not certificates in PEM");
  return {};
}

Result<void> show(SSL_CTX* context, const PeerTls& rules) {
  if (rules.client_cert_pem.empty()) return {};
  const BioPtr bio = memory(rules.client_cert_pem);
  const X509Ptr own{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)};
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1)
    return base::fail(Errc::invalid, "the client certificate is not one in PEM");
  while (X509Ptr issuer{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) break;
  }
  const BioPtr key_bio = memory(rules.client_key_pem);
  const KeyPtr key{PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr)};
  ERR_clear_error();
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return base::fail(Errc::invalid, "the client key is not that of the client certificate");
  return {};
}

// Instead of a chain: exactly one certificate. `pinned` is the fingerprint as raw bytes.
int is_the_pinned_one(X509_STORE_CTX* chain, void* pinned) noexcept {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const X509* const leaf = X509_STORE_CTX_get0_cert(chain);
  if (leaf != nullptr && X509_digest(leaf, EVP_sha256(), digest, &size) == 1 &&
      *static_cast<const std::string*>(pinned) == std::string_view(reinterpret_cast<const char*>(digest), size)) {
    return 1;
  }
  X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
  return 0;
}

Result<std::string> raw_fingerprint(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ':') digits.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c);
  }
  std::string raw;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const auto value = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    if (value(digits[i]) < 0 || value(digits[i + 1]) < 0) break;
    raw.push_back(static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1])));
  }
  if (raw.size() != 32 || digits.size() != 64)
    return base::fail(Errc::invalid, "the fingerprint is not a SHA-256 in hexadecimal");
  return raw;
}

}  // namespace

TlsClient::TlsClient(TlsContextPtr context, bool pinned) noexcept : context_(std::move(context)), pinned_(pinned) {}
TlsClient::~TlsClient() = default;

Result<std::unique_ptr<TlsClient>> TlsClient::make(const PeerTls& rules) {
  ERR_clear_error();
  TlsContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return base::fail(Errc::exhausted, "no memory for TLS");
  set_common_tls_rules(context.get());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  FB_CHECK(show(context.get(), rules));
  const bool pinned = !rules.fingerprint_sha256.empty();
  std::unique_ptr<TlsClient> client(new TlsClient(std::move(context), pinned));
  if (pinned) {
    FB_TRY(client->fingerprint_, raw_fingerprint(rules.fingerprint_sha256));
    SSL_CTX_set_cert_verify_callback(client->context_.get(), is_the_pinned_one, &client->fingerprint_);
  } else {
    FB_CHECK(trust(client->context_.get(), rules.ca_pem));
  }
  return client;
}

std::unique_ptr<TlsSession> TlsClient::connect(int fd, const std::string& host) {
  std::unique_ptr<ssl_st, base::Freed<SSL_free>> ssl(SSL_new(context_.get()));
  if (!ssl) return nullptr;
  const bool numeric = IpAddress::parse(host).has_value();
  if (!numeric && SSL_set_tlsext_host_name(ssl.get(), host.c_str()) != 1) return nullptr;
  if (!pinned_) {
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str())
                              : SSL_set1_host(ssl.get(), host.c_str());
    if (named != 1) return nullptr;
  }
  BIO* const bio = socket_bio(fd);
  if (bio == nullptr) return nullptr;
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_connect_state(ssl.get());
  return std::make_unique<TlsSession>(std::move(ssl));
}

}  // namespace fusebox::http
