#include "base/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/freed.h"

namespace fusebox::base {
namespace {

using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
constexpr Nanos kStart = std::chrono::seconds{1'700'000'000};

Certificate made(std::string_view name = "fuse-t1") {
  SystemRandom random;
  return make_self_signed(name, kStart, kStart + std::chrono::hours{24 * 365}, random).value();
}

X509Ptr parsed(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509Ptr certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return certificate;
}

TEST(Certificate, SaysWhatTheContractAsks) {
  const Certificate pair = made();
  EXPECT_TRUE(pair.key_pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
  const X509Ptr certificate = parsed(pair.certificate_pem);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "0.0.0.0", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.1", 0), 0);
  EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<std::uint32_t>(XKU_SSL_SERVER));
  EXPECT_EQ(X509_get_key_usage(certificate.get()),
            static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
  EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(certificate.get())), 1);
  time_t end = 1'700'000'000 + 365 * 86400;
  EXPECT_EQ(X509_cmp_time(X509_get0_notAfter(certificate.get()), &end), -1);  // -1: not later
  ++end;
  time_t before_end = end - 2;
  EXPECT_EQ(X509_cmp_time(X509_get0_notAfter(certificate.get()), &before_end), 1);
  EXPECT_EQ(certificate_fingerprint(pair.certificate_pem).value(), pair.fingerprint);
}

TEST(Certificate, EachIsAnother) {
  const Certificate a = made();
  const Certificate b = made();
  EXPECT_NE(a.fingerprint, b.fingerprint);
  EXPECT_NE(a.key_pem, b.key_pem);
}

TEST(Certificate, LongNamesAreCut) {
  EXPECT_NE(parsed(made(std::string(133, 'x')).certificate_pem), nullptr);
}

TEST(Certificate, WhatCannotBeIsRefused) {
  SystemRandom random;
  EXPECT_EQ(make_self_signed("", kStart, kStart + kStart, random).error().code, Errc::invalid);
  EXPECT_EQ(make_self_signed("a", kStart, kStart, random).error().code, Errc::invalid);
  EXPECT_EQ(certificate_fingerprint("nothing").error().code, Errc::invalid);
  EXPECT_EQ(certificate_fingerprint("").error().code, Errc::invalid);
}

}  // namespace
}  // namespace fusebox::base
