// Every test runs with the kernel's walk and with our own: both must refuse and allow the same.
#include "capability/file_gateway.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "base/crypto.h"
#include "capability/file_gateway_walk.h"

namespace fusebox::capability {
namespace {

namespace fs = std::filesystem;
using policy::Symlinks;

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string get(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FileGatewayTest : public ::testing::TestWithParam<PathWalk> {
 protected:
  FileGatewayTest() {
    fs::create_directories(root() / "dir" / "deep");
    fs::create_directories(outside());
    put(root() / "a.txt", "alpha");
    put(root() / "dir" / "b.txt", "beta");
    put(outside() / "secret.txt", "secret");
    for (policy::FileRules* rules : {&read_, &write_}) {
      rules->enabled = true;
      policy::FileRoot data;
      data.guest = "/data";
      data.host = "root";
      rules->roots = {data};
    }
  }
  void SetUp() override {
    if (GetParam() == PathWalk::automatic && !base::kernel_can_walk_beneath())
      GTEST_SKIP() << "openat2 is refused on this machine";
  }
  fs::path root() const { return folder_.path() / "root"; }
  fs::path outside() const { return folder_.path() / "outside"; }
  policy::FileRoot& read_root() { return read_.roots[0]; }
  policy::FileRoot& write_root() { return write_.roots[0]; }

  FileGateway& gateway() {
    if (!gateway_) {
      auto opened = FileGateway::open(read_, write_, folder_.path(), {clock_, random_, GetParam()});
      EXPECT_TRUE(opened) << opened.error().message;
      gateway_.emplace(std::move(*opened));
    }
    return *gateway_;
  }
  GatewayCall call() {
    GatewayCall value;
    value.stop = [this] { return stop_; };
    value.decided = [this](const Ruling& ruling, std::string_view detail) {
      rulings_.push_back(ruling);
      details_.emplace_back(detail);
    };
    return value;
  }
  GatewayReply read(std::string_view path) { return gateway().read(path, session_, call()); }
  GatewayReply write(std::string_view path, std::string_view data) {
    return gateway().write(path, base::as_bytes(data), session_, call());
  }
  // Code and sentence of a refusal, and that it was told as one.
  void expect_denied(const GatewayReply& reply, HostCode code, std::string_view reason) {
    EXPECT_EQ(reply.code, code) << reply.reason;
    EXPECT_EQ(reply.reason, reason);
    EXPECT_EQ(reply.ruling.decision, code == HostCode::argument_invalid || code == HostCode::utf8_invalid
                                         ? Decision::denied_argument_invalid
                                         : Decision::denied_policy_violation);
    ASSERT_FALSE(rulings_.empty());
    EXPECT_EQ(rulings_.back().reason, reason);
    EXPECT_EQ(reply.output, "");
    EXPECT_EQ(reply.reason.find(folder_.path().string()), std::string::npos);
  }
  void expect_failed(const GatewayReply& reply, HostCode code, std::string_view reason) {
    EXPECT_EQ(reply.code, code) << reply.reason;
    EXPECT_EQ(reply.reason, reason);
    EXPECT_TRUE(reply.ruling.authorized());
    EXPECT_EQ(reply.output, "");
    EXPECT_EQ(reply.reason.find(folder_.path().string()), std::string::npos);
  }
  // A folder, and beside it a link that leads out of the root, ready to be swapped.
  void set_trap() {
    for (const char* name : {"dir", "trap"}) fs::remove_all(root() / name);  // removes a link, not what it leads to
    fs::create_directory(root() / "dir");
    fs::create_symlink(outside(), root() / "trap");
  }
  std::size_t names_in(const fs::path& path) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }

  base::TempDir folder_ = std::move(*base::TempDir::create());
  policy::FileRules read_;
  policy::FileRules write_;
  base::ManualClock clock_;
  base::SeededRandom random_{1};
  FileSession session_;
  bool stop_ = false;
  std::vector<Ruling> rulings_;
  std::vector<std::string> details_;
  std::optional<FileGateway> gateway_;
};

INSTANTIATE_TEST_SUITE_P(Walks, FileGatewayTest, ::testing::Values(PathWalk::automatic, PathWalk::own_walk),
                         [](const auto& walk) { return walk.param == PathWalk::automatic ? "Kernel" : "Own"; });

TEST_P(FileGatewayTest, ReadsFilesBelowTheRoot) {
  for (const auto& [path, content] : {std::pair{"/data/a.txt", "alpha"},
                                      {"/data/dir/b.txt", "beta"},
                                      {"a.txt", "alpha"},
                                      {"/data//dir/./b.txt", "beta"},
                                      {"./dir/b.txt", "beta"}}) {
    SCOPED_TRACE(path);
    const GatewayReply reply = read(path);
    EXPECT_EQ(reply.code, HostCode::ok) << reply.reason;
    EXPECT_EQ(reply.output, content);
  }
  EXPECT_EQ(session_.read.calls, 5u);
  EXPECT_EQ(session_.read.bytes, 22u);
}

TEST_P(FileGatewayTest, ReadsAnyBytesAndEmptyFiles) {
  put(root() / "bytes", std::string("\0\xFF\n", 3));
  put(root() / "empty", "");
  EXPECT_EQ(read("bytes").output, std::string("\0\xFF\n", 3));
  const GatewayReply reply = read("empty");
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.output, "");
}

TEST_P(FileGatewayTest, TellsTheDecisionBeforeTheActionAndTheFactsAfterIt) {
  const GatewayReply reply = read("/data/a.txt");
  ASSERT_EQ(rulings_.size(), 1u);
  EXPECT_TRUE(rulings_[0].authorized());
  EXPECT_EQ(details_[0], R"({"path":"/data/a.txt"})");
  EXPECT_EQ(reply.facts,
            R"("path":"/data/a.txt","bytes":5,"sha256":")" + base::sha256(base::as_bytes("alpha")).hex() + "\"");
}

