// One run of a verb: how it was asked to answer, and the server it was asked to talk to.
//
// Owner    the client, made at the first need: a verb that talks to no server needs none.
// Threads  one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cli/fleet/api_client.h"
#include "cli/fleet/connection.h"
#include "cli/fleet/exit_status.h"
#include "cli/streams.h"
#include "cli/verb.h"

namespace fusebox::cli::fleet {

enum class Format : std::uint8_t { table, json, name };

struct CommonOptions {
  ConnectionOptions connection;
  std::string output = "table";
  bool json = false;
  Format format() const noexcept;
};

class Session {
 public:
  Session(const Streams& streams, const CommonOptions& options) noexcept : streams_(streams), options_(options) {}
  base::Result<ApiClient*> api();
  base::Result<Connection> connection() const;
  std::ostream& out() const noexcept { return streams_.out; }
  const Streams& streams() const noexcept { return streams_; }
  Format format() const noexcept { return options_.format(); }
  bool json() const noexcept { return format() == Format::json; }
  void show_json(std::string object);  // on a line of its own, or in the list that is being shown (output.h)
  const ConnectionOptions& connection_options() const noexcept { return options_.connection; }
  const base::Clock& clock() const noexcept { return clock_; }
  base::Random& random() noexcept { return random_; }
  void note(std::string_view sentence) const;  // talk, to standard error

 private:
  Streams streams_;
  const CommonOptions& options_;
  base::RealClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<ApiClient> api_;
  friend class ShownList;
  std::vector<std::string>* list_ = nullptr;
};

// What a verb does; an error is told and becomes the exit status.
using Action = std::function<base::Result<int>(Session&)>;

// Adds verbs below one group ("env", "hosts").
struct Verbs {
  CLI::App* parent;
  std::shared_ptr<CommonOptions> common;
  VerbContext& context;
  std::string prefix;  // "fusebox env", for the examples
  // `example` follows prefix and name: "ls --all".
  CLI::App* add(const char* name, const char* what, const std::string& example, Action action) const;
  Verbs below(const char* name, const char* what) const;  // a group inside the group
};
Verbs add_group(CLI::App& app, VerbContext& context, const char* name, const char* what, const std::string& example);

// Whether `verb` of the command is one of this folder: their usage errors leave kUsage.
bool is_fleet_verb(std::string_view verb) noexcept;

}  // namespace fusebox::cli::fleet
