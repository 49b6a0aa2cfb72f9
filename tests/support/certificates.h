// Certificates for tests, made when they are needed: an authority, and server certificates it signs.
#pragma once

#include <string>

namespace fusebox::testing {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;
};

class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& name);
  const std::string& pem() const { return authority_.certificate_pem; }
  // `names`: "DNS:api.test,IP:127.0.0.1". The validity is counted in seconds from now; both may be negative.
  Certificate issue(const std::string& names, long valid_from_s = -3600, long valid_until_s = 3600) const;

 private:
  Certificate authority_;
};

}  // namespace fusebox::testing
