#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>

#include "vfs/blocking_wait.h"
#include "vfs/pipe/pipe.h"
#include "vfs/pipe/pipe_pool.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::error_of;
using testing::Guest;

struct Pipes : ::testing::Test {
  std::shared_ptr<PipePool> pool = PipePool::create({.pipes = 3, .pipe_bytes = 8, .console_pipes = 2});
  std::shared_ptr<PipeShare> share = std::make_shared<PipeShare>();
  std::shared_ptr<Mount> mount = make_pipe_mount(pool, share);
  Guest guest;
  std::unique_ptr<File> reader(std::string_view name) { return must(guest.open(*mount, name, Guest::kReads)); }
  std::unique_ptr<File> writer(std::string_view name) { return must(guest.open(*mount, name, Guest::kWrites)); }
  static std::unique_ptr<File> must(Io<std::unique_ptr<File>> opened) {
    EXPECT_TRUE(opened) << to_string(error_of(opened));
    return opened ? std::move(*opened) : nullptr;
  }
};

TEST_F(Pipes, ByteOrderIsKeptAroundTheRing) {
  const auto in = reader("p");
  const auto out = writer("p");
  std::string all_in, all_out;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 8 + 1), static_cast<char>('a' + i % 26));
    const auto wrote = guest.write(*out, piece);
    if (wrote) all_out += piece.substr(0, *wrote);
    const auto read = guest.read(*in, static_cast<std::size_t>(i % 5 + 1));
    if (read) all_in += *read;
  }
  while (all_in.size() < all_out.size()) all_in += *guest.read(*in);
  EXPECT_EQ(all_in, all_out);
  EXPECT_GT(all_in.size(), 200u);
}

TEST_F(Pipes, AWriteTakesWhatFitsThenSaysAgainAndNeverBlocks) {
  const auto out = writer("p");
  EXPECT_EQ(guest.write(*out, "12345"), 5u);
  EXPECT_EQ(guest.write(*out, "67890"), 3u);
  EXPECT_EQ(error_of(guest.write(*out, "x")), Errno::again);
  EXPECT_FALSE(guest.waits_for_something());
  const auto in = reader("p");
  EXPECT_EQ(guest.read(*in), "12345678");
  EXPECT_EQ(guest.write(*out, "x"), 1u);
}

TEST_F(Pipes, SeveralBuffersAreOneWriteAndOneRead) {
  const auto in = reader("p");
  const auto out = writer("p");
  const std::span<const std::byte> pieces[] = {base::as_bytes("abc"), base::as_bytes(""), base::as_bytes("defghij")};
  EXPECT_EQ(out->write(guest.fresh(), pieces), 8u);
  std::string a(3, '.'), b(9, '.');
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(a)), std::as_writable_bytes(std::span(b))};
  EXPECT_EQ(in->read(guest.fresh(), into), 8u);
  EXPECT_EQ(a + b.substr(0, 5), "abcdefgh");
}

TEST_F(Pipes, AnEmptyPipeThatNeverHadAWriterIsNotAtItsEnd) {
  const auto in = reader("p");
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  EXPECT_TRUE(guest.waits_for_something());
  guest.nonblocking = true;
  EXPECT_EQ(error_of(guest.read(*in)), Errno::again);
  EXPECT_FALSE(guest.waits_for_something());
}

TEST_F(Pipes, TheEndComesWhenTheLastWriterGoesAndAWriterAttachingLaterTakesItBack) {
  const auto in = reader("p");
  auto first = writer("p");
  auto second = writer("p");
  EXPECT_EQ(guest.write(*first, "abc"), 3u);
  first.reset();
  EXPECT_EQ(guest.read(*in), "abc");
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  second.reset();
  EXPECT_EQ(guest.read(*in), "");
  EXPECT_EQ(guest.read(*in), "");
  second = writer("p");
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
}

TEST_F(Pipes, DataOutlivesItsWriterThenTheEndFollows) {
  auto out = writer("p");
  EXPECT_EQ(guest.write(*out, "left"), 4u);
  out.reset();
  EXPECT_TRUE(pool->exists("p"));
  const auto in = reader("p");
  EXPECT_EQ(guest.read(*in), "left");
  EXPECT_EQ(guest.read(*in), "");
}

