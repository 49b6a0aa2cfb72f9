// The one table of the API's routes: the router, the checks before a handler and the OpenAPI document are all made of it.
//
// Routes of one method and path that differ in `?action=` are entries of their own: they differ in scope, body and answer.
//
// Threads  constant data.
// Contract control-plane.md 1.3, 2.3, 4-7, 10.2, 11.2, 15-18, 26
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "fleet/access/scopes.h"

namespace fusebox::fleet {

enum class RouteId : std::uint8_t {
  health,
  ready,
  version,
  metrics,
  openapi_json,
  openapi_yaml,
  login,
  logout,
  list_environments,
  create_environment,
  get_environment,
  delete_environment,
  drain_environment,
  rotate_token,
  fork_environment,
  exec,
  migrate_environment,
  exec_stream,
  attach,
  read_file,
  write_file,
  remove_file,
  logs,
  computer_action,
  computer_display,
  computer_stream,
  events,
  put_secrets,
  create_snapshot,
  list_snapshots,
  resolve_snapshot,
  get_snapshot,
  restore_snapshot,
  fork_snapshot,
  delete_snapshot,
  register_host,
  explain,
  list_hosts,
  get_host,
  cordon_host,
  uncordon_host,
  drain_host,
  heartbeat,
  remove_host,
  create_key,
  list_keys,
  revoke_key,
  list_operations,
  get_operation,
  audit,
  list_dead_letters,
  acknowledge_dead_letter,
};

// How a route stands to the credentials of whoever asks.
enum class Access : std::uint8_t {
  open,    // answered before everything else: no request id, no allowlist (metrics and ready: their own rule, 2.5)
  listed,  // behind the address allowlist, no credentials
  caller,  // any caller that is known and has the scope
};
enum class BodyRule : std::uint8_t { none, ignored, optional_json, required_json, bytes };
enum class AnswerKind : std::uint8_t { empty, json, text, yaml, bytes, ndjson, events, upgrade };

struct Parameter {
  std::string_view name;
  std::string_view type;  // in the words of schemas.h
  std::string_view text;
  bool required = false;
  bool fusebox = false;
  bool header = false;
};

struct RouteSpec {
  RouteId id;
  std::string_view method, pattern;
  std::string_view action = {};  // of ?action=, "" = the route has none
  std::string_view summary;
  Access access = Access::caller;
  std::optional<Action> act = {};  // what a caller must be allowed to do (access/scopes.h); nothing: any caller
  BodyRule body = BodyRule::none;
  std::uint64_t body_bytes_max = 0;
  std::string_view body_too_large = {};  // "" = the sentence of 1.3
  bool idempotent = false;               // heeds Idempotency-Key
  bool async = false;                    // heeds Prefer: respond-async
  bool stream = false;                   // no bound on the answer's duration
  bool fusebox = false;                  // [+]
  std::span<const Parameter> parameters = {};
  std::string_view request = {};   // schema, "" = none or bytes
  std::string_view response = {};  // schema of the success
  AnswerKind answer = AnswerKind::json;
  int success = 200;
  std::span<const int> statuses = {};  // beside the success and those every route of its kind may give
};

std::span<const RouteSpec> route_table() noexcept;
const RouteSpec& route(RouteId id) noexcept;

}  // namespace fusebox::fleet
