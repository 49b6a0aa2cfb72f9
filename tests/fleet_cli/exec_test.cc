// Commands, terminals and files in an environment, as users type them.
#include <sys/stat.h>

#include <csignal>

#include "fleet_cli/fleet_command_test.h"
#include "http/frames.h"

namespace fusebox::testing {
namespace {

using http::FrameType;
using http::write_frames;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExecCommand : public FleetCommandTest {
 protected:
  static std::string ndjson(const std::string& stream, const std::string& data) {
    return R"({"stream":")" + stream + R"(","data_b64":")" + base::to_base64(base::as_bytes(data)) + "\"}\n";
  }
  void on_stream(const std::string& lines) {
    on("POST /v1/environments/fuse-a?action=exec&stream=1", [=](const SeenRequest&, TestConnection& to) {
      to.write("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
      // In two pieces, cut inside a line.
      to.write(chunk(lines.substr(0, lines.size() / 3)) + chunk(lines.substr(lines.size() / 3)) + "0\r\n\r\n");
      return true;
    });
  }
  // Speaks after the 101; `talk` ends the connection when it returns.
  void on_upgrade(const std::string& request, const std::string& protocol, std::function<void(TestConnection&)> talk) {
    on(request, [=](const SeenRequest& seen, TestConnection& to) {
      EXPECT_EQ(seen.header("Upgrade"), protocol);
      to.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + protocol + "\r\nConnection: Upgrade\r\n\r\n");
      talk(to);
      return false;
    });
  }
};

TEST_F(ExecCommand, OutputIsStreamedAndTheStatusIsTheCommands) {
  on_stream(ndjson("stdout", "one\n") + "{\"keepalive\":true}\n" + ndjson("stderr", "oops\n") +
            ndjson("stdout", std::string("\0two", 4)) + "{\"exit_code\":7}\n");
  const Finished done =
      fusebox({"env", "exec", "fuse-a", "--timeout", "5s", "--env", "A=1", "--cwd", "/w", "--", "ls", "-l"});
  EXPECT_EQ(done.status, 7);
  EXPECT_EQ(done.out, std::string("one\n\0two", 8));
  EXPECT_EQ(done.err, "oops\n");
  EXPECT_EQ(seen().at(0).body, R"({"cmd":["ls","-l"],"timeout_ms":5000,"env":{"A":"1"},"cwd":"/w"})");
}

TEST_F(ExecCommand, ALineForTheShell) {
  on_stream("{\"exit_code\":0}\n");
  EXPECT_EQ(fusebox({"env", "exec", "fuse-a", "--shell", "--", "ls", "|", "wc"}).status, 0);
  EXPECT_EQ(seen().at(0).body, R"({"shell":"ls | wc"})");
}

TEST_F(ExecCommand, ATimeThatIsUpIsToldAndIs124) {
  on_stream("{\"exit_code\":124,\"timed_out\":true}\n");
  const Finished done = fusebox({"env", "exec", "fuse-a", "--", "sleep", "9"});
  EXPECT_EQ(done.status, 124);
  EXPECT_THAT(done.err, HasSubstr("its time was up"));
}

TEST_F(ExecCommand, AServerThatDoesNotStreamIsUnderstood) {
  on("POST /v1/environments/fuse-a?action=exec", 200, R"({"exit_code":3,"stdout":"out","stderr":"err"})");
  const Finished done = fusebox({"env", "exec", "fuse-a", "--", "x"});
  EXPECT_EQ(done.status, 3);
  EXPECT_EQ(done.out, "out");
  EXPECT_EQ(done.err, "err");
  const Finished json = fusebox({"env", "exec", "fuse-a", "--json", "--", "x"});
  EXPECT_EQ(json.status, 3);
  EXPECT_EQ(json.out, "{\"exit_code\":3,\"stderr\":\"err\",\"stdout\":\"out\"}\n");
}

TEST_F(ExecCommand, AStreamWithoutAnEndIsNoSuccess) {
  on_stream(ndjson("stdout", "half"));
  const Finished done = fusebox({"env", "exec", "fuse-a", "--", "x"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("the connection ended before the command did"));
}

TEST_F(ExecCommand, WithoutACommandNothingIsSent) {
  EXPECT_EQ(fusebox({"env", "exec", "fuse-a"}).status, 2);
  EXPECT_THAT(seen(), IsEmpty());
}

TEST_F(ExecCommand, StandardInputIsPassedOnToItsEnd) {
  on_upgrade("GET /v1/environments/fuse-a/exec?cmd=cat&cmd=-", "fuse-exec/1", [](TestConnection& to) {
    http::FrameReader reader;
    for (bool ended = false; !ended;) {
      const std::string piece = to.read_some();
      if (piece.empty()) return;
      reader.feed(piece);
      for (auto frame = *reader.next(); frame; frame = *reader.next()) {
        if (frame->is(FrameType::in)) to.write(write_frames(FrameType::out, frame->payload));
        ended = ended || frame->is(FrameType::end_of_input);
      }
    }
    to.write(write_frames(FrameType::err, "done\n") + write_frames(FrameType::exit, R"({"exit_code":5})"));
    to.wait_for_client_to_close();
  });
  const std::string much(300'000, 'x');
  const Finished done = fusebox({"env", "exec", "-i", "fuse-a", "--", "cat", "-"}, {.input = much});
  EXPECT_EQ(done.status, 5) << done.err;
  EXPECT_EQ(done.out, much);
  EXPECT_EQ(done.err, "done\n");
}

TEST_F(ExecCommand, InputGoesAlongWholeWithVariables) {
  on_stream("{\"exit_code\":0}\n");
  const std::vector<std::string> words{"env", "exec", "-i", "fuse-a", "--env", "A=1", "--", "cat"};
  EXPECT_EQ(fusebox(words, {.input = "typed"}).status, 0);
  EXPECT_EQ(seen().back().body, R"({"cmd":["cat"],"env":{"A":"1"},"stdin_b64":"dHlwZWQ="})");
  EXPECT_EQ(fusebox(words, {.input = std::string((700u << 10) + 1, 'x')}).status, 1);
}

TEST_F(ExecCommand, AnInterruptIsPassedOn) {
  on_upgrade("GET /v1/environments/fuse-a/exec", "fuse-exec/1", [](TestConnection& to) {
    to.write(write_frames(FrameType::err, "ready\n"));
    http::FrameReader reader;
    for (;;) {
      const std::string piece = to.read_some();
      if (piece.empty()) return;
      reader.feed(piece);
      for (auto frame = *reader.next(); frame; frame = *reader.next()) {
        if (!frame->is(FrameType::signal)) continue;
        to.write(write_frames(FrameType::out, frame->payload) + write_frames(FrameType::exit, R"({"exit_code":130})"));
        to.wait_for_client_to_close();
        return;
      }
    }
  });
  bool sent = false;
  const Finished done =
      fusebox({"env", "exec", "-i", "fuse-a", "--", "x"}, {.on_error_output = [&sent](int pid, const std::string& err) {
                if (!sent && err.find("ready") != err.npos) ::kill(pid, SIGINT);
                sent = sent || err.find("ready") != err.npos;
              }});
  EXPECT_EQ(done.status, 130) << done.err;
  EXPECT_EQ(done.out, R"({"signal":"INT"})");
}

TEST_F(ExecCommand, AnUpgradeThatBreaksIsNoSuccess) {
  on_upgrade("GET /v1/environments/fuse-a/exec", "fuse-exec/1", [](TestConnection&) {});
  const Finished done = fusebox({"env", "exec", "-i", "fuse-a", "--", "x"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("connection"));
}

TEST_F(ExecCommand, AttachRelaysATerminal) {
  on_upgrade("GET /v1/environments/fuse-a/attach?tty=1&rows=24&cols=80&cmd=top", "fuse-attach/1",
             [](TestConnection& to) {
               to.write(write_frames(FrameType::out, "$ "));
               std::string got;
               http::FrameReader reader;
               while (got.find('\n') == got.npos) {
                 const std::string piece = to.read_some();
                 if (piece.empty()) return;
                 reader.feed(piece);
                 for (auto frame = *reader.next(); frame; frame = *reader.next()) got += frame->payload;
               }
               to.write(write_frames(FrameType::out, got) + write_frames(FrameType::exit, R"({"exit_code":9})"));
               to.wait_for_client_to_close();
             });
  const Finished done = fusebox({"env", "attach", "fuse-a", "--", "top"}, {.input = "exit 9\n"});
  EXPECT_EQ(done.status, 9) << done.err;
  EXPECT_EQ(done.out, "$ exit 9\n");
}

TEST_F(ExecCommand, AttachIsLeftWithTildeDot) {
  on_upgrade("GET /v1/environments/fuse-a/attach", "fuse-attach/1",
             [](TestConnection& to) { to.wait_for_client_to_close(); });
  const Finished done = fusebox({"env", "attach", "fuse-a"}, {.input = "~."});
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.err, HasSubstr("left the terminal"));
}

TEST_F(ExecCommand, AttachThatIsRefusedSaysWhy) {
  on("GET /v1/environments/fuse-a/attach", 403, error_json("unauthorized", "attach requires the master token"));
  const Finished done = fusebox({"env", "attach", "fuse-a"});
  EXPECT_EQ(done.status, 4);
  EXPECT_THAT(done.err,
              AllOf(HasSubstr("attach requires the master token"), HasSubstr("use the master token, or a key")));
}

TEST_F(ExecCommand, CpCarriesFilesBothWays) {
  write("in/run.sh", "#!/bin/sh\n");
  ::chmod((folder_.path() / "in/run.sh").c_str(), 0750);
  on("PUT /v1/environments/fuse-a/files", 201, "{}");
  on("GET /v1/environments/fuse-a/files?path=%2Fetc%2Fx", 200, "bytes", "X-Fuse-File-Mode: 0600\r\n");
  ASSERT_EQ(fusebox({"env", "cp", "in/run.sh", "fuse-a:/bin/"}).status, 0);
  EXPECT_EQ(seen().back().target, "/v1/environments/fuse-a/files?path=%2Fbin%2Frun.sh&mode=0750");
  EXPECT_EQ(seen().back().body, "#!/bin/sh\n");
  ASSERT_EQ(fusebox({"env", "cp", "-", "fuse-a:/x"}, {.input = "typed"}).status, 0);
  EXPECT_EQ(seen().back().target, "/v1/environments/fuse-a/files?path=%2Fx&mode=0644");
  EXPECT_EQ(seen().back().body, "typed");
  EXPECT_EQ(fusebox({"env", "cp", "fuse-a:/etc/x", "-"}).out, "bytes");
  EXPECT_EQ(fusebox({"env", "cp", "--json", "in/run.sh", "fuse-a:/bin/"}).out, "{\"files\":1,\"bytes\":10}\n");
  const Finished to_output = fusebox({"env", "cp", "--json", "fuse-a:/etc/x", "-"});
  EXPECT_EQ(to_output.out, "bytes") << "and nothing between them";
  EXPECT_THAT(to_output.err, HasSubstr("\"bytes\":"));
  ASSERT_EQ(fusebox({"env", "cp", "fuse-a:/etc/x", "in"}).status, 0);
  EXPECT_EQ(read("in/x"), "bytes");
  struct stat status{};
  ::stat((folder_.path() / "in/x").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ExecCommand, CpCarriesTrees) {
  write("site/index.html", "i");
  write("site/css/a.css", "a");
  std::filesystem::create_symlink("/etc/passwd", folder_.path() / "site/link");
  on("PUT /v1/environments/fuse-a/files", 201, "{}");
  EXPECT_EQ(fusebox({"env", "cp", "site", "fuse-a:/srv"}).status, 2);
  const Finished up = fusebox({"env", "cp", "-r", "site", "fuse-a:/srv"});
  EXPECT_EQ(up.status, 0);
  EXPECT_THAT(up.err, HasSubstr("site/link: neither file nor folder, left out"));
  std::vector<std::string> targets;
  for (const SeenRequest& request : seen()) targets.push_back(request.target.substr(0, request.target.find('&')));
  EXPECT_THAT(targets, ::testing::UnorderedElementsAre("/v1/environments/fuse-a/files?path=%2Fsrv%2Findex.html",
                                                       "/v1/environments/fuse-a/files?path=%2Fsrv%2Fcss%2Fa.css"));
  on("GET /v1/environments/fuse-a/files?path=%2Fd&list=1", 200,
     R"({"entries":[{"name":"f","type":"file"},{"name":"sub","type":"dir"},{"name":"l","type":"symlink"}]})");
  on("GET /v1/environments/fuse-a/files?path=%2Fd%2Fsub&list=1", 200, R"({"entries":[{"name":"g","type":"file"}]})");
  on("GET /v1/environments/fuse-a/files?path=%2Fd%2Ff", 200, "F");
  on("GET /v1/environments/fuse-a/files?path=%2Fd%2Fsub%2Fg", 200, "G");
  const Finished down = fusebox({"env", "cp", "-r", "fuse-a:/d", "out"});
  EXPECT_EQ(down.status, 0) << down.err;
  EXPECT_EQ(read("out/f"), "F");
  EXPECT_EQ(read("out/sub/g"), "G");
}

TEST_F(ExecCommand, ATreeThatWouldLeaveItsFolderIsRefused) {
  const std::vector<std::string> names{"../evil", "..", ".", "/evil", "a/b", ""};
  for (std::size_t i = 0; i < names.size(); ++i)
    on("GET /v1/environments/fuse-" + std::to_string(i) + "/files?path=%2Fd&list=1", 200,
       R"({"entries":[{"name":")" + names[i] + R"(","type":"file"}]})");
  on("GET /v1/environments/", 200, "evil");
  for (std::size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    const Finished done = fusebox({"env", "cp", "-r", "fuse-" + std::to_string(i) + ":/d", "out"});
    EXPECT_EQ(done.status, 1);
    EXPECT_THAT(done.err, HasSubstr("listed a file named \"" + names[i] + "\""));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "evil"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path() / "out"))
    EXPECT_TRUE(entry.is_directory()) << entry.path();
}

TEST_F(ExecCommand, AttachHasNoOutputForPrograms) {
  const Finished refused = fusebox({"env", "attach", "--json", "fuse-a"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("exec --json"));
}

TEST_F(ExecCommand, CpNeedsOneFarPlace) {
  EXPECT_EQ(fusebox({"env", "cp", "a", "b"}).status, 2);
  EXPECT_EQ(fusebox({"env", "cp", "x:/a", "y:/b"}).status, 2);
}

}  // namespace
}  // namespace fusebox::testing