TEST_F(Pipes, ARemovedNameStartsAfresh) {
  writer("p").reset();
  EXPECT_FALSE(pool->exists("p"));
  const auto in = reader("p");
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block) << "remembers a writer of the pipe before it";
}

TEST_F(Pipes, ABlockingReadGivesUpAfterFiveSecondsOfItsOwn) {
  const auto in = reader("p");
  guest.clock.advance(100s);
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  EXPECT_EQ(guest.waits.deadline(), 105s);
  guest.clock.advance(4999ms);
  EXPECT_EQ(error_of(guest.read_again(*in)), Errno::would_block);
  EXPECT_EQ(guest.waits.deadline(), 105s);
  guest.clock.advance(1ms);
  EXPECT_EQ(error_of(guest.read_again(*in)), Errno::again);
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  EXPECT_EQ(guest.waits.deadline(), 110s);
}

TEST_F(Pipes, AWriteOrTheLastWritersEndWakesTheReader) {
  const auto in = reader("p");
  auto out = writer("p");
  struct Count final : Waker {
    int woken = 0;
    void wake() noexcept override { ++woken; }
  } count;
  ASSERT_EQ(error_of(guest.read(*in)), Errno::would_block);
  ASSERT_EQ(guest.waits.changes().size(), 1u);
  const WaitSet::Change change = guest.waits.changes()[0];
  ASSERT_TRUE(change.list->add(count, change.seen));
  ASSERT_EQ(guest.write(*out, "x"), 1u);
  EXPECT_EQ(count.woken, 1);
  out.reset();
  EXPECT_EQ(count.woken, 2);
  EXPECT_FALSE(change.list->add(count, change.seen)) << "a change before the wait began was missed";
  change.list->remove(count);
}

TEST_F(Pipes, EachByteReachesOneReader) {
  const auto a = reader("p");
  const auto b = reader("p");
  const auto out = writer("p");
  ASSERT_EQ(guest.write(*out, "1234"), 4u);
  EXPECT_EQ(guest.read(*a, 2), "12");
  EXPECT_EQ(guest.read(*b), "34");
  EXPECT_EQ(error_of(guest.read(*a)), Errno::would_block);
}

TEST_F(Pipes, PollKnowsDataEndAndRoom) {
  const auto in = reader("p");
  auto out = writer("p");
  EXPECT_FALSE(in->poll(guest.fresh(), false).ready);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_TRUE(out->poll(guest.fresh(), true).ready);
  ASSERT_EQ(guest.write(*out, "12345678"), 8u);
  EXPECT_TRUE(in->poll(guest.fresh(), false).ready);
  EXPECT_EQ(in->poll(guest.fresh(), false).bytes, 8u);
  EXPECT_FALSE(in->poll(guest.fresh(), false).hangup);
  EXPECT_FALSE(out->poll(guest.fresh(), true).ready);
  EXPECT_TRUE(guest.waits_for_something());
  ASSERT_EQ(guest.read(*in, 1), "1");
  EXPECT_TRUE(out->poll(guest.fresh(), true).ready);
  out.reset();
  EXPECT_EQ(guest.read(*in), "2345678");
  const Readiness end = in->poll(guest.fresh(), false);
  EXPECT_TRUE(end.ready && end.hangup);
}

TEST_F(Pipes, OpeningForBothIsRefusedAndMakesNothing) {
  EXPECT_EQ(error_of(guest.open(*mount, "p", Guest::kBoth)), Errno::inval);
  EXPECT_EQ(error_of(guest.open(*mount, "p", {.directory = true})), Errno::notdir);
  EXPECT_FALSE(pool->exists("p"));
  EXPECT_EQ(error_of(guest.write(*reader("p"), "x")), Errno::badf);
  EXPECT_EQ(error_of(guest.read(*writer("q"))), Errno::badf);
}

