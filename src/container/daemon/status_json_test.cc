// A status goes through JSON unchanged.
#include "container/daemon/status_json.h"

#include <gtest/gtest.h>

namespace fusebox::container {
namespace {

Status through_json(const Status& status) {
  const auto document = base::json::parse(status_json(status));
  EXPECT_TRUE(document);
  return read_status(*document->root);
}

TEST(StatusJson, EveryFieldComesBack) {
  Status status;
  status.name = "web";
  status.state = State::failure;
  status.has_run = status.has_reservation = status.is_configured = true;
  status.image = "http";
  status.version = "1.0";
  status.id = 7;
  status.run = 1ull << 60;
  status.exit_code = -3;
  status.reason = "trap:memory";
  status.memory_bytes = 65536;
  status.memory_bytes_max = 1u << 20;
  status.started_wall = base::Nanos{1'700'000'000'000'000'001};
  status.uptime = base::Nanos{5};
  status.cpu_user = base::Nanos{6};
  status.cpu_total = base::Nanos{7};
  status.restarts = 4;
  status.restart_word = RestartWord::given_up;
  status.digest = base::sha256(base::as_bytes("image"));
  status.open_fds = 9;
  status.execs = 2;
  EXPECT_EQ(status_json(through_json(status)), status_json(status));
  EXPECT_EQ(through_json(status).digest.hex(), status.digest.hex());
}

TEST(StatusJson, EveryStateAndRestartWordComesBack) {
  for (const State state :
       {State::created, State::not_started, State::starting, State::running, State::exited, State::failure}) {
    for (const RestartWord word : {RestartWord::none, RestartWord::pending, RestartWord::given_up}) {
      Status status;
      status.state = state;
      status.restart_word = word;
      EXPECT_EQ(through_json(status).state, state);
      EXPECT_EQ(through_json(status).restart_word, word);
    }
  }
}

TEST(StatusJson, MissingAndWrongMembersAreDefaults) {
  const auto document = base::json::parse(R"({"name":7,"state":"dancing","restarts":-1,"digest":"sha256:xyz"})");
  const Status status = read_status(*document->root);
  EXPECT_EQ(status.name, "");
  EXPECT_EQ(status.state, State::created);
  EXPECT_EQ(status.restarts, 0u);
  EXPECT_EQ(status.exit_code, -1);
}

}  // namespace
}  // namespace fusebox::container
