#include "vfs/styx/styx_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vfs/namespace.h"
#include "vfs/overlay/overlay.h"
#include "vfs/styx/styx_test_server.h"

namespace fusebox::vfs {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Styx {
  explicit Styx(std::uint16_t port) { make({.kind = StyxAddress::Kind::tcp, .host = "127.0.0.1", .port = port}); }
  void make(StyxAddress address) {
    mount = make_styx_mount({.address = std::move(address), .path = "/uci", .lookups = {}, .clock = &guest.clock});
  }
  Guest guest;
  std::shared_ptr<Mount> mount;

  Io<std::unique_ptr<File>> open(std::string_view path, const OpenRequest& request = {}) {
    return settle(guest, [&](Call& call) { return mount->open(call, path, request); });
  }
  Io<Stat> stat(std::string_view path) {
    return settle(guest, [&](Call& call) { return mount->stat(call, path, true); });
  }
  Io<std::string> read_all(File& file) {
    std::string all;
    while (true) {
      const auto piece = read_settled(guest, file);
      if (!piece) return fail(piece.error());
      if (piece->empty()) return all;
      all += *piece;
    }
  }
  std::vector<std::string> names(std::string_view path, std::size_t at_once = 3) {
    struct Sink final : DirSink {
      bool add(const Entry& entry) override {
        if (taken.size() == room) return full = true, false;
        taken.emplace_back(entry.name);
        next = entry.next;
        return true;
      }
      std::size_t room = 0;
      bool full = false;
      std::vector<std::string> taken;
      std::uint64_t next = 0;
    };
    auto directory = open(path);
    if (!directory) return {std::string(to_string(directory.error()))};
    std::vector<std::string> all;
    std::uint64_t cookie = 0;
    while (true) {
      Sink sink;
      const auto done = settle(guest, [&](Call& call) {
        sink = {};
        sink.room = at_once;
        return (*directory)->list(call, cookie, sink);
      });
      if (!done) return {std::string(to_string(done.error()))};
      all.insert(all.end(), sink.taken.begin(), sink.taken.end());
      if (!sink.full) return all;
      cookie = sink.next;
    }
  }
};

constexpr OpenRequest kWrites{.read = false, .write = true};
constexpr OpenRequest kCreates{.read = true, .write = true, .create = true};

TEST(StyxAddress, EveryFormIsReadAndOthersAreRefused) {
  EXPECT_EQ(*parse_styx_address("tcp://h:564"), (StyxAddress{StyxAddress::Kind::tcp, "h", 564}));
  EXPECT_EQ(*parse_styx_address("udp://[::1]:1"), (StyxAddress{StyxAddress::Kind::udp, "::1", 1}));
  EXPECT_EQ(*parse_styx_address("unix:///run/9p.sock"),
            (StyxAddress{StyxAddress::Kind::unix_socket, "/run/9p.sock", 0}));
  EXPECT_TRUE(parse_styx_address("unix://" + std::string(107, 'p')));
  for (const std::string& text :
       {std::string(""), std::string("h:1"), std::string("tcps://h:1"), std::string("serial:///dev/x"),
        std::string("unix://"), "unix://" + std::string(108, 'p'), std::string("tcp://h:0")}) {
    const auto parsed = parse_styx_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, base::Errc::invalid) << text;
  }
  EXPECT_EQ(parse_styx_address("tcps://h:1").error().message,
            "9p address \"tcps://h:1\": known schemes are tcp, udp and unix");
}

TEST(Styx, ReadsFilesOfAnySizeWithACursorOfTheirOwn) {
  StyxServer server;
  const std::string large(50'000, 'x');
  server.put("hello", "hello there");
  server.make_directory("sub");
  server.put("sub/large", large + "end");
  Styx styx(server.port());
  auto file = styx.open("hello");
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->type(), FileType::regular);
  EXPECT_EQ((*file)->stat()->size, 11u);
  EXPECT_EQ((*file)->stat()->device, device_code("Styx"));
  EXPECT_EQ(read_settled(styx.guest, **file, 5), "hello");
  EXPECT_EQ(styx.read_all(**file), " there");
  auto other = styx.open("sub/large");
  ASSERT_TRUE(other);
  EXPECT_EQ(styx.read_all(**other), large + "end");
  std::string at(5, '.');
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(at))};
  EXPECT_EQ(settle(styx.guest, [&](Call& call) { return (*file)->read_at(call, into, 6); }), 5u);
  EXPECT_EQ(at, "there");
}