TEST_F(Pipes, NamesMayHaveSlashesAndThirtyOneBytes) {
  const std::string longest(31, 'n');
  const auto a = writer(longest);
  const auto b = writer("dir/sub");
  EXPECT_EQ(error_of(guest.open(*mount, longest + "n", Guest::kWrites)), Errno::nametoolong);
  EXPECT_EQ(error_of(mount->stat(guest.fresh(), longest + "n", true)), Errno::nametoolong);
  EXPECT_TRUE(mount->stat(guest.fresh(), "dir/sub", true));
}

TEST_F(Pipes, ListsLivePipesAndStatMakesNone) {
  EXPECT_EQ(error_of(mount->stat(guest.fresh(), "p", true)), Errno::noent);
  EXPECT_FALSE(pool->exists("p"));
  const auto a = writer("b");
  auto b = writer("a");
  EXPECT_THAT(guest.names(*mount), ElementsAre("b", "a"));
  EXPECT_THAT(guest.names(*mount, "", 1), ElementsAre("b", "a"));
  auto directory = guest.open(*mount, "", Guest::kReads);
  const auto listed = guest.list(**directory);
  for (const auto& entry : *listed) {
    EXPECT_EQ(mount->stat(guest.fresh(), entry.name, true)->inode, entry.inode);
    EXPECT_EQ(entry.type, FileType::character);
  }
  b.reset();
  EXPECT_THAT(guest.names(*mount), ElementsAre("b"));
  EXPECT_EQ((*directory)->stat()->device, device_code("Pipe"));
  EXPECT_EQ(a->stat()->inode, mount->stat(guest.fresh(), "b", true)->inode);
  EXPECT_EQ(error_of(a->seek(0, Whence::current)), Errno::spipe);
}

TEST_F(Pipes, ThePoolIsBoundedAndUnreadDataKeepsItsPlace) {
  auto a = writer("a");
  const auto b = writer("b");
  const auto c = writer("c");
  EXPECT_EQ(error_of(guest.open(*mount, "d", Guest::kReads)), Errno::nospc);
  EXPECT_TRUE(guest.open(*mount, "a", Guest::kReads)) << "an existing pipe needs no place";
  ASSERT_EQ(guest.write(*a, "x"), 1u);
  a.reset();
  EXPECT_EQ(error_of(guest.open(*mount, "d", Guest::kReads)), Errno::nospc);
  EXPECT_EQ(guest.read(*reader("a")), "x");
  EXPECT_TRUE(guest.open(*mount, "d", Guest::kReads));
}

TEST_F(Pipes, AContainersShareBoundsThePipesItMadeNotThoseItUses) {
  share->pipes_max = 1;
  auto a = writer("a");
  EXPECT_EQ(error_of(guest.open(*mount, "b", Guest::kWrites)), Errno::nospc);
  const auto other_share = std::make_shared<PipeShare>();
  other_share->owner = "other";
  const auto other = make_pipe_mount(pool, other_share);
  const auto b = must(guest.open(*other, "b", Guest::kWrites));
  EXPECT_TRUE(guest.open(*mount, "b", Guest::kReads));
  // It counts as long as it exists, also when its maker has let go.
  const auto still = must(guest.open(*other, "a", Guest::kReads));
  a.reset();
  EXPECT_EQ(error_of(guest.open(*mount, "c", Guest::kWrites)), Errno::nospc);
}

TEST_F(Pipes, AShareIsFreeAgainWhenThePipeIsGone) {
  share->pipes_max = 1;
  for (int i = 0; i < 3; ++i) writer("p" + std::to_string(i)).reset();
}

TEST_F(Pipes, ARunCountsWhatEarlierRunsOfItsContainerLeft) {
  share->pipes_max = 1;
  auto left = writer("left");
  ASSERT_EQ(guest.write(*left, "x"), 1u);
  left.reset();
  const auto next = std::make_shared<PipeShare>();
  next->pipes_max = 1;
  const auto next_run = make_pipe_mount(pool, next);
  EXPECT_EQ(error_of(guest.open(*next_run, "more", Guest::kWrites)), Errno::nospc);
  EXPECT_EQ(guest.read(*reader("left")), "x");
  EXPECT_TRUE(guest.open(*next_run, "more", Guest::kWrites));
}