struct PathCase {
  std::string path;
  HostCode code;
  const char* reason;
};

TEST_P(FileGatewayTest, RefusesPathsByTheirForm) {
  const std::string long_name(256, 'n');
  const PathCase cases[] = {
      {"", HostCode::argument_invalid, "the path is empty"},
      {std::string("a\0b", 3), HostCode::argument_invalid, "the path contains a NUL"},
      {"/data/" + long_name, HostCode::argument_invalid, "a component of the path is longer than 255 bytes"},
      {"/data/" + std::string(4091, '/'), HostCode::argument_invalid, "the path is longer than 4096 bytes"},
      {"/data/dir/", HostCode::argument_invalid, "the path ends in '/'"},
      {"/", HostCode::argument_invalid, "the path ends in '/'"},
      {"/data/\xFF", HostCode::utf8_invalid, "the path is not valid UTF-8"},
      {"/data/../outside/secret.txt", HostCode::policy_violation, "the path has a component \"..\""},
      {"/data/dir/../a.txt", HostCode::policy_violation, "the path has a component \"..\""},
      {"../outside/secret.txt", HostCode::policy_violation, "the path has a component \"..\""},
      {"..", HostCode::policy_violation, "the path has a component \"..\""},
      {"/etc/passwd", HostCode::policy_violation, "the path lies outside every root"},
      {"/database/a.txt", HostCode::policy_violation, "the path lies outside every root"},
      {"/data", HostCode::policy_violation, "the path names a root itself, not a file below it"},
      {".", HostCode::policy_violation, "the path names a root itself, not a file below it"},
  };
  for (const PathCase& c : cases) {
    SCOPED_TRACE(c.path);
    expect_denied(read(c.path), c.code, c.reason);
    expect_denied(write(c.path, "x"), c.code, c.reason);
  }
  EXPECT_EQ(session_.read.calls, 0u);
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, TakesNamesOfTheLongestLength) {
  write_root().overwrite = true;
  const std::string name(255, 'n');
  EXPECT_EQ(write(name, "x").code, HostCode::ok);
  EXPECT_EQ(read(name).output, "x");
}

TEST_P(FileGatewayTest, SaysWhatDoesNotExist) {
  expect_failed(read("/data/none"), HostCode::not_found, "/data/none: no such file");
  expect_failed(read("/data/none/b.txt"), HostCode::not_found, "/data/none/b.txt: no such file");
  expect_failed(read("/data/a.txt/b.txt"), HostCode::not_found, "/data/a.txt/b.txt: no such file");
  expect_failed(write("/data/none/b.txt", "x"), HostCode::not_found, "/data/none/b.txt: no such file");
}