TEST(Styx, NothingIsDialledBeforeTheFirstUseAndTheMountPointNeedsNoServer) {
  StyxServer server;
  Styx styx(server.port());
  EXPECT_EQ(styx.mount->stat(styx.guest.fresh(), "", true)->type, FileType::directory);
  EXPECT_TRUE(server.seen().empty());
  EXPECT_EQ(error_of(styx.stat("x")), Errno::noent);
  EXPECT_FALSE(server.seen().empty());
}

TEST(Styx, WritesAreSplitAndLandWhereTheyShould) {
  StyxServer server;
  server.put("f", "old content");
  Styx styx(server.port());
  auto file = styx.open("f", {.read = true, .write = true, .truncate = true});
  ASSERT_TRUE(file);
  std::string data(30'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 >> 5);
  EXPECT_EQ(write_settled(styx.guest, **file, data), data.size());
  EXPECT_EQ(write_settled(styx.guest, **file, "!"), 1u);
  EXPECT_EQ(server.data("f"), data + "!");
  const std::span<const std::byte> one[] = {base::as_bytes("AT")};
  EXPECT_EQ(settle(styx.guest, [&](Call& call) { return (*file)->write_at(call, one, 3); }), 2u);
  EXPECT_EQ(server.data("f").substr(3, 2), "AT");
  auto appending = styx.open("f", {.read = false, .write = true, .flags = 1});
  ASSERT_TRUE(appending);
  EXPECT_EQ(write_settled(styx.guest, **appending, "tail"), 4u);
  EXPECT_TRUE(server.data("f").ends_with("!tail"));
}

TEST(Styx, SeeksWithinTheFileAndAsksForItsEnd) {
  StyxServer server;
  server.put("f", "0123456789");
  Styx styx(server.port());
  auto file = styx.open("f");
  ASSERT_TRUE(file);
  const auto seek = [&](std::int64_t offset, Whence whence) {
    return settle(styx.guest, [&](Call& call) { return (*file)->seek_waiting(call, offset, whence); });
  };
  EXPECT_EQ(seek(4, Whence::set), 4u);
  EXPECT_EQ(seek(2, Whence::current), 6u);
  EXPECT_EQ(read_settled(styx.guest, **file), "6789");
  server.put("f", "0123456789ab");
  EXPECT_EQ(seek(-1, Whence::end), 11u);
  EXPECT_EQ(read_settled(styx.guest, **file), "b");
  EXPECT_EQ(error_of(seek(-13, Whence::end)), Errno::inval);
  EXPECT_EQ(error_of(seek(-1, Whence::set)), Errno::inval);
  EXPECT_EQ(seek(0, Whence::current), 12u);
  EXPECT_EQ(settle(styx.guest, [&](Call& call) { return (*file)->stat_waiting(call); })->size, 12u);
}

TEST(Styx, ListsDirectoriesWholeAtAnyBufferSize) {
  StyxServer server;
  server.make_directory("d");
  std::vector<std::string> expected;
  for (int i = 100; i < 400; ++i) {
    expected.push_back("file-" + std::to_string(i));
    server.put("d/" + expected.back(), "x");
  }
  Styx styx(server.port());
  EXPECT_EQ(styx.names("d", 7), expected);
  EXPECT_EQ(styx.names("d", 1000), expected);
  EXPECT_THAT(styx.names(""), ElementsAre("d"));
  auto directory = styx.open("d");
  EXPECT_EQ((*directory)->type(), FileType::directory);
  EXPECT_EQ(error_of(read_settled(styx.guest, **directory)), Errno::isdir);
  EXPECT_EQ(error_of((*directory)->seek(0, Whence::set)), Errno::isdir);
}

TEST(Styx, OpensFollowTheRulesOfPaths) {
  StyxServer server;
  server.make_directory("d");
  server.put("f", "x");
  Styx styx(server.port());
  EXPECT_EQ(error_of(styx.open("missing")), Errno::noent);
  EXPECT_EQ(error_of(styx.open("d/missing/deeper")), Errno::noent);
  EXPECT_EQ(error_of(styx.open("f", {.directory = true})), Errno::notdir);
  EXPECT_EQ(error_of(styx.open("d", kWrites)), Errno::isdir);
  EXPECT_EQ(error_of(styx.open("f", {.create = true, .exclusive = true})), Errno::exist);
  EXPECT_EQ(error_of(styx.open("nowhere/new", kCreates)), Errno::noent);
  auto made = styx.open("d/new", kCreates);
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(write_settled(styx.guest, **made, "fresh"), 5u);
  EXPECT_EQ(server.data("d/new"), "fresh");
  std::string deep;
  for (int i = 0; i < 20; ++i) {
    deep += (i == 0 ? "p" : "/p") + std::to_string(i);
    server.make_directory(deep);
  }
  EXPECT_EQ(styx.stat(deep)->type, FileType::directory) << "twenty components are two walks";
}

TEST(Styx, ChangesReachTheServer) {
  StyxServer server;
  server.put("f", "x");
  server.make_directory("d");
  server.put("d/inner", "x");
  Styx styx(server.port());
  const auto done = [&](auto operation) { return error_of(settle(styx.guest, operation)); };
  const auto mount = styx.mount;
  EXPECT_EQ(done([&](Call& call) { return mount->unlink(call, "d"); }), Errno::isdir);
  EXPECT_EQ(done([&](Call& call) { return mount->remove_directory(call, "f"); }), Errno::notdir);
  EXPECT_EQ(done([&](Call& call) { return mount->remove_directory(call, "d"); }), Errno::io);
  EXPECT_EQ(done([&](Call& call) { return mount->rename(call, "f", "g"); }), Errno::success);
  EXPECT_EQ(server.data("g"), "x");
  EXPECT_EQ(done([&](Call& call) { return mount->rename(call, "g", "d/g"); }), Errno::xdev) << "programs copy then";
  EXPECT_EQ(done([&](Call& call) { return mount->unlink(call, "g"); }), Errno::success);
  EXPECT_EQ(server.data("g"), "(nothing)");
  EXPECT_EQ(done([&](Call& call) { return mount->unlink(call, "g"); }), Errno::noent);
  EXPECT_EQ(done([&](Call& call) { return mount->create_directory(call, "d"); }), Errno::exist);
  EXPECT_EQ(done([&](Call& call) { return mount->create_directory(call, "new"); }), Errno::success);
  EXPECT_EQ(styx.stat("new")->type, FileType::directory);
  EXPECT_EQ(done([&](Call& call) { return mount->remove_directory(call, "new"); }), Errno::success);
}

TEST(Styx, ARenameTakesTheNameOfAnotherByTheRulesOfPosix) {
  StyxServer server;
  server.put("f", "new");
  server.put("g", "old");
  server.make_directory("d");
  server.make_directory("full");
  server.put("full/x", "x");
  Styx styx(server.port());
  const auto renamed = [&](std::string_view from, std::string_view to) {
    return error_of(settle(styx.guest, [&](Call& call) { return styx.mount->rename(call, from, to); }));
  };
  EXPECT_EQ(renamed("f", "f"), Errno::success);
  EXPECT_EQ(renamed("f", "d"), Errno::isdir);
  EXPECT_EQ(renamed("d", "f"), Errno::notdir);
  EXPECT_EQ(renamed("d", "full"), Errno::io) << "the server's refusal to remove it";
  EXPECT_EQ(renamed("missing", "g"), Errno::noent);
  EXPECT_EQ(server.data("g"), "old") << "nothing was removed for a rename that could not be";
  EXPECT_EQ(renamed("f", "g"), Errno::success);
  EXPECT_EQ(server.data("g"), "new");
  EXPECT_EQ(server.data("f"), "(nothing)");
  EXPECT_EQ(renamed("full/x", "full/y"), Errno::success);
  EXPECT_EQ(server.data("full/y"), "x");
  EXPECT_EQ(renamed("missing", "missing"), Errno::noent);
}

TEST(Styx, AFilesLengthIsSetOnTheServer) {
  StyxServer server;
  server.put("f", "0123456789");
  Styx styx(server.port());
  const auto resized = [&](File& file, std::uint64_t size) {
    return error_of(settle(styx.guest, [&](Call& call) { return file.set_size_waiting(call, size); }));
  };
  auto file = styx.open("f", {.read = true, .write = true});
  ASSERT_TRUE(file);
  EXPECT_EQ(resized(**file, 4), Errno::success);
  EXPECT_EQ(server.data("f"), "0123");
  EXPECT_EQ((*file)->stat()->size, 4u);
  EXPECT_EQ(resized(**file, 6), Errno::success);
  EXPECT_EQ(server.data("f"), std::string("0123\0\0", 6));
  EXPECT_EQ(resized(**file, UINT64_MAX), Errno::inval) << "all ones would mean: as it is";
  auto reader = styx.open("f");
  EXPECT_EQ(resized(**reader, 0), Errno::inval);
  auto directory = styx.open("");
  EXPECT_EQ(resized(**directory, 0), Errno::inval);
  EXPECT_EQ(server.data("f").size(), 6u);
}

TEST(Styx, TheTimeOfTheLastChangeIsSetAndThatOfTheLastAccessIsTheServers) {
  StyxServer server;
  server.put("f", "x");
  Styx styx(server.port());
  constexpr SetTime kKeep{};
  const auto at = [](std::uint64_t seconds) { return SetTime{SetTime::How::at, seconds * 1'000'000'000 + 5}; };
  const auto set = [&](std::string_view path, SetTime accessed, SetTime modified) {
    return error_of(
        settle(styx.guest, [&](Call& call) { return styx.mount->set_times(call, path, true, accessed, modified); }));
  };
  EXPECT_EQ(set("f", kKeep, at(1000)), Errno::success);
  EXPECT_EQ(server.modified("f"), 1000u);
  EXPECT_EQ(set("f", at(5), at(2000)), Errno::success) << "the one that can be set";
  EXPECT_EQ(server.modified("f"), 2000u);
  EXPECT_EQ(set("f", at(5), kKeep), Errno::notsup);
  EXPECT_EQ(set("f", kKeep, kKeep), Errno::success);
  EXPECT_EQ(set("missing", kKeep, kKeep), Errno::noent);
  EXPECT_EQ(set("f", kKeep, at(UINT32_MAX - 1)), Errno::success);
  EXPECT_EQ(set("f", kKeep, at(UINT32_MAX)), Errno::inval);
  EXPECT_EQ(server.modified("f"), UINT32_MAX - 1);
  styx.guest.clock.advance(3000s);
  auto file = styx.open("f");
  ASSERT_TRUE(file);
  const SetTime now{SetTime::How::now, 0};
  EXPECT_EQ(error_of(settle(styx.guest, [&](Call& call) { return (*file)->set_times_waiting(call, now, now); })),
            Errno::success);
  EXPECT_EQ(server.modified("f"), static_cast<std::uint32_t>(styx.guest.clock.wall() / 1s));
}

TEST(Styx, TheMountPointsOwnDescriptorAsksTheServerToo) {
  StyxServer server;
  server.put("f", "x");
  Styx styx(server.port());
  const auto names = *Namespace::build(
      {.root = make_memory_upper(styx.guest.clock, 1 << 20), .mounts = {{.path = "/n", .mount = styx.mount}}});
  auto opened = settle(styx.guest, [&](Call& call) { return names->open(call, {}, "/n", {}); });
  ASSERT_TRUE(opened) << to_string(opened.error());
  File& root = *opened->file;
  const auto by_path = settle(styx.guest, [&](Call& call) { return names->stat(call, {}, "/n", true); });
  const auto by_descriptor = settle(styx.guest, [&](Call& call) { return root.stat_waiting(call); });
  ASSERT_TRUE(by_descriptor);
  EXPECT_EQ(by_descriptor->inode, by_path->inode);
  EXPECT_EQ(error_of(settle(styx.guest, [&](Call& call) { return root.set_size_waiting(call, 1); })), Errno::inval);
  EXPECT_EQ(error_of(settle(styx.guest, [&](Call& call) { return root.seek_waiting(call, 0, Whence::end); })),
            Errno::isdir);
  const SetTime at{SetTime::How::at, 1000'000'000'000};
  EXPECT_EQ(error_of(settle(styx.guest, [&](Call& call) { return root.set_times_waiting(call, {}, at); })),
            Errno::success);
}

TEST(Styx, FidsAreGivenBackAndBounded) {
  StyxServer server;
  server.put("f", "x");
  Styx styx(server.port());
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(styx.stat("f"));
    auto file = styx.open("f");
    ASSERT_TRUE(file) << i;
    if (i % 2 == 0) {
      ASSERT_TRUE(settle(styx.guest, [&](Call& call) { return (*file)->close(call); }));
    }
    EXPECT_EQ(error_of(styx.open("missing")), Errno::noent);
  }
  std::vector<std::unique_ptr<File>> files;
  Io<std::unique_ptr<File>> opened;
  while ((opened = styx.open("f"))) files.push_back(std::move(*opened));
  EXPECT_EQ(opened.error(), Errno::nfile);
  EXPECT_GE(files.size(), kStyxFids - 4);
  EXPECT_LE(server.fids(), kStyxFids);
  files.clear();
  EXPECT_EQ(error_of(styx.stat("missing")), Errno::noent);
  EXPECT_TRUE(styx.open("f"));
}

TEST(Styx, AFileOutlivesTheLossOfItsConnection) {
  StyxServer server;
  server.put("f", "0123456789");
  Styx styx(server.port());
  auto file = styx.open("f");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_settled(styx.guest, **file, 4), "0123");
  server.hang_up();
  EXPECT_EQ(error_of(read_settled(styx.guest, **file, 3)), Errno::io);
  EXPECT_EQ(read_settled(styx.guest, **file, 3), "456");
  EXPECT_EQ(read_settled(styx.guest, **file), "789");
}

TEST(Styx, NoReplyIsTimedOutAndTheNextUseConnectsAgain) {
  std::atomic<bool> silent{false};
  StyxServer server([&](std::uint8_t request, std::string& reply) {
    if (silent && request == static_cast<std::uint8_t>(StyxType::walk)) reply.clear();
  });
  server.put("f", "x");
  Styx styx(server.port());
  ASSERT_TRUE(styx.stat("f"));
  silent = true;
  styx.guest.clock.advance(100s);
  EXPECT_EQ(error_of(styx.mount->stat(styx.guest.fresh(), "f", true)), Errno::would_block);
  EXPECT_TRUE(styx.guest.waits_for_something());
  EXPECT_EQ(styx.guest.waits.deadline(), 110s);
  styx.guest.clock.advance(kStyxReplyTime);
  EXPECT_EQ(error_of(styx.mount->stat(styx.guest.again(), "f", true)), Errno::timedout);
  silent = false;
  EXPECT_TRUE(styx.stat("f"));
}

TEST(Styx, ConnectingIsTriedTenTimesASecondApart) {
  Styx styx(free_port());
  Io<Stat> answer = styx.mount->stat(styx.guest.fresh(), "f", true);
  int seconds = 0;
  while (!answer && answer.error() == Errno::would_block && seconds < 20) {
    if (!styx.guest.waits.ready().empty()) {
      ASSERT_TRUE(wait_for_host(styx.guest.waits));
    } else {
      EXPECT_EQ(styx.guest.waits.deadline(), std::chrono::seconds(seconds + 1));
      styx.guest.clock.advance(1s);
      ++seconds;
    }
    answer = styx.mount->stat(styx.guest.again(), "f", true);
  }
  EXPECT_EQ(error_of(answer), Errno::connrefused);
  EXPECT_EQ(seconds, kStyxAttempts - 1);
}

TEST(Styx, SpeaksOverUnixSockets) {
  const auto folder = base::TempDir::create();
  const std::string path = (folder->path() / "s").string();
  StyxServer tcp;
  tcp.put("f", "over unix");
  // A pipe between the two kinds of socket.
  const base::Fd listener = base::Fd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof(at.sun_path) - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  std::thread between([&] {
    const base::Fd near = base::Fd::adopt(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const base::Fd far = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = loopback(tcp.port());
    ASSERT_EQ(::connect(far.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    while (true) {
      pollfd both[2] = {{near.get(), POLLIN, 0}, {far.get(), POLLIN, 0}};
      if (::poll(both, 2, 10'000) <= 0) return;
      const base::Fd& from = both[0].revents != 0 ? near : far;
      const std::string data = get(from);
      if (data.empty()) return;
      put(both[0].revents != 0 ? far : near, data);
    }
  });
  {
    Styx styx(0);
    styx.make({.kind = StyxAddress::Kind::unix_socket, .host = path, .port = 0});
    auto file = styx.open("f");
    ASSERT_TRUE(file) << to_string(file.error());
    EXPECT_EQ(styx.read_all(**file), "over unix");
    file->reset();
    styx.mount.reset();
  }
  between.join();
}

// The walk's refusal is part of the operation: it must not be asked for again while the next reply is awaited.
TEST(Styx, AnOperationGoesOnAfterARefusalHoweverLateTheNextReplyComes) {
  std::atomic<bool> held{true};
  StyxServer server([&](std::uint8_t request, std::string&) {
    if (request == static_cast<std::uint8_t>(StyxType::create)) held.wait(true);
  });
  Styx styx(server.port());
  Io<void> made = styx.mount->create_directory(styx.guest.fresh(), "new");
  for (int asked = 0; !made && made.error() == Errno::would_block; ++asked) {
    if (asked == 20) {
      held = false;
      held.notify_all();
    }
    (void)wait_for_host(styx.guest.waits, held ? 1 : 1000);
    made = styx.mount->create_directory(styx.guest.again(), "new");
  }
  EXPECT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(styx.stat("new")->type, FileType::directory);
}

TEST(Styx, TwoGuestsTakeTurnsOnOneMount) {
  std::atomic<bool> held{false};
  StyxServer server([&](std::uint8_t request, std::string&) {
    if (request == static_cast<std::uint8_t>(StyxType::walk)) held.wait(true);
  });
  server.put("f", "x");
  Styx styx(server.port());
  ASSERT_TRUE(styx.stat("f"));
  held = true;
  Guest second;
  EXPECT_EQ(error_of(styx.mount->stat(styx.guest.fresh(), "f", true)), Errno::would_block);
  Io<Stat> other = styx.mount->stat(second.fresh(), "f", true);
  ASSERT_EQ(error_of(other), Errno::would_block);
  ASSERT_EQ(second.waits.changes().size(), 1u);
  const WaitSet::Change turn = second.waits.changes()[0];
  held = false;
  held.notify_all();
  Io<Stat> mine = fail(Errno::would_block);
  while (!mine && mine.error() == Errno::would_block) {
    mine = styx.mount->stat(styx.guest.again(), "f", true);
    if (!mine) {
      ASSERT_TRUE(wait_for_host(styx.guest.waits));
    }
  }
  EXPECT_TRUE(mine);
  EXPECT_NE(turn.list->version(), turn.seen);
  EXPECT_TRUE(settle(second, [&](Call& call) { return styx.mount->stat(call, "f", true); }));
}

TEST(Styx, AGuestThatNeverComesBackHoldsUpOthersForAReplyTimeOnly) {
  std::atomic<bool> silent{true};
  StyxServer server([&](std::uint8_t request, std::string& reply) {
    if (silent && request == static_cast<std::uint8_t>(StyxType::walk)) reply.clear();
  });
  server.put("f", "x");
  Styx styx(server.port());
  Guest gone;
  while (server.seen().size() < 3) {  // version, attach, walk
    (void)styx.mount->stat(gone.again(), "f", true);
    (void)wait_for_host(gone.waits, 100);
  }
  silent = false;
  EXPECT_EQ(error_of(styx.mount->stat(styx.guest.fresh(), "f", true)), Errno::would_block);
  EXPECT_EQ(styx.guest.waits.deadline(), kStyxReplyTime);
  styx.guest.clock.advance(kStyxReplyTime);
  EXPECT_TRUE(styx.stat("f"));
}

// Each lie is told from the first moment; the client must refuse it, survive and, when the lying ends, work again.
TEST(StyxLies, AreRefusedAndForgotten) {
  const auto u32_at = [](std::string& reply, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) reply[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
  };
  const auto resize = [&](std::string& reply, std::size_t size) {
    reply.resize(size);
    u32_at(reply, 0, static_cast<std::uint32_t>(size));
  };
  struct Lie {
    const char* what;
    StyxType about;
    std::function<void(std::string&)> tell;
  };
  const Lie lies[] = {
      {"size below a header", StyxType::walk, [&](std::string& r) { u32_at(r, 0, 6); }},
      {"size zero", StyxType::walk, [&](std::string& r) { u32_at(r, 0, 0); }},
      {"size beyond msize", StyxType::walk, [&](std::string& r) { u32_at(r, 0, kStyxMessageBytes + 1); }},
      {"huge size", StyxType::walk, [&](std::string& r) { u32_at(r, 0, 0xffffffff); }},
      {"another tag", StyxType::walk, [](std::string& r) { r[5] = static_cast<char>(r[5] + 1); }},
      {"another type", StyxType::walk, [](std::string& r) { r[4] = 117; }},
      {"the request's own type", StyxType::walk, [](std::string& r) { r[4] = 110; }},
      {"version it was not asked for", StyxType::version, [](std::string& r) { r[r.size() - 1] = '1'; }},
      {"unknown version", StyxType::version,
       [](std::string& r) {
         r = MessageWriter(static_cast<StyxType>(101)).u32(8192).text("unknown").finish(kStyxNoTag);
       }},
      {"larger msize", StyxType::version, [&](std::string& r) { u32_at(r, 7, kStyxMessageBytes + 1); }},
      {"tiny msize", StyxType::version, [&](std::string& r) { u32_at(r, 7, kStyxMessageBytesMin - 1); }},
      {"root that is a file", StyxType::attach, [](std::string& r) { r[7] = 0; }},
      {"root cut", StyxType::attach, [&](std::string& r) { resize(r, r.size() - 1); }},
      {"more qids than names", StyxType::walk,
       [&](std::string& r) {
         r += r.substr(9, 13);
         r[7] = 2;
         u32_at(r, 0, static_cast<std::uint32_t>(r.size()));
       }},
      {"qid count without qids", StyxType::walk, [](std::string& r) { r[7] = 9; }},
      {"walk cut", StyxType::walk, [&](std::string& r) { resize(r, r.size() - 5); }},
      {"bytes after the walk", StyxType::walk, [&](std::string& r) { resize(r, r.size() + 4); }},
      {"open cut", StyxType::open, [&](std::string& r) { resize(r, r.size() - 4); }},
      {"stat whose size is larger than the message", StyxType::stat, [](std::string& r) { r[8] = 0x7f; }},
      {"stat whose inner size is larger", StyxType::stat, [](std::string& r) { r[10] = 0x7f; }},
      {"stat cut", StyxType::stat, [&](std::string& r) { resize(r, r.size() - 3); }},
      {"read count beyond the data", StyxType::read, [&](std::string& r) { u32_at(r, 7, 100); }},
      {"read count beyond what was asked", StyxType::read,
       [&](std::string& r) {
         r = MessageWriter(static_cast<StyxType>(117))
                 .u32(8000)
                 .raw(std::string(8000, 'L'))
                 .finish(static_cast<std::uint16_t>(static_cast<unsigned char>(r[5]) | static_cast<unsigned char>(r[6])
                                                                                           << 8));
       }},
      {"read count that wraps", StyxType::read, [&](std::string& r) { u32_at(r, 7, 0xffffffff); }},
      {"data beyond the count", StyxType::read, [&](std::string& r) { u32_at(r, 7, 1); }},
      {"error whose text is cut", StyxType::read,
       [&](std::string& r) {
         r = MessageWriter(static_cast<StyxType>(kStyxError))
                 .u16(50)
                 .raw("x")
                 .finish(static_cast<std::uint16_t>(static_cast<unsigned char>(r[5]) | static_cast<unsigned char>(r[6])
                                                                                           << 8));
       }},
      {"error", StyxType::read,
       [&](std::string& r) {
         r = MessageWriter(static_cast<StyxType>(kStyxError))
                 .text("no")
                 .finish(static_cast<std::uint16_t>(static_cast<unsigned char>(r[5]) | static_cast<unsigned char>(r[6])
                                                                                           << 8));
       }},
  };
  for (const Lie& lie : lies) {
    std::atomic<bool> lying{true};
    StyxServer server([&](std::uint8_t request, std::string& reply) {
      if (lying && request == static_cast<std::uint8_t>(lie.about)) lie.tell(reply);
    });
    server.put("f", "0123456789");
    Styx styx(server.port());
    const auto use = [&]() -> Errno {
      auto file = styx.open("f");
      if (!file) return file.error();
      std::string guest_memory(100, '.');
      const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(guest_memory).first(20))};
      const auto n = settle(styx.guest, [&](Call& call) { return (*file)->read(call, into); });
      EXPECT_EQ(guest_memory.substr(20), std::string(80, '.')) << lie.what;
      return n ? Errno::success : n.error();
    };
    EXPECT_EQ(use(), Errno::io) << lie.what;
    lying = false;
    EXPECT_EQ(use(), Errno::success) << lie.what;
  }
}

TEST(StyxLies, AServerThatClaimsToHaveWrittenMoreIsRefused) {
  for (const std::uint32_t claimed : {4u, 0u, 0xffffffffu}) {
    StyxServer server([&](std::uint8_t request, std::string& reply) {
      if (request != static_cast<std::uint8_t>(StyxType::write)) return;
      for (std::size_t i = 0; i < 4; ++i) reply[7 + i] = static_cast<char>(claimed >> (8 * i) & 0xff);
    });
    server.put("f", "");
    Styx styx(server.port());
    auto file = styx.open("f", kWrites);
    ASSERT_TRUE(file);
    EXPECT_EQ(error_of(write_settled(styx.guest, **file, "abc")), Errno::io) << claimed;
  }
}

TEST(StyxLies, ADirectoryThatNeverEndsOrHoldsImpossibleNamesIsRefused) {
  const auto entry = [](std::string_view name) {
    MessageWriter fields(StyxType::stat);
    fields.u16(0).u32(0).u8(0).u32(0).u64(5).u32(0).u32(0).u32(0).u64(0);
    fields.text(name).text("").text("").text("");
    const std::string body = fields.finish(0).substr(kStyxHeaderBytes);
    return MessageWriter(StyxType::stat)
        .u16(static_cast<std::uint16_t>(body.size()))
        .raw(body)
        .finish(0)
        .substr(kStyxHeaderBytes);
  };
  const auto list = [&](const std::string& data, bool once) {
    int reads = 0;
    StyxServer server([&](std::uint8_t request, std::string& reply) {
      if (request != static_cast<std::uint8_t>(StyxType::read)) return;
      const std::string& now = once && reads++ != 0 ? "" : data;
      reply = MessageWriter(static_cast<StyxType>(117))
                  .u32(static_cast<std::uint32_t>(now.size()))
                  .raw(now)
                  .finish(static_cast<std::uint16_t>(static_cast<unsigned char>(reply[5]) |
                                                     static_cast<unsigned char>(reply[6]) << 8));
    });
    Styx styx(server.port());
    return styx.names("");
  };
  EXPECT_THAT(list(entry("good") + entry(".") + entry(".."), true), ElementsAre("good"));
  for (const std::string& name : {std::string("a/b"), std::string(""), std::string(256, 'n'), std::string("a\0b", 3)}) {
    EXPECT_THAT(list(entry("good") + entry(name), true), ElementsAre("IO")) << name;
  }
  EXPECT_THAT(list(entry("good").substr(0, 20), true), ElementsAre("IO"));
  std::string page;
  while (page.size() < 8000) page += entry("same");
  EXPECT_THAT(list(page, false), ElementsAre("IO")) << "it never ends";
}

}  // namespace
}  // namespace fusebox::vfs
