#include "vfs/net/dialer.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <filesystem>

#include "vfs/net/socket_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace testing;

base::Fd listen_at(const std::filesystem::path& path) {
  base::Fd fd = base::Fd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.string().copy(at.sun_path, sizeof(at.sun_path) - 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  EXPECT_EQ(::listen(fd.get(), 4), 0);
  return fd;
}

TEST(Dialer, AConfinedUnixSocketIsFoundBeneathItsFolderAndNowhereElse) {
  const auto folder = std::move(*base::TempDir::create());
  const auto top = folder.path() / "top";
  const auto outside = folder.path() / "outside";
  std::filesystem::create_directories(top / "dir");
  std::filesystem::create_directory(outside);
  const base::Fd inner = listen_at(top / "dir" / "s");
  const base::Fd outer = listen_at(outside / "s");
  std::filesystem::create_symlink("dir", top / "in");
  std::filesystem::create_symlink("../outside", top / "out");
  std::filesystem::create_symlink("../outside/s", top / "out-socket");
  std::filesystem::create_symlink(outside / "s", top / "absolute");
  const struct {
    std::string path;
    Errno want;
  } cases[] = {
      {top / "dir" / "s", Errno::success},
      {top / "in" / "s", Errno::success},
      {top / "none", Errno::noent},
      {top / "out" / "s", Errno::notcapable},
      {top / "out-socket", Errno::notcapable},
      {top / "absolute", Errno::notcapable},
      {outside / "s", Errno::notcapable},
  };
  const auto lookups = std::make_shared<Lookups>(Offload{});
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    Guest guest;
    DialTarget target{.address = {}, .unix_path = c.path, .unix_beneath = top, .time = base::Nanos{1'000'000'000}};
    Dialer dialer(std::move(target), lookups, {}, {});
    const auto link = dialer.go_on(guest.fresh());
    EXPECT_EQ(link ? Errno::success : link.error(), c.want);
  }
  pollfd asked{.fd = outer.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&asked, 1, 0), 0) << "somebody dialled";
}

}  // namespace
}  // namespace fusebox::vfs
