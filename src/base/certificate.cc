#include "base/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

#include "base/freed.h"

namespace fusebox::base {
namespace {

using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

constexpr std::size_t kCommonNameBytesMax = 64;  // ub-common-name of RFC 5280
constexpr std::size_t kSerialBytes = 16;         // contract control-plane.md 17.3

struct Extension {
  int id;
  const char* value;
};
constexpr Extension kExtensions[] = {
    {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_alt_name, "IP:127.0.0.1,IP:0.0.0.0"},
};

bool set_serial(X509* certificate, Random& random) {
  std::array<std::byte, kSerialBytes> bytes{};
  random.fill(bytes);
  bytes.back() |= std::byte{1};  // never zero
  const BignumPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), kSerialBytes, nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_time(ASN1_TIME* into, Nanos wall) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
  return ASN1_TIME_set(into, static_cast<time_t>(seconds)) != nullptr;
}

bool set_names(X509* certificate, std::string_view common_name) {
  X509_NAME* const name = X509_get_subject_name(certificate);
  const auto* const text = reinterpret_cast<const unsigned char*>(common_name.data());
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, static_cast<int>(common_name.size()), -1,
                                    0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

bool add_extensions(X509* certificate) {
  for (const Extension& wanted : kExtensions) {
    const ExtensionPtr extension(X509V3_EXT_nconf_nid(nullptr, nullptr, wanted.id, wanted.value));
    if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return true;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<Sha256> fingerprint_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return fail(Errc::bug, "certificate: OpenSSL cannot write it");
  const Sha256 hash = sha256({reinterpret_cast<const std::byte*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return hash;
}

std::unexpected<Error> failure(const char* step) {
  ERR_clear_error();  // the queue is per thread and shared with other users of OpenSSL in this process
  return fail(Errc::bug, std::string("certificate: OpenSSL failed to ") + step);
}

}  // namespace

Result<Certificate> make_self_signed(std::string_view common_name, Nanos not_before, Nanos not_after, Random& random) {
  common_name = utf8_prefix(common_name, kCommonNameBytesMax);
  if (common_name.empty() || !is_utf8(common_name)) {
    return fail(Errc::invalid, "certificate: the name is empty or not UTF-8");
  }
  if (not_after <= not_before) return fail(Errc::invalid, "certificate: it would end before it begins");

  const KeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return failure("make a key");
  X509* const made = certificate.get();
  const bool filled = X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made, random) &&
                      set_time(X509_getm_notBefore(made), not_before) &&
                      set_time(X509_getm_notAfter(made), not_after) && set_names(made, common_name) &&
                      X509_set_pubkey(made, key.get()) == 1 && add_extensions(made);
  if (!filled || X509_sign(made, key.get(), EVP_sha256()) == 0) return failure("sign");

  const BioPtr certificate_text(BIO_new(BIO_s_mem()));
  const BioPtr key_text(BIO_new(BIO_s_secmem()));
  if (certificate_text == nullptr || key_text == nullptr || PEM_write_bio_X509(certificate_text.get(), made) != 1 ||
      PEM_write_bio_PrivateKey_traditional(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failure("write");
  }
  FB_TRY(const Sha256 fingerprint, fingerprint_of(made));
  return Certificate{text_of(certificate_text.get()), text_of(key_text.get()), fingerprint};
}

Result<Sha256> certificate_fingerprint(std::string_view pem) {
  constexpr std::size_t kPemBytesMax = 1u << 20;  // of a chain; what is larger is no certificate
  if (pem.size() > kPemBytesMax) return fail(Errc::invalid, "certificate: the PEM text is above 1 MiB");
  const BioPtr text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Ptr certificate(text != nullptr ? PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr) : nullptr);
  if (certificate == nullptr) {
    ERR_clear_error();
    return fail(Errc::invalid, "certificate: no PEM certificate found");
  }
  return fingerprint_of(certificate.get());
}

}  // namespace fusebox::base