TEST_F(Pipes, NamesOutsideTheGlobsAreRefusedAndNotListed) {
  share->read = {"in.*", "both"};
  share->write = {"out.*", "both"};
  EXPECT_TRUE(guest.open(*mount, "in.a", Guest::kReads));
  EXPECT_EQ(error_of(guest.open(*mount, "in.a", Guest::kWrites)), Errno::acces);
  EXPECT_TRUE(guest.open(*mount, "out.a", Guest::kWrites));
  EXPECT_EQ(error_of(guest.open(*mount, "out.a", Guest::kReads)), Errno::acces);
  EXPECT_EQ(error_of(guest.open(*mount, "victim.out", Guest::kWrites)), Errno::acces);
  EXPECT_EQ(error_of(mount->stat(guest.fresh(), "victim.out", true)), Errno::acces);
  EXPECT_FALSE(pool->exists("victim.out"));
  const auto hidden = pool->attach("hidden", PipeEnd::Side::write, std::make_shared<PipeShare>());
  const auto seen = pool->attach("both", PipeEnd::Side::write, std::make_shared<PipeShare>());
  EXPECT_THAT(guest.names(*mount), ElementsAre("both"));
}

TEST_F(Pipes, AFullPoolDoesNotStopAConsoleAndItsPipeIsVisible) {
  const auto a = writer("a"), b = writer("b"), c = writer("c");
  const auto console = pool->attach_console("w.out", PipeEnd::Side::write);
  ASSERT_TRUE(console);
  EXPECT_THAT(guest.names(*mount), ElementsAre("a", "b", "c", "w.out"));
  EXPECT_TRUE(guest.open(*mount, "w.out", Guest::kReads));
}

TEST_F(Pipes, DeadConsolesMakeRoomEvenWhenTheirPipesAreHeldOpen) {
  Guest other;
  std::vector<std::unique_ptr<File>> held;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "w" + std::to_string(i) + ".out";
    auto console = pool->attach_console(name, PipeEnd::Side::write);
    ASSERT_TRUE(console) << i;
    const std::span<const std::byte> text[] = {base::as_bytes("bye")};
    console->pipe()->write_over(text);
    held.push_back(reader(name));
  }
  EXPECT_EQ(guest.read(*held[0]), "bye") << "the name is gone, what was opened reads on";
  EXPECT_EQ(guest.read(*held[0]), "");
  EXPECT_FALSE(pool->exists("w0.out"));
  EXPECT_TRUE(pool->exists("w9.out"));
}

TEST_F(Pipes, LiveConsolesKeepTheReserve) {
  const auto a = pool->attach_console("a", PipeEnd::Side::write);
  const auto b = pool->attach_console("b", PipeEnd::Side::read);
  EXPECT_EQ(error_of(pool->attach_console("c", PipeEnd::Side::write)), Errno::nospc);
  EXPECT_TRUE(pool->exists("a") && pool->exists("b"));
  EXPECT_EQ(error_of(pool->attach_console(std::string(32, 'n'), PipeEnd::Side::write)), Errno::nametoolong);
  EXPECT_EQ(error_of(pool->attach_console("", PipeEnd::Side::write)), Errno::inval);
}

TEST_F(Pipes, ALossyWriteDropsTheOldest) {
  const auto in = reader("p");
  const auto end = pool->attach_console("p", PipeEnd::Side::write);
  const auto write = [&](std::string_view text) {
    const std::span<const std::byte> one[] = {base::as_bytes(text)};
    return end->pipe()->write_over(one);
  };
  EXPECT_EQ(write("123456"), 6u);
  EXPECT_EQ(write("abcd"), 4u);
  EXPECT_EQ(guest.read(*in), "3456abcd");
  EXPECT_EQ(write("0123456789ABCDEF"), 16u);
  EXPECT_EQ(guest.read(*in), "89ABCDEF");
  const std::span<const std::byte> pieces[] = {base::as_bytes("12345"), base::as_bytes("67890")};
  EXPECT_EQ(end->pipe()->write_over(pieces), 10u);
  EXPECT_EQ(guest.read(*in), "34567890");
}

