#include "container/control.h"

#include <gtest/gtest.h>

namespace fusebox::container {
namespace {

struct RefusalCase {
  vfs::Errno code;
  base::Errc want;
  const char* name;
};

TEST(Control, ARefusalKeepsItsNumbersNameAndSaysWhetherTryingAgainMayHelp) {
  const RefusalCase cases[] = {
      {vfs::Errno::noent, base::Errc::not_found, "NOENT"}, {vfs::Errno::busy, base::Errc::unavailable, "BUSY"},
      {vfs::Errno::nospc, base::Errc::exhausted, "NOSPC"}, {vfs::Errno::nomem, base::Errc::exhausted, "NOMEM"},
      {vfs::Errno::inval, base::Errc::invalid, "INVAL"},
  };
  for (const RefusalCase& c : cases) {
    SCOPED_TRACE(c.name);
    const base::Error error = to_error({c.code, "why"});
    EXPECT_EQ(error.code, c.want);
    EXPECT_EQ(error.name, c.name);
    EXPECT_EQ(error.message, "why");
  }
}

}  // namespace
}  // namespace fusebox::container