TEST_P(FileGatewayTest, AReadRootPermitsNoWritingAndTheReverse) {
  fs::create_directories(folder_.path() / "in");
  fs::create_directories(folder_.path() / "out");
  put(folder_.path() / "out" / "x", "written");
  read_root().guest = "/in";
  read_root().host = "in";
  write_root().guest = "/out";
  write_root().host = "out";
  expect_denied(write("/in/x", "x"), HostCode::policy_violation, "the path lies outside every root");
  expect_denied(read("/out/x"), HostCode::policy_violation, "the path lies outside every root");
}

TEST_P(FileGatewayTest, TheLongestGuestPrefixWins) {
  policy::FileRoot inner;
  inner.guest = "/data/dir";
  inner.host = "outside";
  read_.roots.push_back(inner);
  EXPECT_EQ(read("/data/dir/secret.txt").output, "secret");
  EXPECT_EQ(read("/data/dir/b.txt").code, HostCode::not_found);
  EXPECT_EQ(read("dir/b.txt").output, "beta");
}

TEST_P(FileGatewayTest, ADisabledCapabilityOpensAndDoesNothing) {
  read_.enabled = false;
  read_root().host = "does not exist";
  const GatewayReply reply = read("a.txt");
  EXPECT_EQ(reply.code, HostCode::capability_disabled);
  EXPECT_EQ(reply.ruling.decision, Decision::denied_capability_disabled);
  EXPECT_EQ(reply.reason, "fs.read is not enabled");
}

