// How answers are shown: tables for people, the server's JSON for programs, ids for scripts.
//
// Threads  pure functions.
// Errors   what the server sent cannot be read: `io`.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/fleet/session.h"

namespace fusebox::cli::fleet {

enum class Show : std::uint8_t { text, age, bytes };
struct Column {
  std::string_view header;
  std::string_view path;  // "capacity.cpus"
  Show show = Show::text;
};
// A kind of object of the API.
struct Kind {
  std::string_view list_key;  // "environments"
  std::string_view id_key;    // "id"
  std::span<const Column> columns;
};

extern const Kind kEnvironments;
extern const Kind kHosts;
extern const Kind kSnapshots;
extern const Kind kKeys;
extern const Kind kOperations;
extern const Kind kAuditEvents;
extern const Kind kDeadLetters;

std::string cell(const base::json::Node& object, const Column& column, base::Nanos now);

// One answer: its body for programs, its id, or `FIELD VALUE` lines.
base::Result<int> show_object(Session& session, const Kind& kind, const ApiReply& reply);
// A created or changed one: as show_object, but people get the id alone.
base::Result<int> show_id(Session& session, const Kind& kind, const ApiReply& reply);
// An answer without an object of its own: nothing for people but `sentence`, to standard error.
base::Result<int> show_done(Session& session, std::string_view id, std::string_view sentence);

// While it lives what is shown to programs becomes one list, as of an answer with several: `several` objects are one too
// when there are none.
class ShownList {
 public:
  ShownList(Session& session, const Kind& kind, bool several);
  ~ShownList();
  ShownList(const ShownList&) = delete;
  ShownList& operator=(const ShownList&) = delete;

 private:
  Session& session_;
  const Kind& kind_;
  std::vector<std::string> objects_;
};

// The same for each of several: failures are told, the first one's status stays.
base::Result<int> for_each(Session& session, const Kind& kind, const std::vector<std::string>& names,
                           const std::function<base::Result<void>(const std::string&)>& action);

struct ListOptions {
  bool all = false;  // every page
  std::string limit, cursor;
};
void add_list_options(CLI::App& verb, ListOptions& options);
base::Result<int> show_list(Session& session, const Kind& kind, ApiRequest request, const ListOptions& options);
// Every page's answer. The caller keeps them: the nodes live in them.
base::Result<std::vector<base::json::Document>> fetch_all(ApiClient& api, ApiRequest request);
void print_items(Session& session, const Kind& kind, std::span<const base::json::Node* const> items);

}  // namespace fusebox::cli::fleet