TEST(PipeThreads, NothingIsLostReorderedOrForgottenBetweenTwoThreads) {
  constexpr std::size_t kBytes = 2'000'000;
  const auto pool = PipePool::create({.pipes = 1, .pipe_bytes = 1000});
  const auto mount = make_pipe_mount(pool, std::make_shared<PipeShare>());
  Guest at_start;
  auto in = std::move(*at_start.open(*mount, "p", Guest::kReads));
  auto out = std::move(*at_start.open(*mount, "p", Guest::kWrites));
  std::thread writer([&] {
    Guest guest;
    std::string piece;
    for (std::size_t sent = 0; sent < kBytes;) {
      piece.clear();
      const std::size_t size = std::min<std::size_t>(1 + sent % 1777, kBytes - sent);
      for (std::size_t i = 0; i < size; ++i) piece += static_cast<char>((sent + i) * 31 >> 3);
      const auto wrote = guest.write(*out, piece);
      if (wrote) {
        sent += *wrote;
      } else if (!out->poll(guest.fresh(), true).ready) {
        wait_any(guest.waits);
      }
    }
    out.reset();
  });
  Guest guest;
  std::size_t seen = 0;
  bool right = true;
  while (true) {
    const auto read = guest.read(*in, 1 + seen % 1500);
    if (!read) {
      ASSERT_EQ(read.error(), Errno::would_block);
      wait_any(guest.waits);
      continue;
    }
    if (read->empty()) break;
    for (const char c : *read) right = right && c == static_cast<char>(seen++ * 31 >> 3);
  }
  writer.join();
  EXPECT_EQ(seen, kBytes);
  EXPECT_TRUE(right);
}

TEST(PipeThreads, ManyReadersAndWritersCountEveryByteOnce) {
  constexpr std::uint64_t kEach = 100'000;
  const auto pool = PipePool::create({.pipes = 1, .pipe_bytes = 512});
  const auto mount = make_pipe_mount(pool, std::make_shared<PipeShare>());
  std::atomic<std::uint64_t> read_all{0};
  std::vector<std::unique_ptr<File>> writers, readers;
  Guest at_start;
  for (int i = 0; i < 2; ++i) {
    writers.push_back(std::move(*at_start.open(*mount, "p", Guest::kWrites)));
    readers.push_back(std::move(*at_start.open(*mount, "p", Guest::kReads)));
  }
  std::vector<std::thread> threads;
  for (auto& file : writers) {
    threads.emplace_back([&file] {
      Guest guest;
      for (std::uint64_t left = kEach; left != 0;) {
        const auto wrote = guest.write(*file, std::string(std::min<std::uint64_t>(left, 300), 'x'));
        if (wrote) {
          left -= *wrote;
        } else if (!file->poll(guest.fresh(), true).ready) {
          wait_any(guest.waits);
        }
      }
      file.reset();
    });
  }
  for (auto& file : readers) {
    threads.emplace_back([&file, &read_all] {
      Guest guest;
      while (true) {
        const auto read = guest.read(*file, 200);
        if (!read) {
          wait_any(guest.waits);
        } else if (read->empty()) {
          return;
        } else {
          read_all += read->size();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read_all, 2 * kEach);
}

TEST(PipeThreads, NamesAppearAndGoFromTwoThreadsAtOnce) {
  const auto pool = PipePool::create({.pipes = 2, .pipe_bytes = 16});
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&pool] {
      const auto share = std::make_shared<PipeShare>();
      const auto mount = make_pipe_mount(pool, share);
      Guest guest;
      for (int i = 0; i < 2000; ++i) {
        auto out = guest.open(*mount, "same", Guest::kWrites);
        auto in = guest.open(*mount, "same", Guest::kReads);
        ASSERT_TRUE(out && in);
        (void)guest.write(**out, "x");
        guest.nonblocking = true;
        while (guest.read(**in).value_or("").size() != 0) {
        }
      }
      EXPECT_EQ(share->pipes_max, UINT32_MAX);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(pool->exists("same"));
}

}  // namespace
}  // namespace fusebox::vfs
