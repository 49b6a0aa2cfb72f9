#include "vfs/errno.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <set>

namespace fusebox::vfs {
namespace {

TEST(Errno, TheHostsNumbersHaveTheirNames) {
  struct Case {
    int host;
    Errno number;
    const char* name;
  };
  constexpr Case kCases[] = {
      {0, Errno::success, "SUCCESS"},
      {E2BIG, Errno::toobig, "TOOBIG"},
      {EACCES, Errno::acces, "ACCES"},
      {EOPNOTSUPP, Errno::notsup, "NOTSUP"},
      {ENOTSUP, Errno::notsup, "NOTSUP"},
      {EWOULDBLOCK, Errno::again, "AGAIN"},
      {EMSGSIZE, Errno::msgsize, "MSGSIZE"},
      {ENOTSOCK, Errno::notsock, "NOTSOCK"},
      {EBADMSG, Errno::badmsg, "BADMSG"},
      {ENOTEMPTY, Errno::notempty, "NOTEMPTY"},
      {ELOOP, Errno::loop, "LOOP"},
      {ETIMEDOUT, Errno::timedout, "TIMEDOUT"},
      {EHOSTUNREACH, Errno::hostunreach, "HOSTUNREACH"},
      {ENETUNREACH, Errno::netunreach, "NETUNREACH"},
      {EINPROGRESS, Errno::inprogress, "INPROGRESS"},
      {ENOTCONN, Errno::notconn, "NOTCONN"},
      {EISCONN, Errno::isconn, "ISCONN"},
      {EADDRINUSE, Errno::addrinuse, "ADDRINUSE"},
      {EOVERFLOW, Errno::overflow, "OVERFLOW"},
      {EXDEV, Errno::xdev, "XDEV"},
      {EDQUOT, Errno::dquot, "DQUOT"},
      {EDOM, Errno::dom, "DOM"},
      {ENOTRECOVERABLE, Errno::notrecoverable, "NOTRECOVERABLE"},
      {EILSEQ, Errno::ilseq, "ILSEQ"},
      {ENOMEDIUM, Errno::io, "IO"},
      {-5, Errno::io, "IO"},
      {100'000, Errno::io, "IO"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(from_host(c.host), c.number);
    EXPECT_EQ(to_string(c.number), c.name);
  }
}

// 76 numbers that the host has, and `notcapable`, which only WASI has.
TEST(Errno, EveryNumberButOneComesFromTheHost) {
  std::set<Errno> reached;
  for (int host = 0; host < 200; ++host) reached.insert(from_host(host));
  EXPECT_EQ(reached.size(), 76u);
  EXPECT_FALSE(reached.contains(Errno::notcapable));
  std::set<std::string_view> names;
  for (int number = 0; number <= 76; ++number) names.insert(to_string(static_cast<Errno>(number)));
  EXPECT_EQ(names.size(), 77u);
  EXPECT_EQ(to_string(static_cast<Errno>(77)), "UNKNOWN");
  EXPECT_EQ(to_string(Errno::would_block), "WOULD_BLOCK");
  EXPECT_EQ(to_string(Errno::redirect), "REDIRECT");
}

}  // namespace
}  // namespace fusebox::vfs