TEST_P(FileGatewayTest, AMissingRootIsAConfigurationError) {
  read_root().host = "missing";
  const auto opened = FileGateway::open(read_, write_, folder_.path(), {clock_, random_, GetParam()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Errc::not_found);
  EXPECT_TRUE(opened.error().message.starts_with("fs.read root /data: cannot open the directory "))
      << opened.error().message;
  read_root().host = "root/a.txt";
  EXPECT_FALSE(FileGateway::open(read_, write_, folder_.path(), {clock_, random_, GetParam()}));
}

// --- what is not a regular file -------------------------------------------------------------------------------------

TEST_P(FileGatewayTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((root() / "fifo").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path = root() / "socket";
  ASSERT_LT(socket_path.size(), sizeof(address.sun_path));
  socket_path.copy(address.sun_path, socket_path.size());
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  write_root().overwrite = true;
  for (const char* name : {"fifo", "socket", "dir"}) {
    SCOPED_TRACE(name);
    expect_denied(read(name), HostCode::policy_violation, std::string(name) + ": it is not a regular file");
    expect_denied(write(name, "x"), HostCode::policy_violation, std::string(name) + ": it is not a regular file");
  }
  ::close(socket);
  EXPECT_TRUE(fs::is_fifo(root() / "fifo"));
  EXPECT_TRUE(fs::is_directory(root() / "dir"));
}

TEST_P(FileGatewayTest, RefusesDevices) {
  read_root().host = "/dev";
  expect_denied(read("null"), HostCode::policy_violation, "null: it is not a regular file");
  expect_denied(read("zero"), HostCode::policy_violation, "zero: it is not a regular file");
}

// --- symbolic links -------------------------------------------------------------------------------------------------

TEST_P(FileGatewayTest, RefusesEverySymlinkWhereTheyAreDenied) {
  fs::create_symlink("a.txt", root() / "link");
  fs::create_symlink("dir", root() / "folder");
  fs::create_symlink(outside(), root() / "away");
  fs::create_symlink("nowhere", root() / "dangling");
  write_root().overwrite = true;
  write_root().mkdirs = true;
  for (const char* path : {"link", "folder/b.txt", "away/secret.txt", "dangling", "dangling/x"}) {
    SCOPED_TRACE(path);
    const std::string reason =
        std::string(path) + ": there is a symbolic link on the way, and the policy does not allow it";
    expect_denied(read(path), HostCode::policy_violation, reason);
    expect_denied(write(path, "x"), HostCode::policy_violation, reason);
  }
  EXPECT_EQ(get(root() / "a.txt"), "alpha");
  EXPECT_FALSE(fs::exists(root() / "nowhere"));
  EXPECT_EQ(names_in(outside()), 1u);
}

TEST_P(FileGatewayTest, FollowsSymlinksThatStayWithin) {
  read_root().symlinks = Symlinks::within;
  fs::create_symlink("a.txt", root() / "link");
  fs::create_symlink("../a.txt", root() / "dir" / "up");
  fs::create_symlink("dir", root() / "folder");
  fs::create_symlink("folder/up", root() / "chain");
  fs::create_symlink("dir/deep/../../a.txt", root() / "zigzag");
  fs::create_symlink("./dir//b.txt", root() / "odd");
  for (const auto& [path, content] : {std::pair{"link", "alpha"},
                                      {"dir/up", "alpha"},
                                      {"folder/b.txt", "beta"},
                                      {"chain", "alpha"},
                                      {"folder/up", "alpha"},
                                      {"zigzag", "alpha"},
                                      {"odd", "beta"}}) {
    SCOPED_TRACE(path);
    const GatewayReply reply = read(path);
    EXPECT_EQ(reply.output, content) << reply.reason;
  }
}

TEST_P(FileGatewayTest, RefusesSymlinksThatLeaveTheRoot) {
  for (policy::FileRoot* r : {&read_root(), &write_root()}) r->symlinks = Symlinks::within;
  write_root().overwrite = true;
  write_root().mkdirs = true;
  fs::create_symlink(outside() / "secret.txt", root() / "absolute");
  fs::create_symlink(root() / "a.txt", root() / "absolute inside");
  fs::create_symlink("../outside/secret.txt", root() / "relative");
  fs::create_symlink("../outside", root() / "folder");
  fs::create_symlink("..", root() / "parent");
  fs::create_symlink("dir/../../root/a.txt", root() / "out and in");
  fs::create_symlink("/", root() / "slash");
  for (const char* path : {"absolute", "absolute inside", "relative", "folder/secret.txt", "folder/new",
                           "parent/outside/secret.txt", "out and in", "slash/etc/passwd"}) {
    SCOPED_TRACE(path);
    const std::string reason = std::string(path) + ": a symbolic link leads out of the root";
    expect_denied(read(path), HostCode::policy_violation, reason);
    expect_denied(write(path, "x"), HostCode::policy_violation, reason);
  }
  EXPECT_EQ(get(outside() / "secret.txt"), "secret");
  EXPECT_EQ(names_in(outside()), 1u);
}

TEST_P(FileGatewayTest, RefusesEndlessSymlinks) {
  read_root().symlinks = Symlinks::within;
  fs::create_symlink("loop", root() / "loop");
  fs::create_symlink("pong", root() / "ping");
  fs::create_symlink("ping", root() / "pong");
  EXPECT_EQ(read("loop").code, HostCode::policy_violation);
  EXPECT_EQ(read("ping/x").code, HostCode::policy_violation);
}

TEST_P(FileGatewayTest, RefusesTheLinksOfProcfs) {
  read_root().symlinks = Symlinks::within;
  read_root().host = "/proc";
  for (const char* path :
       {"self/root/etc/passwd", "self/cwd/x", "self/exe", "self/fd/0", "thread-self/root/etc/passwd"}) {
    SCOPED_TRACE(path);
    const GatewayReply reply = read(path);
    EXPECT_EQ(reply.code, HostCode::policy_violation) << reply.reason;
    EXPECT_EQ(reply.output, "");
  }
}

TEST_P(FileGatewayTest, WritesThroughASymlinkThatStaysWithin) {
  write_root().symlinks = Symlinks::within;
  write_root().overwrite = true;
  fs::create_symlink("dir/b.txt", root() / "link");
  fs::create_symlink("dir/new.txt", root() / "dangling");
  EXPECT_EQ(write("link", "new").code, HostCode::ok);
  EXPECT_EQ(get(root() / "dir" / "b.txt"), "new");
  EXPECT_TRUE(fs::is_symlink(root() / "link"));
  EXPECT_EQ(write("dangling", "made").code, HostCode::ok);
  EXPECT_EQ(get(root() / "dir" / "new.txt"), "made");
}

// --- sizes and counts -----------------------------------------------------------------------------------------------

TEST_P(FileGatewayTest, ReadsAFileOfExactlyTheLimitAndNoByteMore) {
  read_root().max_file_bytes = 5;
  put(root() / "six", "123456");
  EXPECT_EQ(read("a.txt").output, "alpha");
  expect_failed(read("six"), HostCode::too_large, "six: the file is larger than 5 bytes");
}

TEST_P(FileGatewayTest, CountsCallsAndBytes) {
  read_.max_calls = 3;
  read_.max_total_bytes = 11;
  EXPECT_TRUE(read("a.txt").ok());
  EXPECT_TRUE(read("a.txt").ok());
  expect_denied(read("a.txt"), HostCode::limit, "this execution has used up the 11 bytes of max_total_bytes");
  expect_denied(read("a.txt"), HostCode::limit, "this execution has made the 3 calls of max_calls");
  session_ = {};
  EXPECT_TRUE(read("a.txt").ok());
}

TEST_P(FileGatewayTest, WritesADatumOfExactlyTheLimitAndNoByteMore) {
  write_root().max_file_bytes = 4;
  EXPECT_EQ(write("four", "1234").written, 4u);
  expect_failed(write("five", "12345"), HostCode::too_large, "five: the data has 5 bytes; the limit is 4");
  EXPECT_FALSE(fs::exists(root() / "five"));
}

TEST_P(FileGatewayTest, CountsWrittenBytesCallsAndFiles) {
  write_root().max_files = 2;
  write_root().overwrite = true;
  write_.max_total_bytes = 7;
  write_.max_calls = 5;
  EXPECT_TRUE(write("one", "12").ok());
  EXPECT_TRUE(write("one", "34").ok());  // the same file again is no new one
  EXPECT_TRUE(write("two", "5").ok());
  expect_denied(write("three", "6"), HostCode::limit, "this execution has created the 2 files of max_files");
  expect_denied(write("two", "678"), HostCode::limit, "this execution has used up the 7 bytes of max_total_bytes");
  EXPECT_TRUE(write("two", "78").ok());
  expect_denied(write("two", ""), HostCode::limit, "this execution has made the 5 calls of max_calls");
  EXPECT_FALSE(fs::exists(root() / "three"));
}

// --- writing --------------------------------------------------------------------------------------------------------

TEST_P(FileGatewayTest, CreatesAFileAndLeavesNothingElse) {
  const GatewayReply reply = write("/data/dir/deep/new.bin", std::string_view("\0\xFF", 2));
  EXPECT_EQ(reply.code, HostCode::ok) << reply.reason;
  EXPECT_EQ(reply.written, 2u);
  EXPECT_EQ(get(root() / "dir" / "deep" / "new.bin"), std::string("\0\xFF", 2));
  EXPECT_EQ(names_in(root() / "dir" / "deep"), 1u);
  EXPECT_EQ(reply.facts, R"("path":"/data/dir/deep/new.bin","bytes":2,"sha256":")" +
                             base::sha256(base::as_bytes(std::string_view("\0\xFF", 2))).hex() + "\"");
}

TEST_P(FileGatewayTest, DoesNotOverwriteUnlessAllowed) {
  expect_failed(write("a.txt", "new"), HostCode::exists,
                "a.txt: the file exists, and the policy does not allow to overwrite it");
  EXPECT_EQ(get(root() / "a.txt"), "alpha");
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, ReplacesAFileAndKeepsItsMode) {
  write_root().overwrite = true;
  ASSERT_EQ(::chmod((root() / "a.txt").c_str(), 0640), 0);
  EXPECT_TRUE(write("a.txt", "new").ok());
  EXPECT_EQ(get(root() / "a.txt"), "new");
  struct stat info{};
  ASSERT_EQ(::stat((root() / "a.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, DoesNotCreateUnlessAllowed) {
  write_root().create = false;
  write_root().overwrite = true;
  write_root().mkdirs = true;
  expect_failed(write("new", "x"), HostCode::not_found,
                "new: no such file, and the policy does not allow to create one");
  expect_failed(write("folder/new", "x"), HostCode::not_found, "folder/new: no such file");
  EXPECT_TRUE(write("a.txt", "x").ok());
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, RefusesAFileWithMoreThanOneHardLink) {
  write_root().overwrite = true;
  fs::create_hard_link(outside() / "secret.txt", root() / "hard");
  expect_denied(write("hard", "x"), HostCode::policy_violation, "hard: the file has more than one hard link");
  EXPECT_EQ(get(outside() / "secret.txt"), "secret");
}

TEST_P(FileGatewayTest, MakesFoldersOnlyWhereAllowed) {
  expect_failed(write("x/y/z.txt", "1"), HostCode::not_found, "x/y/z.txt: no such file");
  write_root().mkdirs = true;
  EXPECT_TRUE(write("x/y/z.txt", "1").ok());
  EXPECT_EQ(get(root() / "x" / "y" / "z.txt"), "1");
  EXPECT_EQ(session_.write.folders_created, 2u);
  EXPECT_TRUE(write("x/y/w.txt", "2").ok());
  EXPECT_EQ(session_.write.folders_created, 2u);
}

TEST_P(FileGatewayTest, BoundsTheFoldersOfAnExecution) {
  write_root().mkdirs = true;
  session_.write.folders_created = FileGateway::kFoldersPerExecutionMax - 1;
  expect_denied(write("x/y/z.txt", "1"), HostCode::limit,
                "x/y/z.txt: this execution has made 1000 folders, the most it may");
  EXPECT_TRUE(fs::exists(root() / "x"));
  EXPECT_FALSE(fs::exists(root() / "x" / "y"));
}

TEST_P(FileGatewayTest, AFullDiskLeavesNothingBehind) {
  write_root().overwrite = true;
  struct rlimit_guard {
    rlimit_guard() {
      ::signal(SIGXFSZ, SIG_IGN);
      ::getrlimit(RLIMIT_FSIZE, &before);
      rlimit small{1000, before.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~rlimit_guard() {
      ::setrlimit(RLIMIT_FSIZE, &before);
      ::signal(SIGXFSZ, SIG_DFL);
    }
    rlimit before{};
  };
  GatewayReply reply;
  {
    const rlimit_guard guard;
    reply = write("a.txt", std::string(2000, 'x'));
  }
  expect_failed(reply, HostCode::io, "a.txt: the operating system refuses: File too large");
  EXPECT_EQ(get(root() / "a.txt"), "alpha");
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, AStopEndsACallBeforeAnythingIsDone) {
  stop_ = true;
  const GatewayReply reply = write("new", "x");
  EXPECT_EQ(reply.code, HostCode::cancelled);
  EXPECT_EQ(read("a.txt").code, HostCode::cancelled);
  EXPECT_FALSE(fs::exists(root() / "new"));
  EXPECT_TRUE(rulings_.empty());
}

TEST_P(FileGatewayTest, AStopDuringAWriteLeavesTheOldFile) {
  write_root().overwrite = true;
  int asked = 0;
  GatewayCall context;
  context.stop = [&] { return ++asked > 1; };
  const GatewayReply reply = gateway().write("a.txt", base::as_bytes("new"), session_, context);
  EXPECT_EQ(reply.code, HostCode::cancelled);
  EXPECT_EQ(get(root() / "a.txt"), "alpha");
  EXPECT_EQ(names_in(root()), 2u);
}

TEST_P(FileGatewayTest, AReasonShowsNoMoreThanTheStartOfALongPath) {
  const std::string path = std::string(200, 'x') + "/" + std::string(200, 'y');
  expect_failed(read(path), HostCode::not_found, std::string(200, 'x') + "...: no such file");
}

// --- races ----------------------------------------------------------------------------------------------------------

// Swaps two names again and again, as another process of the host might.
class Swapper {
 public:
  Swapper(fs::path a, fs::path b) : a_(std::move(a)), b_(std::move(b)), thread_([this] { run(); }) {}
  ~Swapper() {
    done_ = true;
    thread_.join();
  }

 private:
  void run() {
    while (!done_) ::renameat2(AT_FDCWD, a_.c_str(), AT_FDCWD, b_.c_str(), RENAME_EXCHANGE);
  }
  fs::path a_, b_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

constexpr int kRaceRounds = 3000;

TEST_P(FileGatewayTest, NeverReadsThroughADirectorySwappedForASymlink) {
  for (const Symlinks symlinks : {Symlinks::deny, Symlinks::within}) {
    read_root().symlinks = symlinks;
    read_.max_calls = 1'000'000;
    set_trap();
    put(root() / "dir" / "secret.txt", "public");
    gateway_.reset();
    gateway();
    const Swapper swapper(root() / "dir", root() / "trap");
    for (int i = 0; i < kRaceRounds; ++i) {
      const GatewayReply reply = read("dir/secret.txt");
      EXPECT_EQ(reply.output, reply.ok() ? "public" : "");
      ASSERT_TRUE(reply.ok() || reply.code == HostCode::policy_violation) << reply.reason;
    }
  }
}

TEST_P(FileGatewayTest, NeverReadsAFileSwappedForASymlink) {
  read_.max_calls = 1'000'000;
  fs::create_symlink(outside() / "secret.txt", root() / "trap");
  gateway();
  const Swapper swapper(root() / "a.txt", root() / "trap");
  for (int i = 0; i < kRaceRounds; ++i) {
    const GatewayReply reply = read("a.txt");
    EXPECT_EQ(reply.output, reply.ok() ? "alpha" : "");
    ASSERT_TRUE(reply.ok() || reply.code == HostCode::policy_violation) << reply.reason;
  }
}

TEST_P(FileGatewayTest, NeverWritesThroughADirectorySwappedForASymlink) {
  for (const Symlinks symlinks : {Symlinks::deny, Symlinks::within}) {
    write_root().symlinks = symlinks;
    write_root().overwrite = true;
    write_root().mkdirs = true;
    write_.max_calls = 1'000'000;
    set_trap();
    gateway_.reset();
    gateway();
    {
      const Swapper swapper(root() / "dir", root() / "trap");
      for (int i = 0; i < kRaceRounds / 10; ++i) {
        const GatewayReply reply = write("dir/new.txt", "guest");
        ASSERT_TRUE(reply.ok() || reply.code == HostCode::policy_violation) << reply.reason;
        const GatewayReply deep = write("dir/made/new.txt", "guest");
        ASSERT_TRUE(deep.ok() || deep.code == HostCode::policy_violation) << deep.reason;
      }
    }
    EXPECT_EQ(names_in(outside()), 1u);
    EXPECT_EQ(get(outside() / "secret.txt"), "secret");
  }
}

TEST_P(FileGatewayTest, NeverWritesIntoATargetSwappedForASymlink) {
  write_root().overwrite = true;
  gateway();
  for (int round = 0; round < 20; ++round) {
    // A write that wins replaces one of the two names for good, so both are made anew.
    for (const char* name : {"a.txt", "trap"}) fs::remove(root() / name);
    put(root() / "a.txt", "alpha");
    fs::create_symlink(outside() / "secret.txt", root() / "trap");
    const Swapper swapper(root() / "a.txt", root() / "trap");
    for (int i = 0; i < 5; ++i) write("a.txt", "guest");
  }
  EXPECT_EQ(get(outside() / "secret.txt"), "secret");
  EXPECT_EQ(names_in(outside()), 1u);
}

TEST_P(FileGatewayTest, AReaderSeesTheWholeOldOrTheWholeNewFile) {
  write_root().overwrite = true;
  write_.max_calls = read_.max_calls = 1'000'000;
  write_.max_total_bytes = read_.max_total_bytes = 1u << 30;
  const std::string one(50'000, '1');
  const std::string two(60'000, '2');
  ASSERT_TRUE(write("shared", one).ok());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    FileSession session;
    const GatewayCall context;
    for (int i = 0; i < 50; ++i) gateway().write("shared", base::as_bytes(i % 2 == 0 ? two : one), session, context);
    done = true;
  });
  while (!done) {
    FileSession session;
    const GatewayReply reply = gateway().read("shared", session, {});
    if (!reply.ok() || (reply.output != one && reply.output != two)) {
      ADD_FAILURE() << "a torn file: " << reply.output.size() << " bytes " << reply.reason;
      break;
    }
  }
  writer.join();
}

TEST_P(FileGatewayTest, OfManyWhoCreateAFileExactlyOneDoes) {
  gateway();
  std::atomic<int> created = 0;
  std::atomic<int> existed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        FileSession session;
        const GatewayReply reply = gateway_->write("race-" + std::to_string(k), base::as_bytes("x"), session, {});
        if (reply.ok()) ++created;
        if (reply.code == HostCode::exists) ++existed;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 20);
  EXPECT_EQ(existed, 60);
}

}  // namespace
}  // namespace fusebox::capability
