#include "capability/audit_redact.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

TEST(Redactor, HidesCredentialsAlwaysAndNamedHeadersToo) {
  const Redactor redactor({"X-Api-Key"});
  for (const char* name :
       {"authorization", "Authorization", "proxy-authorization", "COOKIE", "set-cookie", "x-api-key", "X-API-KEY"}) {
    EXPECT_TRUE(redactor.hides(name)) << name;
    EXPECT_EQ(redactor.value(name, "secret"), "[redacted]");
  }
  for (const char* name : {"", "accept", "authorizatio", "authorization2", "x-api"}) {
    EXPECT_FALSE(redactor.hides(name)) << name;
    EXPECT_EQ(redactor.value(name, "plain"), "plain");
  }
}

TEST(RedactUrl, ReplacesQueryFragmentAndUserInfo) {
  const struct {
    const char* given;
    const char* want;
  } cases[] = {
      {"https://h/p", "https://h/p"},
      {"https://h/p?", "https://h/p?[redacted]"},
      {"https://h/p?a=b&c=d", "https://h/p?[redacted]"},
      {"https://h/p?a#f", "https://h/p?[redacted]"},
      {"https://h/p#f?a", "https://h/p#[redacted]"},
      {"https://user:pw@h:8/p?x", "https://[redacted]@h:8/p?[redacted]"},
      {"https://h/p@q", "https://h/p@q"},
      {"https://a@b@h", "https://[redacted]@h"},
      {"nonsense", "nonsense"},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(redact_url(c.given), c.want) << c.given;
}

}  // namespace
}  // namespace fusebox::capability
