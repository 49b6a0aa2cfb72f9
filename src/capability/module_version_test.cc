#include "capability/module_version.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

TEST(ModuleVersion, OrdersAsSemanticVersioningDoes) {
  const char* const ascending[] = {"0.0.1",
                                   "0.1.0",
                                   "1.0.0-alpha",
                                   "1.0.0-alpha.1",
                                   "1.0.0-alpha.beta",
                                   "1.0.0-beta",
                                   "1.0.0-beta.2",
                                   "1.0.0-beta.11",
                                   "1.0.0-rc.1",
                                   "1.0.0",
                                   "1.0.1",
                                   "1.2.0",
                                   "1.10.0",
                                   "2.0.0-0",
                                   "2.0.0",
                                   "18446744073709551615.0.0"};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    const auto a = ModuleVersion::parse(ascending[i]);
    ASSERT_TRUE(a) << ascending[i];
    EXPECT_EQ(a->text(), ascending[i]);
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      const auto b = *ModuleVersion::parse(ascending[j]);
      EXPECT_EQ(*a <=> b, i <=> j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(*a == b, i == j);
    }
  }
  EXPECT_TRUE(ModuleVersion::parse("1.0.0-x")->is_pre_release());
  EXPECT_FALSE(ModuleVersion::parse("1.0.0")->is_pre_release());
}

TEST(ModuleVersion, RefusesOtherForms) {
  for (const char* text :
       {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1..3", "1.2.", "v1.2.3", "1.2.3-", "1.2.3-a..b", "1.2.3-a.",
        "1.2.3-01", "1.2.3+build", "1.2.3-\xc3\xa9", " 1.2.3", "1.2.3 ", "-1.2.3", "18446744073709551616.0.0"}) {
    const auto version = ModuleVersion::parse(text);
    ASSERT_FALSE(version) << text;
    EXPECT_EQ(version.error().code, base::Errc::invalid);
    EXPECT_TRUE(
        version.error().message.ends_with("is not of the form MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRE.RELEASE"))
        << version.error().message;
  }
  EXPECT_TRUE(ModuleVersion::parse("1.0.0-" + std::string(122, 'a')));
  EXPECT_FALSE(ModuleVersion::parse("1.0.0-" + std::string(123, 'a')));
}

}  // namespace
}  // namespace fusebox::capability
